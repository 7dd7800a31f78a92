/* SPDX-License-Identifier: MIT */
/*
 * A store's end of the wire to its guard.
 *
 * Owns: the four numbers that a store gets from its guard. Leaves to others: clients (sock.c).
 */
#include "guarded.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

static struct {
    bool is;
    int wire, journal, ready, death;
    uint32_t number;
} guard = {.wire = -1, .journal = -1, .ready = -1};

bool guarded_parse(const char *numbers)
{
    if (sscanf(numbers, "%d,%d,%d,%d,%u", &guard.wire, &guard.journal, &guard.ready, &guard.death,
               &guard.number) != 5)
        return false;
    fcntl(guard.wire, F_SETFD, FD_CLOEXEC);
    fcntl(guard.wire, F_SETFL, O_NONBLOCK);
    guard.is = true;
    return true;
}

bool guarded_is(void)
{
    return guard.is;
}

int guarded_wire(void)
{
    return guard.wire;
}

int guarded_journal(void)
{
    return guard.journal;
}

int guarded_ready(void)
{
    return guard.ready;
}

int guarded_death(void)
{
    return guard.death;
}

uint32_t guarded_number(void)
{
    return guard.number;
}

int guarded_next(uint64_t *id, int *fd)
{
    union guarded_control control;
    struct iovec iov = {.iov_base = id, .iov_len = sizeof(*id)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(guard.wire, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    const struct cmsghdr *c;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
    c = CMSG_FIRSTHDR(&m);
    if (n != (ssize_t)sizeof(*id))
        return -EPIPE;
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
        return 0; /* we had no descriptor left for it: the guard has one */
    memcpy(fd, CMSG_DATA(c), sizeof(*fd));
    return 1;
}

void guarded_let_go(uint64_t id)
{
    /* The wire is never full: the guard reads at once. If it is gone, so is its descriptor. */
    while (guard.wire >= 0 && send(guard.wire, &id, sizeof(id), MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}
