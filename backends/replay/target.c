/* SPDX-License-Identifier: MIT */
/*
 * target.c - see target.h. Does what the device host does for a guest's disk, as far as one needs
 * it here: no store, no lock, no confinement; there is no guest to be confined against.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "../block/blkback.h"
#include "../block/remote.h"
#include "../host/nbduri.h"
#include "memory.h"

#define CAPTURE_FD (CHANNEL_DEVICE_FD + 1)

static struct device device;
static struct device_ops ops;
static pthread_t thread;

void target_reserve(void)
{
    int null = open("/dev/null", O_RDWR);

    while (null >= 0 && null < CAPTURE_FD) {
        null = dup(null);
    }
    if (null > CAPTURE_FD) {
        close(null);
    }
}

static int place(int fd, int number)
{
    if (fd < 0 || dup2(fd, number) < 0) {
        return -errno;
    }
    close(fd);
    return 0;
}

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
    rc = place(connect_to(&uri), CHANNEL_DEVICE_FD);
    if (rc) {
        snprintf(err, err_len, "%s: %s", o->image, strerror(-rc));
        return rc;
    }
    channel_add(&o->start, "image", "nbd");
    channel_add(&o->start, "export", uri.export);
    channel_add(&o->start, "timeout", "30");
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
    rc = place(fd, CHANNEL_DEVICE_FD);
    if (rc) {
        snprintf(err, err_len, "%s: %s", o->image, strerror(-rc));
    }
    return rc;
}

/* The whole of its life: its io_uring obeys only the thread that made it. */
static void *serve(void *arg)
{
    const struct channel_msg *start = arg;
    int rc = ops.init(&device, start);

    if (!rc) {
        ops.run(&device);
    }
    shutdown(device.channel, SHUT_RDWR); /* the ring holds it open */
    if (!rc) {
        blkback_fini(&device);
    }
    close(device.channel);
    return NULL;
}

static int begin(struct target_options *o)
{
    int s[2], rc = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) ? -errno : 0;

    device.ops = &ops;
    device.domid = 1;
    device.state = XenbusStateInitialising;
    device.channel = s[0];
    device.passed = -1;
    rc = rc ? rc : memory_open();
    rc = rc ? rc : gntdev_open(&device.gnt, 1);
    rc = rc ? rc : evtchn_open(&device.evt, 1);
    rc = rc ? rc : place(dup(o->capture), CAPTURE_FD);
    rc = rc ? rc : -pthread_create(&thread, NULL, serve, &o->start);
    return rc ? rc : s[1];
}

int target_start(struct target_options *o, char *err, size_t err_len)
{
    int rc;

    ops = blkback_ops;
    channel_add(&o->start, "readonly", o->readonly ? "1" : "0");
    channel_add(&o->start, "discard-granularity", o->readonly ? "0" : "4096");
    channel_add(&o->start, "capture", "1");
    rc = strncmp(o->image, "nbd", 3) ? open_image(o, err, err_len) : open_server(o, err, err_len);
    if (rc) {
        return -1;
    }
    rc = begin(o);
    if (rc < 0) {
        snprintf(err, err_len, "%s: the backend does not start: %s", o->image, strerror(-rc));
        return -1;
    }
    return rc;
}

void target_stop(int host)
{
    close(host);
    pthread_join(thread, NULL);
}
