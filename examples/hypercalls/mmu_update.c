/* SPDX-License-Identifier: MIT */
/* Contract: the operations of mmu_update, one example each (example.h). Invariants: MM-1. */
#include "example.h"

#define EXAMPLE_NUMBER(name) MMU_##name

static void *page;

/* Machine address of the entry that maps the page. */
static u64 entry(void)
{
    if (!page)
        page = front_page_alloc();
    return front_entry_maddr(front_pt_entry(front_root_mfn(), (u64)page, 1));
}

EXAMPLE(NORMAL_PT_UPDATE)
{
    struct mmu_update req = {.ptr = entry() | MMU_NORMAL_PT_UPDATE,
                             .val = front_pte(front_va_to_mfn(page), PTE_KERN & ~PTE_RW)};
    u32 done = 0;

    check_eq(hc_mmu_update(&req, 1, &done, DOMID_SELF), 0);
    check_eq(done, 1);
}

EXAMPLE(PT_UPDATE_PRESERVE_AD)
{
    struct mmu_update req = {.ptr = entry() | MMU_PT_UPDATE_PRESERVE_AD,
                             .val = front_pte(front_va_to_mfn(page), PTE_P | PTE_RW | PTE_U)};

    check_eq(hc_mmu_update(&req, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(PT_UPDATE_NO_TRANSLATE)
{
    struct mmu_update req = {.ptr = entry() | MMU_PT_UPDATE_NO_TRANSLATE,
                             .val = front_pte(front_va_to_mfn(page), PTE_KERN)};

    check_eq(hc_mmu_update(&req, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(MACHPHYS_UPDATE)
{
    struct mmu_update req = {.ptr = front_va_to_mfn(page) << FRONT_PAGE_SHIFT | MMU_MACHPHYS_UPDATE,
                             .val = front_va_to_pfn(page)};

    check_eq(hc_mmu_update(&req, 1, 0, DOMID_SELF), 0);
}

EXAMPLES(LISTED(NORMAL_PT_UPDATE), LISTED(PT_UPDATE_PRESERVE_AD), LISTED(PT_UPDATE_NO_TRANSLATE),
         LISTED(MACHPHYS_UPDATE));
