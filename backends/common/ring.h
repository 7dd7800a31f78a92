/* SPDX-License-Identifier: MIT */
/*
 * ring.h - <xen/io/ring.h> with the barriers it wants, and the two rules of reading shared memory.
 *
 * Requests are read with RING_COPY_REQUEST into private memory only. The producer index is read
 * once per round by ring_producer() and checked by ring_producer_valid() before anything is
 * consumed (BE-2).
 */
#ifndef BACKENDS_COMMON_RING_H
#define BACKENDS_COMMON_RING_H

#include <stdint.h>

/* Another processor is at the far side: full fence for store-then-load, the compiler for the rest
 * (x86). */
#define xen_mb() __sync_synchronize()
#define xen_rmb() __asm__ __volatile__("" ::: "memory")
#define xen_wmb() __asm__ __volatile__("" ::: "memory")

#include <xen/io/ring.h>

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* Acquire: what was written before the index was moved is seen by reads that follow. */
static inline RING_IDX ring_producer(const RING_IDX *shared)
{
    RING_IDX prod = READ_ONCE(*shared);

    xen_rmb();
    return prod;
}

/* Did the index at which the far side wants an event lie between the two? */
static inline int ring_event_wanted(RING_IDX before, RING_IDX now, const RING_IDX *event)
{
    return (RING_IDX)(now - READ_ONCE(*event)) < (RING_IDX)(now - before);
}

/*
 * Neither more requests than free slots nor a producer that went back. cons: requests taken so far;
 * rsp: responses made so far; cons - rsp <= size always.
 */
static inline int ring_producer_valid(RING_IDX prod, RING_IDX cons, RING_IDX rsp, RING_IDX size)
{
    return prod - cons <= size - (cons - rsp);
}

#endif
