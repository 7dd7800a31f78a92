/* SPDX-License-Identifier: MIT */
/*
 * connect.c - take the rings of a guest's queues, and give them back.
 *
 * A guest with one queue publishes its keys in its directory, one with several in a directory for
 * each ("queue-N/"). Each queue has two rings and one event channel, or one for each ring. Either
 * all queues are connected, or none.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../common/log.h"
#include "netback.h"

#define JOURNAL_FORMAT 1

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
    n->journal->headroom = (uint32_t)headroom;
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
    local = evtchn_bind(d->evt, (uint32_t)port);
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
    rc = bind_ports(q, front);
    if (rc) {
        goto out_rx;
    }
    BACK_RING_INIT(&q->tx.ring, txs, GNT_PAGE);
    BACK_RING_INIT(&q->rx.ring, rxs, GNT_PAGE);
    q->rx.held = 0;
    q->rx.expect = 1;
    q->tx.look = q->rx.look = true;
    return 0;

out_rx:
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
    gntdev_unmap(d->gnt, q->rx.ring.sring, 1);
    gntdev_unmap(d->gnt, q->tx.ring.sring, 1);
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
    memset(n->journal, 0, sizeof(*n->journal));
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
    attach_taps(n);
    rc = tap_set_offload(n->q[0].tap, &n->feat);
    if (rc) {
        log_line("tap: offload: %s; going on without", strerror(-rc));
    }
    for (unsigned i = 0; i < n->nr_queues; i++) {
        tap_discard(n->q[i].tap);
        net_watch_tap(&n->q[i], true);
    }
    return 0;
}

void net_disconnect(struct device *d)
{
    struct netback *n = d->priv;

    for (unsigned i = 0; i < n->nr_queues; i++) {
        disconnect_queue(&n->q[i]);
    }
    n->nr_queues = n->nr_masked = n->one_way = 0;
    n->gathering = false;
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
    channel_add(back, "feature-split-event-channels", "1");
    channel_add(back, "feature-multicast-control", "1");
    channel_add(back, "feature-xdp-headroom", "1");
    channel_addf(back, "multi-queue-max-queues", "%u", n->nr_taps);
}
