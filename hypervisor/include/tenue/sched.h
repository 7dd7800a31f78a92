/* SPDX-License-Identifier: MIT */
/*
 * Who runs. Round robin per CPU for now, behind an interface small enough that a policy can be
 * exchanged. A vcpu is runnable when nothing pauses it and it is not blocked.
 */
#ifndef TENUE_SCHED_H
#define TENUE_SCHED_H

#include <tenue/abi.h>
#include <tenue/lock.h>

struct vcpu;

struct run_queue {
    struct spinlock lock;     /* RANK_RUNQUEUE */
    struct vcpu *head, *tail; /* runnable, not running; linked by vcpu->run_next */
    uint64_t slice_end;       /* system time at which the running vcpu's turn is over */
};

void sched_cpu_init(unsigned cpu);
void sched_vcpu_init(struct vcpu *v);
/* Make v runnable (it was unblocked or unpaused), on its own CPU; cheap when already so. */
void sched_wake(struct vcpu *v);
/* v may no longer run: takes it off the queue; if it runs now, its CPU is told to reschedule. */
void sched_sleep(struct vcpu *v);
/* As sched_sleep, and wait until no CPU runs v or keeps its state lazily. Not on oneself. */
void sched_sleep_sync(struct vcpu *v);
void sched_yield(struct vcpu *v);
/* SOFTIRQ_SCHED: choose, and switch (hal_context_switch) when the choice differs. Idles inside,
 * servicing softirqs, until there is a vcpu to run. On return this_cpu()->current may run. */
void sched_softirq(void);

#endif
