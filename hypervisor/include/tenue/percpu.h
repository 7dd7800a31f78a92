/* SPDX-License-Identifier: MIT */
/*
 * What each CPU owns. this_cpu() comes from the machine layer (hal_cpu.h: one copy beside the
 * metal, one beside the fake machine).
 *
 * Legend: [o] only this CPU touches it; [a] atomic, any CPU; [I] set at bring-up.
 */
#ifndef TENUE_PERCPU_H
#define TENUE_PERCPU_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/lock.h>
#include <tenue/sched.h>
#include <tenue/timer.h>

struct trace_ring;
struct vcpu;

/* Work to do before returning to a guest: bits of cpu->softirqs. */
enum softirq {
    SOFTIRQ_TIMER,  /* deadlines have passed */
    SOFTIRQ_SCHED,  /* choose a vcpu again */
    SOFTIRQ_WORK,   /* deferred work queued on this CPU (domain teardown, console) */
    SOFTIRQ_TABLES, /* the current vcpu owes tables (pv_pay_old_tables) */
};

#define LOCKS_HELD_MAX 8

struct cpu {
    uint32_t softirqs; /* [a] pending enum softirq bits; tested on the way to the guest, together
                          with: */
    uint32_t watched;  /* [o] changes of part are accounted (account.h) */
    uint32_t id;       /* [I] 0..cpu_count-1 */
    struct trace_ring *_Atomic trace; /* [o, others read; account.h] NULL: nothing is recorded */
    struct vcpu *current;     /* [o] whose registers and root are loaded; NULL before the first */
    bool idle;                /* [o] current is only kept lazily, no vcpu is running */
    bool sends;               /* [o] current sends an event to another domain */
    bool in_multicall;        /* [o] the hypercall in progress is an element of a batch */
    bool hypercall_restarted; /* [o] the element asked to be issued again, with these arguments: */
    uint64_t restart_args[5]; /* [o] */
    uint64_t hypercall_count[64]; /* [o] by number, for the debug keys */
    mfn_t root;                   /* [o] the root believed to be in CR3 (MM-18) */
    uint64_t tags[2];     /* [o] for user and kernel mode: what a load of CR3 has besides the root,
                             where     TLBs are tagged (pv/tags.c) */
    uint32_t flush_stamp; /* [o written, others read] TLB clock at the last full local flush */
    struct timer_queue timers;                   /* its own lock */
    struct run_queue runq;                       /* its own lock */
    const struct spinlock *held[LOCKS_HELD_MAX]; /* [o] debug: locks held, in order */
    unsigned held_count;
};

extern struct cpu *cpus[MAX_CPUS]; /* [I] */
extern unsigned cpu_count;         /* [I] CPUs brought up */

#include "hal_cpu.h" /* static inline struct cpu *this_cpu(void); cpu_relax() */

static inline struct vcpu *current_vcpu(void)
{
    return this_cpu()->current;
}

/* This CPU's full flush that tlb_flush_begin() opened is done. */
static inline void tlb_flush_end(uint32_t taken)
{
    WRITE_ONCE(this_cpu()->flush_stamp, taken);
}

/* The current vcpu's root of the mode it is not in is another one now: its tag is to be flushed
 * when it is loaded. Means nothing without tags. */
static inline void tlb_tag_owes(bool kernel)
{
    this_cpu()->tags[kernel] = kernel;
}

/* In core/softirq.c. Raise on this CPU; or on another, waking it by an IPI if it may be in a guest
 * or idle. */
void softirq_raise(enum softirq which);
void softirq_raise_on(unsigned cpu, enum softirq which);

#endif
