/* SPDX-License-Identifier: MIT */
/*
 * Recovery entries: which of our instructions may fault, and where each goes on (ENT-12). The rows
 * are written beside the instructions (copy.S). The IRET to a guest is the one case that is not a
 * row: trap.c knows its address, because its recovery changes stacks.
 */
#include <tenue/assert.h>
#include <tenue/hal.h>

#include "machine.h"

extern const struct extable_entry extable_start[], extable_end[];

/* From copy.S. */
bool extable_probe(void);

uint64_t extable_fixup(uint64_t rip)
{
    for (const struct extable_entry *e = extable_start; e != extable_end; e++)
        if (e->fault == rip)
            return e->fixup;
    return 0;
}

/* With the IDT loaded: take one fault of each kind that the recovery must survive. */
void extable_selftest(void)
{
    uint64_t value;

    BUG_ON(!extable_probe());
    BUG_ON(hal_copy_from_guest(&value, DEVICE_VIRT_END - 8, 8) != 8);
    BUG_ON(hal_copy_from_guest(&value, 0x800000000000, 7) != 7);
}
