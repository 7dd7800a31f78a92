/* SPDX-License-Identifier: MIT */
/*
 * pool.c - first-fit run allocator over a bitmap, resumed where the last search ended.
 *
 * Invariant: in_use is the number of bits set. Requests come in few sizes and leave soon, so a
 * search seldom looks further than one run.
 */
#include "pool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int pool_init(struct pool *p)
{
    void *base =
        mmap(NULL, POOL_PAGES * 4096ul, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (base == MAP_FAILED) {
        return -errno;
    }
    memset(p, 0, sizeof(*p));
    p->base = base;
    return 0;
}

void pool_free(struct pool *p)
{
    munmap(p->base, POOL_PAGES * 4096ul);
}

static int bit(const struct pool *p, uint32_t i)
{
    return (p->used[i / 64] >> (i % 64)) & 1;
}

static uint32_t search(const struct pool *p, uint32_t from, uint32_t to, uint32_t pages)
{
    uint32_t run = 0;

    for (uint32_t i = from; i < to; i++) {
        run = bit(p, i) ? 0 : run + 1;
        if (run == pages) {
            return i + 1 - pages;
        }
    }
    return POOL_NONE;
}

uint32_t pool_take(struct pool *p, uint32_t pages)
{
    uint32_t first;

    if (!pages || pages > POOL_PAGES) {
        return pages ? POOL_NONE : 0;
    }
    first = search(p, p->hint, POOL_PAGES, pages);
    if (first == POOL_NONE) {
        first = search(p, 0, POOL_PAGES, pages);
    }
    if (first == POOL_NONE) {
        return POOL_NONE;
    }
    for (uint32_t i = first; i < first + pages; i++) {
        p->used[i / 64] |= 1ull << (i % 64);
    }
    p->in_use += pages;
    p->hint = (first + pages) % POOL_PAGES;
    return first;
}

void pool_give(struct pool *p, uint32_t first, uint32_t pages)
{
    for (uint32_t i = first; i < first + pages; i++) {
        p->used[i / 64] &= ~(1ull << (i % 64));
    }
    p->in_use -= pages;
}
