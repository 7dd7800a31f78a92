/* SPDX-License-Identifier: MIT */
/*
 * evtchn.c - event channels through libxenevtchn; reads and unmasks on the descriptor itself,
 * because the library's read may block and its unmask would take one call for each port.
 *
 * Owns the /dev/xen/evtchn handle.
 */
#include "evtchn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenevtchn.h>

struct evtchn {
    xenevtchn_handle *handle;
    unsigned domid;
    int fd;
};

int evtchn_open(struct evtchn **out, unsigned domid)
{
    struct evtchn *e = calloc(1, sizeof(*e));
    int err;

    if (!e) {
        return -ENOMEM;
    }
    e->domid = domid;
    e->handle = xenevtchn_open(NULL, 0);
    if (!e->handle) {
        err = errno;
        goto out_free;
    }
    e->fd = xenevtchn_fd(e->handle);
    if (fcntl(e->fd, F_SETFL, O_RDWR | O_NONBLOCK)) {
        err = errno;
        goto out_close;
    }
    if (xenevtchn_restrict(e->handle, (domid_t)domid) && errno != ENOTTY && errno != EOPNOTSUPP) {
        err = errno;
        goto out_close;
    }
    *out = e;
    return 0;

out_close:
    xenevtchn_close(e->handle);
out_free:
    free(e);
    return -err;
}

void evtchn_close(struct evtchn *e)
{
    if (e) {
        xenevtchn_close(e->handle);
        free(e);
    }
}

int evtchn_fd(const struct evtchn *e)
{
    return e->fd;
}

int evtchn_bind(struct evtchn *e, uint32_t remote_port)
{
    xenevtchn_port_or_error_t port = xenevtchn_bind_interdomain(e->handle, e->domid, remote_port);

    return port < 0 ? -errno : port;
}

void evtchn_unbind(struct evtchn *e, int port)
{
    xenevtchn_unbind(e->handle, (evtchn_port_t)port);
}

void evtchn_notify(struct evtchn *e, int port)
{
    xenevtchn_notify(e->handle, (evtchn_port_t)port);
}

int evtchn_read(struct evtchn *e)
{
    uint32_t port;
    ssize_t n;

    do {
        n = read(e->fd, &port, sizeof(port));
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(port)) {
        return (int)port;
    }
    return n < 0 && errno != EAGAIN ? -errno : 0;
}

void evtchn_unmask(struct evtchn *e, int port)
{
    uint32_t p = (uint32_t)port;

    /* Fails only for a port that was unbound meanwhile, which needs no unmasking. */
    if (write(e->fd, &p, sizeof(p)) < 0) {
        return;
    }
}
