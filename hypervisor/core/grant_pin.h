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

/* The entry and private copy of u->ref, if there is such a one: tables never shrink. */
static inline bool grant_find(struct grant_use *u)
{
    const struct grant_table *t = &u->granter->grant;
    const uint32_t frames = __atomic_load_n(&t->frames, __ATOMIC_ACQUIRE);
    uint64_t frame = u->ref / GRANTS_PER_FRAME;

    if (frame >= frames)
        return false;
    frame = index_nospec(frame, frames);
    u->entry = &t->frame[frame].shared[u->ref % GRANTS_PER_FRAME];
    u->active = &t->frame[frame].active[u->ref % GRANTS_PER_FRAME];
    return true;
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
static inline int grant_entry_claim(grant_entry_v1_t *entry, uint16_t grantee, bool readonly)
{
    uint32_t *header = (uint32_t *)(void *)entry;
    uint32_t seen = READ_ONCE(*header);

    for (unsigned i = 0; i < GRANT_ENTRY_RETRIES; i++) {
        uint16_t flags = (uint16_t)seen;
        uint32_t in_use = GTF_reading | (readonly ? 0 : GTF_writing);

        if ((flags & GTF_type_mask) != GTF_permit_access || flags & GTF_sub_page)
            return GNTST_general_error;
        if (seen >> 16 != grantee)
            return GNTST_general_error;
        if (!readonly && flags & GTF_readonly)
            return GNTST_general_error;
        if (__atomic_compare_exchange_n(header, &seen, seen | in_use, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return GNTST_okay;
    }
    return GNTST_general_error;
}

/* One more pin; the granter's lock held. */
static inline int grant_pin_take_locked(struct grant_use *u, uint16_t grantee)
{
    struct grant_active *a = u->active;
    const bool was_pinned = grant_pinned(a);

    if (was_pinned && a->domid != grantee)
        return GNTST_general_error;
    if (!was_pinned || (!u->readonly && !a->pins[PIN_RW])) {
        int rc = grant_entry_claim(u->entry, grantee, u->readonly);

        if (rc != GNTST_okay)
            return rc;
    }
    if (!was_pinned) {
        a->domid = grantee;
        a->frame = READ_ONCE(u->entry->frame);
    }
    a->pins[u->readonly ? PIN_RO : PIN_RW]++;
    u->frame = mfn_make(a->frame);
    return GNTST_okay;
}

/* Undo: with the last pin of a direction its in-use flag goes too (GT-3). */
static inline void grant_pin_drop(const struct grant_use *u)
{
    struct grant_active *a = u->active;
    const enum grant_pin kind = u->readonly ? PIN_RO : PIN_RW;
    uint16_t idle = 0;

    spin_lock(&u->granter->grant.lock);
    BUG_ON(a->pins[kind] == 0); /* each holder drops its own pin once (GT-4) */
    a->pins[kind]--;
    if (!a->pins[PIN_RW])
        idle |= GTF_writing;
    if (!grant_pinned(a))
        idle |= GTF_reading;
    if (idle != 0)
        __atomic_and_fetch(&u->entry->flags, (uint16_t)~idle, __ATOMIC_SEQ_CST);
    spin_unlock(&u->granter->grant.lock);
}

/* Reference to the granter's frame, with writable type unless readonly. GNTST_*. */
static inline must_check int grant_frame_get(const struct domain *granter, mfn_t frame,
                                             bool readonly)
{
    struct page *p = page_lookup(frame.n);

    if (unlikely(!p || !page_get_of(p, granter)))
        return GNTST_bad_page;
    if (readonly || likely(page_get_writable(p)))
        return GNTST_okay;
    page_put_ref(p);
    return GNTST_general_error;
}

static inline void grant_frame_put(mfn_t frame, bool readonly)
{
    struct page *p = page_of(frame);

    if (!readonly)
        page_put_writable(p);
    page_put_ref(p);
}

/* Use u->ref for grantee: the entry is pinned, if it permits this, and the frame held. */
static inline __attribute__((always_inline)) must_check int grant_hold(struct grant_use *u,
                                                                       uint16_t grantee)
{
    int rc;

    if (unlikely(!grant_find(u)))
        return GNTST_bad_gntref;
    spin_lock(&u->granter->grant.lock);
    rc = grant_pin_take_locked(u, grantee);
    spin_unlock(&u->granter->grant.lock);
    if (unlikely(rc != GNTST_okay))
        return rc;
    rc = grant_frame_get(u->granter, u->frame, u->readonly);
    if (unlikely(rc != GNTST_okay))
        grant_pin_drop(u);
    return rc;
}

/* Undo; the pin goes before the reference that backs it (GT-5). */
static inline __attribute__((always_inline)) void grant_release(const struct grant_use *u)
{
    grant_pin_drop(u);
    grant_frame_put(u->frame, u->readonly);
}

#endif
