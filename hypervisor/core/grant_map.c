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
#include <tenue/hal.h>
#include <tenue/log.h>
#include <tenue/page.h>
#include <tenue/pv.h>

#include "grant_priv.h"

#define MAPTRACK_INDEX_ORDER 3u
#define RELEASE_BATCH 64u
#define PTE_AVAIL_SHIFT 9 /* the entry's software bits that GNTMAP_guest_avail0.. ask for */
#define MAPPED_FLAGS (GNTMAP_device_map | GNTMAP_host_map)
#define HELD_FLAGS (MAPPED_FLAGS | GNTMAP_readonly | GNTMAP_contains_pte)

STATIC_ASSERT(maptrack_index_fits,
              MAPTRACK_FRAMES_MAX * sizeof(void *) <= PAGE_SIZE << MAPTRACK_INDEX_ORDER);

static struct grant_maptrack *handle_slot(struct grant_table *t, ghandle_t h)
{
    uint64_t frame = h / MAPTRACK_PER_FRAME;

    if (frame >= t->maptrack_frames)
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

static ghandle_t handle_alloc(struct domain *mapper)
{
    struct grant_table *t = &mapper->grant;
    ghandle_t h = GHANDLE_NONE;

    spin_lock(&t->lock);
    if (!domain_is_dying(mapper) && (t->maptrack_free != GHANDLE_NONE || add_handles(t))) {
        h = t->maptrack_free;
        t->maptrack_free = handle_slot(t, h)->ref;
        t->maptrack_used++;
    }
    spin_unlock(&t->lock);
    return h;
}

static void handle_free(struct domain *mapper, ghandle_t h)
{
    struct grant_table *t = &mapper->grant;
    struct grant_maptrack *slot;

    spin_lock(&t->lock);
    slot = handle_slot(t, h);
    slot->flags = 0;
    slot->ref = t->maptrack_free;
    t->maptrack_free = h;
    t->maptrack_used--;
    spin_unlock(&t->lock);
}

static void handle_publish(struct domain *mapper, ghandle_t h, const struct grant_maptrack *value)
{
    spin_lock(&mapper->grant.lock);
    *handle_slot(&mapper->grant, h) = *value;
    spin_unlock(&mapper->grant.lock);
}

static enum grant_pin host_kind(bool readonly)
{
    return readonly ? PIN_HOST_RO : PIN_HOST_RW;
}

static enum grant_pin dev_kind(bool readonly)
{
    return readonly ? PIN_DEV_RO : PIN_DEV_RW;
}

static int map_host(struct domain *granter, const struct gnttab_map_grant_ref *op, mfn_t frame)
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

/* Pins and references for what the flags ask, undone in reverse. */
static int map_pinned(struct domain *granter, uint16_t mapper, struct gnttab_map_grant_ref *op)
{
    const bool readonly = op->flags & GNTMAP_readonly;
    const bool host = op->flags & GNTMAP_host_map, device = op->flags & GNTMAP_device_map;
    mfn_t frame;
    int rc;

    if (host) {
        rc = grant_pin_take(granter, op->ref, mapper, host_kind(readonly), &frame);
        if (rc != GNTST_okay)
            return rc;
    }
    if (device) {
        rc = grant_pin_take(granter, op->ref, mapper, dev_kind(readonly), &frame);
        if (rc != GNTST_okay)
            goto drop_host;
        if (!grant_frame_get(granter, frame, !readonly)) {
            rc = GNTST_bad_page;
            goto drop_device;
        }
    }
    op->dev_bus_addr = mfn_to_maddr(frame).a;
    rc = host ? map_host(granter, op, frame) : GNTST_okay;
    if (rc == GNTST_okay)
        return rc;
    if (device)
        grant_frame_put(frame, !readonly);
drop_device:
    if (device)
        grant_pin_drop(granter, op->ref, dev_kind(readonly));
drop_host:
    if (host)
        grant_pin_drop(granter, op->ref, host_kind(readonly));
    return rc;
}

int grant_map_ref(struct domain *mapper, struct gnttab_map_grant_ref *op)
{
    struct grant_maptrack slot = {.ref = op->ref, .flags = op->flags & HELD_FLAGS};
    ghandle_t h;
    int rc;

    if (!(op->flags & MAPPED_FLAGS))
        return GNTST_bad_gntref;
    slot.granter = domain_get(op->dom); /* by number: DOMID_SELF names nobody here */
    if (slot.granter == NULL)
        return GNTST_bad_domain;
    rc = GNTST_no_space;
    h = handle_alloc(mapper);
    if (h != GHANDLE_NONE) {
        rc = map_pinned(slot.granter, mapper->domid, op);
        if (rc == GNTST_okay) {
            handle_publish(mapper, h, &slot); /* takes over the granter's reference */
            op->handle = h;
            return rc;
        }
        handle_free(mapper, h);
    }
    domain_put(slot.granter);
    return rc;
}

/* Take handle h out of use for one unmapper. Its former value, or false. */
static bool handle_claim(struct domain *mapper, ghandle_t h, struct grant_maptrack *was)
{
    struct grant_maptrack *slot;
    bool ok = false;

    spin_lock(&mapper->grant.lock);
    slot = handle_slot(&mapper->grant, h);
    if (slot != NULL && slot->flags != 0) {
        *was = *slot;
        slot->flags = 0; /* being released: a second unmap fails (GT-4) */
        ok = true;
    }
    spin_unlock(&mapper->grant.lock);
    return ok;
}

/* What of slot the caller asks to release; host entry taken out, nothing else changed. */
static int unmap_parts(const struct grant_maptrack *slot, uint64_t host_addr, uint64_t dev_bus_addr,
                       uint64_t replace_va, struct grant_unmapped *u)
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
    struct grant_maptrack slot;
    int rc;

    if (!handle_claim(mapper, handle, &slot))
        return GNTST_bad_handle;
    *u = (struct grant_unmapped){.granter = slot.granter, .ref = slot.ref};
    u->readonly = slot.flags & GNTMAP_readonly;
    u->frame = grant_pinned_frame(u->granter, u->ref);
    rc = unmap_parts(&slot, host_addr, dev_bus_addr, replace_va, u);
    slot.flags &= (uint16_t)~u->released;
    if (slot.flags & MAPPED_FLAGS) {
        domain_ref(u->granter); /* one for the handle that lives on, one for u */
        handle_publish(mapper, handle, &slot);
    } else {
        handle_free(mapper, handle);
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
    struct grant_unmapped u;
    struct grant_maptrack slot;

    if (!handle_claim(mapper, h, &slot))
        return;
    u = (struct grant_unmapped){.granter = slot.granter, .ref = slot.ref};
    u.readonly = slot.flags & GNTMAP_readonly;
    u.released = slot.flags & GNTMAP_device_map;
    u.frame = grant_pinned_frame(u.granter, u.ref);
    if (slot.flags & GNTMAP_host_map)
        grant_pin_drop(u.granter, u.ref, host_kind(u.readonly));
    grant_unmap_finish(&u);
    handle_free(mapper, h);
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

/* --- audit --- */

static unsigned audit_handle(const struct grant_maptrack *slot,
                             void (*explain)(mfn_t m, enum page_type type))
{
    const bool readonly = slot->flags & GNTMAP_readonly;
    mfn_t frame;

    if (!slot->granter) {
        log_err("audit: a handle in use names no domain");
        return 1;
    }
    frame = grant_pinned_frame(slot->granter, slot->ref);
    if (mfn_is_none(frame)) {
        log_err("audit: a handle names reference %u of domain %u, which is not pinned", slot->ref,
                slot->granter->domid);
        return 1;
    }
    if (slot->flags & GNTMAP_host_map)
        slot->granter->grant.audited[host_kind(readonly)] += grant_pin_digest(slot->ref);
    if (slot->flags & GNTMAP_device_map) {
        slot->granter->grant.audited[dev_kind(readonly)] += grant_pin_digest(slot->ref);
        explain(frame, readonly ? PGT_NONE : PGT_WRITABLE);
    }
    return 0;
}

/* Handles on the list of free ones, each once; a broken list counts too many. */
static uint32_t free_handles(const struct grant_table *t)
{
    const uint32_t capacity = t->maptrack_frames * (uint32_t)MAPTRACK_PER_FRAME;
    uint32_t n = 0;

    for (ghandle_t h = t->maptrack_free; h < capacity && n <= capacity; n++) {
        const struct grant_maptrack *slot =
            &t->maptrack[h / MAPTRACK_PER_FRAME][h % MAPTRACK_PER_FRAME];

        h = slot->flags ? capacity : slot->ref;
    }
    return n;
}

static unsigned audit_handles(const struct domain *mapper,
                              void (*explain)(mfn_t m, enum page_type type))
{
    const struct grant_table *t = &mapper->grant;
    const uint32_t capacity = t->maptrack_frames * (uint32_t)MAPTRACK_PER_FRAME;
    unsigned violations = 0, used = 0;

    for (uint32_t i = 0; i < t->maptrack_frames; i++) {
        for (uint32_t n = 0; n < MAPTRACK_PER_FRAME; n++) {
            if (t->maptrack[i][n].flags == 0)
                continue;
            used++;
            violations += audit_handle(&t->maptrack[i][n], explain);
        }
    }
    if (used != t->maptrack_used || used + free_handles(t) != capacity) {
        log_err("audit: domain %u has %u handles and %u free ones, and counts %u of %u",
                mapper->domid, used, free_handles(t), t->maptrack_used, capacity);
        violations++;
    }
    return violations;
}

static unsigned audit_pins(struct domain *granter)
{
    uint64_t digest[PIN_KINDS];
    unsigned violations = 0;

    grant_pins_digest(&granter->grant, digest);
    for (unsigned kind = 0; kind < PIN_KINDS; kind++) {
        const uint64_t pins = digest[kind];
        const uint64_t explained = granter->grant.audited[kind];

        if (pins != explained) {
            log_err("audit: domain %u has %lu pins of kind %u, handles explain %lu%s",
                    granter->domid, pins & 0xfffff, kind, explained & 0xfffff,
                    (pins ^ explained) & 0xfffff ? "" : " others");
            violations++;
        }
        granter->grant.audited[kind] = 0;
    }
    return violations;
}

unsigned grant_audit(void (*explain)(mfn_t m, enum page_type type))
{
    unsigned violations = 0;
    struct domain *d;

    for (uint32_t id = 0; (d = domain_next(id)) != NULL; domain_put(d)) {
        id = d->domid + 1u;
        violations += audit_handles(d, explain);
    }
    for (uint32_t id = 0; (d = domain_next(id)) != NULL; domain_put(d)) {
        id = d->domid + 1u;
        violations += audit_pins(d);
    }
    return violations;
}
