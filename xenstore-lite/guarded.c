/* SPDX-License-Identifier: MIT */
/*
 * A store's end of the wire to its guard.
 *
 * Owns: what a store was told by its guard. Leaves to others: clients (sock.c).
 */
#include "guarded.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

struct guarded guarded = {.wire = -1, .journal = -1, .ready = -1};

bool guarded_parse(const char *numbers)
{
    if (sscanf(numbers, "%d,%d,%d,%d,%u", &guarded.wire, &guarded.journal, &guarded.ready,
               &guarded.death, &guarded.number) != 5)
        return false;
    fcntl(guarded.wire, F_SETFD, FD_CLOEXEC);
    fcntl(guarded.wire, F_SETFL, O_NONBLOCK);
    return true;
}

int guarded_next(uint64_t *id, int *fd)
{
    union guarded_control control;
    struct iovec iov = {.iov_base = id, .iov_len = sizeof(*id)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(guarded.wire, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
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
    while (guarded.wire >= 0 && send(guarded.wire, &id, sizeof(id), MSG_NOSIGNAL) < 0 &&
           errno == EINTR)
        continue;
}
