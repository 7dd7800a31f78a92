/* SPDX-License-Identifier: MIT */
/*
 * Who runs. Round robin per CPU for now, behind an interface small enough that a policy can be
 * exchanged. A vcpu is runnable when nothing pauses it and it is not blocked.
 */
#ifndef TENUE_SCHED_H
#define TENUE_SCHED_H

#include <tenue/abi.h>
#include <tenue/lock.h>
#include <tenue/timer.h>

struct vcpu;

#define SCHED_SLICE (10 * 1000 * 1000ull) /* ns of one turn */

struct run_queue {
    struct spinlock lock;     /* RANK_RUNQUEUE */
    struct vcpu *head, *tail; /* [lock] runnable, not running; linked by vcpu->run_next */
    struct vcpu *running;     /* [lock] whose turn it is, NULL when idle; never in the list */
    struct timer slice;       /* ends the turn while somebody waits */
    ns_t idle_since;          /* [own CPU] valid while idle */
    ns_t idle_time;           /* [own CPU, others read] total of past idling */
};

/* Before CPU cpu schedules: its run queue and timer queue (cpus[cpu] is set). */
void sched_cpu_init(unsigned cpu);
void sched_vcpu_init(struct vcpu *v);
/* Make v runnable (it was unblocked or unpaused), on its own CPU; cheap when already so. */
void sched_wake(struct vcpu *v);
/* v may no longer run: takes it off the queue; if it runs now, its CPU is told to reschedule. */
void sched_sleep(struct vcpu *v);
/* As sched_sleep, and wait until no CPU runs v or keeps its state lazily. Not on oneself. */
void sched_sleep_sync(struct vcpu *v);
void sched_yield(struct vcpu *v);
/* Move v, which is paused with sched_sleep_sync(), to another CPU's queue. */
void sched_set_cpu(struct vcpu *v, unsigned cpu);
/* Time CPU cpu has idled, ns. */
ns_t sched_idle_time(unsigned cpu);
/* SOFTIRQ_SCHED: choose, and switch (hal_context_switch) when the choice differs. Idles inside,
 * servicing softirqs, until there is a vcpu to run. On return this_cpu()->current may run. */
void sched_softirq(void);

#endif
