/* SPDX-License-Identifier: MIT */
/*
 * One entry of a read-only L1 table, named by the address where a guest kernel maps it (ptwr.h).
 *
 * The walk reads machine memory, so it sees what the guest's tables say now and not what a TLB
 * remembers (MM-6). Between the walk and the change another vcpu may rearrange things: the
 * change locks the table it found and is refused unless that still is an L1 table of this
 * domain (MM-19); which of its own tables a guest then changes is its own race. No references
 * are kept.
 */
#include "ptwr.h"

#include "mmu.h"

maddr_t ptwr_find(struct vcpu *v, uint64_t va, uint64_t *entry)
{
    maddr_t at = pte_find_l1_of(v, va);
    const struct page *p = page_lookup(maddr_to_mfn(at).n);
    uint64_t leaf, type;

    if (unlikely(!at.a || !p || !(READ_ONCE(p->count) & C_STATE_MASK)))
        return maddr_make(0);
    leaf = READ_ONCE(*(uint64_t *)maddr_to_ptr(at));
    at = maddr_make((leaf & PTE_ADDR) | (va & (PAGE_SIZE - sizeof(uint64_t))));
    p = page_lookup(maddr_to_mfn(at).n);
    if (unlikely((leaf & (PTE_P | PTE_RW)) != PTE_P || !p))
        return maddr_make(0);
    type = READ_ONCE(p->type);
    if (type_of(type) != PGT_L1 || !(type & T_VALID) ||
        count_owner(READ_ONCE(p->count)) != v->domain->domid)
        return maddr_make(0);
    *entry = READ_ONCE(*(uint64_t *)maddr_to_ptr(at));
    return at;
}
