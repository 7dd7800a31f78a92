/* SPDX-License-Identifier: MIT */
/*
 * Deadlines. Times are system time: nanoseconds since the hypervisor's clock started, per CPU
 * monotonic. Callbacks run from SOFTIRQ_TIMER on the CPU that owns the timer, interrupts off, no
 * lock held. A queue is a heap threaded through its timers: no capacity, arming cannot fail.
 */
#ifndef TENUE_TIMER_H
#define TENUE_TIMER_H

#include <tenue/abi.h>
#include <tenue/heap.h>
#include <tenue/lock.h>

typedef uint64_t ns_t;
#define NS_PER_SEC 1000000000ull
#define NS_NEVER (~0ull)

struct timer {
    struct heap_node node;        /* [queue lock] key: the deadline */
    peeked uint32_t cpu;          /* [queue lock] whose queue, while armed */
    bool queued;                  /* [queue lock] */
    void (*fire)(struct timer *); /* [I] */
};

#define TIMER_INIT(fn)                                                                             \
    {                                                                                              \
        .fire = (fn)                                                                               \
    }

struct timer_queue {
    struct spinlock lock;        /* RANK_TIMER */
    struct heap_node *root;      /* [lock] the earliest */
    ns_t programmed;             /* [own CPU] what the hardware was last told */
    ns_t pass;                   /* [lock] time of the pass in progress, 0: none */
    struct timer *peeked firing; /* [lock] whose callback runs now */
};

void timer_init(struct timer *t, void (*fire)(struct timer *));
/* (Re)arm on this CPU; a past deadline fires at the next softirq. Never fails. */
void timer_set(struct timer *t, ns_t deadline);
/* Disarm. The callback may still be running on another CPU. */
void timer_stop(struct timer *t);
/* Disarm for good: returns when no CPU runs the callback. Not from the callback itself. */
void timer_kill(struct timer *t);
/* SOFTIRQ_TIMER: run everything due, then program the hardware for the next (IRQ-3, EV-9). */
void timer_softirq(void);
/* Before idling: what was stopped meanwhile shall not wake this CPU. */
void timer_rest(void);

#endif
