/* SPDX-License-Identifier: MIT */
/*
 * The TLB clock: when may a frame's former mappings still be cached somewhere? A frame is stamped
 * when its last reference of a kind goes; a CPU is stamped at each full flush; a flush is owed
 * to every CPU whose stamp is not newer (MM-4, MM-5).
 */
#ifndef TENUE_TLB_H
#define TENUE_TLB_H

#include <tenue/abi.h>
#include <tenue/frame.h>

typedef uint64_t cpumask_t; /* bit n: CPU n */

extern uint32_t tlb_clock; /* [a] */

/* The stamp to leave on a frame now. */
static inline uint32_t tlb_stamp(void)
{
    return READ_ONCE(tlb_clock);
}
/* CPUs out of mask that may still cache a translation stamped so. */
cpumask_t tlb_stale_cpus(cpumask_t mask, uint32_t stamp);
/* pv/tags.c, where TLBs are tagged; called by the machine layer only. As hal_load_root(),
 * hal_switch_root() and hal_invlpg_local(). */
void tags_load_root(mfn_t root);
void tags_switch_root(mfn_t root);
void tags_invlpg(uint64_t va) __attribute__((cold));
/* Called by the machine layer around each full flush of this CPU: before, take the value; after
 * the flush, publish it (tlb_flush_end(), percpu.h). */
static inline uint32_t tlb_flush_begin(void)
{
    return __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);
}

#endif
