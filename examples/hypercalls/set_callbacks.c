/* SPDX-License-Identifier: MIT */
/* Contract: set_callbacks (example.h). Invariants: ENT-2. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(set_callbacks)
{
    check_eq(hc_set_callbacks(front_trap_stub(FRONT_VEC_EVENT), front_trap_stub(FRONT_VEC_FAILSAFE),
                              front_trap_stub(FRONT_VEC_SYSCALL)),
             0);
}

EXAMPLES(LISTED(set_callbacks));
