/* SPDX-License-Identifier: MIT */
/* The audit of grants: handles and the pins that they stand for (audit.h). */
#include "audit.h"

#include <tenue/log.h>

#include "../core/grant_pin.h"
#include "lib.h"

/* What one pin of a reference adds to a sum that tells which references are pinned how often; the
 * number of pins is in its low 20 bits. */
static uint64_t grant_pin_digest(gref_t ref)
{
    return (ref + 1ull) * 0x9e3779b97f4a7c15ull << 20 | 1;
}

/* That sum over all pins, by kind. */
static void pins_digest(const struct grant_table *t, uint64_t digest[PIN_KINDS])
{
    memset(digest, 0, PIN_KINDS * sizeof(digest[0]));
    for (uint32_t i = 0; i < t->frames; i++)
        for (uint32_t n = 0; n < GRANTS_PER_FRAME; n++) {
            const struct grant_active *a = &t->frame[i].active[n];

            for (unsigned kind = 0; grant_pinned(a) && kind < PIN_KINDS; kind++)
                digest[kind] +=
                    a->pins[kind] * grant_pin_digest((uint32_t)(i * GRANTS_PER_FRAME + n));
        }
}

static unsigned audit_handle(const struct grant_maptrack *slot)
{
    const enum grant_pin kind = slot->flags & GNTMAP_readonly ? PIN_RO : PIN_RW;
    struct grant_use u = {.granter = slot->granter, .ref = slot->ref};

    if (!slot->granter) {
        log_err("audit: a handle in use names no domain");
        return 1;
    }
    if (!grant_find(&u) || !grant_pinned(u.active)) {
        log_err("audit: a handle names reference %u of domain %u, which is not pinned", slot->ref,
                slot->granter->domid);
        return 1;
    }
    if (slot->flags & GNTMAP_host_map)
        slot->granter->grant.audited[kind] += grant_pin_digest(slot->ref);
    if (slot->flags & GNTMAP_device_map) {
        slot->granter->grant.audited[kind] += grant_pin_digest(slot->ref);
        audit_explain(mfn_make(u.active->frame), kind == PIN_RO ? PGT_NONE : PGT_WRITABLE);
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

static unsigned audit_handles(const struct domain *mapper)
{
    const struct grant_table *t = &mapper->grant;
    const uint32_t capacity = t->maptrack_frames * (uint32_t)MAPTRACK_PER_FRAME;
    unsigned violations = 0, used = 0;

    for (uint32_t i = 0; i < t->maptrack_frames; i++) {
        for (uint32_t n = 0; n < MAPTRACK_PER_FRAME; n++) {
            if (t->maptrack[i][n].flags == 0)
                continue;
            used++;
            violations += audit_handle(&t->maptrack[i][n]);
        }
    }
    if (used + free_handles(t) != capacity) {
        log_err("audit: domain %u has %u handles and %u free ones of %u", mapper->domid, used,
                free_handles(t), capacity);
        violations++;
    }
    return violations;
}

static unsigned audit_pins(struct domain *granter)
{
    uint64_t digest[PIN_KINDS];
    unsigned violations = 0;

    pins_digest(&granter->grant, digest);
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

unsigned grant_audit(void)
{
    unsigned violations = 0;
    struct domain *d;

    for_each_domain (d) {
        violations += audit_handles(d);
    }
    for_each_domain (d) {
        violations += audit_pins(d);
    }
    return violations;
}

bool grant_covers(struct domain *owner, uint16_t mapper, mfn_t m, bool rw)
{
    const struct grant_table *t = &owner->grant;

    for (uint32_t i = 0; i < t->frames; i++)
        for (uint32_t n = 0; n < GRANTS_PER_FRAME; n++) {
            const struct grant_active *a = &t->frame[i].active[n];

            if (a->frame == m.n && a->domid == mapper && a->pins[rw ? PIN_RW : PIN_RO] != 0)
                return true;
        }
    return false;
}
