/* SPDX-License-Identifier: MIT */
/* Contract: update_va_mapping (example.h). Invariants: MM-1. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(update_va_mapping)
{
    void *page = front_page_alloc();
    u64 readonly = front_pte(front_va_to_mfn(page), PTE_KERN & ~PTE_RW);

    check_eq(hc_update_va_mapping(page, readonly, UVMF_INVLPG | UVMF_LOCAL), 0);
    check_eq(front_try_write(page, 1), PF(3));
}

EXAMPLES(LISTED(update_va_mapping));
