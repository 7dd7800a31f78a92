/* SPDX-License-Identifier: MIT */
/*
 * device.c - the life of one device on the host's side: start, relay keys both ways, close, death,
 * restart, free.
 *
 * Owns struct devhost_device and its event registrations. Invariants: while phase is not
 * PHASE_ENDED there is a process, or a timer that will start one; a backend's message is acted on
 * only after the channel's decoder and the class's allow-list let it through; callbacks run only
 * from handlers here, last, since they may free the device.
 *
 * The guest decides how often its state node changes: looks at it are limited to RELAY_BURST,
 * refilled at RELAY_PER_S a second (BE-9).
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <xen/io/xenbus.h>

#include "host.h"

#define RELAY_BURST 50u
#define RELAY_PER_S 20u
#define CLOSE_TIMEOUT_MS 5000u

void device_emit(struct devhost_device *dev, enum devhost_event ev, const char *detail)
{
    if (dev->host->cfg.on_event) {
        dev->host->cfg.on_event(dev, ev, detail, dev->host->cfg.arg);
    }
}

void device_arm_timer(struct event *timer, unsigned ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

    evtimer_add(timer, &tv);
}

void device_set_back_state(struct devhost_device *dev, unsigned state)
{
    char text[4];

    if (dev->back_state == state) {
        return;
    }
    dev->back_state = state;
    snprintf(text, sizeof(text), "%u", state);
    nodes_write_one(dev, "state", text);
}

void device_set_error(struct devhost_device *dev, const char *why)
{
    snprintf(dev->last_error, sizeof(dev->last_error), "%.255s", why);
    nodes_write_one(dev, "error", why);
}

/* ---- front to backend ---- */

static bool take_relay_token(struct devhost_device *dev)
{
    uint64_t now = now_ms();
    uint64_t gained = (now - dev->relay_refilled_ms) * RELAY_PER_S / 1000;

    if (gained) {
        dev->relay_tokens = gained + dev->relay_tokens > RELAY_BURST
                                ? RELAY_BURST
                                : dev->relay_tokens + (unsigned)gained;
        dev->relay_refilled_ms = now;
    }
    if (!dev->relay_tokens) {
        return false;
    }
    dev->relay_tokens--;
    return true;
}

void device_front_changed(struct devhost_device *dev)
{
    struct channel_msg m;
    uint64_t state = 0;
    int rc;

    if (dev->channel < 0 || dev->spec.cls == DEVHOST_CONSOLE) {
        return;
    }
    if (!take_relay_token(dev)) {
        if (!evtimer_pending(dev->relay_timer, NULL)) {
            device_arm_timer(dev->relay_timer, 1000 / RELAY_PER_S);
        }
        return;
    }
    channel_init(&m, CHANNEL_FRONT);
    nodes_read_front(dev, &m);
    channel_get_u64(&m, "state", XenbusStateReconfigured, &state);
    /* The watch covers the whole directory; only its state tells the backend anything. */
    if (dev->front_seen && dev->front_state == (unsigned)state) {
        return;
    }
    dev->front_seen = true;
    dev->front_state = (unsigned)state;
    rc = channel_send(dev->channel, &m);
    if (rc) {
        device_log(dev, "backend does not take messages: %s", strerror(-rc));
    }
}

static void on_relay_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    device_front_changed(arg);
}

/* ---- backend to store ---- */

static bool back_message_allowed(struct devhost_device *dev, const struct channel_msg *m)
{
    const char *const *list = channel_back_keys(class_node(dev->spec.cls));

    for (unsigned i = 0; i < m->count; i++) {
        if (!channel_key_allowed(list, channel_key(m, i))) {
            device_log(dev, "backend may not write key \"%s\"; killed", channel_key(m, i));
            return false;
        }
    }
    return true;
}

/* The event that a new state of the backend amounts to; true if there is one. */
static bool state_event(struct devhost_device *dev, unsigned state, enum devhost_event *ev)
{
    unsigned before = dev->back_state;
    /* A console has nobody to wait for. */
    unsigned ready = dev->spec.cls == DEVHOST_CONSOLE ? XenbusStateConnected : XenbusStateInitWait;

    dev->back_state = state;
    if (!dev->ready && state == ready) {
        dev->ready = true;
        *ev = DEVHOST_EV_READY;
        return true;
    }
    if (state == before) {
        return false;
    }
    if (state == XenbusStateConnected) {
        *ev = DEVHOST_EV_CONNECTED;
        return true;
    }
    if (state == XenbusStateClosed && before != XenbusStateInitialising) {
        *ev = DEVHOST_EV_CLOSED;
        return dev->phase == PHASE_RUNNING; /* an unplug reports when the process has ended */
    }
    return false;
}

static void back_message(struct devhost_device *dev, const struct channel_msg *m)
{
    uint64_t state;
    enum devhost_event ev;
    bool tell = false;
    int rc = nodes_write_back(dev, m);

    if (rc && rc != -ENOENT) { /* without nodes the toolstack has taken the device away already */
        device_log(dev, "cannot write %s: %s", dev->back, strerror(-rc));
    }
    if (channel_get_u64(m, "state", XenbusStateReconfigured, &state)) {
        tell = state_event(dev, (unsigned)state, &ev);
    }
    if (tell) {
        device_emit(dev, ev, "");
    }
}

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
    struct devhost_device *dev = arg;
    struct channel_msg m;
    char reason[CHANNEL_VALUE_MAX + 1];
    int rc = channel_recv(fd, &m);

    (void)what;
    if (rc == -EAGAIN) {
        return;
    }
    if (rc <= 0) {
        if (rc == -EBADMSG) {
            device_log(dev, "backend sent what is no message; killed");
            kill(dev->pid, SIGKILL);
        }
        event_del(dev->channel_event); /* the pidfd tells the rest */
        return;
    }
    switch (m.type) {
    case CHANNEL_BACK:
        if (!back_message_allowed(dev, &m)) {
            kill(dev->pid, SIGKILL);
            return;
        }
        back_message(dev, &m);
        return;
    case CHANNEL_FAIL:
        snprintf(reason, sizeof(reason), "%s",
                 channel_get(&m, "reason") ? channel_get(&m, "reason") : "");
        device_set_error(dev, reason);
        device_emit(dev, DEVHOST_EV_ERROR, reason);
        return;
    case CHANNEL_LINK:
        link_asked(dev);
        return;
    case CHANNEL_START:
    case CHANNEL_FRONT:
    case CHANNEL_CLOSE:
    case CHANNEL_RESIZE:
        device_log(dev, "backend sent a message of type %d; killed", m.type);
        kill(dev->pid, SIGKILL);
        return;
    }
}

static void on_log(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    spawn_relay_log(arg);
}

/* ---- process: events, death, restart ---- */

static void free_event(struct event **ev)
{
    if (*ev) {
        event_free(*ev);
        *ev = NULL;
    }
}

static void drop_process_events(struct devhost_device *dev)
{
    free_event(&dev->channel_event);
    free_event(&dev->pid_event);
    free_event(&dev->log_event);
    free_event(&dev->life_event);
}

static void on_exit_of_process(evutil_socket_t fd, short what, void *arg);

int device_start_process(struct devhost_device *dev, char *err, size_t err_len)
{
    struct event_base *base = dev->host->cfg.base;
    int rc = spawn_backend(dev, err, err_len);

    if (rc) {
        return rc;
    }
    dev->channel_event = event_new(base, dev->channel, EV_READ | EV_PERSIST, on_channel, dev);
    dev->pid_event = event_new(base, dev->pidfd, EV_READ, on_exit_of_process, dev);
    dev->log_event = event_new(base, dev->log_fd, EV_READ | EV_PERSIST, on_log, dev);
    if (!dev->channel_event || !dev->pid_event || !dev->log_event ||
        event_add(dev->channel_event, NULL) || event_add(dev->pid_event, NULL) ||
        event_add(dev->log_event, NULL)) {
        drop_process_events(dev);
        spawn_kill(dev);
        return err_set(err, err_len, -ENOMEM, "%s: out of memory", dev->name);
    }
    dev->front_seen = false;
    dev->progress = spawn_progress(dev);
    dev->started_ms = now_ms();
    return 0;
}

static void describe_end(const struct devhost_device *dev, int status, char *buf, size_t len)
{
    if (WIFSIGNALED(status)) {
        snprintf(buf, len, "backend process %d was killed by signal %d (%s)", dev->pid,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        snprintf(buf, len, "backend process %d ended with status %d", dev->pid,
                 WEXITSTATUS(status));
    }
}

/* Last words may sit in the channel and the log when the process is already gone. */
static void drain_last_words(struct devhost_device *dev)
{
    struct channel_msg m;

    spawn_relay_log(dev);
    while (channel_recv(dev->channel, &m) > 0) {
        if (m.type == CHANNEL_BACK && back_message_allowed(dev, &m)) {
            nodes_write_back(dev, &m);
        } else if (m.type == CHANNEL_FAIL && channel_get(&m, "reason")) {
            device_set_error(dev, channel_get(&m, "reason"));
        }
    }
}

/* Nothing of the process is left, nor of its I/O: its successor may touch the image. */
static void on_life_end(evutil_socket_t fd, short what, void *arg)
{
    struct devhost_device *dev = arg;
    char byte;

    (void)what;
    if (read(fd, &byte, 1) != 0) {
        return;
    }
    drop_process_events(dev);
    spawn_kill(dev);
    if (!link_settle(dev)) {
        device_settled(dev);
    }
}

void device_settled(struct devhost_device *dev)
{
    if (dev->phase == PHASE_RUNNING) {
        restart_after(dev, dev->last_error);
    }
}

/*
 * What a dead process had handed to the kernel may be under way still, and would overwrite what its
 * successor writes: the pipe in its io_uring is closed when the kernel is done with all of it.
 */
static bool await_its_io(struct devhost_device *dev)
{
    int fd = dev->life_fd;

    free_event(&dev->channel_event);
    free_event(&dev->pid_event);
    free_event(&dev->log_event);
    dev->life_fd = -1;
    spawn_kill(dev);
    dev->life_fd = fd;
    dev->life_event = event_new(dev->host->cfg.base, fd, EV_READ | EV_PERSIST, on_life_end, dev);
    return dev->life_event && !event_add(dev->life_event, NULL);
}

static void on_exit_of_process(evutil_socket_t fd, short what, void *arg)
{
    struct devhost_device *dev = arg;
    char detail[DEVHOST_ERR_MAX];
    int status = 0;

    (void)fd;
    (void)what;
    if (waitpid(dev->pid, &status, WNOHANG) == 0) {
        event_add(dev->pid_event, NULL);
        return;
    }
    describe_end(dev, status, detail, sizeof(detail));
    dev->pid = 0;
    dev->died_ms = now_ms();
    drain_last_words(dev);
    if (dev->phase == PHASE_CLOSING) {
        drop_process_events(dev);
        spawn_kill(dev);
        dev->phase = PHASE_ENDED;
        evtimer_del(dev->timer);
        device_set_back_state(dev, XenbusStateClosed);
        device_emit(dev, DEVHOST_EV_CLOSED, "");
        return;
    }
    device_log(dev, "%s", detail);
    snprintf(dev->last_error, sizeof(dev->last_error), "%s", detail);
    if (!await_its_io(dev)) {
        restart_after(dev, detail);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct devhost_device *dev = arg;

    (void)fd;
    (void)what;
    if (dev->phase == PHASE_CLOSING && dev->pid > 0) {
        device_log(dev, "guest did not close in time; closing without it");
        kill(dev->pid, SIGKILL);
    } else if (dev->phase == PHASE_CLOSING) {
        dev->phase = PHASE_ENDED; /* closed while waiting to be restarted */
        device_set_back_state(dev, XenbusStateClosed);
        device_emit(dev, DEVHOST_EV_CLOSED, "");
    } else if (dev->phase == PHASE_RUNNING && dev->pid == 0) {
        restart_now(dev);
    }
}

/* ---- the interface ---- */

static char *dup_or_null(const char *s)
{
    return s ? strdup(s) : NULL;
}

static void copy_spec(struct devhost_device *dev, const struct devhost_spec *spec)
{
    dev->spec = *spec;
    dev->spec.block.path = dup_or_null(spec->block.path);
    dev->spec.limit_group = dup_or_null(spec->limit_group);
    dev->spec.block.vdev = dup_or_null(spec->block.vdev);
    dev->spec.block.base = dup_or_null(spec->block.base);
    dev->spec.capture = dup_or_null(spec->capture);
    dev->spec.net.bridge = dup_or_null(spec->net.bridge);
    dev->spec.net.ifname = dup_or_null(spec->net.ifname);
    dev->spec.net.mirror = dup_or_null(spec->net.mirror);
    dev->spec.console.log_path = dup_or_null(spec->console.log_path);
}

static void free_spec(struct devhost_spec *spec)
{
    free((char *)(uintptr_t)spec->block.path);
    free((char *)(uintptr_t)spec->limit_group);
    free((char *)(uintptr_t)spec->block.vdev);
    free((char *)(uintptr_t)spec->block.base);
    free((char *)(uintptr_t)spec->capture);
    free((char *)(uintptr_t)spec->net.bridge);
    free((char *)(uintptr_t)spec->net.ifname);
    free((char *)(uintptr_t)spec->net.mirror);
    free((char *)(uintptr_t)spec->console.log_path);
}

static struct devhost_device *device_new(struct devhost *h, const struct devhost_spec *spec)
{
    struct devhost_device *dev = calloc(1, sizeof(*dev));

    if (!dev) {
        return NULL;
    }
    dev->host = h;
    dev->pidfd = dev->channel = dev->log_fd = dev->life_fd = dev->res.journal = -1;
    dev->res.meter = dev->res.group = dev->res.capture = -1;
    dev->relay_tokens = RELAY_BURST;
    dev->relay_refilled_ms = now_ms();
    dev->back_state = XenbusStateInitialising;
    copy_spec(dev, spec);
    snprintf(dev->name, sizeof(dev->name), "%s %u/%u", class_node(spec->cls), spec->domid,
             spec->devid);
    devhost_front_path(spec, dev->front, sizeof(dev->front));
    devhost_back_path(spec, dev->back, sizeof(dev->back));
    dev->timer = evtimer_new(h->cfg.base, on_timer, dev);
    dev->relay_timer = evtimer_new(h->cfg.base, on_relay_timer, dev);
    dev->next = h->devices;
    h->devices = dev;
    return dev;
}

/* What the store must say before the backend's first word. */
static int publish(struct devhost_device *dev)
{
    struct channel_msg m;

    if (dev->spec.cls == DEVHOST_CONSOLE) {
        char path[PATH_BUF + 8];

        snprintf(path, sizeof(path), "%s/tty", dev->front);
        return xsc_write(dev->host->xs, XSC_NO_TRANSACTION, path, dev->res.tty) ? 0 : -errno;
    }
    channel_init(&m, CHANNEL_BACK);
    if (dev->spec.cls == DEVHOST_NET) {
        channel_add(&m, "vifname", dev->res.ifname);
    }
    channel_add(&m, "hotplug-status", "connected");
    return nodes_write_back(dev, &m);
}

int devhost_device_start(struct devhost *h, const struct devhost_spec *spec,
                         struct devhost_device **out, char *err, size_t err_len)
{
    struct devhost_device *dev = device_new(h, spec);
    int rc;

    *out = NULL;
    err_set(err, err_len, 0, "%s", "");
    if (!dev || !dev->timer || !dev->relay_timer) {
        rc = err_set(err, err_len, -ENOMEM, "out of memory");
        goto out_free;
    }
    rc = resources_open(dev, err, err_len);
    if (rc) {
        goto out_free;
    }
    rc = publish(dev);
    if (rc) {
        err_set(err, err_len, rc,
                "%s: cannot write %s in xenstore: %s (write the device's nodes first)", dev->name,
                dev->back, strerror(-rc));
        goto out_free;
    }
    rc = device_start_process(dev, err, err_len);
    if (rc) {
        goto out_free;
    }
    /* A new watch fires at once, which relays the state that the front has now. A console's front
     * has none. */
    if (spec->cls != DEVHOST_CONSOLE && !xsc_watch(h->xs, dev->front, dev->front)) {
        rc = err_set(err, err_len, -errno, "%s: cannot watch %s: %s", dev->name, dev->front,
                     strerror(errno));
        goto out_free;
    }
    *out = dev;
    return 0;

out_free:
    devhost_device_free(dev);
    return rc;
}

int devhost_device_close(struct devhost_device *dev, unsigned timeout_ms)
{
    struct channel_msg m;

    if (dev->phase != PHASE_RUNNING) {
        return dev->phase == PHASE_CLOSING ? -EALREADY : -ESRCH;
    }
    dev->phase = PHASE_CLOSING;
    nodes_write_one(dev, "online", "0");
    device_arm_timer(dev->timer, dev->channel < 0 ? 1 : timeout_ms ? timeout_ms : CLOSE_TIMEOUT_MS);
    if (dev->channel < 0) {
        return 0;
    }
    channel_init(&m, CHANNEL_CLOSE);
    return channel_send(dev->channel, &m);
}

int devhost_device_resize(struct devhost_device *dev)
{
    struct channel_msg m;

    if (dev->phase != PHASE_RUNNING || dev->spec.cls != DEVHOST_BLOCK) {
        return -ESRCH;
    }
    channel_init(&m, CHANNEL_RESIZE);
    /* Without a process the next one looks at the size by itself. */
    return dev->channel < 0 ? 0 : channel_send(dev->channel, &m);
}

int devhost_device_grow(struct devhost_device *dev, uint64_t bytes, char *err, size_t err_len)
{
    int rc;

    if (dev->phase != PHASE_RUNNING || !dev->helper) {
        return err_set(err, err_len, -ESRCH, "%s is not in use any more", dev->name);
    }
    rc = helper_grow(dev, bytes, err, err_len);
    return rc ? rc : devhost_device_resize(dev);
}

static void unlink_device(struct devhost_device *dev)
{
    struct devhost_device **p = &dev->host->devices;

    while (*p && *p != dev) {
        p = &(*p)->next;
    }
    if (*p) {
        *p = dev->next;
    }
}

void devhost_device_free(struct devhost_device *dev)
{
    if (!dev) {
        return;
    }
    unlink_device(dev);
    if (dev->spec.cls != DEVHOST_CONSOLE) {
        xsc_unwatch(dev->host->xs, dev->front, dev->front);
    }
    drop_process_events(dev);
    spawn_kill(dev);
    free_event(&dev->timer);
    free_event(&dev->relay_timer);
    if (dev->res.meter >= 0) {
        meter_remove(class_node(dev->spec.cls), dev->spec.domid, dev->spec.devid);
    }
    link_close(dev);
    resources_close(&dev->res);
    free_spec(&dev->spec);
    free(dev);
}

void devhost_device_info(const struct devhost_device *dev, struct devhost_info *out)
{
    *out = (struct devhost_info){
        .cls = dev->spec.cls,
        .domid = dev->spec.domid,
        .devid = dev->spec.devid,
        .pid = dev->pid,
        .front_state = dev->front_state,
        .back_state = dev->back_state,
        .restarts = dev->restarts,
        .tty = dev->res.tty,
        .ifname = dev->res.ifname,
        .last_error = dev->last_error,
    };
}
