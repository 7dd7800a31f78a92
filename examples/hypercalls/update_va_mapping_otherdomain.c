/* SPDX-License-Identifier: MIT */
/* Contract: update_va_mapping_otherdomain (example.h). Invariants: MM-1. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(update_va_mapping_otherdomain)
{
    void *page = front_page_alloc();
    u64 entry = front_pte(front_va_to_mfn(page), PTE_KERN);

    check_eq(hc_update_va_mapping_otherdomain(page, entry, UVMF_INVLPG, DOMID_SELF), 0);
}

EXAMPLES(LISTED(update_va_mapping_otherdomain));
