/* SPDX-License-Identifier: MIT */
/*
 * netback.c - start, and the loop over the queues, their event channels and the tap.
 *
 * Owns the buffers. A queue of the tap is watched only while connected and while no packet waits
 * for the guest's buffers. Ports stay masked until a round is done.
 *
 * A guest that sends one way only (datagrams, say) would wake this process for each packet. After
 * ONE_WAY_ROUNDS such rounds the loop gathers: no event is asked for, the ring is looked at every
 * coalesce_us until IDLE_LOOKS looks in a row find nothing. A packet the other way ends it:
 * somebody waits for answers, and answers must not wait. While it gathers this process is more
 * urgent than those it sends to: each packet wakes its receiver, which would else run before the
 * next. With poll_us the loop looks again at once, for so long after the last packet.
 *
 * Who asks and waits for the answer has, on one CPU, the answer in the tap when the question is
 * written, and the next question in the ring when told of the answer. So where that was of use
 * before, the tap is read at once after a question; the guest is told that this went only then,
 * together with the answer, by one event; and it is asked for one only when its ring is found empty
 * after all that.
 */
#include "netback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../common/log.h"

#define ONE_WAY_ROUNDS 8u
#define IDLE_LOOKS 4u
#define QUESTIONS_AT_ONCE 16u /* before the other descriptors are looked at */
#define REPLY_APART_MAX 63u   /* rounds */
#define URGENT_NICE (-10)
#define LEAN_MAX 16u /* rounds */
#define COALESCE_MAX_US 1000u
#define POLL_MAX_US 10000u
#define EVENTS 8

/* What an epoll event is about. */
enum { ON_CHANNEL = NET_QUEUES, ON_PORTS };

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

/* ---- work ---- */

static void unmask(struct netback *n)
{
    while (n->nr_masked) {
        evtchn_unmask(n->d->evt, n->masked[--n->nr_masked]);
    }
}

static uint64_t packets(const struct netback *n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n->nr_queues; i++) {
        const struct net_queue *q = &n->q[i];

        sum += q->tx_packets + q->rx_packets + q->tx_dropped + q->rx_dropped;
    }
    return sum;
}

void net_be_urgent(struct netback *n, bool urgent)
{
    if (n->urgent != urgent) {
        n->urgent = urgent;
        setpriority(PRIO_PROCESS, 0, urgent ? URGENT_NICE : 0); /* or not: it is for speed */
    }
}

/* Turn what is under way into events again; whoever came before that is looked at now. */
static void stop_gathering(struct netback *n)
{
    n->gathering = false;
    n->one_way = n->idle_looks = 0;
    for (unsigned i = 0; i < n->nr_queues; i++) {
        n->q[i].tx.look = tx_want_event(&n->q[i]);
    }
}

static void choose_mode(struct netback *n, bool worked)
{
    if (n->poll_us) {
        uint64_t now = clock_kernel_ns();

        if (worked) {
            n->last_work = now;
            n->gathering = true;
        } else if (n->gathering && now - n->last_work > n->poll_us * 1000ull) {
            stop_gathering(n);
        }
    } else if (n->gathering) {
        n->idle_looks = worked ? 0 : n->idle_looks + 1;
        if (n->idle_looks == IDLE_LOOKS || !n->one_way) {
            stop_gathering(n);
        }
    } else if (n->coalesce_us && n->one_way >= ONE_WAY_ROUNDS) {
        n->gathering = true;
    }
}

/* Towards urgency by a round from the guest, away from it by one to it: the same would hurt there.
 */
static void lean(struct netback *n, bool from_guest, bool to_guest)
{
    n->lean += from_guest && n->lean < LEAN_MAX;
    n->lean -= to_guest && n->lean > 0;
    if (n->lean == LEAN_MAX || !n->lean) {
        net_be_urgent(n, n->lean);
    }
}

/*
 * Is it worth while to look for an answer as soon as the guest's packet is sent? After each time in
 * vain not for twice as long.
 */
bool net_reply_expected(struct net_queue *q)
{
    if (q->n->gathering || q->tx.untried++ < q->tx.between) {
        return false;
    }
    q->tx.untried = 0;
    return true;
}

static void learn_reply(struct net_queue *q, bool came)
{
    if (came) {
        q->tx.between = 0;
    } else if (q->tx.between < REPLY_APART_MAX) {
        q->tx.between = 2 * q->tx.between + 1;
    }
}

/* One round of each way. False: the device was failed. */
static bool serve_round(struct net_queue *q)
{
    struct netback *n = q->n;
    uint64_t sent = q->rx_packets;
    bool guest = q->tx.look;

    q->tx.packets_of_round = 0;
    q->tx.question = false;
    if (guest) {
        tx_serve(q);
        n->one_way += q->tx.packets_of_round != 0;
        q->rx.look |= q->tx.question;
    }
    if (n->d->connected && q->rx.look) {
        q->rx.look = rx_serve(q);
        if (n->d->connected) {
            net_watch_tap(q, !q->rx.held);
        }
        if (q->rx_packets != sent) {
            n->one_way = 0;
        }
    }
    if (!n->d->connected) {
        return false;
    }
    if (q->tx.question) {
        learn_reply(q, q->rx_packets != sent);
        net_tell(q); /* of what it sent; with an answer it heard of both at once */
    }
    lean(n, q->tx.packets_of_round, q->rx_packets != sent);
    if (guest) {
        q->tx.look = tx_waits(q) || q->tx.packets_of_round == NET_BATCH;
    }
    return true;
}

bool net_serve_queue(struct net_queue *q)
{
    bool guest = q->tx.look;
    unsigned rounds = 0;

    do {
        if (!serve_round(q)) {
            return false;
        }
    } while (q->tx.look && q->tx.question && ++rounds < QUESTIONS_AT_ONCE);
    if (guest && !q->tx.look && !q->n->gathering && !throttle_waits(q, METER_WRITE)) {
        q->tx.look = tx_want_event(q);
    }
    return true;
}

/* True if there is more to do without waiting. */
static bool serve(struct netback *n)
{
    uint64_t before = packets(n);
    bool more = false, worked;

    for (unsigned i = 0; i < n->nr_queues; i++) {
        if (!net_serve_queue(&n->q[i])) {
            return false;
        }
    }
    worked = packets(n) != before;
    if (worked && n->d->journal) {
        n->d->journal->progress++;
    }
    choose_mode(n, worked);
    if (n->nr_masked && !n->gathering) {
        backoff_account(&n->backoff, worked);
        unmask(n);
    }
    for (unsigned i = 0; i < n->nr_queues; i++) {
        more |= n->q[i].tx.look || n->q[i].rx.look;
    }
    return more;
}

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
        int nr = wait_for_events(n, serve(n), ev);

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

/* What net_be_urgent() needs once this process is nobody's. */
static void allow_urgency(void)
{
    const struct rlimit nice = {20 - URGENT_NICE, 20 - URGENT_NICE};

    if (setrlimit(RLIMIT_NICE, &nice)) {
        log_line("network: RLIMIT_NICE: %s; going on without", strerror(errno));
    }
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
    allow_urgency();
    prctl(PR_SET_TIMERSLACK, 1000ul); /* gathering is timed in microseconds */
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
