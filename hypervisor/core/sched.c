/* SPDX-License-Identifier: MIT */
/*
 * Round robin, one queue per CPU, with a place at the front for a vcpu that an event woke: what it
 * does not use of its turn by blocking it may use when woken, so an event-driven guest runs at
 * once, but two that keep waking each other cannot starve a third beyond one turn each.
 *
 * A vcpu belongs to the CPU in v->cpu and is: running (rq->running), queued, or neither (not
 * runnable). The state of the previous vcpu may stay loaded after that (is_running): it is saved
 * when another is loaded, or on demand (sched_sleep_sync).
 *
 * Locks: a queue's lock (RANK_RUNQUEUE) covers its list, `running` and the vcpus' sched fields.
 * v->cpu changes only while v is unloaded and unqueued (sched_set_cpu).
 */
#include <tenue/sched.h>

#include <tenue/abi.h>
#include <tenue/assert.h>
#include <tenue/hal.h>
#include <tenue/percpu.h>
#include <tenue/vcpu.h>

#include "softirq.h"

static void slice_over(struct timer *t)
{
    (void)t;
    softirq_raise(SOFTIRQ_SCHED);
}

void sched_cpu_init(unsigned cpu)
{
    struct cpu *c = cpus[cpu];
    struct run_queue *rq = &c->runq;

    timer_queue_init(&c->timers);
    spin_lock_init(&rq->lock, RANK_RUNQUEUE);
    rq->head = rq->tail = rq->running = NULL;
    rq->idle_time = rq->idle_since = 0;
    timer_init(&rq->slice, slice_over);
    c->idle = true;
}

void sched_vcpu_init(struct vcpu *v)
{
    v->cpu = (v->domain->domid + v->id) % cpu_count;
    v->slice_left = SCHED_SLICE;
}

static struct run_queue *lock_queue_of(const struct vcpu *v)
{
    for (;;) {
        uint32_t cpu = READ_ONCE(v->cpu);
        struct run_queue *rq = &cpus[cpu]->runq;

        spin_lock(&rq->lock);
        if (likely(v->cpu == cpu))
            return rq;
        spin_unlock(&rq->lock);
    }
}

/* --- the list: boosted ones first, each group in order of arrival --- */

static void insert_after(struct run_queue *rq, struct vcpu *prev, struct vcpu *v)
{
    struct vcpu **link = prev ? &prev->run_next : &rq->head;

    v->run_next = *link;
    *link = v;
    if (rq->tail == prev)
        rq->tail = v;
    v->queued = true;
}

static void insert_front_group(struct run_queue *rq, struct vcpu *v)
{
    struct vcpu *last = NULL;

    for (struct vcpu *i = rq->head; i && i->boosted; i = i->run_next)
        last = i;
    insert_after(rq, last, v);
}

static void insert_tail(struct run_queue *rq, struct vcpu *v)
{
    v->slice_left = SCHED_SLICE;
    insert_after(rq, rq->tail, v);
}

static struct vcpu *take_head(struct run_queue *rq)
{
    struct vcpu *v = rq->head;

    if (!v)
        return NULL;
    rq->head = v->run_next;
    if (!rq->head)
        rq->tail = NULL;
    v->run_next = NULL;
    v->queued = v->boosted = false;
    return v;
}

static void unlink_vcpu(struct run_queue *rq, struct vcpu *v)
{
    struct vcpu *prev = NULL;

    for (struct vcpu *i = rq->head; i != v; i = i->run_next)
        prev = i;
    *(prev ? &prev->run_next : &rq->head) = v->run_next;
    if (rq->tail == v)
        rq->tail = prev;
    v->run_next = NULL;
    v->queued = v->boosted = false;
}

static int stopped_state(const struct vcpu *v)
{
    uint32_t waiting = 1u << VPF_BLOCKED | 1u << VPF_POLL;

    return READ_ONCE(v->pause_flags) & waiting ? RUNSTATE_blocked : RUNSTATE_offline;
}

/* --- changes from anywhere --- */

void sched_wake(struct vcpu *v)
{
    struct run_queue *rq = lock_queue_of(v);
    bool wake = vcpu_is_runnable(v) && !v->queued && rq->running != v;

    if (wake) {
        if (v->slice_left) {
            v->boosted = true;
            insert_front_group(rq, v);
        } else {
            insert_tail(rq, v);
        }
        vcpu_runstate_change(v, RUNSTATE_runnable, hal_now());
    }
    spin_unlock(&rq->lock);
    if (wake)
        softirq_raise_on(v->cpu, SOFTIRQ_SCHED);
}

void sched_sleep(struct vcpu *v)
{
    struct run_queue *rq = lock_queue_of(v);
    bool running = rq->running == v;

    if (vcpu_is_runnable(v)) {
        running = false; /* woken again meanwhile */
    } else if (v->queued) {
        unlink_vcpu(rq, v);
        vcpu_runstate_change(v, stopped_state(v), hal_now());
    }
    spin_unlock(&rq->lock);
    if (running)
        softirq_raise_on(v->cpu, SOFTIRQ_SCHED);
}

void sched_sleep_sync(struct vcpu *v)
{
    struct cpu *c = this_cpu();
    uint32_t where;

    sched_sleep(v);
    while ((where = __atomic_load_n(&v->is_running, __ATOMIC_ACQUIRE)) != 0) {
        if (where - 1 != c->id) {
            hal_unload_remote(where - 1, v);
            hal_spin_wait();
            continue;
        }
        /* Ours, so it is not the caller: it stayed loaded when this CPU went idle. */
        BUG_ON(!c->idle);
        hal_unload_current();
    }
}

void sched_yield(struct vcpu *v)
{
    v->yielding = true; /* v is current: only its own CPU reads this */
    softirq_raise(SOFTIRQ_SCHED);
}

void sched_set_cpu(struct vcpu *v, unsigned cpu)
{
    struct run_queue *rq = lock_queue_of(v);

    ASSERT(!v->queued && rq->running != v);
    v->cpu = cpu;
    spin_unlock(&rq->lock);
}

ns_t sched_idle_time(unsigned cpu)
{
    const struct cpu *c = cpus[cpu];
    ns_t total = READ_ONCE(c->runq.idle_time);

    return c->idle && c->runq.idle_since ? total + (hal_now() - c->runq.idle_since) : total;
}

/* --- choosing --- */

static void charge(struct vcpu *v, ns_t now)
{
    ns_t ran = now - v->run_start;

    v->slice_left -= MIN(ran, v->slice_left);
    v->run_start = now;
}

/* prev can go on: does it? If not, it is queued where it belongs. */
static bool keeps_turn(struct run_queue *rq, struct vcpu *prev)
{
    bool yielding = prev->yielding;

    prev->yielding = false;
    if (!rq->head) {
        if (!prev->slice_left)
            prev->slice_left = SCHED_SLICE;
        return true;
    }
    if (!prev->slice_left || yielding) {
        insert_tail(rq, prev);
        return false;
    }
    if (!rq->head->boosted)
        return true;
    insert_front_group(rq, prev);
    return false;
}

/* The vcpu to run from now on, NULL for none; *changed when it was not running before. */
static struct vcpu *choose(struct cpu *c, bool *changed)
{
    struct run_queue *rq = &c->runq;
    struct vcpu *prev, *next;
    ns_t now = hal_now(), slice_end;

    spin_lock(&rq->lock);
    prev = rq->running;
    next = NULL;
    if (prev) {
        charge(prev, now);
        if (!vcpu_is_runnable(prev))
            vcpu_runstate_change(prev, stopped_state(prev), now);
        else if (keeps_turn(rq, prev))
            next = prev;
        else
            vcpu_runstate_change(prev, RUNSTATE_runnable, now);
    }
    *changed = next == NULL;
    if (*changed) {
        next = take_head(rq);
        rq->running = next;
        if (next) {
            next->run_start = now;
            vcpu_runstate_change(next, RUNSTATE_running, now);
        }
    }
    slice_end = next && rq->head ? now + next->slice_left : NS_NEVER;
    spin_unlock(&rq->lock);
    if (slice_end != NS_NEVER)
        timer_set(&rq->slice, slice_end);
    return next;
}

/* Nobody wants this CPU. Returns when there may be somebody. */
static void idle(struct cpu *c)
{
    struct run_queue *rq = &c->runq;

    if (!c->idle) {
        rq->idle_since = hal_now();
        c->idle = true;
    }
    softirq_run_but_sched();
    hal_idle();
    softirq_run_but_sched();
    softirq_take(SOFTIRQ_SCHED);
}

static void leave_idle(struct cpu *c)
{
    if (!c->idle)
        return;
    c->idle = false;
    if (c->runq.idle_since)
        c->runq.idle_time += hal_now() - c->runq.idle_since;
}

void sched_softirq(void)
{
    struct cpu *c = this_cpu();
    struct vcpu *loaded = c->current, *next;
    bool changed;

    while (!(next = choose(c, &changed))) {
        if (loaded && !c->idle)
            vcpu_runstate_publish(loaded);
        idle(c);
        loaded = c->current; /* may have been unloaded meanwhile */
    }
    if (!changed)
        return;
    if (next != loaded) {
        if (loaded && !c->idle)
            vcpu_runstate_publish(loaded);
        leave_idle(c);
        hal_context_switch(next);
    }
    leave_idle(c);
    time_refresh_vcpu(next);
    vcpu_runstate_publish(next);
}
