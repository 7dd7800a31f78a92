/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c - confinement of a backend process, in the one order that works: root directory and
 * limits while still root, then identity, then the system call filter.
 *
 * io_uring operations do not pass the filter; the block backend restricts its ring itself
 * (uring.c).
 */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* What the data paths, libxengnttab, libxenevtchn, liburing and malloc use after start. No path, no
 * socket creation, no signal to others, no new program. */
static const int allowed_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(close),
    SCMP_SYS(ioctl),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(ftruncate),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
};

static int limit(int resource, rlim_t value)
{
    struct rlimit r = {.rlim_cur = value, .rlim_max = value};

    return setrlimit(resource, &r);
}

static int enter_empty_root(void)
{
    char dir[] = "/tmp/backend-XXXXXX";

    if (!mkdtemp(dir)) {
        return -1;
    }
    if (chdir(dir) || rmdir(dir) || chroot(".")) {
        return -1;
    }
    return 0;
}

static int drop_identity(uid_t uid)
{
    if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)) {
        return -1;
    }
    return 0;
}

static int load_filter(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int rc = ctx ? 0 : -ENOMEM;

    for (size_t i = 0; !rc && i < sizeof(allowed_calls) / sizeof(allowed_calls[0]); i++) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed_calls[i], 0);
    }
    /* Memory, but none that can be executed. */
    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    if (!rc) {
        rc = seccomp_load(ctx);
    }
    seccomp_release(ctx);
    return rc;
}

int sandbox_enter(uid_t uid, const char **what)
{
    *what = "resource limits";
    /* Worker threads of io_uring count as processes of this user; a guest may have many devices. */
    if (limit(RLIMIT_CORE, 0) || limit(RLIMIT_NOFILE, 64) || limit(RLIMIT_NPROC, 256)) {
        return -errno;
    }
    *what = "empty root directory";
    if (enter_empty_root()) {
        return -errno;
    }
    *what = "unprivileged user";
    if (drop_identity(uid)) {
        return -errno;
    }
    *what = "no new privileges";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) {
        return -errno;
    }
    *what = "system call filter";
    return load_filter();
}
