/* SPDX-License-Identifier: MIT */
/*
 * Run queues and the choice. Each vcpu has a virtual time, which runs while it runs, slower the
 * more weight it has; the runnable one with the least goes next, for a turn in proportion to its
 * weight. So any two that want to run advance alike, which is what their weights promise.
 *
 * One that slept comes back at most WAKE_CREDIT behind the others, and interrupts whoever is ahead
 * of it by more than a margin: an event-driven vcpu runs at once, and one that wakes all the time
 * but uses its share has no credit left and waits its turn.
 *
 * Two that send each other events for each request would change places for each. So one that woke
 * the other itself goes on for up to BURST since it began if it makes use of that, as one does that
 * has a stream to send. One that soon sleeps, to wait for the answer, is rather interrupted at
 * once: that saves its way to sleep and back. Which of the two it is, it shows when it is tried.
 *
 * A vcpu belongs to the CPU in v->cpu and is: running (rq->running), queued, or neither. The state
 * of the previous vcpu may stay loaded after that (is_running): it is saved when another is loaded,
 * or on demand (sched_sleep_sync). Only an unloaded vcpu moves to another CPU, so one that is
 * queued is loaded nowhere else; is_running is set under the queue's lock, with the choice.
 *
 * Locks: a queue's lock (RANK_RUNQUEUE) covers its heap, `running` and the sched fields of the
 * vcpus whose v->cpu names it; two of them by lowest CPU first; v->cpu changes under both.
 */
#include <tenue/sched.h>

#include <tenue/assert.h>
#include <tenue/log.h>

#include "sched_priv.h"

#define MS 1000000ull
#define INV_SHIFT 20
#define RUN_MAX (1000 * MS) /* longer stretches were alone on the CPU; bounds the arithmetic */
#define WAKE_CREDIT (5 * MS)
#define ROUND_MAX                                                                                  \
    (60 * MS) /* all that wait have had a turn by then, if turns can be short enough */
#define TURN_MIN (1 * MS)
#define BURST (4 * wake_margin()) /* 1 ms, as Xen's rate limit */
#define SOON (MS / 16)            /* who sleeps so soon made no use of it that the other waited */
#define SHORTS 16u /* so often in a row: it waits for answers; then at once so often, */
#define BURSTS 64u /* after so many it is tried at once again, */
#define AGAIN 128u /* so often: perhaps it is not interrupted often now */
#define SHORTS_MAX (SHORTS + 4) /* and twice so often after each try more */

uint32_t sched_wake_margin_us = 250; /* an interruption costs, so a small lead is left alone */

/* What one pass of the scheduler decided. */
struct choice {
    struct vcpu *next;    /* to run, or NULL */
    struct vcpu *leaving; /* to be unloaded, then placed anew */
    bool changed;         /* next did not run before */
    cpumask_t offer;      /* where some may run that others could not have until now */
    ns_t until;           /* next must be looked at again, NS_NEVER: no need */
    struct domain *spent; /* used up its cap: to wait for refill_at; and choose again */
    ns_t refill_at;
    uint32_t waiting; /* how many are left in the queue */
};

static void turn_over(struct timer *t)
{
    (void)t;
    softirq_raise(SOFTIRQ_SCHED);
}

void sched_cpu_init(unsigned cpu)
{
    struct cpu *c = cpus[cpu];

    c->timers = (struct timer_queue){.lock = SPINLOCK_INIT(RANK_TIMER), .programmed = NS_NEVER};
    c->runq =
        (struct run_queue){.lock = SPINLOCK_INIT(RANK_RUNQUEUE), .turn = TIMER_INIT(turn_over)};
    sched_busy(cpu);
    c->idle = true;
}

void sched_vcpu_init(struct vcpu *v)
{
    v->cpu = (v->domain->domid + v->id) % cpu_count;
    v->sched.hard = v->sched.soft = ~(cpumask_t)0;
    v->sched.weight = READ_ONCE(v->domain->sched.weight);
    v->sched.inv_weight = (SCHED_WEIGHT_DEFAULT << INV_SHIFT) / v->sched.weight;
}

static struct run_queue *lock_queue_of(const struct vcpu *v)
{
    for (;;) {
        uint32_t cpu = READ_ONCE(v->cpu);
        struct run_queue *rq = queue_of(cpu);

        spin_lock(&rq->lock);
        if (likely(v->cpu == cpu))
            return rq;
        spin_unlock(&rq->lock);
    }
}

void sched_vcpu_take_weight(struct vcpu *v)
{
    struct run_queue *rq = lock_queue_of(v);
    const uint32_t weight = READ_ONCE(v->domain->sched.weight);

    if (v->sched.queued || rq->running == v)
        rq->load += weight - v->sched.weight;
    v->sched.weight = weight;
    v->sched.inv_weight = (SCHED_WEIGHT_DEFAULT << INV_SHIFT) / weight;
    spin_unlock(&rq->lock);
}

struct vcpu_runstate_info vcpu_runstate(const struct vcpu *v)
{
    struct run_queue *rq = lock_queue_of(v);
    const struct vcpu_runstate_info copy = v->runstate;

    spin_unlock(&rq->lock);
    return copy;
}

/* --- one queue --- */

void sched_lock_two(unsigned a, unsigned b)
{
    spin_lock(&queue_of(MIN(a, b))->lock);
    if (a != b)
        spin_lock_nested(&queue_of(MAX(a, b))->lock);
}

void sched_unlock_two(unsigned a, unsigned b)
{
    if (a != b)
        spin_unlock(&queue_of(MAX(a, b))->lock);
    spin_unlock(&queue_of(MIN(a, b))->lock);
}

static inline uint64_t virtual_time(const struct vcpu *v, ns_t ns)
{
    return MIN(ns, RUN_MAX) * v->sched.inv_weight >> INV_SHIFT;
}

static inline struct vcpu *first_waiting(const struct run_queue *rq)
{
    return rq->waiting ? vcpu_of_node(rq->waiting) : NULL;
}

static void enqueue(struct run_queue *rq, struct vcpu *v)
{
    heap_insert(&rq->waiting, &v->sched.node);
    v->sched.queued = true;
    rq->waiting_count++;
}

static void dequeue(struct run_queue *rq, struct vcpu *v)
{
    heap_remove(&rq->waiting, &v->sched.node);
    v->sched.queued = v->sched.woken = false;
    rq->waiting_count--;
}

void sched_carry(struct vcpu *v, unsigned to)
{
    v->sched.node.key += queue_of(to)->floor - queue_of(v->cpu)->floor;
    WRITE_ONCE(v->cpu, to);
}

void sched_move_queued(struct vcpu *v, unsigned to)
{
    struct run_queue *from = queue_of(v->cpu);
    bool woken = v->sched.woken;

    dequeue(from, v);
    from->load -= v->sched.weight;
    sched_carry(v, to);
    enqueue(queue_of(to), v);
    queue_of(to)->load += v->sched.weight;
    v->sched.woken = woken;
}

/* Count the time that v, which runs, has run since it was counted last. */
static void charge(struct vcpu *v, ns_t now)
{
    ns_t ran = now > v->sched.run_start ? now - v->sched.run_start : 0; /* clocks differ a bit */

    v->sched.run_start += ran;
    v->sched.node.key += virtual_time(v, ran);
    if (unlikely(READ_ONCE(v->domain->sched.cap)))
        sched_cap_spend(v->domain, ran, now);
}

static void raise_floor(struct run_queue *rq)
{
    const struct vcpu *first = first_waiting(rq), *least = rq->running;

    if (first && (!least || key_before(first->sched.node.key, least->sched.node.key)))
        least = first;
    if (least && key_before(rq->floor, least->sched.node.key))
        rq->floor = least->sched.node.key;
}

static inline ns_t wake_margin(void)
{
    return READ_ONCE(sched_wake_margin_us) * 1000ull;
}

/* To interrupt, a woken one must be clearly behind. */
static bool interrupts(const struct vcpu *woken, const struct vcpu *running)
{
    return key_before(woken->sched.node.key + virtual_time(woken, wake_margin()),
                      running->sched.node.key);
}

static int stopped_state(const struct vcpu *v)
{
    uint32_t flags = READ_ONCE(v->pause_flags);

    if (READ_ONCE(v->pause_count) | READ_ONCE(v->domain->pause_count) | (flags & 1u << VPF_DOWN))
        return RUNSTATE_offline;
    return flags & (1u << VPF_BLOCKED | 1u << VPF_POLL) ? RUNSTATE_blocked : RUNSTATE_runnable;
}

/* v does not run and cannot, or not yet: what its guest may know about that. */
static void note_state(struct vcpu *v, ns_t now)
{
    int state = stopped_state(v);

    if (v->runstate.state != state)
        vcpu_runstate_change(v, state, now);
}

/* --- changes from anywhere --- */

/* v joins a queue, which is locked. True when its CPU has to look. */
static bool arrive(struct run_queue *rq, struct vcpu *v, ns_t now)
{
    uint64_t earliest;
    bool first;

    if (rq->running) {
        charge(rq->running, now);
        raise_floor(rq);
    }
    earliest = rq->floor - virtual_time(v, WAKE_CREDIT);
    if (key_before(v->sched.node.key, earliest))
        v->sched.node.key = earliest;
    first = rq->waiting_count == 0;
    enqueue(rq, v);
    v->sched.woken = true;
    v->sched.by_running = this_cpu()->sends && rq->running == current_vcpu();
    rq->load += v->sched.weight;
    note_state(v, now);
    return first || !rq->running || interrupts(v, rq->running);
}

/* v is in no queue and does not run: can it join the one of CPU to? Both queues are locked. */
static bool wake_locked(struct vcpu *v, unsigned to, bool *look)
{
    ns_t now = hal_now();

    if (!vcpu_is_runnable(v)) {
        note_state(v, now); /* not blocked any more, but paused or out of budget */
        return false;
    }
    if (to != v->cpu && !READ_ONCE(v->is_running) && v->sched.hard & CPU_BIT(to))
        sched_carry(v, to);
    *look = arrive(queue_of(v->cpu), v, now);
    if (!queue_of(v->cpu)->running)
        sched_busy(v->cpu); /* nobody else shall count on it */
    return true;
}

/* v, whose queue is locked, is in none and does not run, nor will it be looked at in any case. */
static bool at_rest(const struct vcpu *v)
{
    return !v->sched.queued && !v->sched.leaving && queue_of(v->cpu)->running != v;
}

/* Runnable without a CPU, if it has not got one meanwhile: its guest sees the time as stolen. */
static void waits_for_cpu(struct vcpu *v)
{
    struct run_queue *rq = lock_queue_of(v);
    bool news = at_rest(v) && v->runstate.state != RUNSTATE_runnable;

    if (news)
        note_state(v, hal_now());
    spin_unlock(&rq->lock);
    if (news)
        guest_log(v->domain, LOG_WARN, "vcpu %u waits: no CPU is free for it (sched=null)", v->id);
}

void sched_wake(struct vcpu *v)
{
    bool look = false, joined;
    unsigned here, to, cpu;
    cpumask_t hard;

    for (;;) {
        here = READ_ONCE(v->cpu);
        to = sched_place(v, here);
        if (unlikely(to == NO_CPU)) {
            waits_for_cpu(v);
            return;
        }
        sched_lock_two(here, to);
        if (likely(v->cpu == here))
            break;
        sched_unlock_two(here, to);
        if (to != here) /* claimed for nothing: it shall look, and be known to idle again */
            softirq_raise_on(to, SOFTIRQ_SCHED);
    }
    joined = at_rest(v) && wake_locked(v, to, &look);
    cpu = v->cpu;
    hard = v->sched.hard;
    sched_unlock_two(here, to);
    if (look)
        softirq_raise_on(cpu, SOFTIRQ_SCHED);
    else if (joined)
        sched_offer(hard);
    if (unlikely(to != cpu)) /* it has been asked for nothing: let it look for work again */
        softirq_raise_on(to, SOFTIRQ_SCHED);
}

void sched_sleep(struct vcpu *v)
{
    struct run_queue *rq = lock_queue_of(v);
    bool running = rq->running == v;

    if (vcpu_is_runnable(v)) {
        running = false; /* woken again meanwhile */
    } else if (!running) {
        if (v->sched.queued) {
            dequeue(rq, v);
            rq->load -= v->sched.weight;
        }
        note_state(v, hal_now());
    }
    spin_unlock(&rq->lock);
    if (running)
        softirq_raise_on(READ_ONCE(v->cpu), SOFTIRQ_SCHED);
}

void sched_sleep_sync(struct vcpu *v)
{
    uint32_t where;

    sched_sleep(v);
    while ((where = __atomic_load_n(&v->is_running, __ATOMIC_ACQUIRE)) != 0) {
        if (where - 1 != this_cpu()->id) {
            hal_unload_remote(where - 1, v);
            hal_spin_wait();
            continue;
        }
        /* Ours, so it is not the caller: it stayed loaded when this CPU went idle. */
        BUG_ON(!this_cpu()->idle);
        hal_unload_current();
    }
}

void sched_yield(struct vcpu *v)
{
    v->sched.yielding = true; /* v is current: only its own CPU reads this */
    softirq_raise(SOFTIRQ_SCHED);
}

/* Of ourselves we only say it: the scheduler sends us away on our way out. */
int sched_set_affinity(struct vcpu *v, cpumask_t hard)
{
    const bool self = v == current_vcpu();
    unsigned from, to;
    int rc;

    if (!self)
        vcpu_pause(v);
    rc = sched_admit(v, hard);
    if (rc == 0) {
        from = v->cpu;
        to = self || hard & CPU_BIT(from) ? from : (unsigned)__builtin_ctzll(hard);
        sched_lock_two(from, to);
        WRITE_ONCE(v->sched.hard, hard);
        sched_carry(v, to);
        sched_unlock_two(from, to);
    }
    if (self)
        softirq_raise(SOFTIRQ_SCHED);
    else
        vcpu_unpause(v);
    return rc;
}

ns_t sched_idle_time(unsigned cpu)
{
    const struct cpu *c = cpus[cpu];
    ns_t total = READ_ONCE(c->runq.idle_time), since = READ_ONCE(c->runq.idle_since);

    return READ_ONCE(c->idle) && since ? total + (hal_now() - since) : total;
}

/* --- choosing --- */

/* A share of the round, which is short enough for all and long enough to be worth a switch. */
static ns_t turn_of(const struct run_queue *rq, const struct vcpu *v)
{
    ns_t round = MIN((rq->waiting_count + 1) * SCHED_SLICE, ROUND_MAX);

    return MAX(round * v->sched.weight / rq->load, TURN_MIN);
}

/* Somebody woken would interrupt v, which runs: does that wait a little? It does not for one with
 * a cap, whose budget lapses by the clock. */
static bool defers(struct run_queue *rq, struct vcpu *v, const struct vcpu *woken, ns_t now)
{
    ns_t ran = now - rq->began;

    if (!woken->sched.by_running || ran >= BURST || READ_ONCE(woken->domain->sched.cap))
        return false;
    if (rq->deferred)
        return true;
    if (ran >= BURST / 8)
        return false; /* it is not interrupted often, and had a burst */
    if (v->sched.at_once) {
        v->sched.at_once--;
        return false;
    }
    rq->deferred = now;
    return true;
}

/* v stops running, of its own accord or not: did it make use of it that another was deferred? */
static void learn(struct run_queue *rq, struct vcpu *v, ns_t now, bool forced)
{
    bool made_use = forced || now - rq->deferred >= SOON;

    if (!rq->deferred)
        return;
    v->sched.shorts = made_use ? 0 : (uint8_t)MIN(v->sched.shorts + 1u, SHORTS_MAX);
    v->sched.bursts += made_use;
    if (v->sched.shorts >= SHORTS)
        v->sched.at_once = SHORTS << (v->sched.shorts - SHORTS);
    else if (made_use && v->sched.bursts % BURSTS == 0)
        v->sched.at_once = AGAIN;
    rq->deferred = 0;
}

/* v, which runs, could go on: does it, with others waiting? */
static bool keeps_turn(struct run_queue *rq, struct vcpu *v, ns_t now)
{
    const struct vcpu *first = first_waiting(rq);
    bool yielding = v->sched.yielding;

    v->sched.yielding = false;
    if (!first)
        return true;
    if (yielding || (first->sched.woken && interrupts(first, v) && !defers(rq, v, first, now)))
        return false;
    if (!rq->turn_end || now < rq->turn_end)
        return true;
    rq->turn_end = 0;
    return !key_before(first->sched.node.key, v->sched.node.key);
}

static bool has_budget(struct vcpu *v, ns_t now, struct choice *ch)
{
    struct domain *d = v->domain;
    ns_t left;

    if (likely(!READ_ONCE(d->sched.cap)))
        return true;
    left = sched_cap_left(d, now, &ch->refill_at);
    if (left) {
        ch->until = MIN(ch->until, now + left);
        return true;
    }
    __atomic_fetch_or(&v->pause_flags, 1u << VPF_CAPPED, __ATOMIC_SEQ_CST);
    domain_ref(d);
    ch->spent = d;
    return false;
}

static void leave(struct vcpu *v, struct choice *ch)
{
    v->sched.leaving = true;
    domain_ref(v->domain);
    ch->leaving = v;
}

/* v has run until now. True: it goes on; else it has left rq->running, *again: for the queue. */
static bool goes_on(struct cpu *c, struct vcpu *v, ns_t now, struct choice *ch, bool *again)
{
    struct run_queue *rq = &c->runq;

    *again = false;
    if (unlikely(!(v->sched.hard & CPU_BIT(c->id)))) {
        leave(v, ch);
    } else if (vcpu_is_runnable(v) && has_budget(v, now, ch)) {
        if (keeps_turn(rq, v, now))
            return true;
        *again = true;
    } else if (sched_static && READ_ONCE(v->pause_flags) & 1u << VPF_DOWN) {
        leave(v, ch);
    }
    learn(rq, v, now, *again);
    rq->running = NULL;
    rq->turn_end = 0;
    if (!*again)
        rq->load -= v->sched.weight;
    v->sched.yielding = false;
    return false;
}

static struct vcpu *take_first(struct run_queue *rq, ns_t now, struct choice *ch)
{
    struct vcpu *v = first_waiting(rq);

    if (!v)
        return NULL;
    dequeue(rq, v);
    if (likely(has_budget(v, now, ch)))
        return v;
    rq->load -= v->sched.weight;
    return NULL;
}

static void start(struct cpu *c, struct vcpu *v, ns_t now)
{
    /* From here on whoever wants v to stop waits for us. */
    WRITE_ONCE(v->is_running, 1 + c->id);
    v->sched.run_start = now;
    c->runq.running = v;
    c->runq.began = now;
    vcpu_runstate_change(v, RUNSTATE_running, now);
}

static void choose(struct cpu *c, struct choice *ch, ns_t now)
{
    struct run_queue *rq = &c->runq;
    struct vcpu *prev, *next = NULL;
    bool again = false;

    *ch = (struct choice){.until = NS_NEVER};
    spin_lock(&rq->lock);
    prev = rq->running;
    if (prev) {
        charge(prev, now);
        if (goes_on(c, prev, now, ch, &again))
            next = prev;
    }
    if (next != prev || !prev) {
        if (!ch->spent)
            next = take_first(rq, now, ch);
        if (again)
            enqueue(rq, prev);
        /* Two may have come while this CPU idled; else only the one that is loaded is news. */
        if (again)
            ch->offer = prev->sched.hard;
        else if (!prev && rq->waiting)
            ch->offer = first_waiting(rq)->sched.hard;
        if (prev)
            note_state(prev, now);
        if (next)
            start(c, next, now);
        ch->changed = true;
    }
    raise_floor(rq);
    if (next && rq->waiting_count) {
        if (!rq->turn_end)
            rq->turn_end = now + turn_of(rq, next);
        ch->until = MIN(ch->until, rq->turn_end);
        if (rq->deferred && now - rq->began < BURST) {
            ch->until = MIN(ch->until, rq->began + BURST);
            ch->offer = ~(cpumask_t)0; /* others may have who waits */
        }
    } else {
        rq->turn_end = 0;
    }
    ch->next = next;
    ch->waiting = rq->waiting_count;
    spin_unlock(&rq->lock);
}

/* v is unloaded: find it another CPU, or, down under the static policy, none. */
static void place_anew(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct run_queue *rq = lock_queue_of(v);

    v->sched.leaving = false;
    spin_unlock(&rq->lock);
    if (READ_ONCE(v->pause_flags) & 1u << VPF_DOWN)
        sched_vcpu_release(v);
    sched_wake(v);
    domain_put(d);
}

/* Nobody wants this CPU. Returns when there may be somebody. */
static void idle(struct cpu *c)
{
    struct run_queue *rq = &c->runq;
    bool owes;

    if (!c->idle) {
        rq->idle_since = hal_now();
        WRITE_ONCE(c->idle, true);
    }
    if (sched_pull(c))
        return;
    if (rq->turn.queued)
        timer_stop(&rq->turn);
    softirq_run_but_sched();
    timer_rest();
    /* The vcpu that stays loaded pays when it runs again: left pending, this would let us never
     * sleep, with interrupts off. */
    owes = softirq_take(SOFTIRQ_TABLES);
    hal_idle();
    if (owes)
        softirq_raise(SOFTIRQ_TABLES);
    softirq_run_but_sched();
    softirq_take(SOFTIRQ_SCHED);
}

static void leave_idle(struct cpu *c)
{
    if (!c->idle)
        return;
    WRITE_ONCE(c->idle, false);
    sched_busy(c->id);
    if (c->runq.idle_since)
        c->runq.idle_time += hal_now() - c->runq.idle_since;
}

/* The vcpu that ran goes off its CPU, but stays loaded. */
static void publish_last(struct cpu *c)
{
    if (c->current && !c->idle)
        vcpu_runstate_publish(c->current);
}

static void switch_to(struct cpu *c, struct vcpu *next)
{
    if (next != c->current) {
        publish_last(c);
        leave_idle(c);
        hal_context_switch(next);
    }
    leave_idle(c);
    time_refresh_vcpu(next);
    vcpu_runstate_publish(next);
}

/* There is no next vcpu (yet). */
static void no_choice(struct cpu *c, const struct choice *ch)
{
    publish_last(c);
    if (ch->leaving) {
        hal_unload_current();
        place_anew(ch->leaving);
    } else if (!ch->spent) {
        idle(c);
    }
}

void sched_softirq(void)
{
    struct cpu *c = this_cpu();
    struct run_queue *rq = &c->runq;
    struct choice ch;
    ns_t now;

    for (;;) {
        now = hal_now();
        choose(c, &ch, now);
        if (unlikely(ch.spent)) {
            timer_set(&ch.spent->sched.refill, ch.refill_at);
            domain_put(ch.spent);
        }
        if (ch.next)
            break;
        no_choice(c, &ch);
    }
    if (ch.until != NS_NEVER && !(rq->turn.queued && rq->turn.node.key == ch.until))
        timer_set(&rq->turn, ch.until);
    if (ch.changed)
        switch_to(c, ch.next);
    if (unlikely(ch.leaving))
        place_anew(ch.leaving);
    if (likely(!READ_ONCE(rq->waiting_count)))
        return;
    /* What was loaded here until now can be had by others from now on. */
    sched_offer(READ_ONCE(rq->waiting_count) != ch.waiting ? ~(cpumask_t)0 : ch.offer);
    sched_push(c, now);
}
