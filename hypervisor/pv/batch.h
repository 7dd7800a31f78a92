/* SPDX-License-Identifier: MIT */
/*
 * The batch convention of mmu_update and mmuext_op: an array, its length, an optional count of what
 * was done. See mmu_op.c for the restart encoding.
 */
#ifndef TENUE_PV_BATCH_H
#define TENUE_PV_BATCH_H

#include <tenue/abi.h>
#include <tenue/guestmem.h>
#include <tenue/hypercall.h>

/* Bit 31 of the count: this is the rest of a preempted batch, *done counts what came before. */
#define BATCH_PREEMPTED 0x80000000u

struct batch {
    guest_va items, done_at; /* done_at 0: the caller does not want to know */
    uint32_t count;          /* items in this call */
    uint32_t done;           /* of them, done */
    uint32_t before;         /* done in earlier parts */
};

static inline int batch_begin(struct batch *b, uint64_t items, uint64_t count, uint64_t done_at)
{
    b->items = guest_va_make(items);
    b->done_at = guest_va_make(done_at);
    b->count = (uint32_t)count & ~BATCH_PREEMPTED;
    b->done = b->before = 0;
    if (unlikely((uint32_t)count & BATCH_PREEMPTED) && done_at &&
        guest_read_obj(&b->before, b->done_at) != 0)
        return -XEN_EFAULT;
    return 0;
}

/* Where the next item of `bytes` lies; guest_read checks the range. */
static inline guest_va batch_item(const struct batch *b, uint64_t bytes)
{
    return guest_va_add(b->items, b->done * bytes);
}

static inline long batch_end(const struct batch *b, int rc, uint64_t nr, uint64_t bytes,
                             uint64_t domid)
{
    const uint32_t done = b->before + b->done;

    if (b->done_at.va && guest_write_obj(b->done_at, &done) != 0)
        return -XEN_EFAULT;
    if (unlikely(rc == -XEN_ERESTART))
        return hypercall_restart(nr, batch_item(b, bytes).va,
                                 (b->count - b->done) | BATCH_PREEMPTED, b->done_at.va, domid, 0);
    return rc;
}

#endif
