/* SPDX-License-Identifier: MIT */
/*
 * connect.c - take the rings of a guest's queues, and give them back.
 *
 * A guest with one queue publishes its keys in its directory, one with several in a directory for
 * each ("queue-N/"). Each queue has two rings and one event channel: one for each ring is served,
 * and not offered, as one event then says less. Either all queues are connected, or none.
 *
 * With d->resuming a predecessor had these very rings. What it had taken it had answered, or the
 * answers stand in the journal (answers.h): the rings are gone on with there. A packet that it had
 * taken out of a ring or the tap and not passed on is lost, as packets may be; an answer never is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../common/log.h"
#include "state.h"

struct names {
    char text[CHANNEL_KEY_MAX + 1];
};

/* What a queue's key is called. */
static const char *name_of(const struct net_queue *q, const char *key, struct names *buf)
{
    if (q->n->nr_queues == 1) {
        return key;
    }
    snprintf(buf->text, sizeof(buf->text), "queue-%u/%s", q->index, key);
    return buf->text;
}

static void read_features(struct netback *n, const struct channel_msg *front)
{
    n->feat.sg = channel_get_flag(front, "feature-sg");
    n->feat.gso4 = channel_get_flag(front, "feature-gso-tcpv4");
    n->feat.gso6 = channel_get_flag(front, "feature-gso-tcpv6");
    n->feat.csum4 = !channel_get_flag(front, "feature-no-csum-offload");
    n->feat.csum6 = channel_get_flag(front, "feature-ipv6-csum-offload");
    n->mcast_control = channel_get_flag(front, "request-multicast-control");
}

static bool read_headroom(struct netback *n, const struct channel_msg *front)
{
    uint64_t headroom = 0;

    if (channel_get(front, "xdp-headroom") &&
        !channel_get_u64(front, "xdp-headroom", NET_HEADROOM_MAX, &headroom)) {
        device_fail(n->d, "xdp-headroom is no number up to %u", NET_HEADROOM_MAX);
        return false;
    }
    n->headroom = (uint32_t)headroom;
    return true;
}

static bool read_queues(struct netback *n, const struct channel_msg *front)
{
    uint64_t nr = 1;

    if (channel_get(front, "multi-queue-num-queues") &&
        (!channel_get_u64(front, "multi-queue-num-queues", n->nr_taps, &nr) || !nr)) {
        device_fail(n->d, "multi-queue-num-queues is no number within 1..%u", n->nr_taps);
        return false;
    }
    n->nr_queues = (unsigned)nr;
    return true;
}

static void *map_ring(struct net_queue *q, const struct channel_msg *front, const char *key)
{
    struct device *d = q->n->d;
    struct names buf;
    uint64_t ref64;
    uint32_t ref;
    void *page;

    key = name_of(q, key, &buf);
    if (!channel_get_u64(front, key, UINT32_MAX, &ref64)) {
        device_fail(d, "%s is missing or no grant reference", key);
        return NULL;
    }
    ref = (uint32_t)ref64;
    page = gntdev_map(d->gnt, 1, &ref, true);
    if (!page) {
        device_fail(d, "%s %u cannot be mapped: %s", key, ref, strerror(errno));
    }
    return page;
}

static int bind_port(struct net_queue *q, const struct channel_msg *front, const char *key)
{
    struct device *d = q->n->d;
    struct names buf;
    uint64_t port;
    int local;

    key = name_of(q, key, &buf);
    if (!channel_get_u64(front, key, UINT32_MAX, &port)) {
        device_fail(d, "%s is missing or no port", key);
        return -EINVAL;
    }
    local = device_bind(d, (uint32_t)port);
    if (local < 0) {
        device_fail(d, "%s %llu cannot be bound: %s", key, (unsigned long long)port,
                    strerror(-local));
    }
    return local;
}

static int bind_ports(struct net_queue *q, const struct channel_msg *front)
{
    struct names buf;

    if (!channel_get(front, name_of(q, "event-channel-tx", &buf))) {
        q->tx.port = q->rx.port = bind_port(q, front, "event-channel");
        return q->tx.port < 0 ? q->tx.port : 0;
    }
    q->tx.port = bind_port(q, front, "event-channel-tx");
    if (q->tx.port < 0) {
        return q->tx.port;
    }
    q->rx.port = bind_port(q, front, "event-channel-rx");
    if (q->rx.port < 0) {
        evtchn_unbind(q->n->d->evt, q->tx.port);
        return q->rx.port;
    }
    return 0;
}

/* Where the indices are: at nothing done yet, or where the predecessor was. */
static int begin_rings(struct net_queue *q, netif_tx_sring_t *txs, netif_rx_sring_t *rxs)
{
    BACK_RING_INIT(&q->tx.ring, txs, GNT_PAGE);
    BACK_RING_INIT(&q->rx.ring, rxs, GNT_PAGE);
    q->tx.to = (struct answers_ring){&txs->rsp_prod, (uint8_t *)txs->ring, sizeof(txs->ring[0]),
                                     sizeof(netif_tx_response_t)};
    q->rx.to = (struct answers_ring){&rxs->rsp_prod, (uint8_t *)rxs->ring, sizeof(rxs->ring[0]),
                                     sizeof(netif_rx_response_t)};
    q->tx.told = q->rx.told = 0;
    if (!q->n->d->resuming) {
        return 0;
    }
    if (!answers_resume(q->tx.answers, &q->tx.to) || !answers_resume(q->rx.answers, &q->rx.to)) {
        device_fail(q->n->d,
                    "cannot go on from the journal of the backend before: queue %u's "
                    "answers are not those of its rings",
                    q->index);
        return -EBADMSG;
    }
    q->tx.ring.req_cons = q->tx.ring.rsp_prod_pvt = q->tx.told = q->tx.answers->done;
    q->rx.ring.req_cons = q->rx.ring.rsp_prod_pvt = q->rx.told = q->rx.answers->done;
    log_line("queue %u resumed at %u and %u", q->index, q->tx.ring.req_cons, q->rx.ring.req_cons);
    return 0;
}

/* If the guest brings one. False: the device was failed. */
static bool map_arena(struct net_queue *q, const struct channel_msg *front)
{
    struct device *d = q->n->d;
    uint64_t directory, nr_pages;
    struct names ref, pages;

    if (!q->n->arena || !channel_get(front, name_of(q, "arena-ref", &ref))) {
        return true;
    }
    if (!channel_get_u64(front, name_of(q, "arena-ref", &ref), UINT32_MAX, &directory) ||
        !channel_get_u64(front, name_of(q, "arena-pages", &pages), ARENA_PAGES_MAX, &nr_pages) ||
        !nr_pages) {
        device_fail(d,
                    "queue %u: arena-ref is no grant reference, or arena-pages no number within "
                    "1..%u",
                    q->index, ARENA_PAGES_MAX);
        return false;
    }
    if (!arena_map(&q->arena, d->gnt, (uint32_t)directory, (unsigned)nr_pages)) {
        device_fail(d, "queue %u: the arena, or its directory %llu, cannot be mapped: %s", q->index,
                    (unsigned long long)directory, strerror(errno));
        return false;
    }
    return true;
}

static int connect_queue(struct net_queue *q, const struct channel_msg *front)
{
    struct gntdev *gnt = q->n->d->gnt;
    netif_tx_sring_t *txs = map_ring(q, front, "tx-ring-ref");
    netif_rx_sring_t *rxs;
    int rc = -EINVAL;

    if (!txs) {
        return rc;
    }
    rxs = map_ring(q, front, "rx-ring-ref");
    if (!rxs) {
        goto out_tx;
    }
    rc = begin_rings(q, txs, rxs);
    if (!rc && !map_arena(q, front)) {
        rc = -EINVAL;
    }
    if (!rc) {
        rc = bind_ports(q, front);
    }
    if (rc) {
        goto out_rx;
    }
    q->rx.held = 0;
    q->rx.expect = 1;
    q->tx.look = q->rx.look = true;
    return 0;

out_rx:
    arena_unmap(&q->arena, gnt);
    gntdev_unmap(gnt, rxs, 1);
out_tx:
    gntdev_unmap(gnt, txs, 1);
    return rc;
}

static void disconnect_queue(struct net_queue *q)
{
    struct device *d = q->n->d;

    net_watch_tap(q, false);
    evtchn_unbind(d->evt, q->tx.port);
    if (q->rx.port != q->tx.port) {
        evtchn_unbind(d->evt, q->rx.port);
    }
    arena_unmap(&q->arena, d->gnt);
    gntdev_unmap(d->gnt, q->rx.ring.sring, 1);
    gntdev_unmap(d->gnt, q->tx.ring.sring, 1);
    throttle_round(q, METER_READ); /* nothing waits any more */
    throttle_round(q, METER_WRITE);
}

/* The tap spreads packets over the queues that the guest has, and no others. */
static void attach_taps(struct netback *n)
{
    for (unsigned i = 0; i < n->nr_taps; i++) {
        int rc = n->nr_taps > 1 ? tap_attach(n->q[i].tap, i < n->nr_queues) : 0;

        if (rc) {
            log_line("tap: queue %u: %s", i, strerror(-rc));
        }
    }
}

/* What waits in the tap is for a guest that was not there, or for one that saw nothing happen. */
static void start_queue(struct net_queue *q, bool resuming)
{
    if (resuming) { /* the predecessor may have answered without a word */
        net_tell_anyway(q);
    } else {
        tap_discard(q->tap);
    }
    net_watch_tap(q, true);
}

int net_connect(struct device *d, const struct channel_msg *front, struct channel_msg *back)
{
    struct netback *n = d->priv;
    unsigned done = 0;
    int rc = 0;

    (void)back;
    if (!channel_get_flag(front, "request-rx-copy")) {
        device_fail(d, "the guest's driver does not take copies (request-rx-copy is not 1)");
        return -EINVAL;
    }
    if (channel_get(front, "ctrl-ring-ref")) {
        device_fail(d, "the guest's driver brings a control ring, which was not offered");
        return -EINVAL;
    }
    if (!d->resuming) {
        memset(n->journal, 0, sizeof(*n->journal));
    } else if (n->journal->mcast.count > MCAST_MAX) {
        device_fail(d,
                    "cannot go on from the journal of the backend before: %u multicast addresses",
                    n->journal->mcast.count);
        return -EBADMSG;
    }
    if (!read_queues(n, front) || !read_headroom(n, front)) {
        return -EINVAL;
    }
    read_features(n, front);
    while (done < n->nr_queues && !rc) {
        rc = connect_queue(&n->q[done], front);
        done += !rc;
    }
    if (rc) {
        while (done) {
            disconnect_queue(&n->q[--done]);
        }
        return rc;
    }
    d->meter->queues = n->nr_queues;
    clock_measure(&n->clock);
    capture_guest(n);
    attach_taps(n);
    rc = tap_set_offload(n->q[0].tap, &n->feat);
    if (rc) {
        log_line("tap: offload: %s; going on without", strerror(-rc));
    }
    for (unsigned i = 0; i < n->nr_queues; i++) {
        start_queue(&n->q[i], d->resuming);
    }
    return 0;
}

void net_disconnect(struct device *d)
{
    struct netback *n = d->priv;

    for (unsigned i = 0; i < n->nr_queues; i++) {
        disconnect_queue(&n->q[i]);
    }
    n->nr_queues = 0;
    net_stop_serving(n);
}

void net_reconfigure(struct device *d, const struct channel_msg *front)
{
    read_headroom(d->priv, front);
}

void net_advertise(struct device *d, struct channel_msg *back)
{
    struct netback *n = d->priv;

    channel_add(back, "feature-rx-copy", "1");
    channel_add(back, "feature-sg", "1");
    channel_add(back, "feature-gso-tcpv4", "1");
    channel_add(back, "feature-gso-tcpv6", "1");
    channel_add(back, "feature-ipv6-csum-offload", "1");
    channel_add(back, "feature-multicast-control", "1");
    channel_add(back, "feature-xdp-headroom", "1");
    channel_add(back, "feature-tenue-arena", n->arena ? "1" : "0");
    channel_addf(back, "multi-queue-max-queues", "%u", n->nr_taps);
}
