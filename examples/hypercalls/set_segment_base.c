/* SPDX-License-Identifier: MIT */
/* Contract: the operations of set_segment_base, one example each (example.h). Invariants: EMU-3. */
#include "example.h"

#define EXAMPLE_NUMBER(name) SEGBASE_##name

static u64 word[1] = {0x60d}, seen;

EXAMPLE(FS)
{
    check_eq(hc_set_segment_base(SEGBASE_FS, word), 0);
    __asm__("mov %%fs:0, %0" : "=r"(seen));
    check_eq(seen, 0x60d);
}

EXAMPLE(GS_USER)
{
    check_eq(hc_set_segment_base(SEGBASE_GS_USER, word), 0);
}

EXAMPLE(GS_KERNEL)
{
    check_eq(hc_set_segment_base(SEGBASE_GS_KERNEL, word), 0);
    __asm__("mov %%gs:0, %0" : "=r"(seen));
    check_eq(seen, 0x60d);
}

EXAMPLE(GS_USER_SEL)
{
    check_eq(hc_set_segment_base(SEGBASE_GS_USER_SEL, FLAT_USER_DS32), 0);
}

EXAMPLES(LISTED(FS), LISTED(GS_USER), LISTED(GS_KERNEL), LISTED(GS_USER_SEL));
