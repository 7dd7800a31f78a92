/* SPDX-License-Identifier: MIT */
/* The supervisor's start, and what it and the command say to each other: see handover.h. */
#include "handover.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STACK_BYTES = 1 << 20 }; /* the supervisor's; what it does not touch costs nothing */

bool handover_tell(int fd, char kind, const void *data, size_t len)
{
    char msg[HANDOVER_ROOM];

    if (len > sizeof(msg) - 1)
        len = sizeof(msg) - 1;
    msg[0] = kind;
    memcpy(msg + 1, data, len);
    return send(fd, msg, len + 1, MSG_NOSIGNAL) == (ssize_t)(len + 1);
}

char handover_hear(int fd, char *data, size_t room, size_t *len)
{
    char msg[HANDOVER_ROOM];
    ssize_t n;

    do
        n = recv(fd, msg, sizeof(msg), 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return 0;
    *len = (size_t)n - 1 < room ? (size_t)n - 1 : room;
    memcpy(data, msg + 1, *len);
    return msg[0];
}

/*
 * Descriptors and signals are each process's own. The memory has no other user than the supervisor
 * while the command waits, and after it has ended; it is not dumpable, since a core of one would
 * be the end of both.
 */
static pid_t start_on_our_memory(int (*run)(void *), void *arg)
{
    uint8_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED)
        return -1;
    prctl(PR_SET_DUMPABLE, 0);
    return clone(run, stack + STACK_BYTES, CLONE_VM | SIGCHLD, arg);
}

pid_t handover_start(int (*run)(void *), void *arg, bool lend)
{
    pid_t pid;

    if (lend)
        return start_on_our_memory(run, arg);
    pid = fork();
    if (pid == 0)
        _exit(run(arg));
    return pid;
}
