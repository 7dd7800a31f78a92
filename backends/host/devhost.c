/* SPDX-License-Identifier: MIT */
/*
 * devhost.c - the host object: its xenstore connection, watch events to devices.
 *
 * Owns the xs handle, which a caller may share: events of its watches are passed on. Watches: one
 * per device, on its frontend directory, token = the path itself; an event anywhere below leads to
 * one look at the front's state, however many events were queued (BE-9).
 */
#include "host.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_UID_BASE 200000
#define EVENTS_PER_TURN 256 /* then let others of the event loop have a turn */

static void dispatch(struct devhost *h, const char *token)
{
    bool ours = false;

    for (struct devhost_device *dev = h->devices; dev; dev = dev->next) {
        if (!strcmp(dev->front, token)) {
            ours = dev->relay_pending = true;
        }
    }
    if (!ours && h->cfg.on_store) {
        h->cfg.on_store(h->cfg.arg);
    }
}

static void relay_pending(struct devhost *h)
{
    for (struct devhost_device *dev = h->devices; dev; dev = dev->next) {
        if (dev->relay_pending) {
            dev->relay_pending = false;
            relay_front(dev);
        }
    }
}

static void on_xenstore(evutil_socket_t fd, short what, void *arg)
{
    struct devhost *h = arg;
    unsigned i;
    char **ev;

    (void)fd;
    (void)what;
    for (i = 0; i < EVENTS_PER_TURN; i++) {
        ev = xsc_event(h->xs);
        if (!ev) {
            if (errno != EAGAIN) {
                host_log(
                    h,
                    "xenstore connection lost (%s): devices keep running, but can neither connect "
                    "nor close until the supervisor is restarted",
                    strerror(errno));
                event_del(h->xs_event);
            }
            break;
        }
        dispatch(h, ev[XSC_EVENT_TOKEN]);
        free(ev);
    }
    if (i == EVENTS_PER_TURN) {
        event_active(h->xs_event, EV_READ, 0); /* what is left may have left the socket */
    }
    relay_pending(h);
}

static void on_queued(void *arg)
{
    struct devhost *h = arg;

    event_active(h->xs_event, EV_READ, 0);
}

/* PREFIX/lib/tenue, if this program is PREFIX/sbin/something and it exists. */
const char *devhost_installed_beside(char *dir, size_t len)
{
    ssize_t n = readlink("/proc/self/exe", dir, len);

    for (int up = 0; up < 2; up++) {
        while (n > 0 && (size_t)n < len && dir[--n] != '/') {
        }
    }
    if (n <= 0 || (size_t)n >= len ||
        snprintf(dir + n, len - (size_t)n, "/lib/tenue") >= (int)(len - (size_t)n) ||
        access(dir, X_OK)) {
        return "/usr/lib/tenue";
    }
    return dir;
}

static void set_backend_dir(struct devhost *h)
{
    const char *dir = h->cfg.backend_dir;
    char beside[sizeof(h->backend_dir)];

    if (!dir) {
        dir = getenv("TENUE_BACKEND_DIR");
    }
    if (!dir || !*dir) {
        dir = devhost_installed_beside(beside, sizeof(beside));
    }
    snprintf(h->backend_dir, sizeof(h->backend_dir), "%s", dir);
    h->cfg.backend_dir = h->backend_dir;
}

struct devhost *devhost_open(const struct devhost_config *cfg, char *err, size_t err_len)
{
    struct devhost *h = calloc(1, sizeof(*h));

    err_set(err, err_len, 0, "%s", "");
    if (!h) {
        err_set(err, err_len, 0, "out of memory");
        return NULL;
    }
    h->cfg = *cfg;
    if (!h->cfg.uid_base) {
        h->cfg.uid_base = DEFAULT_UID_BASE;
    }
    set_backend_dir(h);
    h->xs = cfg->xs ? cfg->xs : xsc_open();
    if (!h->xs) {
        err_set(err, err_len, 0, "cannot reach xenstore: %s (is the store daemon running?)",
                strerror(errno));
        goto out_free;
    }
    h->xs_event = event_new(h->cfg.base, xsc_fd(h->xs), EV_READ | EV_PERSIST, on_xenstore, h);
    if (!h->xs_event || event_add(h->xs_event, NULL)) {
        err_set(err, err_len, 0, "cannot watch xenstore: out of memory");
        goto out_xs;
    }
    xsc_on_queued(h->xs, on_queued, h);
    return h;

out_xs:
    if (h->xs_event) {
        event_free(h->xs_event);
    }
    if (!cfg->xs) {
        xsc_close(h->xs);
    }
out_free:
    free(h);
    return NULL;
}

void devhost_close(struct devhost *h)
{
    if (!h) {
        return;
    }
    while (h->devices) {
        devhost_device_free(h->devices);
    }
    event_free(h->xs_event);
    xsc_close(h->xs);
    free(h);
}
