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

/* The first page of i..most that is in use, or is not; else most, or a little more. */
static uint32_t next(const struct pool *p, uint32_t i, uint32_t most, bool in_use)
{
    while (i < most) {
        uint64_t word = (in_use ? p->used[i / 64] : ~p->used[i / 64]) >> (i % 64);

        if (word) {
            return i + (uint32_t)__builtin_ctzll(word);
        }
        i = (i / 64 + 1) * 64;
    }
    return i;
}

/* A word at a time: a mask of what of it belongs to the run. */
static uint64_t run_in_word(uint32_t first, uint32_t pages)
{
    return (pages < 64 ? (1ull << pages) - 1 : ~0ull) << (first % 64);
}

static uint32_t left_in_word(uint32_t first)
{
    return 64 - first % 64;
}

uint32_t pool_take(struct pool *p, uint32_t pages)
{
    uint32_t first = 0, end = 0;

    if (!pages) {
        return 0;
    }
    while (end - first < pages) {
        first = next(p, end, POOL_PAGES, false);
        if (first + pages > POOL_PAGES) {
            return POOL_NONE;
        }
        end = next(p, first, first + pages, true);
    }
    p->in_use += pages;
    for (uint32_t i = first, left = pages, n; left; i += n, left -= n) {
        n = left < left_in_word(i) ? left : left_in_word(i);
        p->used[i / 64] |= run_in_word(i, n);
    }
    return first;
}

void pool_give(struct pool *p, uint32_t first, uint32_t pages)
{
    p->in_use -= pages;
    for (uint32_t n; pages; first += n, pages -= n) {
        n = pages < left_in_word(first) ? pages : left_in_word(first);
        p->used[first / 64] &= ~run_in_word(first, n);
    }
}
