/* SPDX-License-Identifier: MIT */
/*
 * Which CPU. Fair policy: a vcpu that wakes stays where it ran unless that CPU is taken and another
 * idles; a CPU that idles takes from whoever has most waiting; one with more to do than another
 * hands a vcpu over now and then, so that an odd one out does not always share with the same
 * neighbour. Static policy: a vcpu has a CPU of its own from its first wake-up until it is down or
 * gone, and without a free one it waits.
 *
 * A CPU says that it idles (idle_cpus) before it looks at the others' queues for the last time; who
 * queues a vcpu behind another looks at idle_cpus afterwards. So one of them sees the other.
 */

#include "sched_priv.h"

#define BALANCE_PERIOD (50 * 1000 * 1000ull)
#define LOOK_AT_MOST 64u /* vcpus of a queue, for one that may move: bounds the work */

bool sched_static;
static cpumask_t idle_cpus;          /* [a] */
static struct vcpu *owner[MAX_CPUS]; /* [a] static policy: whose each CPU is */

static inline unsigned first_cpu(cpumask_t mask)
{
    return (unsigned)__builtin_ctzll(mask);
}

/* --- a CPU for a vcpu that wakes --- */

static unsigned least_loaded(cpumask_t allowed)
{
    unsigned best = NO_CPU;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (allowed & CPU_BIT(cpu) &&
            (best == NO_CPU || READ_ONCE(queue_of(cpu)->load) < READ_ONCE(queue_of(best)->load)))
            best = cpu;
    return best;
}

/* One idle CPU out of allowed, for us alone; NO_CPU: there is none. */
static unsigned claim_idle(cpumask_t allowed, cpumask_t liked)
{
    cpumask_t idle;

    while ((idle = READ_ONCE(idle_cpus) & allowed) != 0) {
        unsigned cpu = first_cpu(idle & liked ? idle & liked : idle);

        if (__atomic_fetch_and(&idle_cpus, ~CPU_BIT(cpu), __ATOMIC_SEQ_CST) & CPU_BIT(cpu))
            return cpu;
    }
    return NO_CPU;
}

/* A CPU out of hard for v, which has none, or not there. */
static unsigned claim_own(struct vcpu *v, cpumask_t hard)
{
    uint32_t own = READ_ONCE(v->sched.own);

    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        struct vcpu *none = NULL;

        if (!(hard & CPU_BIT(cpu)) ||
            !__atomic_compare_exchange_n(&owner[cpu], &none, v, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED))
            continue;
        if (__atomic_compare_exchange_n(&v->sched.own, &own, 1 + cpu, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED))
            return cpu;
        WRITE_ONCE(owner[cpu], NULL); /* somebody else wakes v as well, and was faster */
        return own - 1;
    }
    return NO_CPU;
}

/* The first of those without one that wants to run takes it. */
static void disown(uint32_t own)
{
    struct domain *d;
    struct vcpu *v;

    __atomic_store_n(&owner[own - 1], NULL, __ATOMIC_SEQ_CST);
    for_each_domain (d)
        for_each_vcpu (d, v)
            if (!READ_ONCE(owner[own - 1]) && !READ_ONCE(v->sched.own) && vcpu_is_runnable(v))
                sched_wake(v);
}

static unsigned static_place(struct vcpu *v, unsigned here)
{
    cpumask_t hard = READ_ONCE(v->sched.hard);
    uint32_t own = READ_ONCE(v->sched.own);

    if (likely(own && hard & CPU_BIT(own - 1)))
        return own - 1;
    if (!vcpu_is_runnable(v))
        return here;
    if (own) {
        if (READ_ONCE(v->is_running) ||
            !__atomic_compare_exchange_n(&v->sched.own, &own, 0, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED))
            return NO_CPU; /* it is looked at again when it has left, or has another now */
        disown(own);
    }
    return claim_own(v, hard);
}

unsigned sched_place(struct vcpu *v, unsigned here)
{
    cpumask_t hard;
    unsigned cpu;

    if (unlikely(sched_static))
        return static_place(v, here);
    if (cpu_count == 1 || READ_ONCE(v->is_running))
        return here;
    hard = READ_ONCE(v->sched.hard);
    if (READ_ONCE(idle_cpus) & hard & CPU_BIT(here) && !READ_ONCE(queue_of(here)->waiting_count))
        return here;
    cpu = claim_idle(hard, READ_ONCE(v->sched.soft));
    if (cpu != NO_CPU)
        return cpu;
    return likely(hard & CPU_BIT(here)) ? here : least_loaded(hard);
}

/* --- between queues --- */

void sched_offer(cpumask_t allowed)
{
    unsigned cpu;

    if (likely(!(READ_ONCE(idle_cpus) & allowed)))
        return;
    cpu = claim_idle(allowed, ~(cpumask_t)0);
    if (cpu != NO_CPU)
        softirq_raise_on(cpu, SOFTIRQ_SCHED);
}

/* One that waits in rq and may go to CPU cpu, rather one that likes it there. */
static struct vcpu *find_movable(const struct run_queue *rq, unsigned cpu, uint32_t weight_max)
{
    struct vcpu *other = NULL;
    unsigned looks = 0;

    for (struct heap_node *n = rq->waiting; n && looks < LOOK_AT_MOST; n = heap_next(n), looks++) {
        struct vcpu *v = vcpu_of_node(n);

        if (READ_ONCE(v->is_running) || !(v->sched.hard & CPU_BIT(cpu)) ||
            v->sched.weight > weight_max)
            continue;
        if (v->sched.soft & CPU_BIT(cpu))
            return v;
        if (!other)
            other = v;
    }
    return other;
}

static bool take_from(unsigned from, unsigned to)
{
    struct vcpu *v = NULL;

    if (!READ_ONCE(queue_of(from)->waiting_count))
        return false;
    sched_lock_two(from, to);
    v = find_movable(queue_of(from), to, SCHED_WEIGHT_MAX);
    if (v)
        sched_move_queued(v, to);
    sched_unlock_two(from, to);
    return v != NULL;
}

/* From the longest queue, else from any. */
bool sched_pull(struct cpu *c)
{
    unsigned longest = c->id;

    if (cpu_count == 1 || sched_static)
        return false;
    if (!(READ_ONCE(idle_cpus) & CPU_BIT(c->id)))
        __atomic_fetch_or(&idle_cpus, CPU_BIT(c->id), __ATOMIC_SEQ_CST);
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (READ_ONCE(queue_of(cpu)->waiting_count) > READ_ONCE(queue_of(longest)->waiting_count))
            longest = cpu;
    if (longest == c->id)
        return false;
    if (take_from(longest, c->id))
        return true;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (cpu != c->id && cpu != longest && take_from(cpu, c->id))
            return true;
    return false;
}

void sched_busy(unsigned cpu)
{
    if (READ_ONCE(idle_cpus) & CPU_BIT(cpu))
        __atomic_fetch_and(&idle_cpus, ~CPU_BIT(cpu), __ATOMIC_SEQ_CST);
}

/* Even when that only makes the two change places: then each vcpu has its time on the emptier one.
 */
void sched_push(struct cpu *c, ns_t now)
{
    struct run_queue *rq = &c->runq;
    cpumask_t hard = 0;
    struct vcpu *v = NULL;
    unsigned to;

    if (sched_static || cpu_count == 1 || now < READ_ONCE(rq->balance_at))
        return;
    spin_lock(&rq->lock);
    rq->balance_at = now + BALANCE_PERIOD;
    if (rq->waiting)
        hard = vcpu_of_node(rq->waiting)->sched.hard;
    spin_unlock(&rq->lock);
    to = least_loaded(hard);
    if (to == c->id || to == NO_CPU)
        return;
    sched_lock_two(c->id, to);
    if (rq->load > queue_of(to)->load)
        v = find_movable(rq, to, rq->load - queue_of(to)->load);
    if (v) {
        sched_move_queued(v, to);
        queue_of(to)->balance_at = now + BALANCE_PERIOD; /* not back at once */
    }
    sched_unlock_two(c->id, to);
    if (v)
        softirq_raise_on(to, SOFTIRQ_SCHED);
}

/* --- static policy: giving a CPU back --- */

void sched_vcpu_release(struct vcpu *v)
{
    const uint32_t own = __atomic_exchange_n(&v->sched.own, 0, __ATOMIC_SEQ_CST);

    if (own)
        disown(own);
}

int sched_admit(struct vcpu *v, cpumask_t hard)
{
    uint32_t own = READ_ONCE(v->sched.own);

    if (!sched_static || READ_ONCE(v->pause_flags) & 1u << VPF_DOWN ||
        (own && hard & CPU_BIT(own - 1)))
        return 0;
    if (claim_own(v, hard) == NO_CPU)
        return -XEN_EBUSY;
    if (own)
        disown(own);
    return 0;
}
