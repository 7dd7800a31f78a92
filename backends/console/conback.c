/* SPDX-License-Identifier: MIT */
/*
 * conback.c - a PV guest's primary console: ring of <xen/io/console.h>, one pty, a capped log.
 *
 * Owns the mapped ring page, its event channel and the backlog. The ring is always drained,
 * terminal or not: a guest's kernel spins when its console is full. Floods are slowed down by
 * leaving the ring alone until the byte budget is refilled (BE-12). Bytes are passed on as they
 * are, to the log and to the terminal that asked for them; nothing here looks inside.
 *
 * Descriptors from the host: pty master, pty slave (kept open, so that the master lives without a
 * terminal), inotify on the slave (who opens and closes it), log, its predecessor.
 *
 * Invariants: out_cons is ours to move and never passes out_prod; in_prod likewise never runs more
 * than the ring ahead of in_cons. The ring's positions are bytes, so that a new process goes on
 * where a killed one stopped.
 */
#include "conback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xen/io/console.h>

#include "../common/backoff.h"
#include "../common/log.h"
#include "../common/ring.h"
#include "backlog.h"
#include "logfile.h"

#define FD_MASTER CHANNEL_DEVICE_FD
#define FD_SLAVE (CHANNEL_DEVICE_FD + 1)
#define FD_INOTIFY (CHANNEL_DEVICE_FD + 2)
#define FD_LOG (CHANNEL_DEVICE_FD + 3)
#define FD_OLD_LOG (CHANNEL_DEVICE_FD + 4)

#define OUT_SIZE sizeof(((struct xencons_interface *)0)->out)
#define IN_SIZE sizeof(((struct xencons_interface *)0)->in)

#define BUDGET_BURST (512u * 1024)
#define BUDGET_PER_MS 512u
#define THROTTLE_MS 20
#define STUCK_MS 2000 /* a terminal we only guessed at that reads nothing for so long is none */

struct conback {
    struct device *d;
    uint32_t remote_port;
    struct xencons_interface *ring;
    int port;
    int epfd;
    int masked_port; /* fired, to be unmasked when the ring was served */
    struct logfile log;
    unsigned attached; /* opens of the pty seen, less closes */
    bool guessed;      /* attached was told by the host, not seen */
    bool want_out, want_in;
    uint64_t progress_ms; /* the terminal last took something, or had nothing to take */
    uint64_t budget, refilled_ms;
    struct backoff backoff;
    struct backlog backlog; /* last: its pages are touched when they are used */
};

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- terminal ---- */

static void watch_master(struct conback *c, bool in, bool out)
{
    struct epoll_event ev = {.data.fd = FD_MASTER};

    if (in == c->want_in && out == c->want_out) {
        return;
    }
    c->want_in = in;
    c->want_out = out;
    ev.events = (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u);
    epoll_ctl(c->epfd, EPOLL_CTL_MOD, FD_MASTER, &ev);
}

static void detached(struct conback *c)
{
    c->attached = 0;
    c->guessed = false;
    /* What nobody read must not greet the next one; the backlog will, in full. */
    tcflush(FD_MASTER, TCOFLUSH);
    tcflush(FD_SLAVE, TCIFLUSH);
}

static void feed_terminal(struct conback *c)
{
    const uint8_t *data;
    size_t len;
    bool blocked = false;

    while (c->attached && !blocked && (len = backlog_next(&c->backlog, &data)) > 0) {
        ssize_t n = write(FD_MASTER, data, len);

        if (n > 0) {
            backlog_taken(&c->backlog, (size_t)n);
            c->progress_ms = now_ms();
        } else {
            blocked = true;
        }
    }
    if (!blocked) {
        c->progress_ms = now_ms();
    } else if (c->guessed && now_ms() - c->progress_ms > STUCK_MS) {
        detached(c);
        blocked = false;
    }
    watch_master(c, c->want_in, blocked);
}

static void terminal_opened_or_closed(struct conback *c)
{
    char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(FD_INOTIFY, buf, sizeof(buf));

    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
        const struct inotify_event *ev = (const void *)(buf + at);

        if (ev->mask & IN_OPEN) {
            if (c->attached++ == 0) {
                backlog_rewind(&c->backlog);
            }
        } else if ((ev->mask & IN_CLOSE) && c->attached && --c->attached == 0) {
            detached(c);
        }
        at += (ssize_t)(sizeof(*ev) + ev->len);
    }
    feed_terminal(c);
}

/* ---- ring ---- */

static void refill_budget(struct conback *c)
{
    uint64_t now = now_ms();

    c->budget += (now - c->refilled_ms) * BUDGET_PER_MS;
    if (c->budget > BUDGET_BURST) {
        c->budget = BUDGET_BURST;
    }
    c->refilled_ms = now;
}

/* Guest to us: true if anything was taken. */
static bool drain_output(struct conback *c)
{
    uint8_t buf[OUT_SIZE];
    XENCONS_RING_IDX cons = READ_ONCE(c->ring->out_cons);
    XENCONS_RING_IDX prod = ring_producer(&c->ring->out_prod);
    uint32_t len = prod - cons;

    if (len > OUT_SIZE) {
        device_fail(c->d, "console ring: producer %u is impossible (consumer %u)", prod, cons);
        return false;
    }
    if (!len || len > c->budget) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)READ_ONCE(c->ring->out[(cons + i) % OUT_SIZE]);
    }
    xen_mb(); /* the bytes are read before the guest may reuse their place */
    WRITE_ONCE(c->ring->out_cons, cons + len);
    evtchn_notify(c->d->evt, c->port);
    c->budget -= len;
    logfile_write(&c->log, buf, len);
    backlog_append(&c->backlog, buf, len);
    return true;
}

/* Us to guest: as much as both sides have. */
static void fill_input(struct conback *c)
{
    uint8_t buf[IN_SIZE];
    XENCONS_RING_IDX prod = READ_ONCE(c->ring->in_prod);
    XENCONS_RING_IDX cons = READ_ONCE(c->ring->in_cons);
    uint32_t used = prod - cons;
    ssize_t n;

    /* Full, or the guest's index lies: either way nothing can be put there. */
    if (used >= IN_SIZE) {
        watch_master(c, false, c->want_out);
        return;
    }
    n = read(FD_MASTER, buf, IN_SIZE - used);
    watch_master(c, true, c->want_out);
    if (n <= 0) {
        return;
    }
    xen_mb(); /* the guest has read what was there */
    for (ssize_t i = 0; i < n; i++) {
        WRITE_ONCE(c->ring->in[(prod + (uint32_t)i) % IN_SIZE], (char)buf[i]);
    }
    xen_wmb();
    WRITE_ONCE(c->ring->in_prod, prod + (uint32_t)n);
    evtchn_notify(c->d->evt, c->port);
}

/* Serve the ring; milliseconds until it wants to be looked at again without an event, -1: none. */
static int serve(struct conback *c)
{
    bool worked;
    bool throttled;

    if (!c->d->connected) {
        return -1;
    }
    refill_budget(c);
    worked = drain_output(c);
    if (!c->d->connected) {
        return -1;
    }
    throttled = c->budget < OUT_SIZE;
    if (!c->want_in) {
        fill_input(c); /* the guest may have made room */
    }
    feed_terminal(c);
    if (c->masked_port && !throttled) {
        backoff_account(&c->backoff, worked);
        evtchn_unmask(c->d->evt, c->masked_port);
        c->masked_port = 0;
    }
    if (throttled) {
        return THROTTLE_MS;
    }
    if (worked) {
        return 0; /* more may have come before the unmask; an idle look costs little */
    }
    return c->want_out && c->guessed ? STUCK_MS : -1;
}

/* ---- life ---- */

static int con_connect(struct device *d, const struct channel_msg *front, struct channel_msg *back)
{
    struct conback *c = d->priv;
    uint32_t ref = GNTTAB_RESERVED_CONSOLE;

    (void)front;
    (void)back;
    c->ring = gntdev_map(d->gnt, 1, &ref, true);
    if (!c->ring) {
        device_fail(d, "console ring (grant %u) cannot be mapped: %s", ref, strerror(errno));
        return -EINVAL;
    }
    c->port = evtchn_bind(d->evt, c->remote_port);
    if (c->port < 0) {
        device_fail(d, "console port %u cannot be bound: %s", c->remote_port, strerror(-c->port));
        gntdev_unmap(d->gnt, c->ring, 1);
        return -EINVAL;
    }
    return 0;
}

static void con_disconnect(struct device *d)
{
    struct conback *c = d->priv;

    evtchn_unbind(d->evt, c->port);
    gntdev_unmap(d->gnt, c->ring, 1);
    c->ring = NULL;
    c->masked_port = 0;
}

static void con_advertise(struct device *d, struct channel_msg *back)
{
    (void)d;
    (void)back;
}

static int watch(struct conback *c, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.fd = fd};

    return epoll_ctl(c->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int con_init(struct device *d, const struct channel_msg *start)
{
    struct conback *c = malloc(sizeof(*c));
    bool log = channel_get_flag(start, "log");
    uint64_t port = 0, log_max = 0;
    int rc;

    if (!c || !channel_get_u64(start, "port", UINT32_MAX, &port) ||
        !channel_get_u64(start, "log-max", UINT64_MAX, &log_max)) {
        free(c);
        return -EINVAL;
    }
    memset(c, 0, offsetof(struct conback, backlog.data));
    c->d = d;
    d->priv = c;
    c->remote_port = (uint32_t)port;
    c->guessed = channel_get_flag(start, "attached");
    c->attached = c->guessed;
    c->budget = BUDGET_BURST;
    c->refilled_ms = c->progress_ms = now_ms();
    rc = logfile_init(&c->log, log ? FD_LOG : -1, log ? FD_OLD_LOG : -1, log_max);
    c->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (rc || c->epfd < 0 || watch(c, d->channel, EPOLLIN) ||
        watch(c, evtchn_fd(d->evt), EPOLLIN) || watch(c, FD_MASTER, EPOLLIN) ||
        watch(c, FD_INOTIFY, EPOLLIN)) {
        log_line("console: descriptors: %s", strerror(errno));
        return -EINVAL;
    }
    c->want_in = true;
    return 0;
}

static void handle(struct conback *c, const struct epoll_event *ev)
{
    int fd = ev->data.fd;

    if (fd == c->d->channel) {
        device_handle_channel(c->d);
    } else if (fd == evtchn_fd(c->d->evt)) {
        int port = evtchn_read(c->d->evt);

        c->masked_port = port > 0 ? port : 0;
    } else if (fd == FD_INOTIFY) {
        terminal_opened_or_closed(c);
    } else if (fd == FD_MASTER && c->d->connected && (ev->events & EPOLLIN)) {
        fill_input(c);
    }
}

static void con_run(struct device *d)
{
    struct conback *c = d->priv;
    struct channel_msg go;
    struct epoll_event ev[4];

    /* Nobody else tells a console to connect: its ring is there before the guest runs. */
    channel_init(&go, CHANNEL_FRONT);
    channel_addf(&go, "state", "%d", XenbusStateInitialised);
    device_handle_message(d, &go);
    while (!d->exit) {
        int timeout = serve(c);
        int n = epoll_wait(c->epfd, ev, 4, timeout);

        for (int i = 0; i < n && !d->exit; i++) {
            handle(c, &ev[i]);
        }
    }
}

const struct device_ops conback_ops = {
    .class_name = "console",
    .sandbox = &sandbox_console,
    .takes_over = true,
    .unmetered = true,
    .init = con_init,
    .advertise = con_advertise,
    .connect = con_connect,
    .disconnect = con_disconnect,
    .run = con_run,
};
