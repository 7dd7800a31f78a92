/* SPDX-License-Identifier: MIT */
/*
 * relay.c - what front and backend tell each other through the store, and what of it the owner of
 * the device is told. A backend's message is acted on only after the channel's decoder and the
 * class's allow-list let it through.
 *
 * The guest decides how often its state node changes: looks at it are limited to RELAY_BURST,
 * refilled at RELAY_PER_S a second (BE-9).
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "host.h"

#define RELAY_BURST 50u
#define RELAY_PER_S 20u

void relay_event(struct devhost_device *dev, enum devhost_event ev, const char *detail)
{
    if (dev->host->cfg.on_event) {
        dev->host->cfg.on_event(dev, ev, detail, dev->host->cfg.arg);
    }
}

void relay_back_state(struct devhost_device *dev, unsigned state)
{
    char text[4];

    if (dev->back_state == state) {
        return;
    }
    dev->back_state = state;
    snprintf(text, sizeof(text), "%u", state);
    nodes_write_one(dev, "state", text);
}

void relay_error(struct devhost_device *dev, const char *why)
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

void relay_front(struct devhost_device *dev)
{
    struct channel_msg m;
    uint64_t state = 0;
    int rc;

    if (dev->channel < 0 || dev->spec.cls == DEVHOST_CONSOLE) {
        return;
    }
    if (!take_relay_token(dev)) {
        if (!evtimer_pending(dev->relay_timer, NULL)) {
            arm_timer(dev->relay_timer, 1000 / RELAY_PER_S);
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
    relay_front(arg);
}

int relay_open(struct devhost_device *dev)
{
    dev->relay_tokens = RELAY_BURST;
    dev->relay_refilled_ms = now_ms();
    dev->relay_timer = evtimer_new(dev->host->cfg.base, on_relay_timer, dev);
    return dev->relay_timer ? 0 : -ENOMEM;
}

void relay_close(struct devhost_device *dev)
{
    if (dev->relay_timer) {
        event_free(dev->relay_timer);
    }
}

/* ---- backend to store ---- */

bool relay_allows(struct devhost_device *dev, const struct channel_msg *m)
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

void relay_back(struct devhost_device *dev, const struct channel_msg *m)
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
        relay_event(dev, ev, "");
    }
}
