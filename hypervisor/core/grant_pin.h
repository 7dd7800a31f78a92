/* SPDX-License-Identifier: MIT */
/*
 * Pins: a shared entry in use, and our private copy of it. Inline, as each map, unmap and copy does
 * one or two of these.
 *
 * GT-3 (in-use flags clear in the critical section of the last pin), GT-8 (references bounded by
 * the present size), GT-10 (a shared entry is read once per decision with bounded retries; once
 * pinned only the private copy counts). Lock: the granter's table.
 */
#ifndef TENUE_GRANT_PIN_H
#define TENUE_GRANT_PIN_H

#include <tenue/assert.h>
#include <tenue/domain.h>

#include "grant_priv.h"
#include "page_priv.h"

#define GRANT_ENTRY_RETRIES 4u
#define GRANT_PINS_MAX 0xfff0u

/* Valid reference: its entry and private copy. The caller holds the lock, or one of its pins. */
static inline bool grant_entry_at(struct grant_table *t, gref_t ref, grant_entry_v1_t **entry,
                                  struct grant_active **active)
{
    uint64_t frame = ref / GRANTS_PER_FRAME;

    if (frame >= t->frames)
        return false;
    frame = index_nospec(frame, t->frames);
    *entry = &t->frame[frame].shared[ref % GRANTS_PER_FRAME];
    *active = &t->frame[frame].active[ref % GRANTS_PER_FRAME];
    return true;
}

static inline bool grant_kind_writes(enum grant_pin kind)
{
    return kind == PIN_HOST_RW || kind == PIN_DEV_RW;
}

static inline bool grant_pinned_rw(const struct grant_active *a)
{
    return (a->pins[PIN_HOST_RW] | a->pins[PIN_DEV_RW]) != 0;
}

static inline bool grant_pinned(const struct grant_active *a)
{
    STATIC_ASSERT(pins_are_one_word, sizeof(a->pins) == sizeof(uint64_t));
    STATIC_ASSERT(pins_are_aligned, offsetof(struct grant_active, pins) % sizeof(uint64_t) == 0);
    return *(const peeked uint64_t *)(const peeked void *)a->pins != 0;
}

/*
 * Mark the shared entry in use, if it permits this. Flags and domid change together with the
 * granter's writes, so they are one 32-bit compare-and-swap; the frame is read after it, when
 * the granter may no longer revoke.
 */
static inline int grant_entry_claim(grant_entry_v1_t *entry, uint16_t grantee, bool rw)
{
    uint32_t *header = (uint32_t *)(void *)entry;
    uint32_t seen = READ_ONCE(*header);

    for (unsigned i = 0; i < GRANT_ENTRY_RETRIES; i++) {
        uint16_t flags = (uint16_t)seen;
        uint32_t in_use = GTF_reading | (rw ? GTF_writing : 0);

        if ((flags & GTF_type_mask) != GTF_permit_access || flags & GTF_sub_page)
            return GNTST_general_error;
        if (seen >> 16 != grantee)
            return GNTST_general_error;
        if (rw && flags & GTF_readonly)
            return GNTST_general_error;
        if (__atomic_compare_exchange_n(header, &seen, seen | in_use, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return GNTST_okay;
    }
    return GNTST_general_error;
}

/* One more pin; the table's lock held. */
static inline int grant_pin_take_locked(struct grant_table *t, gref_t ref, uint16_t grantee,
                                        enum grant_pin kind, mfn_t *frame)
{
    struct grant_active *a;
    grant_entry_v1_t *entry;
    bool was_pinned;

    if (unlikely(!grant_entry_at(t, ref, &entry, &a)))
        return GNTST_bad_gntref;
    was_pinned = grant_pinned(a);
    if (was_pinned && a->domid != grantee)
        return GNTST_general_error;
    if (unlikely(a->pins[kind] >= GRANT_PINS_MAX))
        return GNTST_no_space;
    if (!was_pinned || (grant_kind_writes(kind) && !grant_pinned_rw(a))) {
        int rc = grant_entry_claim(entry, grantee, grant_kind_writes(kind));

        if (rc != GNTST_okay)
            return rc;
    }
    if (!was_pinned) {
        a->domid = grantee;
        a->frame = READ_ONCE(entry->frame);
    }
    a->pins[kind]++;
    *frame = mfn_make(a->frame);
    return GNTST_okay;
}

/*
 * Pin entry ref of granter for grantee: check the shared entry, set its in-use flags, count. The
 * frame granted goes to *frame. No page reference is taken.
 */
static inline must_check int grant_pin_take(struct domain *granter, gref_t ref, uint16_t grantee,
                                            enum grant_pin kind, mfn_t *frame)
{
    int rc;

    spin_lock(&granter->grant.lock);
    rc = grant_pin_take_locked(&granter->grant, ref, grantee, kind, frame);
    spin_unlock(&granter->grant.lock);
    return rc;
}

/* Undo: with the last pin of a direction its in-use flag goes too (GT-3). */
static inline void grant_pin_drop(struct domain *granter, gref_t ref, enum grant_pin kind)
{
    struct grant_table *t = &granter->grant;
    struct grant_active *a;
    grant_entry_v1_t *entry;
    uint16_t idle = 0;

    spin_lock(&t->lock);
    if (!grant_entry_at(t, ref, &entry, &a))
        panic("grant pin on reference %u outside the table", ref); /* tables never shrink */
    BUG_ON(a->pins[kind] == 0); /* each holder drops its own pin once (GT-4) */
    a->pins[kind]--;
    if (!grant_pinned_rw(a))
        idle |= GTF_writing;
    if (!grant_pinned(a))
        idle |= GTF_reading;
    if (idle != 0)
        __atomic_and_fetch(&entry->flags, (uint16_t)~idle, __ATOMIC_SEQ_CST);
    spin_unlock(&t->lock);
}

/* The frame an active entry stands for, which does not change while the caller has a pin of it;
 * MFN_NONE when it is not pinned. */
static inline mfn_t grant_pinned_frame(struct domain *granter, gref_t ref)
{
    struct grant_table *t = &granter->grant;
    struct grant_active *a;
    grant_entry_v1_t *entry;

    return grant_entry_at(t, ref, &entry, &a) && grant_pinned(a) ? mfn_make(a->frame) : MFN_NONE;
}

/* Reference to the granter's frame, with writable type when rw. */
static inline must_check bool grant_frame_get(struct domain *granter, mfn_t frame, bool rw)
{
    struct page *p = page_lookup(frame.n);

    if (unlikely(!p || !page_get_of(p, granter)))
        return false;
    if (!rw || likely(page_get_writable(p)))
        return true;
    page_put_ref(p);
    return false;
}

static inline void grant_frame_put(mfn_t frame, bool rw)
{
    struct page *p = page_of(frame);

    if (rw)
        page_put_writable(p);
    page_put_ref(p);
}

#endif
