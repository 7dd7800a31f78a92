/* SPDX-License-Identifier: MIT */
/* Contract: set_debugreg (example.h). Invariants: ENT-2. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(set_debugreg)
{
    check_eq(hc_set_debugreg(0, (u64)front_image_start), 0);
    check_eq(hc_get_debugreg(0), (u64)front_image_start);
}

EXAMPLES(LISTED(set_debugreg));
