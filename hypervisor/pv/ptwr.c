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

/* The table that va maps read-only, if the domain uses it as L1. */
static bool find_table(struct vcpu *v, uint64_t va, mfn_t *table)
{
    const struct page *p;
    uint64_t leaf, type;

    if (!pte_walk_l1(v->pv.root_kernel, va, &leaf) || leaf & PTE_RW)
        return false;
    *table = pte_mfn(leaf);
    p = page_lookup(table->n);
    if (!p)
        return false;
    type = READ_ONCE(p->type);
    return type_of(type) == PGT_L1 && type & T_VALID && page_owner(*table) == v->domain->domid;
}

bool ptwr_read(struct vcpu *v, uint64_t va, uint64_t *entry)
{
    mfn_t table;

    if (!find_table(v, va, &table))
        return false;
    *entry = READ_ONCE(((uint64_t *)mfn_to_ptr(table))[(va & ~PAGE_MASK) / sizeof(uint64_t)]);
    return true;
}

int ptwr_store(struct vcpu *v, uint64_t va, uint64_t val, bool compare, uint64_t *old)
{
    mfn_t table;

    if (!find_table(v, va, &table))
        return -XEN_ENOENT;
    return mmu_l1_write(v->domain, v->domain, table, (va & ~PAGE_MASK) / sizeof(uint64_t), val,
                        compare ? MMU_COMPARE : MMU_SET, old);
}
