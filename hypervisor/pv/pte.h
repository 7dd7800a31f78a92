/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries as data: bits, and taking or dropping what one entry stands for.
 *
 * A present L1 entry that maps RAM holds a general reference of the frame, and a writable type
 * reference when it has the RW bit. A present L2..L4 entry holds a general and a type reference
 * of the table one level down, in the same domain. Entries of the control domain that map device
 * memory hold nothing. Entries that are not present are the guest's to use as it likes, but on
 * processors with L1TF they must not name RAM (MM-27).
 */
#ifndef TENUE_PV_PTE_H
#define TENUE_PV_PTE_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/hal.h>
#include <tenue/pagetype.h>
#include <tenue/spec.h>

#include "../core/page_priv.h"

struct vcpu;

#define PTE_CACHE (PTE_PWT | PTE_PCD | PTE_PAT)

/* Refused in present entries above L1: cache attributes, superpages, global (MM-3). The address
 * bits need no mask: every frame number is compared with what exists. */
#define PTE_TABLE_FORBIDDEN (PTE_PWT | PTE_PCD | PTE_PSE | PTE_G)
/* An L1 change within these leaves every reference and attribute as it was (MM-3). */
#define PTE_L1_HARMLESS (PTE_A | PTE_D | PTE_US | PTE_G | PTE_NX | 7ull << 9 | 0x7ffull << 52)
#define PTE_TABLE_HARMLESS (PTE_RW | PTE_A | PTE_D | PTE_US | PTE_NX | 7ull << 9 | 0x7ffull << 52)

static inline mfn_t pte_mfn(uint64_t e)
{
    return mfn_make((e & PTE_ADDR) >> PAGE_SHIFT);
}
static inline unsigned pte_index(uint64_t va, unsigned level)
{
    return (unsigned)(va >> (PAGE_SHIFT + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}
/* Is slot of an L4 ours? */
static inline bool root_slot_is_ours(unsigned slot)
{
    return slot - HV_L4_FIRST < HV_L4_COUNT;
}

/* Where the L1 entry for a guest address under root lies, found by machine addresses (MM-6). Its
 * frame may be anything if the guest races with itself: lock and check it before use. 0 when a
 * level above is not present. */
maddr_t pte_find_l1(mfn_t root, uint64_t va);
/* The same under the kernel root of v, which is current; where v looks again, it remembers. */
maddr_t pte_find_l1_of(struct vcpu *v, uint64_t va);
/* After an entry above L1 of a table of d, which was present, changed, or such a table ended. */
static inline void pte_tables_changed(struct domain *d)
{
    __atomic_fetch_add(&d->pv.table_changes, 1, __ATOMIC_SEQ_CST);
}
/* The L1 entry itself, read once; false when not mapped. */
bool pte_walk_l1(mfn_t root, uint64_t va, uint64_t *l1e);

/* A processor with L1TF would read the RAM that e, of a table of that level, names. */
bool pte_absent_leaks(uint64_t e, unsigned level);
/* May e, which is not present, be in a table? (MM-27) */
static inline bool pte_absent_ok(uint64_t e, unsigned level)
{
    return likely(e == 0) || likely(!(spec_plan.on & SPEC_L1TF_PTE)) || !pte_absent_leaks(e, level);
}

/*
 * Take what the present L1 entry e of a table of d stands for; frames belong to fd. Not for RAM
 * that the caller knows already. The entry to store has the bits we insist on: user, not
 * global. 0: refused, nothing taken.
 */
static inline uint64_t pte_l1_take(struct domain *d, struct domain *fd, uint64_t e) must_check;
static inline void pte_l1_drop(uint64_t e);
/* L2..L4 (level of the table that holds e). May be preempted: -XEN_ERESTART. */
int pte_table_take(struct domain *d, unsigned level, uint64_t e) must_check;
int pte_table_drop(uint64_t e) must_check;

/* Why: what it names is in use as something else or somebody else's (-XEN_EBUSY), or no RAM and
 * not a device for this domain (-XEN_EPERM). */
int pte_l1_refusal(uint64_t e);
/* Everything but a frame of fd's with references to spare: device frames, refusals. */
uint64_t pte_l1_take_slow(struct domain *d, struct domain *fd, uint64_t e) must_check;

static inline uint64_t pte_l1_take(struct domain *d, struct domain *fd, uint64_t e)
{
    struct page *p = page_lookup(pte_mfn(e).n);

    if (unlikely(!p || e & PTE_CACHE || !page_get_of(p, fd)))
        return pte_l1_take_slow(d, fd, e);
    if (e & PTE_RW && unlikely(!page_get_writable(p))) {
        page_put_ref(p);
        return 0;
    }
    return (e | PTE_US) & ~PTE_G;
}

/* A present entry of a validated table maps RAM, which then has an owner, or a device. */
static inline void pte_l1_drop(uint64_t e)
{
    const uint64_t mfn = pte_mfn(e).n;
    struct page *p = &frame_table[mfn];

    if (unlikely(mfn >= frame_count || !(READ_ONCE(p->count) & C_DOM)))
        return;
    if (e & PTE_RW)
        page_put_writable(p);
    page_put_ref(p);
}

#endif
