/* SPDX-License-Identifier: MIT */
/* Contract: set_gdt (example.h). Invariants: MM-24. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(set_gdt)
{
    static u64 gdt[512] __attribute__((aligned(4096))) = {0, 0x00affb000000ffff};
    unsigned long frames[1] = {front_va_to_mfn(gdt)};

    check_eq(front_page_ro(gdt), 0); /* descriptors may not be mapped writable */
    check_eq(hc_set_gdt(frames, 512), 0);
}

EXAMPLES(LISTED(set_gdt));
