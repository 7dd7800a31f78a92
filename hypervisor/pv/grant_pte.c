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

#define GRANT_PTE_BITS (PTE_P | PTE_US | PTE_A | PTE_D | PTE_NX) /* data, not code of another's */
#define PTE_AVAIL_SHIFT 9 /* the entry's software bits that GNTMAP_guest_avail0.. ask for */
#define ANY_MAPPING ~0u

/* The entry that a mapping names, in the current domain. 0 or GNTST_*. */
static inline int find_slot(uint64_t host_addr, uint32_t flags, maddr_t *at)
{
    if (flags & GNTMAP_contains_pte) {
        *at = maddr_make(host_addr);
        return host_addr % sizeof(uint64_t) ? GNTST_general_error : 0;
    }
    *at = pte_find_l1_of(current_vcpu(), host_addr);
    return at->a ? 0 : GNTST_general_error;
}

/* Is entry the mapping of m that flags describe? Accessed, dirty and software bits are the guest's.
 */
static inline bool is_mapping(uint64_t entry, uint32_t flags, mfn_t m)
{
    return entry & PTE_P && mfn_eq(pte_mfn(entry), m) &&
           !(entry & PTE_RW) == !!(flags & GNTMAP_readonly);
}

/* Exchange an entry of a table of the current domain's for val, which holds its references already;
 * those of *old become the caller's. Unless flags are ANY_MAPPING: if it is that mapping of m. */
static inline int slot_exchange(maddr_t at, uint64_t val, uint32_t flags, mfn_t m, uint64_t *old)
{
    struct page *p = page_lookup(maddr_to_mfn(at).n);
    uint64_t *slot;

    if (unlikely(!p || !mmu_table_lock(p, current_domain(), PGT_L1)))
        return GNTST_general_error;
    slot = maddr_to_ptr(at);
    if (flags != ANY_MAPPING && unlikely(!is_mapping(READ_ONCE(*slot), flags, m))) {
        mmu_table_unlock(p);
        return GNTST_general_error;
    }
    *old = __atomic_exchange_n(slot, val, __ATOMIC_SEQ_CST);
    mmu_table_unlock(p);
    return 0;
}

/* The same, of any entry, which goes. */
static inline int slot_replace(maddr_t at, uint64_t val)
{
    uint64_t old;
    const int rc = slot_exchange(at, val, ANY_MAPPING, MFN_NONE, &old);

    if (likely(rc == 0) && old & PTE_P)
        pte_l1_drop(old);
    return rc;
}

int pv_grant_map(uint64_t host_addr, uint32_t flags, mfn_t m)
{
    const uint64_t avail = (uint64_t)(flags >> _GNTMAP_guest_avail0 & 7) << PTE_AVAIL_SHIFT;
    maddr_t at;
    int rc = find_slot(host_addr, flags, &at);

    if (unlikely(rc))
        return rc;
    return slot_replace(at, mfn_to_maddr(m).a | GRANT_PTE_BITS | avail |
                                (flags & GNTMAP_readonly ? 0 : PTE_RW));
}

int pv_grant_unmap(uint64_t host_addr, uint32_t flags, mfn_t m, uint64_t replace_va)
{
    maddr_t at, from;
    uint64_t val = 0, old;
    int rc = find_slot(host_addr, flags, &at);

    if (rc || !replace_va)
        return rc ? rc : slot_exchange(at, 0, flags, m, &old);
    if (flags & GNTMAP_contains_pte)
        return GNTST_general_error; /* the ABI moves mappings between addresses only */
    from = pte_find_l1_of(current_vcpu(), replace_va);
    if (!from.a || slot_exchange(from, 0, ANY_MAPPING, m, &val) != 0)
        return GNTST_general_error;
    rc = slot_exchange(at, val, flags, m, &old);
    if (rc && slot_replace(from, val) != 0 && val & PTE_P)
        pte_l1_drop(val); /* the table it came from is gone meanwhile: so is the entry */
    return rc;
}
