/* SPDX-License-Identifier: MIT */
/*
 * A domain's share: its weight, which each of its vcpus has, and its cap, which all of them have
 * together. A cap is a budget for each period of 10 ms. Who exceeds it pays in the next period, so
 * that the average holds; what is not used is not saved. A vcpu without budget is paused
 * (VPF_CAPPED) and its guest sees the time as stolen.
 *
 * Lock: the domain's RANK_CAP lock, taken under run queues' locks.
 */

#include "sched_priv.h"

#define CAP_PERIOD (10 * 1000 * 1000ull)
#define ALLOWANCE_MIN (100 * 1000ull) /* shorter stretches are not worth an interrupt */

static int64_t quota(const struct sched_domain *s)
{
    return (int64_t)(s->cap * (CAP_PERIOD / 100));
}

static void refill(struct sched_domain *s, ns_t now)
{
    uint64_t periods;

    if (now < s->period_end)
        return;
    periods = (now - s->period_end) / CAP_PERIOD + 1;
    s->period_end += periods * CAP_PERIOD;
    s->budget = periods > 100 ? quota(s) : MIN(s->budget + (int64_t)periods * quota(s), quota(s));
}

void sched_cap_spend(struct domain *d, ns_t ran, ns_t now)
{
    struct sched_domain *s = &d->sched;

    spin_lock(&s->lock);
    refill(s, now);
    s->budget -= (int64_t)ran;
    spin_unlock(&s->lock);
}

/* Those that run at the same time share what is left; who comes to an end of its part asks again.
 */
ns_t sched_cap_left(struct domain *d, ns_t now, ns_t *again)
{
    struct sched_domain *s = &d->sched;
    unsigned sharers = 0;
    ns_t left = 0;

    for (cpumask_t mask = domain_cpus(d); mask; mask &= mask - 1)
        sharers++;
    spin_lock(&s->lock);
    refill(s, now);
    if (s->budget > 0 || !s->cap)
        left = s->cap ? MAX((uint64_t)s->budget / MAX(sharers, 1u), ALLOWANCE_MIN) : CAP_PERIOD;
    *again = s->period_end;
    spin_unlock(&s->lock);
    return left;
}

static void let_run(struct vcpu *v)
{
    vcpu_pause_clear(v, VPF_CAPPED);
}

/* In debt for longer than one period: they find out when they are chosen. */
static void period_over(struct timer *t)
{
    domain_each_vcpu(container_of(t, struct domain, sched.refill), let_run);
}

void sched_domain_init(struct domain *d)
{
    d->sched =
        (struct sched_domain){.weight = SCHED_WEIGHT_DEFAULT, .refill = TIMER_INIT(period_over)};
    spin_lock_init(&d->sched.lock, RANK_CAP);
}

void sched_domain_release(struct domain *d)
{
    timer_kill(&d->sched.refill);
}

void sched_set_share(struct domain *d, uint32_t weight, uint32_t cap)
{
    struct sched_domain *s = &d->sched;

    spin_lock(&s->lock);
    WRITE_ONCE(s->weight, weight);
    if (s->cap != cap) {
        WRITE_ONCE(s->cap, cap);
        s->budget = quota(s);
        s->period_end = hal_now() + CAP_PERIOD;
    }
    spin_unlock(&s->lock);
    domain_each_vcpu(d, sched_vcpu_take_weight);
    domain_each_vcpu(d, let_run);
}
