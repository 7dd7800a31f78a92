/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: a binary buddy system over the frame table.
 *
 * Free memory is a set of blocks of 2^order naturally aligned frames, order 0..HEAP_ORDER_MAX. A
 * block's first record says C_FREE | C_HEAD and the order and links the block into the list of its
 * zone and order; the other records say C_FREE. A zone holds the frames whose numbers have one bit
 * length, so a block never spans two zones, and "below 2^bits" is a prefix of the zones.
 * Allocation prefers high zones: low memory is what devices with short address lines want.
 *
 * A block's type word is 0, or T_STAMPED with the newest stamp of its frames: whoever takes the
 * block flushes the CPUs that are older (MM-5).
 *
 * Each free frame's record says whether the frame is known to hold zeros (C_CLEAN): a domain's
 * frame is born zeroed, and as long as it never had a type nobody could write to it (page_priv.h).
 * Other contents are not touched here; page.c zeroes what reaches a guest (MM-12), hv_alloc_pages
 * what reaches us.
 *
 * Lock: heap_lock (RANK_HEAP) covers lists, masks and counters. Frames below FIRST_FRAME are
 * never given out: number 0 ends lists, and the rest of the first MiB belongs to firmware and to
 * the start of further CPUs.
 */
#include <tenue/assert.h>
#include <tenue/hal.h>

#include "lib.h"
#include "page_priv.h"

#define FIRST_FRAME 256u

static struct spinlock heap_lock = SPINLOCK_INIT(RANK_HEAP);
uint32_t heap_heads[HEAP_ZONES][HEAP_ORDER_MAX + 1];
uint32_t heap_zone_orders[HEAP_ZONES];
static unsigned top_zone; /* of the highest frame there is */
peeked uint64_t heap_free_frames, heap_total_frames;

struct page *frame_table;
uint64_t frame_count;

/* The later of two stamps, both in the past. */
static uint64_t newer_stamp(uint64_t a, uint64_t b, uint32_t now)
{
    if (!(a & T_STAMPED))
        return b;
    if (!(b & T_STAMPED))
        return a;
    return now - (uint32_t)a <= now - (uint32_t)b ? a : b;
}

static void block_link(uint32_t mfn, unsigned order, uint64_t stamp)
{
    struct page *p = &frame_table[mfn];
    const unsigned zone = heap_zone_of(mfn);
    const uint32_t next = heap_heads[zone][order];

    p->count = (p->count & C_CLEAN) | C_FREE | C_HEAD | order;
    p->type = stamp;
    p->next = next;
    p->prev = 0;
    if (next)
        frame_table[next].prev = mfn;
    heap_heads[zone][order] = mfn;
    heap_zone_orders[zone] |= 1u << order;
}

static void block_unlink(uint32_t mfn, unsigned order)
{
    struct page *p = &frame_table[mfn];
    const unsigned zone = heap_zone_of(mfn);

    if (p->next)
        frame_table[p->next].prev = p->prev;
    if (p->prev) {
        frame_table[p->prev].next = p->next;
    } else {
        heap_heads[zone][order] = p->next;
        if (!p->next)
            heap_zone_orders[zone] &= ~(1u << order);
    }
    p->count = (p->count & C_CLEAN) | C_FREE;
}

/* Put a block back, joined with its free buddies. heap_lock held. */
static void block_free(uint32_t mfn, unsigned order, uint64_t stamp)
{
    const uint32_t now = tlb_stamp();

    heap_free_frames += 1ull << order;
    while (order < HEAP_ORDER_MAX) {
        const uint32_t buddy = mfn ^ (1u << order);

        if (buddy >= frame_count ||
            (frame_table[buddy].count & ~C_CLEAN) != (C_FREE | C_HEAD | order))
            break;
        stamp = newer_stamp(stamp, frame_table[buddy].type, now);
        block_unlink(buddy, order);
        mfn &= ~(1u << order);
        order++;
    }
    block_link(mfn, order, stamp);
}

/* A block of exactly this order out of the highest zone at most `limit`, 0 when there is none. */
static uint32_t block_take(unsigned order, unsigned limit)
{
    for (unsigned zone = MIN(limit, top_zone); zone; zone--) {
        const uint32_t orders = heap_zone_orders[zone] >> order;
        unsigned have;
        uint32_t mfn;
        uint64_t stamp;

        if (!orders)
            continue;
        have = order + (unsigned)__builtin_ctz(orders);
        mfn = heap_heads[zone][have];
        stamp = frame_table[mfn].type;
        block_unlink(mfn, have);
        while (have > order) {
            have--;
            block_link(mfn + (1u << have), have, stamp);
        }
        frame_table[mfn].type = stamp;
        heap_free_frames -= 1ull << order;
        return mfn;
    }
    return 0;
}

void heap_flush_stale(uint64_t type_word)
{
    if (type_word & T_STAMPED) {
        const cpumask_t stale = tlb_stale_cpus(~(cpumask_t)0, (uint32_t)type_word);

        if (stale)
            hal_tlb_flush(stale);
    }
}

struct page *heap_take(unsigned order, unsigned addr_bits)
{
    uint32_t mfn;

    if (order > HEAP_ORDER_MAX || addr_bits <= PAGE_SHIFT)
        return NULL;
    spin_lock(&heap_lock);
    mfn = block_take(order, MIN(addr_bits - PAGE_SHIFT, HEAP_ZONES - 1));
    spin_unlock(&heap_lock);
    if (!mfn)
        return NULL;
    heap_flush_stale(frame_table[mfn].type);
    return &frame_table[mfn];
}

static struct page *make_ours(struct page *first, unsigned order)
{
    for (struct page *p = first; p < first + (1ull << order); p++) {
        p->type = 0;
        p->count = C_HV;
    }
    return first;
}

struct page *heap_alloc(unsigned order, unsigned addr_bits)
{
    struct page *first = heap_take(order, addr_bits);

    return first ? make_ours(first, order) : NULL;
}

void heap_free(struct page *pg, unsigned order)
{
    for (struct page *p = pg; p < pg + (1ull << order); p++) {
        BUG_ON(p->count != C_HV);
        p->count = C_FREE;
    }
    spin_lock(&heap_lock);
    block_free((uint32_t)page_mfn(pg).n, order, T_STAMPED | tlb_stamp());
    spin_unlock(&heap_lock);
}

/* Free the frames [at, end), whose records say so, as the largest blocks there are. heap_lock held.
 */
static void run_free(uint32_t at, uint32_t end, uint64_t stamp)
{
    while (at < end) {
        const unsigned largest = 31u - (unsigned)__builtin_clz(end - at);
        const unsigned order = MIN(MIN((unsigned)__builtin_ctz(at), largest), HEAP_ORDER_MAX);

        block_free(at, order, stamp);
        at += 1u << order;
    }
}

void heap_free_chain(uint32_t first)
{
    const uint64_t stamp = T_STAMPED | tlb_stamp();

    if (!first)
        return;
    spin_lock(&heap_lock);
    while (first) {
        const uint32_t start = first;
        uint32_t end = first;

        do {
            struct page *p = &frame_table[end++];

            first = p->next;
            p->count = p->type == 0 ? C_FREE | C_CLEAN : C_FREE;
        } while (first == end);
        run_free(start, end, stamp);
    }
    spin_unlock(&heap_lock);
}

/* Hand RAM to the allocator at bring-up: frames [start, end), never used by a guest before. */
void heap_seed(mfn_t start, mfn_t end)
{
    const uint64_t first = MAX(start.n, (uint64_t)FIRST_FRAME);

    BUG_ON(end.n > frame_count);
    if (first >= end.n)
        return;
    for (uint64_t i = first; i < end.n; i++)
        frame_table[i].count = C_FREE;
    spin_lock(&heap_lock);
    top_zone = MAX(top_zone, heap_zone_of((uint32_t)end.n - 1));
    run_free((uint32_t)first, (uint32_t)end.n, 0);
    heap_total_frames += end.n - first;
    spin_unlock(&heap_lock);
}

void *hv_alloc_pages(unsigned order)
{
    struct page *pg = heap_take(order, 64);

    if (!pg)
        return NULL;
    frames_clear(pg, order, CLEAR_AT_ONCE);
    return mfn_to_ptr(page_mfn(make_ours(pg, order)));
}

void hv_free_pages(void *p, unsigned order)
{
    if (p)
        heap_free(page_of(ptr_to_mfn(p)), order);
}
