/* SPDX-License-Identifier: MIT */
/*
 * arena.h - pages of the guest that stay mapped while it is connected (ADR 68).
 *
 * The guest names a directory, a page of grant references; the pages behind them are mapped once.
 * Requests name the same references as ever: what lies in the arena is copied by this process, the
 * rest by the hypervisor, so a request never depends on there being an arena.
 */
#ifndef BACKENDS_NET_ARENA_H
#define BACKENDS_NET_ARENA_H

#include "../common/gntdev.h"

#define ARENA_PAGES_MAX 512u
#define ARENA_BUCKETS (2u * ARENA_PAGES_MAX) /* half of them stay empty */

struct arena {
    uint8_t *pages; /* NULL: there is none */
    unsigned nr_pages;
    uint32_t refs[ARENA_PAGES_MAX];
    uint16_t bucket[ARENA_BUCKETS]; /* page number + 1, by reference */
};

/* False, errno set: nothing was mapped. */
bool arena_map(struct arena *a, struct gntdev *g, uint32_t directory, unsigned nr_pages);
/* Of none: nothing. */
void arena_unmap(struct arena *a, struct gntdev *g);

/* As gntdev_copy(), and with its contract. */
int arena_copy(const struct arena *a, struct gntdev *g, bool to_guest,
               const struct gnt_copy *pieces, unsigned count, bool *bad);

#endif
