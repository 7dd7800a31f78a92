/* SPDX-License-Identifier: MIT */
/*
 * queue.c - what both ways of a queue share: the guest is told, the tap watched, packets counted.
 */
#include <sys/epoll.h>

#include "state.h"

void net_watch_tap(struct net_queue *q, bool on)
{
    struct epoll_event ev = {.events = on ? EPOLLIN : 0u, .data.u32 = q->index};

    if (on != q->tap_watched) {
        q->tap_watched = on;
        epoll_ctl(q->n->epfd, EPOLL_CTL_MOD, q->tap, &ev);
    }
}

/* ---- meter: "read" is what the guest gets, "write" what it sends ---- */

void net_count(struct net_queue *q, enum meter_op op, unsigned packets, uint64_t bytes,
               uint64_t tick)
{
    uint64_t ns = clock_since(&q->n->clock, tick);
    struct meter_latency *l = &q->m->latency[op];

    l->count += packets;
    l->sum_ns += packets * ns;
    l->bucket[meter_bucket(ns)] += packets;
    q->m->bytes[op] += bytes;
    q->m->rounds++;
}

/* ---- events ---- */

static void notify(struct net_queue *q, int port)
{
    q->m->notifications++;
    evtchn_notify(q->n->d->evt, port);
}

static bool is_news(RING_IDX *told, RING_IDX now, const RING_IDX *event)
{
    RING_IDX before = *told;

    *told = now;
    return ring_event_wanted(before, now, event);
}

void net_tell(struct net_queue *q)
{
    bool sent, received;

    xen_mb(); /* the responses are out before the guest's wish to hear of them is read */
    sent = is_news(&q->tx.told, q->tx.ring.rsp_prod_pvt, &q->tx.ring.sring->rsp_event);
    received = is_news(&q->rx.told, q->rx.ring.rsp_prod_pvt, &q->rx.ring.sring->rsp_event);
    if (received) {
        notify(q, q->rx.port);
    }
    if (sent && !(received && q->tx.port == q->rx.port)) {
        notify(q, q->tx.port);
    }
}

void net_tell_anyway(struct net_queue *q)
{
    notify(q, q->tx.port);
    if (q->rx.port != q->tx.port) {
        notify(q, q->rx.port);
    }
}
