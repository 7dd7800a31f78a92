/* SPDX-License-Identifier: MIT */
/*
 * target.c - see target.h. Does what the device host does for a guest's disk, as far as one needs
 * it here; backend.c has what is the same for interfaces.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../block/blkback.h"
#include "../block/remote.h"
#include "../host/nbduri.h"
#include "backend.h"

static struct device_ops ops;

static int connect_to(const struct nbd_uri *uri)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int fd, rc, one = 1;

    if (!uri->host[0]) {
        memcpy(un.sun_path, uri->socket, sizeof(un.sun_path));
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        rc = connect(fd, (struct sockaddr *)&un, sizeof(un));
    } else {
        if (getaddrinfo(uri->host, uri->port, &hints, &found)) {
            errno = EHOSTUNREACH;
            return -1;
        }
        fd = socket(found->ai_family, SOCK_STREAM, 0);
        rc = connect(fd, found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    if (rc || fcntl(fd, F_SETFL, O_NONBLOCK)) {
        return -1;
    }
    return fd;
}

static int open_server(struct target_options *o, char *err, size_t err_len)
{
    struct nbd_uri uri;
    int rc = nbd_uri_parse(o->image, &uri, err, err_len);

    if (rc) {
        return rc;
    }
    rc = backend_place(connect_to(&uri), CHANNEL_DEVICE_FD);
    if (rc) {
        snprintf(err, err_len, "%s: %s", o->image, strerror(-rc));
        return rc;
    }
    channel_add(o->start, "image", "nbd");
    channel_add(o->start, "export", uri.export);
    channel_add(o->start, "timeout", "30");
    ops.link = blkback_link;
    image_remote = &nbd_remote;
    return 0;
}

static int open_image(const struct target_options *o, char *err, size_t err_len)
{
    int flags = o->readonly ? O_RDONLY : O_RDWR;
    int fd = open(o->image, flags | (o->buffered ? 0 : O_DIRECT)), rc;

    if (fd < 0 && errno == EINVAL) {
        fd = open(o->image, flags); /* a file system without direct I/O */
    }
    rc = backend_place(fd, CHANNEL_DEVICE_FD);
    if (rc) {
        snprintf(err, err_len, "%s: %s", o->image, strerror(-rc));
    }
    return rc;
}

int target_start(struct target_options *o, char *err, size_t err_len)
{
    int rc;

    ops = blkback_ops;
    channel_add(o->start, "readonly", o->readonly ? "1" : "0");
    channel_add(o->start, "discard-granularity", o->readonly ? "0" : "4096");
    channel_add(o->start, "capture", "1");
    rc = strncmp(o->image, "nbd", 3) ? open_image(o, err, err_len) : open_server(o, err, err_len);
    if (rc) {
        return -1;
    }
    rc = backend_begin(&ops, blkback_fini, o->start);
    if (rc < 0) {
        snprintf(err, err_len, "%s: the backend does not start: %s", o->image, strerror(-rc));
        return -1;
    }
    return rc;
}
