/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c - confinement of a process, in the one order that works: root directory, limits and
 * the bounding set while still root, then identity, then the system call filter.
 *
 * Owns the profiles of the backends. io_uring operations do not pass the filter; the block backend
 * restricts its ring itself (uring.c).
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/sys/evtchn.h>
#include <xen/sys/gntdev.h>

/* linux/fs.h, which has it, does not agree with sys/mount.h */
#define REQUEST_BLKDISCARD _IO(0x12, 119)
#define REQUEST_BLKGETSIZE64 _IOR(0x12, 114, size_t)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What malloc, stdio, the channel and a log need. No path, no socket, no signal, no new program. */
static const int common_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(close),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
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

/* What libxengnttab and libxenevtchn ask of their devices, for all of us. */
#define XEN_REQUESTS                                                                               \
    IOCTL_GNTDEV_MAP_GRANT_REF, IOCTL_GNTDEV_UNMAP_GRANT_REF, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,   \
        IOCTL_GNTDEV_GRANT_COPY, IOCTL_EVTCHN_BIND_INTERDOMAIN, IOCTL_EVTCHN_UNBIND,               \
        IOCTL_EVTCHN_NOTIFY

static const int block_calls[] = {SCMP_SYS(io_uring_enter)};
static const unsigned long block_ioctls[] = {XEN_REQUESTS, REQUEST_BLKDISCARD,
                                             REQUEST_BLKGETSIZE64};
/* The image's server is at the other end of a socket that the host connected. */
static const int block_nbd_calls[] = {SCMP_SYS(io_uring_enter), SCMP_SYS(epoll_wait),
                                      SCMP_SYS(epoll_ctl),      SCMP_SYS(recvmsg),
                                      SCMP_SYS(shutdown),       SCMP_SYS(timerfd_settime)};
static const int net_calls[] = {SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl),
                                SCMP_SYS(pwritev)};
static const unsigned long net_ioctls[] = {XEN_REQUESTS, TUNSETOFFLOAD, TUNSETQUEUE};
static const int console_calls[] = {SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl), SCMP_SYS(pread64),
                                    SCMP_SYS(ftruncate)};
/* qemu-storage-daemon, on files and a listening socket that it was given (helper/imagefd.c). */
static const int image_calls[] = {
    SCMP_SYS(accept4),
    SCMP_SYS(ppoll),
    SCMP_SYS(poll),
    SCMP_SYS(eventfd2),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(listen),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwritev),
    SCMP_SYS(setpriority),
    SCMP_SYS(fdatasync),
    SCMP_SYS(fsync),
    SCMP_SYS(fallocate),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fcntl),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(signalfd4),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rseq),
    SCMP_SYS(prlimit64),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(get_mempolicy),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
};
static const unsigned long console_ioctls[] = {XEN_REQUESTS, TCFLSH};

/* Rings, pool, journal and 2048 mapped pages are 40 MiB; the rest is libraries. */
#define MEMORY_MAX (256ul << 20)

/*
 * Made from these profiles when the programs are built (helper/mkfilters.c), since to make one
 * takes a process longer than all else that it does until it serves. Not in every program.
 */
extern const struct sock_fprog filter_block __attribute__((weak));
extern const struct sock_fprog filter_net __attribute__((weak));
extern const struct sock_fprog filter_console __attribute__((weak));

const struct sandbox_profile sandbox_block = {
    .name = "block",
    .calls = block_calls,
    .nr_calls = COUNT(block_calls),
    .ioctls = block_ioctls,
    .nr_ioctls = COUNT(block_ioctls),
    .files = 64,
    .processes = 256, /* io_uring's workers count for the user, who may have many disks */
    .memory = MEMORY_MAX,
    .file_size = SANDBOX_KEEP_LIMIT,
    .ready = &filter_block,
};

const struct sandbox_profile sandbox_block_nbd = {
    .name = "block-nbd",
    .calls = block_nbd_calls,
    .nr_calls = COUNT(block_nbd_calls),
    .ioctls = console_ioctls,
    .nr_ioctls = COUNT(console_ioctls),
    .files = 64,
    .processes = 256,
    .memory = MEMORY_MAX,
    .file_size = 0,
};

const struct sandbox_profile sandbox_net = {
    .name = "net",
    .calls = net_calls,
    .nr_calls = COUNT(net_calls),
    .ioctls = net_ioctls,
    .nr_ioctls = COUNT(net_ioctls),
    .files = 64,
    .processes = 1,
    .memory = MEMORY_MAX,
    .file_size = 256ul << 20, /* a mirror's (net/mirror.h) */
    .own_nice = true,
    .ready = &filter_net,
};

const struct sandbox_profile sandbox_console = {
    .name = "console",
    .calls = console_calls,
    .nr_calls = COUNT(console_calls),
    .ioctls = console_ioctls,
    .nr_ioctls = COUNT(console_ioctls),
    .files = 64,
    .processes = 1,
    .memory = MEMORY_MAX,
    .file_size = SANDBOX_KEEP_LIMIT, /* logfile.c has the log's limit */
    .ready = &filter_console,
};

const struct sandbox_profile sandbox_image = {
    .name = "image",
    .calls = image_calls,
    .nr_calls = COUNT(image_calls),
    .files = 64,
    .processes = 256,    /* its threads, for each disk of the guest's */
    .memory = 2ul << 30, /* stacks of threads, mostly never touched */
    .file_size = SANDBOX_KEEP_LIMIT,
    .threads = true,
    .refuse = true, /* not ours: what it tries and can do without is not counted on */
};

static int limit(int resource, rlim_t value)
{
    struct rlimit r = {.rlim_cur = value, .rlim_max = value};

    return value == SANDBOX_KEEP_LIMIT ? 0 : setrlimit(resource, &r);
}

static int set_limits(const struct sandbox_profile *p)
{
    if (limit(RLIMIT_CORE, 0) || limit(RLIMIT_NOFILE, p->files) ||
        limit(RLIMIT_NPROC, p->processes)) {
        return -1;
    }
#ifdef __SANITIZE_ADDRESS__ /* its shadow is terabytes of addresses, its report grows a file */
    return 0;
#else
    return limit(RLIMIT_FSIZE, p->file_size) || limit(RLIMIT_AS, p->memory) ? -1 : 0;
#endif
}

/* An empty, read-only file system that is mounted nowhere: it has no ".." and no neighbours. */
static int enter_detached_root(void)
{
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), root, rc = -1;

    if (fs < 0) {
        return -1;
    }
    if (!fsconfig(fs, FSCONFIG_SET_STRING, "size", "4096", 0) &&
        !fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) &&
        !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) {
        root =
            fsmount(fs, FSMOUNT_CLOEXEC,
                    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (root >= 0) {
            rc = fchdir(root) || chroot(".") || chdir("/") ? -1 : 0;
            close(root);
        }
    }
    close(fs);
    return rc;
}

static int enter_deleted_root(void)
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

static int enter_empty_root(const char **weaker)
{
    if (!enter_detached_root()) {
        return 0;
    }
    *weaker =
        "no mount of its own (this kernel does not permit it): the root directory is a deleted "
        "one";
    return enter_deleted_root();
}

static int drop_bounding_set(void)
{
    int cap = 0;

    while (!prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)) {
        cap++;
    }
    return cap && errno == EINVAL ? 0 : -1; /* there is no such capability, hence no further one */
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

    memset(none, 0, sizeof(none));
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)) {
        return -1;
    }
    return (int)syscall(SYS_capset, &head, none);
}

static int drop_identity(uid_t uid)
{
    return setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid) ? -1 : 0;
}

/* The way back must be shut, whatever the calls above returned. */
static int no_way_back(uid_t uid)
{
    if (uid && (getuid() != uid || getgid() != uid || !setresuid(0, 0, 0) || !setresgid(0, 0, 0))) {
        return -EPERM;
    }
    return chroot("/") ? 0 : -EPERM;
}

static int allow(scmp_filter_ctx ctx, const int *calls, size_t count)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < count; i++) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
    }
    return rc;
}

static struct scmp_arg_cmp equals(unsigned argument, uint64_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value};
}

/* Calls whose arguments matter. Pointers cannot be followed, so no rule depends on a path. */
static int allow_in_part(scmp_filter_ctx ctx, const struct sandbox_profile *p)
{
    const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec);

    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
    }
    /* To the other end of a connected socket only. */
    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1, equals(4, 0));
    }
    /* glibc's fstat(). */
    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                              SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
    }
    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, F_GETFL));
    }
    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, F_SETFL));
    }
    /* libnbd, of each connection that it is given. */
    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, F_GETFD));
    }
    if (!rc) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, F_SETFD));
    }
    if (!rc && p->own_nice) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), 2,
                              equals(0, PRIO_PROCESS), equals(1, 0));
    }
    for (size_t i = 0; !rc && i < p->nr_ioctls; i++) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, equals(1, p->ioctls[i]));
    }
    return rc;
}

/* Threads only; the C library makes them with the old call when there is no other. */
static int allow_threads(scmp_filter_ctx ctx, const struct sandbox_profile *p)
{
    const uint64_t thread = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
    int rc;

    if (!p->threads) {
        return 0;
    }
    rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return rc ? rc
              : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
}

/*
 * A build with sanitizers, for tests only: the run-time library wants to read the process's map
 * while it reports. It is refused that, but not killed for it before the report is out.
 */
static int allow_reports(scmp_filter_ctx ctx, const struct sandbox_profile *p)
{
#ifdef __SANITIZE_ADDRESS__
    return p->refuse ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open), 0);
#else
    (void)ctx;
    (void)p;
    return 0;
#endif
}

static int add_rules(scmp_filter_ctx ctx, const struct sandbox_profile *p)
{
    /* A tree, not a chain: the kernel tries every system call there is when it takes the filter. */
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);

    /* Another architecture's system calls are nobody's slip. */
    if (!rc) {
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    }
    if (!rc) {
        rc = allow(ctx, common_calls, COUNT(common_calls));
    }
    if (!rc) {
        rc = allow(ctx, p->calls, p->nr_calls);
    }
    if (!rc) {
        rc = allow_in_part(ctx, p);
    }
    if (!rc) {
        rc = allow_threads(ctx, p);
    }
    return rc ? rc : allow_reports(ctx, p);
}

/* To the kernel, or as a program to fd. */
static int make_filter(const struct sandbox_profile *p, int fd)
{
    scmp_filter_ctx ctx =
        seccomp_init(p->refuse ? (uint32_t)SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
    int rc = ctx ? add_rules(ctx, p) : -ENOMEM;

    if (!rc) {
        rc = fd < 0 ? seccomp_load(ctx) : seccomp_export_bpf(ctx, fd);
    }
    seccomp_release(ctx);
    return rc;
}

int sandbox_export(const struct sandbox_profile *p, int fd)
{
    return make_filter(p, fd);
}

static int load_filter(const struct sandbox_profile *p)
{
    if (!p->ready) {
        return make_filter(p, -1);
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, p->ready) ? -errno : 0;
}

static int renounce(const char **what)
{
    *what = "no new privileges";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) {
        return -errno;
    }
    return 0;
}

static int filter(const struct sandbox_profile *p, const char **what)
{
    *what = "system call filter";
    return load_filter(p);
}

int sandbox_enter(const struct sandbox_profile *p, uid_t uid, const char **what)
{
    const char *weaker = NULL;
    int rc;

    *what = "resource limits";
    if (set_limits(p)) {
        return -errno;
    }
    *what = "empty root directory";
    if (!p->sees_files && enter_empty_root(&weaker)) {
        return -errno;
    }
    *what = "unprivileged user";
    if (drop_bounding_set() || drop_identity(uid) || drop_capabilities()) {
        return -errno;
    }
    rc = renounce(what);
    if (rc) {
        return rc;
    }
    *what = "proof that nothing comes back";
    rc = no_way_back(uid);
    if (rc) {
        return rc;
    }
    rc = filter(p, what);
    if (!rc) {
        *what = weaker;
    }
    return rc;
}

int sandbox_enter_unprivileged(const struct sandbox_profile *p, const char **what)
{
    int rc;

    *what = "resource limits";
    if (set_limits(p)) {
        return -errno;
    }
    rc = renounce(what);
    return rc ? rc : filter(p, what);
}
