/* SPDX-License-Identifier: MIT */
/*
 * Grant entries of a domain: the shared table, the private copies of entries in use, pins.
 *
 * Invariants: GT-1, GT-3 (in-use flags clear in the critical section of the last pin), GT-8
 * (references bounded by the present size), GT-10 (a shared entry is read once per decision with
 * bounded retries; once pinned only the private copy counts). Lock: the table's, one at a time
 * here. Leaves handles to grant_map.c, the guest's arguments to grant_op.c.
 */
#include <tenue/hal.h>

#include "grant_pin.h"
#include "lib.h"

int grant_table_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack)
{
    struct grant_table *t = &d->grant;

    if (max_frames == 0 || max_frames > GRANT_FRAMES_MAX)
        return -XEN_EINVAL;
    spin_lock_init(&t->lock, RANK_GRANT);
    t->max_frames = max_frames;
    t->maptrack_max = MIN(max_maptrack, MAPTRACK_FRAMES_MAX);
    t->maptrack_free = GHANDLE_NONE;
    t->frame = hv_alloc_page();
    return t->frame != NULL ? grant_table_grow(d, 1) : -XEN_ENOMEM;
}

static int add_frame(struct domain *d)
{
    struct grant_table *t = &d->grant;
    grant_entry_v1_t *shared = hv_alloc_page();
    struct grant_active *active = hv_alloc_pages(GRANT_ACTIVE_ORDER);

    if (shared == NULL || active == NULL) {
        hv_free_page(shared);
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

    if (frames > t->max_frames || domain_is_dying(d))
        return -XEN_EINVAL;
    while (rc == 0 && READ_ONCE(t->frames) < frames) {
        spin_lock(&t->lock);
        if (t->frames < frames)
            rc = domain_is_dying(d) ? -XEN_EINVAL : add_frame(d);
        spin_unlock(&t->lock);
        if (READ_ONCE(t->frames) < frames && hal_preempt_point())
            return -XEN_ERESTART;
    }
    return rc;
}

int grant_table_frames(struct domain *d, uint32_t first, uint32_t n, guest_va list)
{
    const struct grant_table *t = &d->grant;
    xen_pfn_t mfns[GRANT_FRAMES_MAX];
    int rc;

    if (first > GRANT_FRAMES_MAX || n > GRANT_FRAMES_MAX)
        return -XEN_EINVAL;
    rc = n ? grant_table_grow(d, first + n) : 0;
    if (rc)
        return rc;
    for (uint32_t i = 0; i < n; i++)
        mfns[i] = ptr_to_mfn(t->frame[index_nospec(first + i, GRANT_FRAMES_MAX)].shared).n;
    return guest_write(list, mfns, n * sizeof(mfns[0]));
}

int grant_table_unshare(struct domain *d)
{
    const struct grant_table *t = &d->grant;

    for (uint32_t i = 0; i < t->frames; i++)
        if (page_unshare(t->frame[i].shared, d) != 0)
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
        hal_take_interrupts();
    }
    hv_free_page(t->frame);
    for (uint32_t i = 0; i < t->maptrack_frames; i++) {
        hv_free_page(t->maptrack[i]);
        hal_take_interrupts();
    }
    hv_free_pages(t->maptrack, MAPTRACK_INDEX_ORDER);
}
