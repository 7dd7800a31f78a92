/* SPDX-License-Identifier: MIT */
/* Between the scheduler's files: sched.c (queues), sched_place.c (CPUs), sched_share.c (caps). */
#ifndef TENUE_CORE_SCHED_PRIV_H
#define TENUE_CORE_SCHED_PRIV_H

#include <tenue/percpu.h>
#include <tenue/sched.h>
#include <tenue/vcpu.h>

#define NO_CPU (~0u)
#define CPU_BIT(cpu) ((cpumask_t)1 << (cpu))

static inline struct vcpu *vcpu_of_node(struct heap_node *n)
{
    return container_of(n, struct vcpu, sched.node);
}
static inline struct run_queue *queue_of(unsigned cpu)
{
    return &cpus[cpu]->runq;
}

/* --- softirq.c, for the idle loop --- */
/* Clear a pending bit of this CPU; true when it was set. */
bool softirq_take(enum softirq which);
/* Do all that is pending on this CPU except choosing a vcpu. */
void softirq_run_but_sched(void);

/* --- sched.c --- */
extern uint32_t sched_wake_margin_us;
/* The queues of one or two CPUs, lowest first. */
void sched_lock_two(unsigned a, unsigned b);
void sched_unlock_two(unsigned a, unsigned b);
/* v, queued and unloaded, to another queue; both locked. Its lead or lag goes with it. */
void sched_move_queued(struct vcpu *v, unsigned to);
/* The same for one that is in no queue. */
void sched_carry(struct vcpu *v, unsigned to);

/* --- sched_place.c --- */
/* Where a vcpu that becomes runnable goes; NO_CPU: it has to wait for one (static policy). */
unsigned sched_place(struct vcpu *v, unsigned here);
/* Somebody waits who may run on these: tell one of them that idles. */
void sched_offer(cpumask_t allowed);
/* This CPU idles: from now on it is known to, until sched_busy(); take a vcpu that waits elsewhere.
 */
bool sched_pull(struct cpu *c);
void sched_busy(unsigned cpu);
/* Others wait here: hand one over if another CPU has less to do. */
void sched_push(struct cpu *c, ns_t now);

/* --- sched_share.c: domains with a cap; under a run queue's lock --- */
void sched_cap_spend(struct domain *d, ns_t ran, ns_t now);
/* How long one of d's vcpus may run from now on; 0: not before *again. */
ns_t sched_cap_left(struct domain *d, ns_t now, ns_t *again);

#endif
