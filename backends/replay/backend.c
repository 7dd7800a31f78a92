/* SPDX-License-Identifier: MIT */
/* backend.c - see backend.h. */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "memory.h"

#define ANSWER_MS 30000

static struct device device;
static void (*undo)(struct device *);
static pthread_t thread;

void backend_reserve(int last)
{
    int null = open("/dev/null", O_RDWR);

    while (null >= 0 && null < last) {
        null = dup(null);
    }
    if (null > last) {
        close(null);
    }
}

int backend_place(int fd, int number)
{
    if (fd < 0 || dup2(fd, number) < 0) {
        return -errno;
    }
    close(fd);
    return 0;
}

/* The whole of its life: a disk's io_uring obeys only the thread that made it. */
static void *serve(void *arg)
{
    const struct channel_msg *start = arg;
    int rc = device.ops->init(&device, start);

    if (!rc) {
        device.ops->run(&device);
    }
    shutdown(device.channel, SHUT_RDWR); /* an io_uring holds it open */
    if (!rc) {
        undo(&device);
    }
    close(device.channel);
    return NULL;
}

int backend_begin(const struct device_ops *ops, void (*fini)(struct device *),
                  struct channel_msg *start)
{
    int s[2], rc = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) ? -errno : 0;

    device.ops = ops;
    device.domid = 1;
    device.state = XenbusStateInitialising;
    device.channel = s[0];
    device.passed = -1;
    undo = fini;
    rc = rc ? rc : memory_open();
    rc = rc ? rc : gntdev_open(&device.gnt, 1);
    rc = rc ? rc : evtchn_open(&device.evt, 1);
    rc = rc ? rc : -pthread_create(&thread, NULL, serve, start);
    return rc ? rc : s[1];
}

void backend_end(int host)
{
    close(host);
    pthread_join(thread, NULL);
}

__attribute__((format(printf, 4, 5))) static int fail(char *err, size_t err_len, int rc,
                                                      const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err, err_len, fmt, ap);
    va_end(ap);
    return rc;
}

int backend_say(int host, const struct channel_msg *m, char *err, size_t err_len)
{
    int rc = channel_send(host, m);

    return rc ? fail(err, err_len, rc, "the backend has gone") : 0;
}

int backend_say_state(int host, unsigned state, char *err, size_t err_len)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    return backend_say(host, &m, err, err_len);
}

int backend_await(int host, unsigned state, struct channel_msg *m, char *err, size_t err_len)
{
    struct pollfd pfd = {.fd = host, .events = POLLIN};
    uint64_t got;

    for (;;) {
        if (poll(&pfd, 1, ANSWER_MS) != 1) {
            return fail(err, err_len, -ETIMEDOUT, "the backend does not answer");
        }
        if (channel_recv(host, m) != 1) {
            return fail(err, err_len, -EPIPE,
                        "the backend has gone; what it said before tells why");
        }
        if (m->type == CHANNEL_FAIL) {
            const char *why = channel_get(m, "reason");

            return fail(err, err_len, -EPROTO, "the backend stopped: %s",
                        why ? why : "no reason given");
        }
        if (m->type == CHANNEL_BACK && channel_get_u64(m, "state", 8, &got) && got == state) {
            return 0;
        }
    }
}
