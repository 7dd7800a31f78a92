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

struct domain;

#define PTE_P (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PSE (1ull << 7) /* L2, L3 */
#define PTE_PAT (1ull << 7) /* L1 */
#define PTE_G (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull
#define PTE_CACHE (PTE_PWT | PTE_PCD | PTE_PAT)

/* Refused in present entries above L1: cache attributes, superpages, global (MM-3). The address
 * bits need no mask: every frame number is compared with what exists. */
#define PTE_TABLE_FORBIDDEN (PTE_PWT | PTE_PCD | PTE_PSE | PTE_G)
/* An L1 change within these leaves every reference and attribute as it was (MM-3). */
#define PTE_L1_HARMLESS (PTE_A | PTE_D | PTE_US | PTE_G | PTE_NX | 7ull << 9 | 0x7ffull << 52)
#define PTE_TABLE_HARMLESS (PTE_RW | PTE_A | PTE_D | PTE_US | PTE_NX | 7ull << 9 | 0x7ffull << 52)

#define TABLE_ENTRIES 512u

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

/* The L1 entry for a guest address under root, by machine addresses (MM-6). The table that holds
 * it is *table (may be anything if the guest races with itself: lock and check it before use).
 * False when a level above is not present. */
bool pte_find_l1(mfn_t root, uint64_t va, mfn_t *table, unsigned *index);
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
 * Take what the L1 entry *e of a table of d stands for; frames belong to fd. Not for RAM that the
 * caller knows already. *e gets the bits we insist on: user, not global, read-only where a device
 * frame may not be written. 0 or -XEN_EINVAL with nothing taken.
 */
int pte_l1_take(struct domain *d, struct domain *fd, uint64_t *e) must_check;
void pte_l1_drop(uint64_t e);
/* L2..L4 (level of the table that holds e). May be preempted: -XEN_ERESTART. */
int pte_table_take(struct domain *d, unsigned level, uint64_t e) must_check;
int pte_table_drop(uint64_t e) must_check;

/* Writable type reference alone; the caller holds a general one. The slow cases: pagetype.c. */
bool page_get_writable_slow(struct page *p) must_check;
void page_put_type_slow(struct page *p);

static inline bool page_get_writable(struct page *p)
{
    uint64_t x = READ_ONCE(p->type);

    /* In use as writable already: no flag is set, and the type is the top of the word. */
    if (likely(x - (type_bits(PGT_WRITABLE) + 1) < REFS_MAX - 1 && word_cas(&p->type, &x, x + 1)))
        return true;
    return page_get_writable_slow(p);
}
static inline void page_put_writable(struct page *p)
{
    uint64_t x = READ_ONCE(p->type);

    if (likely((uint32_t)x > 1 && word_cas(&p->type, &x, x - 1)))
        return;
    page_put_type_slow(p);
}

#endif
