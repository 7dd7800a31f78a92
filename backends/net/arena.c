/* SPDX-License-Identifier: MIT */
/*
 * arena.c - map the guest's arena, and copy to and from it.
 *
 * The guest may change the directory and every page at any time. The directory is read once; pages
 * are only ever copied, whole pieces at a time, and looked at in the copy. References may be given
 * twice or chosen to collide: a lookup then takes longer, at most ARENA_PAGES_MAX steps.
 *
 * Invariant: offset + len of a piece are within a page (packet.c, rx.c), as gntdev_copy() demands.
 */
#include "arena.h"

#include <string.h>

static unsigned bucket_of(const struct arena *a, uint32_t ref)
{
    unsigned at = ref % (ARENA_BUCKETS / 4) * 4; /* apart: who collides has room */

    while (a->bucket[at] && a->refs[a->bucket[at] - 1] != ref) {
        at = (at + 1) % ARENA_BUCKETS;
    }
    return at;
}

static uint8_t *find(const struct arena *a, uint32_t ref)
{
    unsigned page = a->bucket[bucket_of(a, ref)];

    return page ? a->pages + (page - 1) * (size_t)GNT_PAGE : NULL;
}

bool arena_map(struct arena *a, struct gntdev *g, uint32_t directory, unsigned nr_pages)
{
    void *list = gntdev_map(g, 1, &directory, false);

    if (!list) {
        return false;
    }
    memcpy(a->refs, list, nr_pages * sizeof(a->refs[0]));
    gntdev_unmap(g, list, 1);
    a->pages = gntdev_map(g, nr_pages, a->refs, true);
    if (!a->pages) {
        return false;
    }
    a->nr_pages = nr_pages;
    memset(a->bucket, 0, sizeof(a->bucket));
    for (unsigned i = 0; i < nr_pages; i++) {
        a->bucket[bucket_of(a, a->refs[i])] = (uint16_t)(i + 1);
    }
    return true;
}

void arena_unmap(struct arena *a, struct gntdev *g)
{
    if (a->pages) {
        gntdev_unmap(g, a->pages, a->nr_pages);
        a->pages = NULL;
    }
}

int arena_copy(const struct arena *a, struct gntdev *g, bool to_guest,
               const struct gnt_copy *pieces, unsigned count, bool *bad)
{
    struct gnt_copy other[GNT_COPY_BATCH];
    bool other_bad[GNT_COPY_BATCH];
    unsigned place[GNT_COPY_BATCH], n = 0;
    int rc;

    if (!a->pages) {
        return gntdev_copy(g, to_guest, pieces, count, bad);
    }
    for (unsigned i = 0; i < count; i++) {
        uint8_t *page = find(a, pieces[i].ref);

        bad[i] = false;
        if (!page) {
            place[n] = i;
            other[n++] = pieces[i];
        } else if (to_guest) {
            memcpy(page + pieces[i].offset, pieces[i].local, pieces[i].len);
        } else {
            memcpy(pieces[i].local, page + pieces[i].offset, pieces[i].len);
        }
    }
    if (!n) {
        return 0;
    }
    rc = gntdev_copy(g, to_guest, other, n, other_bad);
    for (unsigned i = 0; i < n; i++) {
        bad[place[i]] = other_bad[i];
    }
    return rc;
}
