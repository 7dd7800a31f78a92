/* SPDX-License-Identifier: MIT */
/*
 * pool.h - the buffers that data passes through between the guest's pages and the image.
 *
 * One region; a request takes a run of whole pages of it. Its first pages are registered with
 * io_uring as buffer 0, and with that are locked memory from the start. The others are memory once
 * they were used, and looked up in the page tables for each request: a disk that never has much
 * under way at once, as most, does without.
 */
#ifndef BACKENDS_BLOCK_POOL_H
#define BACKENDS_BLOCK_POOL_H

#include <stdint.h>

#define POOL_PAGES 1024u /* 4 MiB: Linux's default of 32 requests of 32 pages each */
#define POOL_FIXED 256u  /* registered: 8 such requests, 256 of a page */
#define POOL_NONE UINT32_MAX

struct pool {
    uint8_t *base;
    uint32_t in_use; /* pages */
    uint64_t used[POOL_PAGES / 64];
};

int pool_init(struct pool *p);
void pool_free(struct pool *p);

/* First page of a run of `pages`, or POOL_NONE. 0 pages give page 0 and take nothing. */
uint32_t pool_take(struct pool *p, uint32_t pages);
void pool_give(struct pool *p, uint32_t first, uint32_t pages);

#endif
