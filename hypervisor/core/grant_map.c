/* SPDX-License-Identifier: MIT */
/*
 * Handles: who mapped which grant. A handle names a pin in the granter's table and, for host maps,
 * one page-table entry of the mapper.
 *
 * References: those of a host map belong to its page-table entry, from pv_grant_map() until the
 * entry goes, by unmap or any other way; those of a device map belong to the handle.
 * Invariants: GT-2 (validate, then apply), GT-4 (a handle is released once), GT-5 (pin before
 * reference), GT-16. Locks: the mapper's table for free handles, never together with the granter's.
 * One in use is claimed by taking its flags away, which one does first.
 */
#include <tenue/pv.h>

#include "grant_pin.h"

#define RELEASE_BATCH 64u
#define MAPPED_FLAGS (GNTMAP_device_map | GNTMAP_host_map)
#define HELD_FLAGS (MAPPED_FLAGS | GNTMAP_readonly | GNTMAP_contains_pte)

STATIC_ASSERT(maptrack_index_fits,
              MAPTRACK_FRAMES_MAX * sizeof(void *) <= PAGE_SIZE << MAPTRACK_INDEX_ORDER);

static inline struct grant_maptrack *handle_slot(struct grant_table *t, ghandle_t h)
{
    uint64_t frame = h / MAPTRACK_PER_FRAME;

    const uint32_t frames = __atomic_load_n(&t->maptrack_frames, __ATOMIC_ACQUIRE);

    if (unlikely(frame >= frames))
        return NULL;
    return &t->maptrack[index_nospec(frame, frames)][h % MAPTRACK_PER_FRAME];
}

static bool add_handles(struct grant_table *t)
{
    struct grant_maptrack *slots;
    uint32_t first = t->maptrack_frames * (uint32_t)MAPTRACK_PER_FRAME;

    if (t->maptrack_frames == t->maptrack_max)
        return false;
    if (t->maptrack == NULL)
        t->maptrack = hv_alloc_pages(MAPTRACK_INDEX_ORDER);
    slots = t->maptrack != NULL ? hv_alloc_page() : NULL;
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < MAPTRACK_PER_FRAME; i++)
        slots[i].ref = i + 1 < MAPTRACK_PER_FRAME ? first + i + 1 : GHANDLE_NONE;
    t->maptrack[t->maptrack_frames] = slots;
    __atomic_store_n(&t->maptrack_frames, t->maptrack_frames + 1, __ATOMIC_RELEASE);
    t->maptrack_free = first;
    return true;
}

/* A handle that nobody can claim before handle_publish(), and its slot. */
static inline ghandle_t handle_alloc(struct domain *mapper, struct grant_maptrack **slot)
{
    struct grant_table *t = &mapper->grant;
    ghandle_t h = GHANDLE_NONE;

    spin_lock(&t->lock);
    if (likely(!domain_is_dying(mapper) && (t->maptrack_free != GHANDLE_NONE || add_handles(t)))) {
        h = t->maptrack_free;
        *slot = handle_slot(t, h);
        t->maptrack_free = (*slot)->ref;
    }
    spin_unlock(&t->lock);
    return h;
}

static inline void handle_free(struct domain *mapper, ghandle_t h, struct grant_maptrack *slot)
{
    struct grant_table *t = &mapper->grant;

    spin_lock(&t->lock);
    slot->ref = t->maptrack_free; /* its flags are 0: never published, or claimed */
    t->maptrack_free = h;
    spin_unlock(&t->lock);
}

/* The slot is ours while its flags are 0: nobody claims it (handle_claim), nobody else fills it. So
 * no lock; what it says is there before the flags are. */
static inline void handle_publish(struct grant_maptrack *slot, const struct grant_use *u,
                                  uint16_t flags)
{
    slot->granter = u->granter;
    slot->ref = u->ref;
    __atomic_store_n(&slot->flags, flags, __ATOMIC_RELEASE);
}

/* Take handle h out of use for one unmapper: what it held, and its slot; or NULL. */
static inline struct grant_maptrack *handle_claim(struct domain *mapper, ghandle_t h,
                                                  struct grant_use *u, uint16_t *flags)
{
    struct grant_maptrack *slot = handle_slot(&mapper->grant, h);

    if (unlikely(!slot))
        return NULL;
    *flags = __atomic_exchange_n(&slot->flags, 0, __ATOMIC_ACQ_REL); /* once (GT-4) */
    if (unlikely(!*flags))
        return NULL; /* free, about to be published, or being released */
    u->granter = slot->granter;
    u->ref = slot->ref;
    u->readonly = *flags & GNTMAP_readonly;
    u->parts = 0;
    BUG_ON(!grant_find(u)); /* it was there when it was mapped */
    u->frame = mfn_make(u->active->frame);
    return slot;
}

/* A host map: its references are the page-table entry's as soon as there is one. */
static inline __attribute__((always_inline)) int map_host(struct grant_use *u, uint16_t mapper,
                                                          const struct gnttab_map_grant_ref *op)
{
    int rc = grant_hold(u, mapper);

    if (unlikely(rc != GNTST_okay))
        return rc;
    rc = pv_grant_map(op->host_addr, op->flags, u->frame);
    if (unlikely(rc != GNTST_okay))
        grant_release(u);
    return rc;
}

/* A device map, and perhaps a host map of the same entry. */
static noinline_fn int map_device(struct grant_use *u, uint16_t mapper,
                                  const struct gnttab_map_grant_ref *op)
{
    int rc = grant_hold(u, mapper);

    if (rc != GNTST_okay || !(op->flags & GNTMAP_host_map))
        return rc;
    rc = map_host(u, mapper, op);
    if (rc != GNTST_okay)
        grant_release(u);
    return rc;
}

int grant_map_ref(struct domain *mapper, struct gnttab_map_grant_ref *op)
{
    struct grant_use u = {.ref = op->ref, .readonly = op->flags & GNTMAP_readonly};
    struct grant_maptrack *slot;
    int rc = GNTST_no_space;
    ghandle_t h;

    if (!(op->flags & MAPPED_FLAGS))
        return GNTST_bad_gntref;
    u.granter = domain_get(op->dom); /* by number: DOMID_SELF names nobody here */
    if (unlikely(u.granter == NULL))
        return GNTST_bad_domain;
    h = handle_alloc(mapper, &slot);
    if (likely(h != GHANDLE_NONE)) {
        rc = unlikely(op->flags & GNTMAP_device_map) ? map_device(&u, mapper->domid, op)
                                                     : map_host(&u, mapper->domid, op);
        if (likely(rc == GNTST_okay)) {
            op->dev_bus_addr = mfn_to_maddr(u.frame).a;
            op->handle = h;
            handle_publish(slot, &u, op->flags & HELD_FLAGS); /* and the granter's reference */
            return rc;
        }
        handle_free(mapper, h, slot);
    }
    domain_put(u.granter);
    return rc;
}

/* What of a handle the caller asks to release; host entry taken out, nothing else changed. */
static inline int unmap_parts(uint16_t held, uint64_t host_addr, uint64_t dev_bus_addr,
                              uint64_t replace_va, struct grant_use *u)
{
    int rc = GNTST_okay;

    if (dev_bus_addr != 0 && held & GNTMAP_device_map) {
        if (dev_bus_addr != mfn_to_maddr(u->frame).a)
            return GNTST_bad_dev_addr;
        u->parts |= GNTMAP_device_map;
    }
    if (host_addr != 0 && held & GNTMAP_host_map) {
        rc = pv_grant_unmap(host_addr, held, u->frame, replace_va);
        u->parts |= GNTMAP_host_map;
    }
    if (rc != GNTST_okay)
        u->parts = 0;
    return rc;
}

int grant_unmap_begin(struct domain *mapper, uint64_t host_addr, uint64_t dev_bus_addr,
                      ghandle_t handle, uint64_t replace_va, struct grant_use *u)
{
    uint16_t held;
    struct grant_maptrack *slot = handle_claim(mapper, handle, u, &held);
    int rc;

    if (unlikely(!slot))
        return GNTST_bad_handle;
    rc = unmap_parts(held, host_addr, dev_bus_addr, replace_va, u);
    held &= (uint16_t)~u->parts;
    if (held & MAPPED_FLAGS) {
        domain_ref(u->granter); /* one for the handle that lives on, one for u */
        handle_publish(slot, u, held);
    } else {
        handle_free(mapper, handle, slot);
    }
    if (rc != GNTST_okay)
        domain_put(u->granter);
    return rc;
}

void grant_unmap_finish(const struct grant_use *u)
{
    if (u->parts & GNTMAP_host_map)
        grant_release(u);
    if (u->parts & GNTMAP_device_map)
        grant_release(u);
    domain_put(u->granter);
}

/* A dying mapper's handle: its page-table entries go with its tables, pins go here. */
static void handle_release(struct domain *mapper, ghandle_t h)
{
    struct grant_use u;
    uint16_t held;
    struct grant_maptrack *slot = handle_claim(mapper, h, &u, &held);

    if (!slot)
        return;
    if (held & GNTMAP_host_map)
        grant_pin_drop(&u);
    u.parts = held & GNTMAP_device_map;
    grant_unmap_finish(&u);
    handle_free(mapper, h, slot);
}

int grant_table_release_mappings(struct domain *d)
{
    struct grant_table *t = &d->grant;
    uint32_t end = t->maptrack_frames * (uint32_t)MAPTRACK_PER_FRAME;

    while (t->release_cursor < end) {
        handle_release(d, t->release_cursor++);
        if (t->release_cursor % RELEASE_BATCH == 0 && hal_preempt_point())
            return -XEN_ERESTART;
    }
    return 0;
}
