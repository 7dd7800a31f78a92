/* SPDX-License-Identifier: MIT */
/*
 * Who runs, where. Each CPU has a queue of its own; a vcpu is runnable when nothing pauses it.
 *
 * Two policies. The fair one shares each CPU by weights, lets no domain have more than its cap,
 * lets a woken vcpu interrupt, and moves vcpus between CPUs. The static one (boot option
 * sched=null) gives each vcpu a CPU of its own. docs/adr/0041 tells why they are as they are.
 */
#ifndef TENUE_SCHED_H
#define TENUE_SCHED_H

#include <tenue/abi.h>
#include <tenue/heap.h>
#include <tenue/lock.h>
#include <tenue/timer.h>
#include <tenue/tlb.h>

struct vcpu;
struct domain;

#define SCHED_SLICE (10 * 1000 * 1000ull) /* ns of an even turn */
#define SCHED_WEIGHT_DEFAULT 256u
#define SCHED_WEIGHT_MAX 65535u

struct run_queue {
    struct spinlock lock;          /* RANK_RUNQUEUE */
    struct heap_node *waiting;     /* [lock] runnable, not running; key: virtual time */
    peeked uint32_t waiting_count; /* [lock] */
    peeked uint32_t load;          /* [lock] weights of those waiting and running */
    struct vcpu *running;          /* [lock] whose turn it is, NULL when idle; never in the heap */
    uint64_t floor;         /* [lock] virtual time that nobody lags far behind; never goes back */
    ns_t turn_end;          /* [lock] of the one running; 0 when nobody waits */
    ns_t began;             /* [lock] when the one running was chosen */
    ns_t deferred;          /* [lock] since when somebody waits for its burst; 0: nobody */
    struct timer turn;      /* [own CPU] ends the turn, or a cap's allowance */
    peeked ns_t balance_at; /* [lock] when to compare with other queues again */
    peeked ns_t idle_since; /* [own CPU] valid while idle */
    peeked ns_t idle_time;  /* [own CPU] total of past idling */
    peeked uint64_t halts, guest_timers; /* [own CPU] sleeps; guests' deadlines passed */
};

/* A vcpu's part; in struct vcpu. */
struct sched_vcpu {
    struct heap_node node; /* [runqueue lock] key: CPU time it had, over its weight */
    ns_t run_start;        /* [runqueue lock] since when its running time is not yet counted */
    uint32_t weight;       /* [runqueue lock] its domain's */
    uint32_t inv_weight;   /* [runqueue lock] SCHED_WEIGHT_DEFAULT / weight, fixed point */
    peeked cpumask_t hard, soft; /* [runqueue lock] may run on; would rather run on */
    uint16_t at_once;            /* [runqueue lock] interruptions not to defer before a try */
    uint8_t bursts;              /* [runqueue lock] of use so far */
    uint8_t shorts;              /* [runqueue lock] tries in a row of which it made no use */
    bool queued;                 /* [runqueue lock] */
    bool woken;                  /* [runqueue lock] queued by a wake-up: may interrupt */
    bool by_running;             /* [runqueue lock] woken by an event of the one running there */
    bool leaving;                /* [runqueue lock] its CPU will unload it and place it anew */
    bool yielding;               /* [own CPU] gives up the rest of its turn */
    uint32_t own; /* [a] static policy: 1 + the CPU that is its own, 0: it has none */
};

/* A domain's part; in struct domain. */
struct sched_domain {
    struct spinlock lock; /* RANK_CAP: all below */
    uint32_t weight;
    uint32_t cap;   /* percent of one CPU, 0: none */
    int64_t budget; /* ns left in this period; negative: to be made up for */
    ns_t period_end;
    struct timer refill; /* armed while somebody waits for the next period */
};

extern bool sched_static; /* [I] policy: static, else fair */

/* Before CPU cpu schedules: its run queue and timer queue (cpus[cpu] is set). */
void sched_cpu_init(unsigned cpu);
void sched_domain_init(struct domain *d);
void sched_domain_release(struct domain *d); /* at its end: no timer of it stays */
void sched_vcpu_init(struct vcpu *v);
void sched_vcpu_release(struct vcpu *v); /* at its end, or when it is down: its CPU is free */
/* Make v runnable (it was unblocked or unpaused); cheap when already so. */
void sched_wake(struct vcpu *v);
/* v may no longer run: takes it off the queue; if it runs now, its CPU is told to reschedule. */
void sched_sleep(struct vcpu *v);
/* As sched_sleep, and wait until no CPU runs v or keeps its state lazily. Not on oneself. */
void sched_sleep_sync(struct vcpu *v);
void sched_yield(struct vcpu *v);
/* From now on v may run on CPUs in hard only, of which there is one, if sched_admit() agrees. Not
 * under a lock. */
int sched_set_affinity(struct vcpu *v, cpumask_t hard) must_check;
/* A domain's share: weight 1..SCHED_WEIGHT_MAX, cap in percent of one CPU or 0. Not under a lock.
 */
void sched_set_share(struct domain *d, uint32_t weight, uint32_t cap);
void sched_vcpu_take_weight(struct vcpu *v); /* its domain has another one now */
/* Time CPU cpu has idled, ns. */
ns_t sched_idle_time(unsigned cpu);
/* Static policy: v, unless it is down, has a CPU of its own in hard from now on; -XEN_EBUSY: all of
 * these are others'. */
int sched_admit(struct vcpu *v, cpumask_t hard) must_check;
/* SOFTIRQ_SCHED: choose, and switch (hal_context_switch) when the choice differs. Idles inside,
 * servicing softirqs, until there is a vcpu to run. On return this_cpu()->current may run. */
void sched_softirq(void);

#endif
