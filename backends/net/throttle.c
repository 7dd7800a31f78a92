/* SPDX-License-Identifier: MIT */
/*
 * throttle.c - packets that wait for a limit, each way for its own and for the group's.
 *
 * What is sent waits in the guest's ring, what is received in the queue of the tap, behind one that
 * was read already (rx.c); beyond that the kernel drops. Nothing is asked to wake this process
 * meanwhile but the clock. The time is counted once, however many queues wait.
 *
 * Invariant: a queue that is said to wait holds a packet that was refused in its last round, so the
 * loop never waits for a time that has passed.
 */
#include "state.h"

#define LOOK_NS 100000000ull /* how long a change of the limit may go unnoticed */

void throttle_init(struct netback *n)
{
    struct device *d = n->d;
    struct limit *own[] = {&d->meter->limit_in, &d->meter->limit};

    for (unsigned way = 0; way < NET_WAYS; way++) {
        struct throttle *t = &n->throttle[way];

        t->limits[0] = own[way];
        t->nr_limits = 1;
        for (unsigned i = 1; i < d->nr_limits; i++) {
            t->limits[t->nr_limits++] = d->limits[i];
        }
    }
    n->throttle[METER_READ].waits = &d->meter->throttled_in;
    n->throttle[METER_READ].waited_ns = &d->meter->throttled_in_ns;
    n->throttle[METER_WRITE].waits = &d->meter->throttled;
    n->throttle[METER_WRITE].waited_ns = &d->meter->throttled_ns;
}

static bool limited_at_all(const struct throttle *t)
{
    bool any = t->queues != 0;

    for (unsigned i = 0; i < t->nr_limits; i++) {
        any |= limit_is_set(t->limits[i]);
    }
    return any;
}

static void end_of_wait(struct throttle *t, unsigned queue, uint64_t now)
{
    bool waited = t->queues != 0;

    t->queues &= ~(1u << queue);
    if (waited && !t->queues) {
        *t->waited_ns += now - t->since;
    }
}

bool throttle_pass(struct net_queue *q, enum meter_op way, uint64_t bytes)
{
    struct throttle *t = &q->n->throttle[way];
    uint64_t now, wait;

    if (!limited_at_all(t)) {
        return true;
    }
    now = clock_kernel_ns();
    wait = limit_take(t->limits, t->nr_limits, now, bytes);
    if (!wait) {
        end_of_wait(t, q->index, now);
        return true;
    }
    if (!t->queues) {
        t->since = now;
        ++*t->waits;
    }
    t->queues |= 1u << q->index;
    t->refused = true;
    t->until = now + (wait < LOOK_NS ? wait : LOOK_NS);
    return false;
}

bool throttle_waits(const struct net_queue *q, enum meter_op way)
{
    return q->n->throttle[way].queues & 1u << q->index;
}

/* Its guest may have made another packet of it, or the device may be closed. */
void throttle_round(struct net_queue *q, enum meter_op way)
{
    struct throttle *t = &q->n->throttle[way];

    if (!t->refused && throttle_waits(q, way)) {
        end_of_wait(t, q->index, clock_kernel_ns());
    }
    t->refused = false;
}

bool throttle_time_left(struct netback *n, uint64_t *ns)
{
    uint64_t now, first = UINT64_MAX;

    for (unsigned way = 0; way < NET_WAYS; way++) {
        const struct throttle *t = &n->throttle[way];

        if (t->queues) {
            first = t->until < first ? t->until : first;
        }
    }
    if (first == UINT64_MAX) {
        return false;
    }
    now = clock_kernel_ns();
    *ns = first > now ? first - now : 0;
    for (unsigned i = 0; i < n->nr_queues; i++) {
        n->q[i].tx.look |= throttle_waits(&n->q[i], METER_WRITE);
        n->q[i].rx.look |= throttle_waits(&n->q[i], METER_READ);
    }
    return true;
}
