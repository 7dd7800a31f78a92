/* SPDX-License-Identifier: MIT */
/*
 * netback.c - start, and the loop over the queues, their event channels and the tap.
 *
 * Owns the buffers. A queue of the tap is watched only while connected and while no packet waits
 * for the guest's buffers. Ports stay masked until a round is done.
 */
#include "netback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../common/log.h"
#include "state.h"

#define COALESCE_MAX_US 1000u
#define POLL_MAX_US 10000u
#define EVENTS 8

/* What an epoll event is about. */
enum { ON_CHANNEL = NET_QUEUES, ON_PORTS };

/* ---- loop ---- */

static void look_where_notified(struct netback *n, int port)
{
    for (unsigned i = 0; i < n->nr_queues; i++) {
        struct net_queue *q = &n->q[i];

        q->m->events += q->tx.port == port || q->rx.port == port;
        q->tx.look |= q->tx.port == port;
        q->rx.look |= q->rx.port == port && q->rx.held;
    }
}

static void event_arrived(struct netback *n)
{
    int port = evtchn_read(n->d->evt);

    if (port > 0 && n->nr_masked < 2 * NET_QUEUES) {
        n->masked[n->nr_masked++] = port;
        look_where_notified(n, port);
    }
}

static void look_everywhere(struct netback *n)
{
    for (unsigned i = 0; i < n->nr_queues; i++) {
        n->q[i].tx.look = true;
        n->q[i].rx.look |= n->q[i].rx.held != 0;
    }
}

static int wait_for_events(struct netback *n, bool more, struct epoll_event *ev)
{
    struct timespec gather = {.tv_nsec = n->coalesce_us * 1000l}, until = {0};
    uint64_t left;

    if (!more && throttle_time_left(n, &left)) {
        until.tv_nsec = (long)left;
        return epoll_pwait2(n->epfd, ev, EVENTS, &until, NULL);
    }
    if (more || !n->gathering) {
        return epoll_wait(n->epfd, ev, EVENTS, more ? 0 : -1);
    }
    look_everywhere(n);
    return n->poll_us ? epoll_wait(n->epfd, ev, EVENTS, 0)
                      : epoll_pwait2(n->epfd, ev, EVENTS, &gather, NULL);
}

static void net_run(struct device *d)
{
    struct netback *n = d->priv;
    struct epoll_event ev[EVENTS];

    while (!d->exit) {
        int nr = wait_for_events(n, net_serve(n), ev);

        for (int i = 0; i < nr && !d->exit; i++) {
            if (ev[i].data.u32 == ON_CHANNEL) {
                device_handle_channel(d);
            } else if (ev[i].data.u32 == ON_PORTS) {
                event_arrived(n);
            } else {
                n->q[ev[i].data.u32].rx.look = true;
            }
        }
    }
}

/* ---- start ---- */

static int watch(struct netback *n, int fd, uint32_t events, uint32_t what)
{
    struct epoll_event ev = {.events = events, .data.u32 = what};

    return epoll_ctl(n->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static uint8_t *alloc_buffers(struct netback *n, unsigned pages)
{
    bool plain = false;
    uint8_t *p = gntdev_alloc_local(n->d->gnt, pages, &plain);

    if (p && plain && !n->plain) {
        n->plain = true;
        log_line("packets are copied the slow way: xen-gntalloc does not give %u pages more; load "
                 "it, or write a greater number to /sys/module/xen_gntalloc/parameters/limit",
                 pages);
    }
    return p;
}

static int init_queue(struct netback *n, unsigned i)
{
    struct net_queue *q = &n->q[i];

    q->n = n;
    q->index = i;
    q->tap = CHANNEL_DEVICE_FD + (int)i;
    /* What a round sends is sent when it ends, so all queues can use the same pages for that. */
    q->tx.buffers = i ? n->q[0].tx.buffers : alloc_buffers(n, NET_TX_PAGES);
    q->rx.buffers = alloc_buffers(n, NET_RX_PAGES);
    q->m = &n->d->meter->queue[i];
    q->tx.answers = &n->journal->q[i].tx;
    q->rx.answers = &n->journal->q[i].rx;
    return q->tx.buffers && q->rx.buffers ? watch(n, q->tap, 0, i) : -ENOMEM;
}

/* Without its own addresses a guard would be none: then there is no device either. */
static int init_guard(struct netback *n, const struct channel_msg *start)
{
    const char *text = channel_get(start, "guard");
    char key[16];

    if (!text) {
        return 0;
    }
    if (!guard_set_mac(&n->guard, text)) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < GUARD_IPS; i++) {
        snprintf(key, sizeof(key), "ip%u", i);
        text = channel_get(start, key);
        if (text && !guard_add_ip(&n->guard, text)) {
            return -EINVAL;
        }
    }
    return 0;
}

/* Its descriptor comes after those of the tap's queues. */
static int init_mirror(struct netback *n, const struct channel_msg *start)
{
    const char *kind = channel_get(start, "mirror");

    return kind && !mirror_begin(&n->mirror, kind, CHANNEL_DEVICE_FD + (int)n->nr_taps) ? -EINVAL
                                                                                        : 0;
}

/* Its own comes last. */
static void init_capture(struct netback *n, const struct channel_msg *start)
{
    if (channel_get_flag(start, "capture")) {
        n->capture = capture_open(
            CHANNEL_DEVICE_FD + (int)n->nr_taps + (n->mirror.kind != MIRROR_NONE), CAPTURE_NET);
    }
}

static int init_journal(struct netback *n)
{
    if (n->d->journal) {
        n->journal = journal_body(n->d->journal);
    } else {
        n->journal = n->own_journal = calloc(1, sizeof(*n->journal));
    }
    return n->journal ? 0 : -ENOMEM;
}

static int init_meter(struct netback *n)
{
    clock_begin(&n->clock);
    if (!n->d->meter) {
        n->own_meter = n->d->meter = calloc(1, sizeof(*n->own_meter));
    }
    return n->d->meter ? 0 : -ENOMEM;
}

static int net_init(struct device *d, const struct channel_msg *start)
{
    struct netback *n = calloc(1, sizeof(*n));
    int rc = 0;

    if (!n) {
        return -ENOMEM;
    }
    n->d = d;
    d->priv = n;
    n->nr_taps = channel_get_or(start, "queues", NET_QUEUES, 1);
    n->coalesce_us = channel_get_or(start, "coalesce", COALESCE_MAX_US, 0);
    n->poll_us = channel_get_or(start, "poll", POLL_MAX_US, 0);
    n->arena = channel_get_or(start, "arena", 1, 1);
    n->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (init_journal(n) || init_meter(n) || n->epfd < 0 ||
        watch(n, d->channel, EPOLLIN, ON_CHANNEL) ||
        watch(n, evtchn_fd(d->evt), EPOLLIN, ON_PORTS)) {
        rc = -ENOMEM;
    }
    if (!rc) {
        rc = init_guard(n, start);
        rc = rc ? rc : init_mirror(n, start);
    }
    if (!rc) {
        init_capture(n, start);
        throttle_init(n);
    }
    for (unsigned i = 0; i < n->nr_taps && !rc; i++) {
        rc = init_queue(n, i);
    }
    net_prepare_serving();
    if (rc) {
        log_line("network: start: %s", strerror(-rc));
    }
    return rc;
}

void netback_fini(struct device *d)
{
    struct netback *n = d->priv;

    capture_close(n->capture);
    gntdev_free_local(d->gnt);
    close(n->epfd);
    free(n->own_journal);
    free(n->own_meter);
    free(n);
}

const struct device_ops netback_ops = {
    .class_name = "vif",
    .journal_format = NET_JOURNAL_FORMAT,
    .sandbox = &sandbox_net,
    .init = net_init,
    .advertise = net_advertise,
    .connect = net_connect,
    .disconnect = net_disconnect,
    .reconfigure = net_reconfigure,
    .run = net_run,
};
