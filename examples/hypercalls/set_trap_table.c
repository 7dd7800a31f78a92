/* SPDX-License-Identifier: MIT */
/* Contract: set_trap_table (example.h). Invariants: ENT-2. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(set_trap_table)
{
    struct trap_info table[] = {
        {.vector = 0x80, .flags = 3 | 4, .cs = FLAT_KERNEL_CS, .address = front_trap_stub(0x80)},
        {.address = 0}, /* the end */
    };

    check_eq(hc_set_trap_table(table), 0);
}

EXAMPLES(LISTED(set_trap_table));
