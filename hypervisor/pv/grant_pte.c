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

#include "mmu.h"

#define GRANT_PTE_BITS (PTE_P | PTE_US | PTE_A | PTE_D)
#define PTE_AVAIL_LOW (7ull << 9)

/* The entry that a mapping names, in the current domain. 0 or GNTST_*. */
static inline int find_slot(const struct pv_grant_mapping *g, maddr_t *at)
{
    if (g->contains_pte) {
        *at = maddr_make(g->host_addr);
        return g->host_addr % sizeof(uint64_t) ? GNTST_general_error : 0;
    }
    *at = pte_find_l1_of(current_vcpu(), g->host_addr);
    return at->a ? 0 : GNTST_bad_virt_addr;
}

/* The table that an entry lies in, locked, if it is one of the current domain's. */
static inline struct page *table_lock(maddr_t at)
{
    struct page *p = page_lookup(maddr_to_mfn(at).n);

    return likely(p && mmu_table_lock(p, current_domain(), PGT_L1)) ? p : NULL;
}

/* Exchange the slot for val, which holds its references already. */
static inline int slot_replace(maddr_t at, uint64_t val)
{
    struct page *p = table_lock(at);
    uint64_t old;

    if (unlikely(!p))
        return GNTST_general_error;
    old = __atomic_exchange_n((uint64_t *)maddr_to_ptr(at), val, __ATOMIC_SEQ_CST);
    mmu_table_unlock(p);
    if (old & PTE_P)
        pte_l1_drop(old);
    return 0;
}

int pv_grant_map(const struct pv_grant_mapping *g, mfn_t m)
{
    uint64_t val = mfn_to_maddr(m).a | GRANT_PTE_BITS | (g->pte_flags & PTE_AVAIL_LOW);
    maddr_t at;
    int rc = find_slot(g, &at);

    if (unlikely(rc))
        return rc;
    if (!g->readonly)
        val |= PTE_RW;
    return slot_replace(at, val);
}

/* Is entry the mapping that g and m describe? Accessed, dirty and software bits are the guest's. */
static inline bool is_mapping(uint64_t entry, const struct pv_grant_mapping *g, mfn_t m)
{
    return entry & PTE_P && mfn_eq(pte_mfn(entry), m) && !(entry & PTE_RW) == g->readonly;
}

/* Take the mapping, whose references become the caller's, out of its slot and put val there. */
static inline int mapping_replace(const struct pv_grant_mapping *g, mfn_t m, maddr_t at,
                                  uint64_t val)
{
    struct page *p = table_lock(at);
    uint64_t *slot;

    if (unlikely(!p))
        return GNTST_general_error;
    slot = maddr_to_ptr(at);
    if (unlikely(!is_mapping(READ_ONCE(*slot), g, m))) {
        mmu_table_unlock(p);
        return GNTST_general_error;
    }
    __atomic_exchange_n(slot, val, __ATOMIC_SEQ_CST);
    mmu_table_unlock(p);
    return 0;
}

/* Empty the slot for va in the current tables; its entry, with its references, goes to *val. */
static int entry_lift(uint64_t va, maddr_t *at, uint64_t *val)
{
    struct page *p;

    *at = pte_find_l1_of(current_vcpu(), va);
    p = at->a ? table_lock(*at) : NULL;
    if (!p)
        return GNTST_bad_virt_addr;
    *val = __atomic_exchange_n((uint64_t *)maddr_to_ptr(*at), 0, __ATOMIC_SEQ_CST);
    mmu_table_unlock(p);
    return 0;
}

int pv_grant_unmap(const struct pv_grant_mapping *g, mfn_t m, uint64_t replace_va)
{
    maddr_t at, from;
    uint64_t val = 0;
    int rc = find_slot(g, &at);

    if (rc || !replace_va)
        return rc ? rc : mapping_replace(g, m, at, 0);
    if (g->contains_pte)
        return GNTST_general_error; /* the ABI moves mappings between addresses only */
    rc = entry_lift(replace_va, &from, &val);
    if (rc)
        return rc;
    rc = mapping_replace(g, m, at, val);
    if (rc && slot_replace(from, val) != 0 && val & PTE_P)
        pte_l1_drop(val); /* the table it came from is gone meanwhile: so is the entry */
    return rc;
}
