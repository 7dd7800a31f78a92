/* SPDX-License-Identifier: MIT */
/* The audit of free memory: lists, masks and counters of the allocator (audit.h). */
#include "audit.h"

#include <tenue/log.h>

#include "../core/page_priv.h"

/* Frames on one list; ~0 when a block on it is not what the list says. */
static uint64_t list_audit(unsigned zone, unsigned order)
{
    uint64_t frames = 0;
    uint32_t prev = 0;

    for (uint32_t m = heap_heads[zone][order]; m; prev = m, m = frame_table[m].next) {
        const struct page *p = &frame_table[m];

        if (m >= frame_count || (p->count & ~C_CLEAN) != (C_FREE | C_HEAD | order) ||
            p->prev != prev || heap_zone_of(m) != zone || m & ((1u << order) - 1) ||
            frames > frame_count)
            return ~0ull;
        for (uint64_t i = 1; i < 1ull << order; i++)
            if ((frame_table[m + i].count & ~C_CLEAN) != C_FREE)
                return ~0ull;
        frames += 1ull << order;
    }
    if ((heap_heads[zone][order] != 0) != (heap_zone_orders[zone] >> order & 1))
        return ~0ull;
    return frames;
}

unsigned heap_audit(void)
{
    uint64_t listed = 0, seen = 0;

    for (unsigned zone = 0; zone < HEAP_ZONES; zone++)
        for (unsigned order = 0; order <= HEAP_ORDER_MAX; order++) {
            const uint64_t n = list_audit(zone, order);

            if (n == ~0ull) {
                log_err("audit: free list %u of zone %u is broken", order, zone);
                return 1;
            }
            listed += n;
        }
    for (uint64_t m = 0; m < frame_count; m++)
        seen += !!(frame_table[m].count & C_FREE);
    if (listed == READ_ONCE(heap_free_frames) && seen == listed)
        return 0;
    log_err("audit: %lu frames are free, %lu on lists, %lu counted", seen, listed,
            READ_ONCE(heap_free_frames));
    return 1;
}
