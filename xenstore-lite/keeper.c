/* SPDX-License-Identifier: MIT */
/*
 * The keeper and the store's end of the wire to it.
 *
 * Owns: the keeper's process, the socket between the two.
 * Invariants: the keeper believes nothing of a request but its four bytes; it ends when the store
 *   does; files are removed only when the store says that it ends in order, for after a crash they
 *   may already be the next store's.
 * Leaves to others: hypercalls (privcmd.c), what a log is (log.c), confinement (confine.c).
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "confine.h"
#include "log.h"
#include "privcmd.h"

#define KEEPER_FD 3

enum { ASK_READY, ASK_DOMAIN, ASK_LOG, ASK_ROTATE, ASK_END };

struct request {
    uint16_t what;
    uint16_t domid;
};

struct answer {
    int32_t rc;
    struct hv_domain_info info;
};

union descriptor_message {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

static int wire = -1; /* the store's end */

/* ---- the keeper's process ---- */

static int send_answer(const struct answer *a, int fd)
{
    union descriptor_message control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                                                 .cmsg_level = SOL_SOCKET,
                                                 .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)a, .iov_len = sizeof(*a)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
        m.msg_control = &control;
        m.msg_controllen = sizeof(control);
    }
    return sendmsg(KEEPER_FD, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void remove_files(const struct keeper_job *job)
{
    if (job->socket)
        unlink(job->socket);
    if (job->pid_file)
        unlink(job->pid_file);
}

/* Returns a descriptor to go with the answer, or -1. */
static int answer_request(const struct keeper_job *job, const struct request *r, struct answer *a)
{
    switch (r->what) {
    case ASK_READY:
        return -1;
    case ASK_DOMAIN:
        a->rc = job->hypervisor ? privcmd_domain_info(r->domid, &a->info) : -ENOSYS;
        return -1;
    case ASK_LOG:
    case ASK_ROTATE:
        a->rc = job->log ? log_make(job->log, r->what == ASK_ROTATE) : -ENOENT;
        return a->rc;
    case ASK_END:
        remove_files(job);
        return -1;
    }
    a->rc = -EINVAL;
    return -1;
}

static void serve(const struct keeper_job *job)
{
    struct request r;
    ssize_t n;

    while ((n = recv(KEEPER_FD, &r, sizeof(r), 0)) != 0) {
        struct answer a;
        int fd, rc;

        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof(r))
            return;
        memset(&a, 0, sizeof(a));
        fd = answer_request(job, &r, &a);
        rc = send_answer(&a, fd);
        if (fd >= 0)
            close(fd);
        if (rc)
            return;
    }
}

/* Signals meant for the store reach both when they come from a terminal; the keeper ends behind it.
 */
static void ignore_signals(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

/* Not replaced by /dev/null: this process writes nothing more, and may open nothing any more. */
static void let_go_of_terminal(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        close(fd);
}

static void __attribute__((noreturn)) keeper(const struct keeper_job *job, int fd)
{
    if (dup2(fd, KEEPER_FD) < 0 || close_range(KEEPER_FD + 1, ~0u, 0))
        _exit(1);
    log_to_stderr();
    prctl(PR_SET_NAME, "xenstore-keeper");
    ignore_signals();
    if (job->hypervisor && privcmd_open())
        _exit(1);
    if (confine_enter(&confine_keeper, 0))
        _exit(1);
    if (!job->keeps_stderr)
        let_go_of_terminal();
    serve(job);
    _exit(0);
}

/* ---- the store's end ---- */

/* Takes the descriptor that came with an answer; -1 if there was none. */
static int descriptor_of(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static int ask(uint16_t what, uint16_t domid, struct answer *a, int *fd)
{
    const struct request r = {.what = what, .domid = domid};
    union descriptor_message control;
    struct iovec iov = {.iov_base = a, .iov_len = sizeof(*a)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;

    if (wire < 0)
        return -EPIPE;
    if (send(wire, &r, sizeof(r), MSG_NOSIGNAL) < 0)
        return -errno;
    do
        n = recvmsg(wire, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(*a))
        return n < 0 ? -errno : -EPIPE;
    if (fd)
        *fd = descriptor_of(&m);
    return a->rc;
}

int keeper_start(const struct keeper_job *job)
{
    struct answer a;
    int ends[2], rc;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return -errno;
    pid = fork();
    if (pid == 0)
        keeper(job, ends[1]);
    rc = pid < 0 ? -errno : 0;
    close(ends[1]);
    wire = ends[0];
    return rc ? rc : ask(ASK_READY, 0, &a, NULL);
}

int keeper_domain_info(uint16_t domid, struct hv_domain_info *info)
{
    struct answer a;
    int rc = ask(ASK_DOMAIN, domid, &a, NULL);

    if (rc == -EPIPE || rc == -ECONNRESET)
        log_client("the keeper process is gone: deaths of domains are not noticed. Start the store "
                   "and the guests again when you can");
    if (!rc)
        *info = a.info;
    return rc;
}

int keeper_new_log(bool rotate)
{
    struct answer a;
    int fd = -1, rc = ask(rotate ? ASK_ROTATE : ASK_LOG, 0, &a, &fd);

    return rc < 0 ? rc : fd >= 0 ? fd : -EIO;
}

void keeper_end(void)
{
    struct answer a;

    ask(ASK_END, 0, &a, NULL);
}
