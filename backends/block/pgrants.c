/* SPDX-License-Identifier: MIT */
/*
 * pgrants.c - a hash of mapped grants. Open addressing, never deleted from: the connection's end
 * unmaps all of it, in the batches it was mapped in, which is how gntdev wants it.
 *
 * Invariants: nr_pages <= PGRANTS_MAX, so the table is at most half full and a probe ends; each
 * mapped page belongs to exactly one batch.
 */
#include "pgrants.h"

#include <stdbool.h>
#include <stdlib.h>

#define SLOTS (PGRANTS_MAX * 2)
#define GET_MAX 256u

struct slot {
    void *addr; /* NULL: free */
    uint32_t ref;
};

struct batch {
    void *addr;
    unsigned count;
};

struct pgrants {
    struct gntdev *g;
    unsigned nr_pages, nr_batches;
    struct slot slots[SLOTS];
    struct batch batches[PGRANTS_MAX];
};

struct pgrants *pgrants_new(struct gntdev *g)
{
    struct pgrants *pg = calloc(1, sizeof(*pg));

    if (pg) {
        pg->g = g;
    }
    return pg;
}

void pgrants_free(struct pgrants *pg)
{
    if (!pg) {
        return;
    }
    for (unsigned i = 0; i < pg->nr_batches; i++) {
        gntdev_unmap(pg->g, pg->batches[i].addr, pg->batches[i].count);
    }
    free(pg);
}

unsigned pgrants_count(const struct pgrants *pg)
{
    return pg->nr_pages;
}

/* The slot that holds ref, or the free one where it would go. */
static struct slot *slot_of(struct pgrants *pg, uint32_t ref)
{
    uint32_t i = (ref * 2654435761u) % SLOTS;

    while (pg->slots[i].addr && pg->slots[i].ref != ref) {
        i = (i + 1) % SLOTS;
    }
    return &pg->slots[i];
}

static bool contains(const uint32_t *refs, unsigned count, uint32_t ref)
{
    for (unsigned i = 0; i < count; i++) {
        if (refs[i] == ref) {
            return true;
        }
    }
    return false;
}

/*
 * Map all or none: the refused grant is not worth finding out, its request will fail in the copy.
 */
static void map_missing(struct pgrants *pg, uint32_t *refs, unsigned count)
{
    char *base = gntdev_map(pg->g, count, refs, true);

    if (!base) {
        return;
    }
    pg->batches[pg->nr_batches++] = (struct batch){base, count};
    pg->nr_pages += count;
    for (unsigned i = 0; i < count; i++) {
        struct slot *s = slot_of(pg, refs[i]);

        s->ref = refs[i];
        s->addr = base + (size_t)i * GNT_PAGE;
    }
}

void pgrants_get(struct pgrants *pg, const uint32_t *refs, unsigned count, void **addr)
{
    uint32_t missing[GET_MAX];
    unsigned nr_missing = 0;

    for (unsigned i = 0; i < count; i++) {
        addr[i] = slot_of(pg, refs[i])->addr;
        /*
         * A request may name one page twice; two mappings of it would leave one outside the table.
         */
        if (!addr[i] && pg->nr_pages + nr_missing < PGRANTS_MAX &&
            !contains(missing, nr_missing, refs[i])) {
            missing[nr_missing++] = refs[i];
        }
    }
    if (!nr_missing) {
        return;
    }
    map_missing(pg, missing, nr_missing);
    for (unsigned i = 0; i < count; i++) {
        addr[i] = slot_of(pg, refs[i])->addr;
    }
}
