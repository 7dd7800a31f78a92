/* SPDX-License-Identifier: MIT */
/*
 * Handles: who mapped which grant. A handle names a pin in the granter's table and, for host maps,
 * one page-table entry of the mapper.
 *
 * References: those of a host map belong to its page-table entry, from pv_grant_map() until the
 * entry goes, by unmap or any other way; those of a device map belong to the handle.
 * Invariants: GT-2 (validate, then apply), GT-4 (a handle is released once), GT-5 (pin before
 * reference), GT-16. Locks: the mapper's table for handles, never together with the granter's.
 */
#include <tenue/pv.h>

#include "grant_pin.h"

#define RELEASE_BATCH 64u
#define PTE_AVAIL_SHIFT 9 /* the entry's software bits that GNTMAP_guest_avail0.. ask for */
#define MAPPED_FLAGS (GNTMAP_device_map | GNTMAP_host_map)
#define HELD_FLAGS (MAPPED_FLAGS | GNTMAP_readonly | GNTMAP_contains_pte)

STATIC_ASSERT(maptrack_index_fits,
              MAPTRACK_FRAMES_MAX * sizeof(void *) <= PAGE_SIZE << MAPTRACK_INDEX_ORDER);

static inline struct grant_maptrack *handle_slot(struct grant_table *t, ghandle_t h)
{
    uint64_t frame = h / MAPTRACK_PER_FRAME;

    if (unlikely(frame >= t->maptrack_frames))
        return NULL;
    return &t->maptrack[index_nospec(frame, t->maptrack_frames)][h % MAPTRACK_PER_FRAME];
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
    t->maptrack[t->maptrack_frames++] = slots;
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
        t->maptrack_used++;
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
    t->maptrack_used--;
    spin_unlock(&t->lock);
}

/* The slot is ours while its flags are 0: nobody claims it (handle_claim), nobody else fills it. So
 * no lock; what it says is there before the flags are. */
static inline void handle_publish(struct grant_maptrack *slot, const struct grant_maptrack *value)
{
    slot->granter = value->granter;
    slot->ref = value->ref;
    __atomic_store_n(&slot->flags, value->flags, __ATOMIC_RELEASE);
}

static inline int map_host(struct domain *granter, const struct gnttab_map_grant_ref *op,
                           mfn_t frame)
{
    const bool readonly = op->flags & GNTMAP_readonly;
    struct pv_grant_mapping g = {
        .host_addr = op->host_addr,
        .contains_pte = op->flags & GNTMAP_contains_pte,
        .readonly = readonly,
        .pte_flags = (uint64_t)(op->flags >> _GNTMAP_guest_avail0 & 7) << PTE_AVAIL_SHIFT,
    };
    int rc;

    if (!grant_frame_get(granter, frame, !readonly))
        return GNTST_bad_page;
    rc = pv_grant_map(&g, frame);
    if (rc != GNTST_okay)
        grant_frame_put(frame, !readonly);
    return rc;
}

/* A host map alone: what guests and backends ask for. */
static inline __attribute__((always_inline)) int
map_host_pinned(struct domain *granter, uint16_t mapper, struct gnttab_map_grant_ref *op)
{
    const enum grant_pin kind = host_kind(op->flags & GNTMAP_readonly);
    mfn_t frame = MFN_NONE;
    int rc = grant_pin_take(granter, op->ref, mapper, kind, &frame);

    if (unlikely(rc != GNTST_okay))
        return rc;
    op->dev_bus_addr = mfn_to_maddr(frame).a;
    rc = map_host(granter, op, frame);
    if (unlikely(rc != GNTST_okay))
        grant_pin_drop(granter, op->ref, kind);
    return rc;
}

/* A device map, which holds its reference itself, and perhaps a host map; undone in reverse. */
static __attribute__((noinline)) int map_device_pinned(struct domain *granter, uint16_t mapper,
                                                       struct gnttab_map_grant_ref *op)
{
    const bool readonly = op->flags & GNTMAP_readonly;
    mfn_t frame = MFN_NONE;
    int rc = grant_pin_take(granter, op->ref, mapper, dev_kind(readonly), &frame);

    if (rc != GNTST_okay)
        return rc;
    rc = GNTST_bad_page;
    if (grant_frame_get(granter, frame, !readonly)) {
        op->dev_bus_addr = mfn_to_maddr(frame).a;
        rc = op->flags & GNTMAP_host_map ? map_host_pinned(granter, mapper, op) : GNTST_okay;
        if (rc == GNTST_okay)
            return rc;
        grant_frame_put(frame, !readonly);
    }
    grant_pin_drop(granter, op->ref, dev_kind(readonly));
    return rc;
}

int grant_map_ref(struct domain *mapper, struct gnttab_map_grant_ref *op)
{
    struct grant_maptrack value = {.ref = op->ref, .flags = op->flags & HELD_FLAGS}, *slot;
    ghandle_t h;
    int rc;

    if (!(op->flags & MAPPED_FLAGS))
        return GNTST_bad_gntref;
    value.granter = domain_get(op->dom); /* by number: DOMID_SELF names nobody here */
    if (unlikely(value.granter == NULL))
        return GNTST_bad_domain;
    rc = GNTST_no_space;
    h = handle_alloc(mapper, &slot);
    if (likely(h != GHANDLE_NONE)) {
        rc = unlikely(op->flags & GNTMAP_device_map)
                 ? map_device_pinned(value.granter, mapper->domid, op)
                 : map_host_pinned(value.granter, mapper->domid, op);
        if (likely(rc == GNTST_okay)) {
            handle_publish(slot, &value); /* takes over the granter's reference */
            op->handle = h;
            return rc;
        }
        handle_free(mapper, h, slot);
    }
    domain_put(value.granter);
    return rc;
}

/* Take handle h out of use for one unmapper. Its slot, and what that held; or NULL. */
static inline struct grant_maptrack *handle_claim(struct domain *mapper, ghandle_t h,
                                                  struct grant_maptrack *was)
{
    struct grant_maptrack *slot;

    spin_lock(&mapper->grant.lock);
    slot = handle_slot(&mapper->grant, h);
    was->flags = slot != NULL ? __atomic_load_n(&slot->flags, __ATOMIC_ACQUIRE) : 0;
    if (likely(was->flags != 0)) { /* else free, or about to be published: not to be touched */
        was->granter = slot->granter;
        was->ref = slot->ref;
        slot->flags = 0; /* being released: a second unmap fails (GT-4) */
    } else {
        slot = NULL;
    }
    spin_unlock(&mapper->grant.lock);
    return slot;
}

/* What of slot the caller asks to release; host entry taken out, nothing else changed. */
static inline int unmap_parts(const struct grant_maptrack *slot, uint64_t host_addr,
                              uint64_t dev_bus_addr, uint64_t replace_va, struct grant_unmapped *u)
{
    const struct pv_grant_mapping g = {.host_addr = host_addr,
                                       .contains_pte = slot->flags & GNTMAP_contains_pte,
                                       .readonly = u->readonly};
    int rc = GNTST_okay;

    if (dev_bus_addr != 0 && slot->flags & GNTMAP_device_map) {
        if (dev_bus_addr != mfn_to_maddr(u->frame).a)
            return GNTST_bad_dev_addr;
        u->released |= GNTMAP_device_map;
    }
    if (host_addr != 0 && slot->flags & GNTMAP_host_map) {
        rc = pv_grant_unmap(&g, u->frame, replace_va);
        u->released |= GNTMAP_host_map;
    }
    if (rc != GNTST_okay)
        u->released = 0;
    return rc;
}

int grant_unmap_begin(struct domain *mapper, uint64_t host_addr, uint64_t dev_bus_addr,
                      ghandle_t handle, uint64_t replace_va, struct grant_unmapped *u)
{
    struct grant_maptrack held, *slot = handle_claim(mapper, handle, &held);
    int rc;

    if (unlikely(!slot))
        return GNTST_bad_handle;
    *u = (struct grant_unmapped){.granter = held.granter, .ref = held.ref};
    u->readonly = held.flags & GNTMAP_readonly;
    u->frame = grant_pinned_frame(u->granter, u->ref);
    rc = unmap_parts(&held, host_addr, dev_bus_addr, replace_va, u);
    held.flags &= (uint16_t)~u->released;
    if (held.flags & MAPPED_FLAGS) {
        domain_ref(u->granter); /* one for the handle that lives on, one for u */
        handle_publish(slot, &held);
    } else {
        handle_free(mapper, handle, slot);
    }
    if (rc != GNTST_okay)
        domain_put(u->granter);
    return rc;
}

void grant_unmap_finish(struct grant_unmapped *u)
{
    /* The pin goes before the reference that backs it (GT-5). */
    if (u->released & GNTMAP_host_map) {
        grant_pin_drop(u->granter, u->ref, host_kind(u->readonly));
        grant_frame_put(u->frame, !u->readonly);
    }
    if (u->released & GNTMAP_device_map) {
        grant_pin_drop(u->granter, u->ref, dev_kind(u->readonly));
        grant_frame_put(u->frame, !u->readonly);
    }
    domain_put(u->granter);
}

/* A dying mapper's handle: its page-table entries go with its tables, pins go here. */
static void handle_release(struct domain *mapper, ghandle_t h)
{
    struct grant_maptrack held, *slot = handle_claim(mapper, h, &held);
    struct grant_unmapped u;

    if (!slot)
        return;
    u = (struct grant_unmapped){.granter = held.granter, .ref = held.ref};
    u.readonly = held.flags & GNTMAP_readonly;
    u.released = held.flags & GNTMAP_device_map;
    u.frame = grant_pinned_frame(u.granter, u.ref);
    if (held.flags & GNTMAP_host_map)
        grant_pin_drop(u.granter, u.ref, host_kind(u.readonly));
    grant_unmap_finish(&u);
    handle_free(mapper, h, slot);
}

int grant_table_release_mappings(struct domain *d)
{
    struct grant_table *t = &d->grant;
    uint32_t end = t->maptrack_frames * (uint32_t)MAPTRACK_PER_FRAME;

    while (t->maptrack_used != 0 && t->release_cursor < end) {
        handle_release(d, t->release_cursor++);
        if (t->release_cursor % RELEASE_BATCH == 0 && hal_preempt_point())
            return -XEN_ERESTART;
    }
    return 0;
}
