/* SPDX-License-Identifier: MIT */
/*
 * Adversarial TLBs. An entry stays until it is flushed, whatever happens to the tables; a walk
 * leaves also what a structure cache would keep: which frame served as table of which level. Each
 * entry is under the tag that was in force, and used while that is.
 *
 * The audit of these entries is MM-4 and MM-5 put as a test: no entry may let a guest write a
 * frame that is a table, a descriptor frame or no longer its owner's, nor use as a table a frame
 * that a guest can write, nor reach a frame that was granted and no longer is.
 */
#include "tlb.h"

#include "../../hypervisor/diag/audit.h"
#include "../../hypervisor/core/page_priv.h"
#include "../../hypervisor/pv/pte.h"
#include "fake.h"

#include <tenue/log.h>

#define ENTRIES_MAX 4096u

struct entry {
    uint64_t va; /* page address; for tables: address >> level bits, unused by lookups */
    mfn_t frame;
    uint16_t owner;       /* at the time */
    uint16_t user;        /* domain that had it put there */
    enum page_type table; /* PGT_NONE: a leaf */
    bool writable;
    uint8_t tag;
};

static struct {
    struct entry entries[ENTRIES_MAX];
    unsigned count;
    uint8_t tag; /* in force */
} tlbs[FAKE_CPUS];

void fake_tlb_flush_all(unsigned cpu)
{
    tlbs[cpu].count = 0;
}

static void forget(unsigned cpu, bool (*wanted)(const struct entry *, uint64_t va), uint64_t tag,
                   uint64_t va)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < tlbs[cpu].count; i++) {
        const struct entry *e = &tlbs[cpu].entries[i];

        if (e->tag != tag || !wanted(e, va))
            tlbs[cpu].entries[kept++] = *e;
    }
    tlbs[cpu].count = kept;
}

static bool any(const struct entry *e, uint64_t va)
{
    (void)e, (void)va;
    return true;
}

static bool leaf_or_table(const struct entry *e, uint64_t va)
{
    return e->table != PGT_NONE || e->va == (va & PAGE_MASK);
}

static bool on_the_way(const struct entry *e, uint64_t va)
{
    const unsigned level = e->table == PGT_NONE ? 0 : (unsigned)(e->table - PGT_L1) + 1;

    return (e->va ^ va) >> (PAGE_SHIFT + 9 * level) == 0;
}

/* Also forgets everything about tables, as INVLPG does. */
void fake_tlb_flush_page(unsigned cpu, uint64_t va)
{
    forget(cpu, leaf_or_table, tlbs[cpu].tag, va);
}

void fake_tlb_flush_tag(unsigned cpu, uint64_t tag)
{
    forget(cpu, any, tag, 0);
}

void fake_tlb_flush_tagged_page(unsigned cpu, uint64_t tag, uint64_t va)
{
    forget(cpu, on_the_way, tag, va);
}

void fake_tlb_set_tag(unsigned cpu, uint64_t tag)
{
    tlbs[cpu].tag = (uint8_t)tag;
}

static void remember(unsigned cpu, struct entry e)
{
    e.tag = tlbs[cpu].tag;
    for (unsigned i = 0; i < tlbs[cpu].count; i++) {
        struct entry *old = &tlbs[cpu].entries[i];

        if (old->tag == e.tag && old->va == e.va && old->table == e.table &&
            mfn_eq(old->frame, e.frame)) {
            old->writable |= e.writable;
            return;
        }
    }
    if (tlbs[cpu].count < ENTRIES_MAX)
        tlbs[cpu].entries[tlbs[cpu].count++] = e;
}

static uint16_t user_of(unsigned cpu)
{
    return cpus[cpu]->current ? cpus[cpu]->current->domain->domid : DOMID_INVALID;
}

static uint8_t *walk(unsigned cpu, mfn_t root, uint64_t va, bool write)
{
    bool writable = true;
    mfn_t m = root;

    for (unsigned level = 4; level >= 1; level--) {
        const uint64_t bits = PTE_A | (write && level == 1 ? PTE_D : 0);
        uint64_t *slot, e;

        if (!mfn_is_ram(m))
            return NULL;
        remember(cpu, (struct entry){va & PAGE_MASK, m, page_owner(m), user_of(cpu),
                                     (enum page_type)(PGT_L1 + level - 1), false, 0});
        slot = (uint64_t *)mfn_to_ptr(m) + pte_index(va, level);
        e = READ_ONCE(*slot);
        if (!(e & PTE_P) || !(e & PTE_US) || (write && !(writable && e & PTE_RW)))
            return NULL;
        if ((e & bits) != bits && !word_cas(slot, &e, e | bits)) {
            level++; /* another CPU changed it: look again */
            continue;
        }
        writable = writable && e & PTE_RW;
        m = pte_mfn(e);
    }
    if (m.n >= frame_count)
        return NULL; /* a device: nothing to see */
    remember(cpu,
             (struct entry){va & PAGE_MASK, m, page_owner(m), user_of(cpu), PGT_NONE, writable, 0});
    return (uint8_t *)mfn_to_ptr(m) + (va & ~PAGE_MASK);
}

uint8_t *fake_translate(unsigned cpu, mfn_t root, uint64_t va, bool write)
{
    if (mfn_is_none(root))
        return NULL;
    for (unsigned i = 0; i < tlbs[cpu].count; i++) {
        const struct entry *e = &tlbs[cpu].entries[i];

        if (e->tag == tlbs[cpu].tag && e->table == PGT_NONE && e->va == (va & PAGE_MASK) &&
            (e->writable || !write))
            return (uint8_t *)mfn_to_ptr(e->frame) + (va & ~PAGE_MASK);
    }
    return walk(cpu, root, va, write);
}

/* Another domain's frame, which only a grant in use lets a guest reach (GT-5). */
static bool grant_is_missing(const struct entry *e)
{
    const struct domain *user = domain_of_owner(e->user);
    struct domain *owner = domain_of_owner(e->owner);

    if (!user || user == owner || user->is_control || e->table != PGT_NONE)
        return false;
    return !owner || !(grant_covers(owner, e->user, e->frame, true) ||
                       (!e->writable && grant_covers(owner, e->user, e->frame, false)));
}

static const char *entry_violation(const struct entry *e)
{
    const struct page *p = page_of(e->frame);
    const uint64_t count = p->count, type = p->type;
    const bool in_use = type_refs(type) != 0;

    if (count & C_FREE || !(count & C_STATE_MASK))
        return NULL; /* whoever takes it flushes first; or a device below the end of RAM */
    if (count & C_HV)
        return "translation to a frame of the hypervisor";
    if (count_owner(count) != e->owner)
        return "translation to a frame that has another owner now";
    if (grant_is_missing(e))
        return "translation to another domain's frame without a grant";
    if (e->writable && in_use && type_of(type) >= PGT_L1)
        return "writable translation to a table or descriptor frame";
    if (e->table != PGT_NONE && in_use && type_of(type) != e->table)
        return "frame cached as a table has become something else";
    return NULL;
}

/* An entry under a tag that the next load flushes is as good as gone. */
static bool usable(unsigned cpu, const struct entry *e)
{
    return e->tag == tlbs[cpu].tag || cpus[cpu]->tags[e->tag] >> 63;
}

unsigned fake_tlb_audit(void)
{
    unsigned violations = 0;

    for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
        for (unsigned i = 0; i < tlbs[cpu].count; i++) {
            const struct entry *e = &tlbs[cpu].entries[i];
            const char *what = NULL;

            if (usable(cpu, e))
                what = e->user == user_of(cpu) ? entry_violation(e)
                                               : "translation of a domain that runs there no more";

            if (what && violations++ < 8)
                log_err("TLB of CPU %u, va %#lx, frame %#lx (was domain %u's, count %#lx): %s", cpu,
                        e->va, e->frame.n, e->owner, page_of(e->frame)->count, what);
        }
    return violations;
}
