/* SPDX-License-Identifier: MIT */
/*
 * link.c - connections to the server of a disk's image: made by the host, which may, and handed to
 * the backend, which may not.
 *
 * The first one goes with the process as its descriptor; every other when the backend asks for it,
 * by the channel. The host keeps no copy: a connection ends when the backend's does. Whether the
 * server is a remote one or the helper of a qcow2 image (helper.c) is decided here.
 *
 * Owns dev->link. The address is resolved once, when the device starts.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host.h"
#include "nbduri.h"

#define FIRST_CONNECT_MS 3000
#define CONNECT_MS 5000u
#define RETRY_MIN_MS 100u
#define RETRY_MAX_MS 2000u
#define DEFAULT_TIMEOUT 30u /* seconds */

struct link {
    struct devhost_device *dev;
    struct sockaddr_storage addr;
    socklen_t addr_len;
    char where[300]; /* for people */
    int pending;     /* socket that is being connected, -1: none */
    struct event *connected, *retry;
    unsigned delay_ms;
};

bool link_wanted(const struct devhost_spec *spec)
{
    return spec->cls == DEVHOST_BLOCK && spec->block.format != DEVHOST_RAW;
}

unsigned link_timeout(const struct devhost_spec *spec)
{
    return spec->block.timeout ? spec->block.timeout : DEFAULT_TIMEOUT;
}

static int resolve(struct link *l, const struct nbd_uri *uri, char *err, size_t err_len)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    struct sockaddr_un *un = (struct sockaddr_un *)&l->addr;
    int rc;

    if (!uri->host[0]) {
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, uri->socket, sizeof(un->sun_path));
        l->addr_len = sizeof(*un);
        snprintf(l->where, sizeof(l->where), "%s", uri->socket);
        return 0;
    }
    rc = getaddrinfo(uri->host, uri->port, &hints, &found);
    if (rc) {
        return err_set(err, err_len, -EHOSTUNREACH, "NBD server %s: %s", uri->host,
                       gai_strerror(rc));
    }
    memcpy(&l->addr, found->ai_addr, found->ai_addrlen);
    l->addr_len = found->ai_addrlen;
    freeaddrinfo(found);
    snprintf(l->where, sizeof(l->where), "%s port %s", uri->host, uri->port);
    return 0;
}

static int start_connecting(const struct link *l)
{
    int one = 1, rc;
    int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -errno;
    }
    if (l->addr.ss_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    rc = connect(fd, (const struct sockaddr *)&l->addr, l->addr_len) ? -errno : 0;
    if (rc && rc != -EINPROGRESS) {
        close(fd);
        return rc;
    }
    return fd;
}

static int outcome(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? -errno : -error;
}

/* For the first connection, which the caller waits for. */
static int connect_now(const struct link *l)
{
    struct pollfd pfd = {.events = POLLOUT};
    int rc;

    pfd.fd = start_connecting(l);
    if (pfd.fd < 0) {
        return pfd.fd;
    }
    rc = poll(&pfd, 1, FIRST_CONNECT_MS) == 1 ? outcome(pfd.fd) : -ETIMEDOUT;
    if (rc) {
        close(pfd.fd);
        return rc;
    }
    return pfd.fd;
}

/* ---- when the backend asks ---- */

static void drop_pending(struct link *l)
{
    if (l->connected) {
        event_free(l->connected);
        l->connected = NULL;
    }
    if (l->pending >= 0) {
        close(l->pending);
        l->pending = -1;
    }
}

static void retry_later(struct link *l, int rc)
{
    struct timeval tv = {.tv_sec = l->delay_ms / 1000, .tv_usec = (l->delay_ms % 1000) * 1000};

    if (l->delay_ms == RETRY_MAX_MS / 2 || l->delay_ms == RETRY_MIN_MS) {
        device_log(l->dev, "NBD server %s: %s; trying again", l->where, strerror(-rc));
    }
    drop_pending(l);
    l->delay_ms = l->delay_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : l->delay_ms * 2;
    evtimer_add(l->retry, &tv);
}

static void hand_over(struct link *l)
{
    struct channel_msg m;
    int rc;

    channel_init(&m, CHANNEL_LINK);
    rc = l->dev->channel < 0 ? 0 : channel_send_fd(l->dev->channel, &m, l->pending);
    drop_pending(l);
    if (rc) {
        device_log(l->dev, "backend does not take the connection: %s", strerror(-rc));
    }
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    int rc = what & EV_TIMEOUT ? -ETIMEDOUT : outcome(fd);

    if (rc) {
        retry_later(l, rc);
        return;
    }
    hand_over(l);
}

static void try_now(struct link *l)
{
    struct timeval tv = {.tv_sec = CONNECT_MS / 1000};

    l->pending = helper_up(l->dev) ? start_connecting(l) : -EAGAIN;
    if (l->pending < 0) {
        int rc = l->pending;

        l->pending = -1;
        retry_later(l, rc);
        return;
    }
    l->connected = event_new(l->dev->host->cfg.base, l->pending, EV_WRITE, on_connected, l);
    if (!l->connected || event_add(l->connected, &tv)) {
        retry_later(l, -ENOMEM);
    }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    try_now(arg);
}

/* The first look comes a moment after the asking: a server that refuses us must not be stormed. */
void link_asked(struct devhost_device *dev)
{
    struct timeval tv = {.tv_usec = RETRY_MIN_MS * 1000};
    struct link *l = dev->link;

    if (!l || l->pending >= 0 || evtimer_pending(l->retry, NULL)) {
        return;
    }
    l->delay_ms = RETRY_MIN_MS;
    helper_suspect(dev);
    evtimer_add(l->retry, &tv);
}

/* ---- life ---- */

/*
 * A process that died may have left requests with the server, which must not overtake what its
 * successor writes. A helper of ours is ended in order, so that it forgets nothing either; its end
 * calls on. False: nothing to wait for. (A remote server has no such fence: ADR 0052.)
 */
bool link_settle(struct devhost_device *dev, host_device_fn *then)
{
    return link_wanted(&dev->spec) && helper_end(dev, then);
}

int link_connect(struct devhost_device *dev, char *err, size_t err_len)
{
    int fd = helper_up(dev) ? connect_now(dev->link) : -EAGAIN;

    if (fd < 0) {
        return err_set(err, err_len, fd, "%s: NBD server %s: %s", dev->name, dev->link->where,
                       strerror(-fd));
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    dev->res.fds[0] = fd;
    dev->res.nr_fds = 1;
    return 0;
}

void link_handed(struct devhost_device *dev)
{
    struct resources *res = &dev->res;

    while (res->nr_fds) { /* the journal stays: the next process needs it */
        close(res->fds[--res->nr_fds]);
    }
}

static int set_address(struct link *l, char *err, size_t err_len)
{
    struct nbd_uri uri;
    int rc;

    if (l->dev->spec.block.format == DEVHOST_QCOW2) {
        memset(&uri, 0, sizeof(uri));
        helper_socket(l->dev, uri.socket, sizeof(uri.socket));
        snprintf(uri.export, sizeof(uri.export), "%s", HELPER_EXPORT);
    } else {
        rc = nbd_uri_parse(l->dev->spec.block.path, &uri, err, err_len);
        if (rc) {
            return rc;
        }
    }
    snprintf(l->dev->res.export, sizeof(l->dev->res.export), "%s", uri.export);
    return resolve(l, &uri, err, err_len);
}

int link_open(struct devhost_device *dev, char *err, size_t err_len)
{
    struct link *l = calloc(1, sizeof(*l));
    int rc;

    dev->link = l;
    if (l) {
        l->dev = dev;
        l->pending = -1;
        l->retry = evtimer_new(dev->host->cfg.base, on_retry, l);
    }
    if (!l || !l->retry) {
        return err_set(err, err_len, -ENOMEM, "out of memory");
    }
    rc = set_address(l, err, err_len);
    if (!rc && dev->spec.block.format == DEVHOST_QCOW2) {
        rc = helper_open(dev, err, err_len);
    }
    return rc;
}

void link_close(struct devhost_device *dev)
{
    struct link *l = dev->link;

    helper_close(dev);
    if (!l) {
        return;
    }
    drop_pending(l);
    if (l->retry) {
        event_free(l->retry);
    }
    free(l);
    dev->link = NULL;
}

/* Can the server be reached at all? For devhost_check(). */
int link_check(const struct devhost_spec *spec, char *err, size_t err_len)
{
    struct link l = {.pending = -1};
    struct nbd_uri uri;
    int fd, rc = nbd_uri_parse(spec->block.path, &uri, err, err_len);

    if (rc || (rc = resolve(&l, &uri, err, err_len))) {
        return rc;
    }
    fd = connect_now(&l);
    if (fd < 0) {
        return err_set(err, err_len, fd, "image %s: NBD server %s: %s", spec->block.path, l.where,
                       strerror(-fd));
    }
    close(fd);
    return 0;
}
