/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU deadlines in a pairing heap. The heap is threaded through the timers themselves, so
 * arming one cannot fail, and no guest can fill a table of ours.
 *
 * A timer is queued on the CPU that armed it last. Its `cpu` changes only under the lock of the
 * queue it names, so holding that lock and re-checking pins it. The hardware is programmed lazily:
 * it may fire early (the earliest timer was moved away since), never late.
 *
 * Locks: one queue's lock (RANK_TIMER) at a time; none while a callback runs.
 */
#include <tenue/timer.h>

#include <tenue/abi.h>
#include <tenue/hal.h>
#include <tenue/percpu.h>

/* Two roots become one; either's siblings must be detached already. */
static struct timer *merge(struct timer *a, struct timer *b)
{
    if (b->deadline < a->deadline) {
        struct timer *t = a;

        a = b;
        b = t;
    }
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Join a list of siblings into one heap: in pairs left to right, then all into one. */
static struct timer *merge_siblings(struct timer *first)
{
    struct timer *pairs = NULL, *root = NULL;

    while (first) {
        struct timer *a = first, *b = first->next;

        first = b ? b->next : NULL;
        a->next = NULL;
        if (b) {
            b->next = NULL;
            a = merge(a, b);
        }
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct timer *t = pairs;

        pairs = t->next;
        t->next = NULL;
        root = root ? merge(root, t) : t;
    }
    if (root)
        root->prev = NULL;
    return root;
}

static void heap_insert(struct timer_queue *q, struct timer *t)
{
    t->child = t->next = t->prev = NULL;
    t->queued = true;
    q->root = q->root ? merge(q->root, t) : t;
    q->root->prev = NULL;
}

static void heap_remove(struct timer_queue *q, struct timer *t)
{
    struct timer *orphans = t->child;

    t->queued = false;
    if (t == q->root) {
        q->root = merge_siblings(orphans);
        return;
    }
    if (t->prev->child == t)
        t->prev->child = t->next;
    else
        t->prev->next = t->next;
    if (t->next)
        t->next->prev = t->prev;
    orphans = merge_siblings(orphans);
    if (orphans)
        q->root = merge(q->root, orphans);
}

static struct timer_queue *lock_queue_of(struct timer *t)
{
    for (;;) {
        uint32_t cpu = READ_ONCE(t->cpu);
        struct timer_queue *q = &cpus[cpu]->timers;

        spin_lock(&q->lock);
        if (likely(t->cpu == cpu))
            return q;
        spin_unlock(&q->lock);
    }
}

void timer_queue_init(struct timer_queue *q)
{
    spin_lock_init(&q->lock, RANK_TIMER);
    q->root = NULL;
    q->firing = NULL;
    q->pass = 0;
    q->programmed = NS_NEVER;
}

void timer_init(struct timer *t, void (*fire)(struct timer *))
{
    *t = (struct timer){.deadline = NS_NEVER, .fire = fire};
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
            heap_remove(q, t);
        if (likely(q == &c->timers))
            break;
        t->cpu = c->id;
        spin_unlock(&q->lock);
    }
    /* Armed by a callback for the past: not in this pass, which must end (IRQ-3). */
    t->deadline = unlikely(deadline <= q->pass) ? q->pass + 1 : deadline;
    heap_insert(q, t);
    earliest = q->root == t;
    spin_unlock(&q->lock);
    if (earliest)
        program(q, deadline);
}

void timer_stop(struct timer *t)
{
    struct timer_queue *q = lock_queue_of(t);

    if (t->queued)
        heap_remove(q, t);
    t->deadline = NS_NEVER;
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
    struct timer *t;

    spin_lock(&q->lock);
    q->pass = now;
    while ((t = q->root) && t->deadline <= now) {
        heap_remove(q, t);
        t->deadline = NS_NEVER;
        q->firing = t;
        spin_unlock(&q->lock);
        t->fire(t);
        spin_lock(&q->lock);
        q->firing = NULL;
    }
    q->pass = 0;
    next = q->root ? q->root->deadline : NS_NEVER;
    q->programmed = next;
    spin_unlock(&q->lock);
    hal_timer_arm(next);
}
