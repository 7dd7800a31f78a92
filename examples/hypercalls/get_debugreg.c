/* SPDX-License-Identifier: MIT */
/* Contract: get_debugreg (example.h). Invariants: ENT-2. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(get_debugreg)
{
    check_eq(hc_get_debugreg(6), 0xffff0ff0);
}

EXAMPLES(LISTED(get_debugreg));
