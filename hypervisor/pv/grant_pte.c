/* SPDX-License-Identifier: MIT */
/*
 * Grant mappings in a PV guest's own tables (pv.h, GT-5, GT-6).
 *
 * Mapping hands the caller's references over to the entry, which then is like any L1 entry: if the
 * guest overwrites it by other means they go with it. Unmapping takes them back out. It demands
 * that the slot holds the very mapping (so the references are there); a refusal has changed
 * nothing. One table locked at a time.
 */
#include <tenue/pv.h>
#include <tenue/page.h>

#include "mmu.h"

#define GRANT_PTE_BITS (PTE_P | PTE_US | PTE_A | PTE_D)
#define PTE_AVAIL_LOW (7ull << 9)

/* The table and slot that a mapping names, in the current domain. 0 or GNTST_*. */
static int find_slot(const struct pv_grant_mapping *g, mfn_t *table, unsigned *index)
{
    const struct vcpu *v = current_vcpu();

    if (g->contains_pte) {
        if (g->host_addr % sizeof(uint64_t))
            return GNTST_general_error;
        *table = maddr_to_mfn(maddr_make(g->host_addr));
        *index = (unsigned)(g->host_addr & ~PAGE_MASK) / sizeof(uint64_t);
        return 0;
    }
    return pte_find_l1(v->pv.root_kernel, g->host_addr, table, index) ? 0 : GNTST_bad_virt_addr;
}

static uint64_t *slot_of(mfn_t table, unsigned index)
{
    return (uint64_t *)mfn_to_ptr(table) + index;
}

/* Exchange the slot for val, which holds its references already. */
static int slot_replace(struct domain *d, mfn_t table, unsigned index, uint64_t val)
{
    struct page *p = page_lookup(table.n);
    uint64_t old;

    if (!p || !mmu_table_lock(p, d, PGT_L1))
        return GNTST_general_error;
    old = __atomic_exchange_n(slot_of(table, index), val, __ATOMIC_SEQ_CST);
    mmu_table_unlock(p);
    if (old & PTE_P)
        pte_l1_drop(old);
    return 0;
}

int pv_grant_map(const struct pv_grant_mapping *g, mfn_t m)
{
    uint64_t val = mfn_to_maddr(m).a | GRANT_PTE_BITS | (g->pte_flags & PTE_AVAIL_LOW);
    unsigned index;
    mfn_t table;
    int rc = find_slot(g, &table, &index);

    if (rc)
        return rc;
    if (!g->readonly)
        val |= PTE_RW;
    return slot_replace(current_domain(), table, index, val);
}

/* Is entry the mapping that g and m describe? Accessed, dirty and software bits are the guest's. */
static bool is_mapping(uint64_t entry, const struct pv_grant_mapping *g, mfn_t m)
{
    return entry & PTE_P && mfn_eq(pte_mfn(entry), m) && !(entry & PTE_RW) == g->readonly;
}

/* Take the mapping, whose references become the caller's, out of its slot and put val there. */
static int mapping_replace(const struct pv_grant_mapping *g, mfn_t m, mfn_t table, unsigned index,
                           uint64_t val)
{
    struct page *p = page_lookup(table.n);
    uint64_t old;

    if (!p || !mmu_table_lock(p, current_domain(), PGT_L1))
        return GNTST_general_error;
    old = READ_ONCE(*slot_of(table, index));
    if (!is_mapping(old, g, m)) {
        mmu_table_unlock(p);
        return GNTST_general_error;
    }
    __atomic_exchange_n(slot_of(table, index), val, __ATOMIC_SEQ_CST);
    mmu_table_unlock(p);
    return 0;
}

/* Empty the slot for va in the current tables; its entry, with its references, goes to *val. */
static int entry_lift(uint64_t va, mfn_t *table, unsigned *index, uint64_t *val)
{
    struct page *p;

    if (!pte_find_l1(current_vcpu()->pv.root_kernel, va, table, index))
        return GNTST_bad_virt_addr;
    p = page_lookup(table->n);
    if (!p || !mmu_table_lock(p, current_domain(), PGT_L1))
        return GNTST_bad_virt_addr;
    *val = __atomic_exchange_n(slot_of(*table, *index), 0, __ATOMIC_SEQ_CST);
    mmu_table_unlock(p);
    return 0;
}

int pv_grant_unmap(const struct pv_grant_mapping *g, mfn_t m, uint64_t replace_va)
{
    mfn_t table, from_table;
    unsigned index, from_index;
    uint64_t val = 0;
    int rc = find_slot(g, &table, &index);

    if (rc || !replace_va)
        return rc ? rc : mapping_replace(g, m, table, index, 0);
    if (g->contains_pte)
        return GNTST_general_error; /* the ABI moves mappings between addresses only */
    rc = entry_lift(replace_va, &from_table, &from_index, &val);
    if (rc)
        return rc;
    rc = mapping_replace(g, m, table, index, val);
    if (rc && slot_replace(current_domain(), from_table, from_index, val) != 0 && val & PTE_P)
        pte_l1_drop(val); /* the table it came from is gone meanwhile: so is the entry */
    return rc;
}
