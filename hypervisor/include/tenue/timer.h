/* SPDX-License-Identifier: MIT */
/*
 * Deadlines. Times are system time: nanoseconds since the hypervisor's clock started, per CPU
 * monotonic. Callbacks run from SOFTIRQ_TIMER on the CPU that owns the timer, interrupts off.
 */
#ifndef TENUE_TIMER_H
#define TENUE_TIMER_H

#include <tenue/abi.h>
#include <tenue/lock.h>

typedef uint64_t ns_t;
#define NS_PER_SEC 1000000000ull
#define NS_NEVER (~0ull)

struct timer {
    ns_t deadline;               /* [queue lock] NS_NEVER when not armed */
    uint32_t cpu;                /* [queue lock] whose queue */
    int32_t slot;                /* [queue lock] index in the heap, -1 when not queued */
    void (*fire)(struct timer *); /* [I] */
};

#define TIMERS_PER_CPU_MAX 2048

struct timer_queue {
    struct spinlock lock; /* RANK_TIMER */
    struct timer **heap;  /* binary heap by deadline */
    uint32_t count, capacity;
};

int timer_queue_init(struct timer_queue *q) must_check;
void timer_init(struct timer *t, void (*fire)(struct timer *));
/* (Re)arm on this CPU; a past deadline fires at the next softirq. Never fails: see timer.c. */
void timer_set(struct timer *t, ns_t deadline);
void timer_stop(struct timer *t);
/* SOFTIRQ_TIMER: run everything due, then program the hardware for the next (IRQ-3, EV-9). */
void timer_softirq(void);

#endif
