/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU deadlines in a heap threaded through the timers themselves, so arming one cannot fail,
 * and no guest can fill a table of ours.
 *
 * A timer is queued on the CPU that armed it last. Its `cpu` changes only under the lock of the
 * queue it names, so holding that lock and re-checking pins it. The hardware is programmed lazily:
 * it may fire early (the earliest timer was moved away since), never late.
 *
 * Locks: one queue's lock (RANK_TIMER) at a time; none while a callback runs.
 */
#include <tenue/timer.h>

#include <tenue/vcpu.h>

/* A century from now is never; it keeps keys comparable (heap.h). */
#define DEADLINE_MAX (1ull << 62)

static void dequeue(struct timer_queue *q, struct timer *t)
{
    heap_remove(&q->root, &t->node);
    t->queued = false;
}

static struct timer_queue *lock_queue_of(struct timer *t)
{
    for (;;) {
        uint32_t cpu = READ_ONCE(t->cpu);
        struct timer_queue *q = &cpus[cpu]->timers;

        spin_lock(&q->lock);
        if (likely(__atomic_load_n(&t->cpu, __ATOMIC_ACQUIRE) == cpu))
            return q;
        spin_unlock(&q->lock);
    }
}

void timer_init(struct timer *t, void (*fire)(struct timer *))
{
    *t = (struct timer)TIMER_INIT(fire);
}

/* Only this CPU's hardware can be told; the deadline is the earliest of its queue. */
static void program(struct timer_queue *q, ns_t deadline)
{
    if (deadline >= q->programmed)
        return;
    if (deadline <= hal_now()) {
        softirq_raise(SOFTIRQ_TIMER);
        return;
    }
    q->programmed = deadline;
    hal_timer_arm(deadline);
}

void timer_set(struct timer *t, ns_t deadline)
{
    struct cpu *c = this_cpu();
    struct timer_queue *q;
    bool earliest;

    if (deadline == NS_NEVER) {
        timer_stop(t);
        return;
    }
    for (;;) {
        q = lock_queue_of(t);
        if (t->queued)
            dequeue(q, t);
        if (likely(q == &c->timers))
            break;
        __atomic_store_n(&t->cpu, c->id, __ATOMIC_RELEASE); /* and what we did to it */
        spin_unlock(&q->lock);
    }
    /* Armed by a callback for the past: not in this pass, which must end (IRQ-3). */
    t->node.key = unlikely(deadline <= q->pass) ? q->pass + 1 : MIN(deadline, DEADLINE_MAX);
    heap_insert(&q->root, &t->node);
    t->queued = true;
    earliest = q->root == &t->node;
    spin_unlock(&q->lock);
    if (earliest)
        program(q, deadline);
}

void timer_stop(struct timer *t)
{
    struct timer_queue *q = lock_queue_of(t);

    if (t->queued)
        dequeue(q, t);
    spin_unlock(&q->lock);
}

void timer_kill(struct timer *t)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        timer_stop(t);
        while (READ_ONCE(cpus[cpu]->timers.firing) == t)
            hal_spin_wait();
    }
    timer_stop(t);
}

void timer_softirq(void)
{
    struct timer_queue *q = &this_cpu()->timers;
    ns_t now = hal_now(), next;
    struct heap_node *n;

    spin_lock(&q->lock);
    q->pass = now;
    while ((n = q->root) && n->key <= now) {
        struct timer *t = container_of(n, struct timer, node);

        dequeue(q, t);
        q->firing = t;
        spin_unlock(&q->lock);
        t->fire(t);
        spin_lock(&q->lock);
        q->firing = NULL;
    }
    q->pass = 0;
    next = q->root ? q->root->key : NS_NEVER;
    q->programmed = next;
    spin_unlock(&q->lock);
    hal_timer_arm(next);
}

void timer_rest(void)
{
    struct timer_queue *q = &this_cpu()->timers;
    ns_t next;

    spin_lock(&q->lock);
    next = q->root ? q->root->key : NS_NEVER;
    spin_unlock(&q->lock);
    if (next > q->programmed) {
        q->programmed = next;
        hal_timer_arm(next);
    }
}
