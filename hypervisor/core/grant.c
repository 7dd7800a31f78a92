/* SPDX-License-Identifier: MIT */
/*
 * Grant entries of a domain: the shared table, the private copies of entries in use, pins.
 *
 * Invariants: GT-1, GT-3 (in-use flags clear in the critical section of the last pin), GT-8
 * (references bounded by the present size), GT-10 (a shared entry is read once per decision with
 * bounded retries; once pinned only the private copy counts). Lock: the table's, one at a time
 * here. Leaves handles to grant_map.c, the guest's arguments to grant_op.c.
 */
#include <tenue/assert.h>
#include <tenue/hal.h>
#include <tenue/page.h>
#include <tenue/pagetype.h>

#include "audit.h"
#include "grant_priv.h"
#include "lib.h"

#define ENTRY_RETRIES 4u
#define PINS_MAX 0xfff0u
#define GROW_BATCH 8u /* frames added, or freed, between two looks at the interrupt lines */

int grant_table_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack)
{
    struct grant_table *t = &d->grant;
    int rc;

    if (max_frames == 0 || max_frames > GRANT_FRAMES_MAX)
        return -XEN_EINVAL;
    spin_lock_init(&t->lock, RANK_GRANT);
    t->max_frames = max_frames;
    t->maptrack_max = MIN(max_maptrack, MAPTRACK_FRAMES_MAX);
    t->maptrack_free = GHANDLE_NONE;
    t->frame = hv_alloc_page();
    if (t->frame == NULL)
        return -XEN_ENOMEM;
    rc = grant_table_grow(d, 1);
    if (rc != 0)
        grant_table_free(d);
    return rc;
}

static int add_frame(struct domain *d)
{
    struct grant_table *t = &d->grant;
    grant_entry_v1_t *shared = hv_alloc_page();
    struct grant_active *active = hv_alloc_pages(GRANT_ACTIVE_ORDER);

    if (shared == NULL || active == NULL) {
        if (shared != NULL)
            hv_free_page(shared);
        if (active != NULL)
            hv_free_pages(active, GRANT_ACTIVE_ORDER);
        return -XEN_ENOMEM;
    }
    page_share(shared, d);
    t->frame[t->frames] = (struct grant_frame){shared, active};
    __atomic_store_n(&t->frames, t->frames + 1, __ATOMIC_RELEASE); /* bound last (GT-4, R-6) */
    return 0;
}

int grant_table_grow(struct domain *d, uint32_t frames)
{
    struct grant_table *t = &d->grant;
    int rc = 0;

    if (frames > t->max_frames)
        return -XEN_EINVAL;
    while (rc == 0) {
        if (domain_is_dying(d))
            return -XEN_EINVAL;
        spin_lock(&t->lock);
        for (unsigned n = 0; rc == 0 && n < GROW_BATCH && t->frames < frames; n++)
            rc = add_frame(d);
        spin_unlock(&t->lock);
        if (READ_ONCE(t->frames) >= frames)
            break;
        if (rc == 0 && hal_preempt_point())
            return -XEN_ERESTART;
    }
    return rc;
}

int grant_table_frame(struct domain *d, uint32_t idx, mfn_t *mfn)
{
    int rc;

    if (idx >= d->grant.max_frames)
        return -XEN_EINVAL;
    rc = grant_table_grow(d, idx + 1);
    if (rc == 0)
        *mfn = ptr_to_mfn(d->grant.frame[index_nospec(idx, GRANT_FRAMES_MAX)].shared);
    return rc;
}

int grant_table_unshare(struct domain *d)
{
    struct grant_table *t = &d->grant;

    for (; t->unshared < t->frames; t->unshared++)
        if (page_unshare(t->frame[t->unshared].shared, d) != 0)
            return -XEN_EBUSY;
    return 0;
}

void grant_table_free(struct domain *d)
{
    struct grant_table *t = &d->grant;

    BUG_ON(grant_table_unshare(d) != 0); /* dead: done before; never published: nobody maps it */
    for (uint32_t i = 0; i < t->frames; i++) {
        hv_free_page(t->frame[i].shared);
        hv_free_pages(t->frame[i].active, GRANT_ACTIVE_ORDER);
        if (i % GROW_BATCH == GROW_BATCH - 1)
            hal_take_interrupts();
    }
    t->frames = 0;
    if (t->frame != NULL)
        hv_free_page(t->frame);
    t->frame = NULL;
    for (uint32_t i = 0; i < t->maptrack_frames; i++) {
        hv_free_page(t->maptrack[i]);
        if (i % GROW_BATCH == GROW_BATCH - 1)
            hal_take_interrupts();
    }
    if (t->maptrack != NULL)
        hv_free_pages(t->maptrack, 3);
    t->maptrack = NULL;
    t->maptrack_frames = 0;
}

/* Valid reference: its entry and private copy. The caller holds the lock. */
static bool entry_at(struct grant_table *t, gref_t ref, grant_entry_v1_t **entry,
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

static bool kind_writes(enum grant_pin kind)
{
    return kind == PIN_HOST_RW || kind == PIN_DEV_RW;
}

static bool pinned_rw(const struct grant_active *a)
{
    return a->pins[PIN_HOST_RW] != 0 || a->pins[PIN_DEV_RW] != 0;
}

static bool pinned(const struct grant_active *a)
{
    return pinned_rw(a) || a->pins[PIN_HOST_RO] != 0 || a->pins[PIN_DEV_RO] != 0;
}

/*
 * Mark the shared entry in use, if it permits this. Flags and domid change together with the
 * granter's writes, so they are one 32-bit compare-and-swap; the frame is read after it, when
 * the granter may no longer revoke.
 */
static int entry_claim(grant_entry_v1_t *entry, uint16_t grantee, bool rw)
{
    uint32_t *header = (uint32_t *)(void *)entry;
    uint32_t seen = READ_ONCE(*header);

    for (unsigned i = 0; i < ENTRY_RETRIES; i++) {
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

int grant_pin_take(struct domain *granter, gref_t ref, uint16_t grantee, enum grant_pin kind,
                   mfn_t *frame)
{
    struct grant_table *t = &granter->grant;
    struct grant_active *a;
    grant_entry_v1_t *entry;
    int rc = GNTST_bad_gntref;

    spin_lock(&t->lock);
    if (!entry_at(t, ref, &entry, &a))
        goto out;
    rc = GNTST_general_error;
    if (pinned(a) && a->domid != grantee)
        goto out;
    if (a->pins[kind] >= PINS_MAX) {
        rc = GNTST_no_space;
        goto out;
    }
    if (!pinned(a) || (kind_writes(kind) && !pinned_rw(a))) {
        rc = entry_claim(entry, grantee, kind_writes(kind));
        if (rc != GNTST_okay)
            goto out;
    }
    if (!pinned(a)) {
        a->domid = grantee;
        a->frame = READ_ONCE(entry->frame);
    }
    a->pins[kind]++;
    *frame = mfn_make(a->frame);
    rc = GNTST_okay;
out:
    spin_unlock(&t->lock);
    return rc;
}

void grant_pin_drop(struct domain *granter, gref_t ref, enum grant_pin kind)
{
    struct grant_table *t = &granter->grant;
    struct grant_active *a;
    grant_entry_v1_t *entry;
    uint16_t idle = 0;

    spin_lock(&t->lock);
    if (!entry_at(t, ref, &entry, &a))
        panic("grant pin on reference %u outside the table", ref); /* tables never shrink */
    BUG_ON(a->pins[kind] == 0); /* each holder drops its own pin once (GT-4) */
    a->pins[kind]--;
    if (!pinned_rw(a))
        idle |= GTF_writing;
    if (!pinned(a))
        idle |= GTF_reading;
    if (idle != 0)
        __atomic_and_fetch(&entry->flags, (uint16_t)~idle, __ATOMIC_SEQ_CST);
    spin_unlock(&t->lock);
}

mfn_t grant_pinned_frame(struct domain *granter, gref_t ref)
{
    struct grant_table *t = &granter->grant;
    struct grant_active *a;
    grant_entry_v1_t *entry;
    mfn_t frame = MFN_NONE;

    spin_lock(&t->lock);
    if (entry_at(t, ref, &entry, &a) && pinned(a))
        frame = mfn_make(a->frame);
    spin_unlock(&t->lock);
    return frame;
}

void grant_pins_digest(const struct grant_table *t, uint64_t digest[PIN_KINDS])
{
    memset(digest, 0, PIN_KINDS * sizeof(digest[0]));
    for (uint32_t i = 0; i < t->frames; i++)
        for (uint32_t n = 0; n < GRANTS_PER_FRAME; n++) {
            const struct grant_active *a = &t->frame[i].active[n];

            for (unsigned kind = 0; pinned(a) && kind < PIN_KINDS; kind++)
                digest[kind] +=
                    a->pins[kind] * grant_pin_digest((uint32_t)(i * GRANTS_PER_FRAME + n));
        }
}

bool grant_covers(struct domain *owner, uint16_t mapper, mfn_t m, bool rw)
{
    const struct grant_table *t = &owner->grant;

    for (uint32_t i = 0; i < t->frames; i++)
        for (uint32_t n = 0; n < GRANTS_PER_FRAME; n++) {
            const struct grant_active *a = &t->frame[i].active[n];

            if (a->frame == m.n && a->domid == mapper &&
                a->pins[rw ? PIN_HOST_RW : PIN_HOST_RO] != 0)
                return true;
        }
    return false;
}

bool grant_frame_get(struct domain *granter, mfn_t frame, bool rw)
{
    if (rw)
        return page_get_and_type(frame, granter, PGT_WRITABLE) == 0;
    return page_get(frame, granter);
}

void grant_frame_put(mfn_t frame, bool rw)
{
    if (rw)
        BUG_ON(page_put_and_type(frame) != 0); /* writable: nothing to devalidate */
    else
        page_put(frame);
}
