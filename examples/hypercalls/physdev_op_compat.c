/* SPDX-License-Identifier: MIT */
/* Contract: physdev_op_compat (example.h). Invariants: HC-1. */
#include "example.h"

#include <xen/physdev.h>

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(physdev_op_compat)
{
    struct physdev_op op = {.cmd = PHYSDEVOP_set_iopl, .u.set_iopl.iopl = 1};

    check_eq(hc_physdev_op_compat(&op), 0);
}

EXAMPLES(LISTED(physdev_op_compat));
