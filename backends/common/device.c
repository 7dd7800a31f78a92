/* SPDX-License-Identifier: MIT */
/*
 * device.c - start-up and state machine shared by all backends.
 *
 * Owns struct device. Invariant: ops->disconnect is called exactly once for each ops->connect that
 * returned 0. Leaves the data path and the waiting to the class.
 */
#include "device.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define BIND_TRIES 2000 /* of a millisecond */

static void send_message(struct device *d, const struct channel_msg *m)
{
    int rc = channel_send(d->channel, m);

    /* The host reads promptly; a full socket or a closed one means that it is gone or stuck. */
    if (rc) {
        log_line("host does not take messages (%s), ending", strerror(-rc));
        d->exit = true;
    }
}

static void send_state(struct device *d, enum xenbus_state state)
{
    struct channel_msg m;

    if (d->state == state) {
        return;
    }
    d->state = state;
    channel_init(&m, CHANNEL_BACK);
    channel_addf(&m, "state", "%d", state);
    send_message(d, &m);
}

static void drop_connection(struct device *d)
{
    if (d->connected) {
        d->connected = false;
        d->ops->disconnect(d);
    }
    if (d->journal) {
        journal_forget(d->journal);
    }
}

void device_fail(struct device *d, const char *fmt, ...)
{
    struct channel_msg m;
    char why[CHANNEL_VALUE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    log_line("device stopped: %s", why);
    channel_init(&m, CHANNEL_FAIL);
    channel_add(&m, "reason", why);
    send_message(d, &m);
    drop_connection(d);
    send_state(d, XenbusStateClosing);
}

static void go_closed(struct device *d)
{
    drop_connection(d);
    d->stale = false;
    send_state(d, XenbusStateClosed);
    if (d->closing) {
        d->exit = true;
    }
}

static void go_init_wait(struct device *d)
{
    struct channel_msg m;

    drop_connection(d);
    d->stale = false;
    if (d->closing) {
        go_closed(d);
        return;
    }
    if (d->state == XenbusStateInitWait) {
        return;
    }
    d->state = XenbusStateInitWait;
    channel_init(&m, CHANNEL_BACK);
    channel_addf(&m, "state", "%d", XenbusStateInitWait);
    d->ops->advertise(d, &m);
    send_message(d, &m);
}

/*
 * A front that is connected when we come belongs to a predecessor. With his journal we go on where
 * he was; else its ring cannot be taken over and it must start again.
 */
static bool find_predecessor(struct device *d, const struct channel_msg *front)
{
    if (d->state != XenbusStateInitialising) {
        return !d->stale && d->state == XenbusStateInitWait;
    }
    d->resuming = d->journal && d->ops->journal_format &&
                  journal_describes(d->journal, d->ops->journal_format, front);
    if (d->resuming || d->ops->takes_over) {
        return true;
    }
    d->stale = true;
    send_state(d, XenbusStateClosing);
    return false;
}

static void try_connect(struct device *d, const struct channel_msg *front)
{
    struct channel_msg m;
    bool resuming;

    if (d->connected && d->state == XenbusStateReconfigured) {
        send_state(d, XenbusStateConnected);
    }
    if (d->connected || d->closing || !find_predecessor(d, front)) {
        return;
    }
    channel_init(&m, CHANNEL_BACK);
    channel_addf(&m, "state", "%d", XenbusStateConnected);
    resuming = d->resuming;
    if (d->ops->connect(d, front, &m)) {
        d->resuming = false;
        return;
    }
    d->resuming = false;
    d->connected = true;
    d->state = XenbusStateConnected;
    if (resuming) {
        d->journal->takeovers++;
        return; /* the store says Connected already: the guest is not to notice */
    }
    if (d->journal && d->ops->journal_format) {
        journal_connected(d->journal, d->ops->journal_format, front);
    }
    send_message(d, &m);
}

/* The front changes what may change of a connection, and goes back to Connected by itself. */
static void reconfigure(struct device *d, const struct channel_msg *front)
{
    if (!d->connected || !d->ops->reconfigure) {
        return;
    }
    d->ops->reconfigure(d, front);
    if (d->connected) {
        if (d->journal && d->ops->journal_format) {
            journal_connected(d->journal, d->ops->journal_format, front);
        }
        send_state(d, XenbusStateReconfigured);
    }
}

static void front_changed(struct device *d, const struct channel_msg *m)
{
    uint64_t state = XenbusStateUnknown;

    channel_get_u64(m, "state", XenbusStateReconfigured, &state);
    d->front_state = (enum xenbus_state)state;
    switch (d->front_state) {
    case XenbusStateInitialising:
    case XenbusStateInitWait:
        go_init_wait(d);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        try_connect(d, m);
        break;
    case XenbusStateClosing:
        if (d->connected) {
            send_state(d, XenbusStateClosing);
        } else {
            go_closed(d);
        }
        break;
    case XenbusStateClosed:
    case XenbusStateUnknown:
        go_closed(d);
        break;
    case XenbusStateReconfiguring:
        reconfigure(d, m);
        break;
    case XenbusStateReconfigured:
        break;
    }
}

static void close_asked(struct device *d)
{
    d->closing = true;
    if (d->connected && !d->ops->takes_over) { /* a console's front knows no states */
        send_state(d, XenbusStateClosing);
    } else {
        go_closed(d);
    }
}

void device_handle_message(struct device *d, const struct channel_msg *m)
{
    switch (m->type) {
    case CHANNEL_FRONT:
        front_changed(d, m);
        break;
    case CHANNEL_CLOSE:
        close_asked(d);
        break;
    case CHANNEL_RESIZE:
        if (d->ops->resized) {
            d->ops->resized(d);
        }
        break;
    case CHANNEL_LINK:
        if (d->ops->link && d->passed >= 0) {
            d->ops->link(d, d->passed);
            d->passed = -1;
        }
        break;
    case CHANNEL_START:
    case CHANNEL_BACK:
    case CHANNEL_FAIL:
        log_line("host sent a message of type %d, ending", m->type);
        d->exit = true;
        break;
    }
}

/* Only a class that takes connections may receive descriptors at all. */
static int receive(struct device *d, struct channel_msg *m)
{
    d->passed = -1;
    return d->ops->link ? channel_recv_fd(d->channel, m, &d->passed) : channel_recv(d->channel, m);
}

void device_handle_channel(struct device *d)
{
    struct channel_msg m;
    int rc = 1;

    while (!d->exit && (rc = receive(d, &m)) > 0) {
        device_handle_message(d, &m);
        if (d->passed >= 0) {
            close(d->passed);
        }
    }
    if (rc <= 0 && rc != -EAGAIN) {
        d->exit = true;
    }
}

void device_announce(struct device *d, const struct channel_msg *m)
{
    send_message(d, m);
}

void device_ask_link(struct device *d)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_LINK);
    send_message(d, &m);
}

/* A predecessor's port is closed a moment after its end. */
int device_bind(struct device *d, uint32_t remote_port)
{
    static const struct timespec pause = {.tv_nsec = 1000000};
    int rc = evtchn_bind(d->evt, remote_port);

    for (unsigned i = 0; rc < 0 && d->resuming && i < BIND_TRIES; i++) {
        nanosleep(&pause, NULL);
        rc = evtchn_bind(d->evt, remote_port);
    }
    return rc;
}

static int receive_start(struct device *d, struct channel_msg *start, uint64_t *uid)
{
    struct pollfd pfd = {.fd = d->channel, .events = POLLIN};
    uint64_t domid, devid, state;

    if (poll(&pfd, 1, 10000) != 1 || channel_recv(d->channel, start) != 1 ||
        start->type != CHANNEL_START ||
        !channel_get_u64(start, "domid", DOMID_FIRST_RESERVED - 1, &domid) ||
        !channel_get_u64(start, "devid", UINT32_MAX, &devid) ||
        !channel_get_u64(start, "uid", UINT32_MAX - 1, uid) || *uid == 0) {
        log_line("no valid start message: this program is run by the device host, not by hand");
        return -EPROTO;
    }
    d->domid = (unsigned)domid;
    d->devid = (unsigned)devid;
    /* A predecessor had advertised, and the guest answers to that. */
    if (channel_get_u64(start, "back-state", XenbusStateReconfigured, &state) &&
        state == XenbusStateInitWait) {
        d->state = XenbusStateInitWait;
    }
    return 0;
}

/* The host made it, of this version and size. */
static int map_meter(struct device *d, const struct channel_msg *start)
{
    struct meter_group *group;

    d->meter =
        mmap(NULL, sizeof(*d->meter), PROT_READ | PROT_WRITE, MAP_SHARED, CHANNEL_METER_FD, 0);
    if (d->meter == MAP_FAILED) {
        return -errno;
    }
    d->limits[d->nr_limits++] = &d->meter->limit;
    if (channel_get_flag(start, "group")) {
        group = mmap(NULL, sizeof(*group), PROT_READ | PROT_WRITE, MAP_SHARED, CHANNEL_GROUP_FD, 0);
        if (group == MAP_FAILED) {
            return -errno;
        }
        d->limits[d->nr_limits++] = &group->limit;
    }
    return 0;
}

static int open_devices(struct device *d, const struct channel_msg *start)
{
    int rc = gntdev_open(&d->gnt, d->domid);

    if (rc) {
        log_line("/dev/xen/gntdev: %s (is module xen-gntdev loaded?)", strerror(-rc));
        return rc;
    }
    rc = evtchn_open(&d->evt, d->domid);
    if (rc) {
        log_line("/dev/xen/evtchn: %s (is module xen-evtchn loaded?)", strerror(-rc));
        return rc;
    }
    d->journal = journal_map(CHANNEL_JOURNAL_FD);
    if (!d->journal) {
        rc = -errno;
        log_line("journal: %s", strerror(errno));
        return rc;
    }
    rc = d->ops->unmetered ? 0 : map_meter(d, start);
    if (rc) {
        log_line("meter: %s", strerror(-rc));
    }
    return rc;
}

int device_main(const struct device_ops *ops, int argc, char **argv)
{
    struct device d = {
        .ops = ops, .channel = CHANNEL_FD, .passed = -1, .state = XenbusStateInitialising};
    struct channel_msg start;
    sigset_t none;
    uint64_t uid;
    const char *step;
    int rc;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* the host started us with all blocked */
    if (argc != 1) {
        printf("%s: device backend; started by the device host (tenue-device, or the supervisor)\n",
               argv[0]);
        return 2;
    }
    if (receive_start(&d, &start, &uid) || open_devices(&d, &start) || ops->init(&d, &start)) {
        return 1;
    }
    rc = sandbox_enter(ops->sandbox, (uid_t)uid, &step);
    if (rc) {
        log_line("cannot drop privileges at step \"%s\": %s", step, strerror(-rc));
        return 1;
    }
    if (step) {
        log_line("confined, but %s", step);
    }
    ops->run(&d);
    drop_connection(&d);
    return 0;
}
