/* SPDX-License-Identifier: MIT */
/*
 * answers.h - responses on their way into a ring, kept where the next process finds them.
 *
 * Slots of a ring hold a request until its response overwrites it. A process that ends in the
 * middle of a round leaves slots of which nobody can tell what they are, unless all answers of the
 * round were written down before the first went into the ring. They are, here, in the journal; a
 * successor finds done == upto (nothing under way) or puts the same answers into the same slots.
 */
#ifndef BACKENDS_NET_ANSWERS_H
#define BACKENDS_NET_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/ring.h"

#define ANSWERS_MAX 256u /* a ring's slots */

struct answers {
    uint32_t done; /* requests before it are answered */
    uint32_t upto; /* not done: the answers up to it stand in `slot` */
    uint64_t slot[ANSWERS_MAX];
};

/* Where they go: slots of `stride` bytes, of which an answer takes `bytes`. */
struct answers_ring {
    RING_IDX *rsp_prod; /* shared */
    uint8_t *slots;
    size_t stride, bytes;
};

/* The n-th answer of this round; it goes to the slot of the n-th request. */
static inline void answers_set(struct answers *a, unsigned n, const void *rsp, size_t bytes)
{
    __builtin_memcpy(&a->slot[(a->done + n) % ANSWERS_MAX], rsp, bytes);
}

/* All n answers of a round are set: into the ring with them, without telling the guest. */
void answers_put(struct answers *a, unsigned n, const struct answers_ring *to);

/* End what a predecessor was at. False: what stands there is not about this ring. */
bool answers_resume(struct answers *a, const struct answers_ring *to);

#endif
