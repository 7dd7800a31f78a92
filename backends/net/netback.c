/* SPDX-License-Identifier: MIT */
/*
 * netback.c - connect to a guest's two rings and run them against the tap.
 *
 * Owns the mapped rings, the event channels (one, or one for each ring) and the buffers. The tap is
 * watched only while connected and while no packet waits for the guest's buffers. Ports stay masked
 * until a round is done.
 */
#include "netback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/log.h"

static void watch_tap(struct netback *n, bool on)
{
    struct epoll_event ev = {.events = on ? EPOLLIN : 0u, .data.fd = n->tap};

    if (on != n->tap_watched) {
        n->tap_watched = on;
        epoll_ctl(n->epfd, EPOLL_CTL_MOD, n->tap, &ev);
    }
}

/* ---- connecting ---- */

static void read_features(struct netback *n, const struct channel_msg *front)
{
    n->feat.sg = channel_get_flag(front, "feature-sg");
    n->feat.gso4 = channel_get_flag(front, "feature-gso-tcpv4");
    n->feat.gso6 = channel_get_flag(front, "feature-gso-tcpv6");
    n->feat.csum4 = !channel_get_flag(front, "feature-no-csum-offload");
    n->feat.csum6 = channel_get_flag(front, "feature-ipv6-csum-offload");
}

static void *map_ring(struct netback *n, const struct channel_msg *front, const char *key)
{
    uint64_t ref64;
    uint32_t ref;
    void *page;

    if (!channel_get_u64(front, key, UINT32_MAX, &ref64)) {
        device_fail(n->d, "%s is missing or no grant reference", key);
        return NULL;
    }
    ref = (uint32_t)ref64;
    page = gntdev_map(n->d->gnt, 1, &ref, true);
    if (!page) {
        device_fail(n->d, "%s %u cannot be mapped: %s", key, ref, strerror(errno));
    }
    return page;
}

static int bind_port(struct netback *n, const struct channel_msg *front, const char *key)
{
    uint64_t port;
    int local;

    if (!channel_get_u64(front, key, UINT32_MAX, &port)) {
        device_fail(n->d, "%s is missing or no port", key);
        return -EINVAL;
    }
    local = evtchn_bind(n->d->evt, (uint32_t)port);
    if (local < 0) {
        device_fail(n->d, "%s %llu cannot be bound: %s", key, (unsigned long long)port,
                    strerror(-local));
    }
    return local;
}

static int bind_ports(struct netback *n, const struct channel_msg *front)
{
    if (!channel_get(front, "event-channel-tx")) {
        n->tx.port = n->rx.port = bind_port(n, front, "event-channel");
        return n->tx.port < 0 ? n->tx.port : 0;
    }
    n->tx.port = bind_port(n, front, "event-channel-tx");
    if (n->tx.port < 0) {
        return n->tx.port;
    }
    n->rx.port = bind_port(n, front, "event-channel-rx");
    if (n->rx.port < 0) {
        evtchn_unbind(n->d->evt, n->tx.port);
        return n->rx.port;
    }
    return 0;
}

static int net_connect(struct device *d, const struct channel_msg *front, struct channel_msg *back)
{
    struct netback *n = d->priv;
    netif_tx_sring_t *txs;
    netif_rx_sring_t *rxs;
    int rc = -EINVAL;

    (void)back;
    if (!channel_get_flag(front, "request-rx-copy")) {
        device_fail(d, "the guest's driver does not take copies (request-rx-copy is not 1)");
        return -EINVAL;
    }
    read_features(n, front);
    txs = map_ring(n, front, "tx-ring-ref");
    if (!txs) {
        return rc;
    }
    rxs = map_ring(n, front, "rx-ring-ref");
    if (!rxs) {
        goto out_tx;
    }
    rc = bind_ports(n, front);
    if (rc) {
        goto out_rx;
    }
    BACK_RING_INIT(&n->tx.ring, txs, GNT_PAGE);
    BACK_RING_INIT(&n->rx.ring, rxs, GNT_PAGE);
    rc = tap_set_offload(n->tap, &n->feat);
    if (rc) {
        log_line("tap: offload: %s; going on without", strerror(-rc));
    }
    tap_discard(n->tap);
    n->rx.held = 0;
    watch_tap(n, true);
    return 0;

out_rx:
    gntdev_unmap(d->gnt, rxs, 1);
out_tx:
    gntdev_unmap(d->gnt, txs, 1);
    return rc;
}

static void net_disconnect(struct device *d)
{
    struct netback *n = d->priv;

    watch_tap(n, false);
    evtchn_unbind(d->evt, n->tx.port);
    if (n->rx.port != n->tx.port) {
        evtchn_unbind(d->evt, n->rx.port);
    }
    n->masked[0] = n->masked[1] = 0;
    gntdev_unmap(d->gnt, n->rx.ring.sring, 1);
    gntdev_unmap(d->gnt, n->tx.ring.sring, 1);
}

static void net_advertise(struct device *d, struct channel_msg *back)
{
    (void)d;
    channel_add(back, "feature-rx-copy", "1");
    channel_add(back, "feature-sg", "1");
    channel_add(back, "feature-gso-tcpv4", "1");
    channel_add(back, "feature-gso-tcpv6", "1");
    channel_add(back, "feature-ipv6-csum-offload", "1");
    channel_add(back, "feature-split-event-channels", "1");
}

/* ---- loop ---- */

static void unmask(struct netback *n)
{
    for (unsigned i = 0; i < 2; i++) {
        if (n->masked[i]) {
            evtchn_unmask(n->d->evt, n->masked[i]);
            n->masked[i] = 0;
        }
    }
}

/* True if there is more to do without waiting. */
static bool serve(struct netback *n)
{
    uint64_t before = n->tx_packets + n->rx_packets + n->tx_dropped + n->rx_dropped;
    bool more = false;

    if (n->d->connected) {
        more = tx_serve(n);
    }
    if (n->d->connected) {
        more |= rx_serve(n);
    }
    if (!n->d->connected) {
        return false;
    }
    watch_tap(n, !n->rx.held);
    if (n->masked[0] || n->masked[1]) {
        bool useful = n->tx_packets + n->rx_packets + n->tx_dropped + n->rx_dropped != before;

        backoff_account(&n->backoff, useful);
        unmask(n);
    }
    return more;
}

static void event_arrived(struct netback *n)
{
    int port = evtchn_read(n->d->evt);

    if (port > 0) {
        n->masked[n->masked[0] && n->masked[0] != port] = port;
    }
}

static int watch(struct netback *n, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.fd = fd};

    return epoll_ctl(n->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static uint8_t *new_buffers(void)
{
    void *p = mmap(NULL, NET_BATCH * (size_t)NET_SLOT_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static int net_init(struct device *d, const struct channel_msg *start)
{
    struct netback *n = calloc(1, sizeof(*n));

    (void)start;
    if (!n) {
        return -ENOMEM;
    }
    n->d = d;
    d->priv = n;
    n->tap = CHANNEL_DEVICE_FD;
    n->tx.buffers = new_buffers();
    n->rx.buffers = new_buffers();
    n->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (!n->tx.buffers || !n->rx.buffers || n->epfd < 0 || watch(n, d->channel, EPOLLIN) ||
        watch(n, evtchn_fd(d->evt), EPOLLIN) || watch(n, n->tap, 0)) {
        log_line("network: start: %s", strerror(errno));
        return -ENOMEM;
    }
    return 0;
}

void netback_fini(struct device *d)
{
    struct netback *n = d->priv;

    munmap(n->tx.buffers, NET_BATCH * (size_t)NET_SLOT_BYTES);
    munmap(n->rx.buffers, NET_BATCH * (size_t)NET_SLOT_BYTES);
    close(n->epfd);
    free(n);
}

static void net_run(struct device *d)
{
    struct netback *n = d->priv;
    struct epoll_event ev[3];

    while (!d->exit) {
        bool more = serve(n);
        int nr = epoll_wait(n->epfd, ev, 3, more ? 0 : -1);

        for (int i = 0; i < nr && !d->exit; i++) {
            if (ev[i].data.fd == d->channel) {
                device_handle_channel(d);
            } else if (ev[i].data.fd == evtchn_fd(d->evt)) {
                event_arrived(n);
            }
        }
    }
}

const struct device_ops netback_ops = {
    .class_name = "vif",
    .sandbox = &sandbox_net,
    .init = net_init,
    .advertise = net_advertise,
    .connect = net_connect,
    .disconnect = net_disconnect,
    .run = net_run,
};
