/* SPDX-License-Identifier: MIT */
/*
 * pool.c - first-fit run allocator over a bitmap, always from the start: what few requests need is
 * there and registered, and what only many need at once costs no memory before.
 *
 * Invariant: in_use is the number of bits set. Requests come in few sizes and leave soon, so a
 * search seldom looks further than what is in use.
 */
#include "pool.h"

#include <errno.h>
#include <stdbool.h>
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

/* The first page from i on that is in use, or is not. */
static uint32_t next(const struct pool *p, uint32_t i, bool in_use)
{
    while (i < POOL_PAGES) {
        uint64_t word = (in_use ? p->used[i / 64] : ~p->used[i / 64]) >> (i % 64);

        if (word) {
            return i + (uint32_t)__builtin_ctzll(word);
        }
        i = (i / 64 + 1) * 64;
    }
    return POOL_PAGES;
}

uint32_t pool_take(struct pool *p, uint32_t pages)
{
    uint32_t first = 0, end = 0;

    if (!pages) {
        return 0;
    }
    while (end - first < pages) {
        first = next(p, end, false);
        if (first == POOL_PAGES) {
            return POOL_NONE;
        }
        end = next(p, first, true);
    }
    for (uint32_t i = first; i < first + pages; i++) {
        p->used[i / 64] |= 1ull << (i % 64);
    }
    p->in_use += pages;
    return first;
}

void pool_give(struct pool *p, uint32_t first, uint32_t pages)
{
    for (uint32_t i = first; i < first + pages; i++) {
        p->used[i / 64] &= ~(1ull << (i % 64));
    }
    p->in_use -= pages;
}
