/* SPDX-License-Identifier: MIT */
/* Contract: update_descriptor (example.h). Invariants: MM-24. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(update_descriptor)
{
    static u64 ldt[512] __attribute__((aligned(4096)));
    u64 at = front_va_to_mfn(ldt) << FRONT_PAGE_SHIFT;

    check_eq(hc_update_descriptor(at + 8, 0x00cff3000000ffff), 0);
    check_eq(ldt[1], 0x00cff3000000ffff);
}

EXAMPLES(LISTED(update_descriptor));
