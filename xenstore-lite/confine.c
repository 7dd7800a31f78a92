/* SPDX-License-Identifier: MIT */
/*
 * The profiles of the store's two processes.
 *
 * Owns: the lists of system calls.
 * Invariants: a call that is not listed fails, it does not end the process: the tree has no copy,
 * and a library's unexpected question must not cost every guest its store. Leaves to others: how
 * confinement is done (backends/common/sandbox.c).
 */
#include "confine.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/sys/evtchn.h>
#include <xen/sys/gntdev.h>
#include <xen/sys/privcmd.h>

#include "log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* recvmsg brings a new log from the keeper and clients from the guard; recvmmsg and sendmmsg are
 * recv and send whose result the kernel writes into the journal; sysinfo is qsort's, getrusage the
 * memory report's. */
static const int store_calls[] = {
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl),   SCMP_SYS(recvmsg),  SCMP_SYS(getrusage),
    SCMP_SYS(sysinfo),    SCMP_SYS(epoll_pwait), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg),
};
static const unsigned long store_ioctls[] = {
    IOCTL_GNTDEV_MAP_GRANT_REF,    IOCTL_GNTDEV_UNMAP_GRANT_REF, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
    IOCTL_EVTCHN_BIND_INTERDOMAIN, IOCTL_EVTCHN_UNBIND,          IOCTL_EVTCHN_NOTIFY,
};

static const int keeper_calls[] = {
    SCMP_SYS(openat),
    SCMP_SYS(rename),
    SCMP_SYS(unlink),
    SCMP_SYS(sendmsg),
};
static const unsigned long keeper_ioctls[] = {IOCTL_PRIVCMD_HYPERCALL};

const struct sandbox_profile confine_store = {
    .name = "store",
    .calls = store_calls,
    .nr_calls = COUNT(store_calls),
    .ioctls = store_ioctls,
    .nr_ioctls = COUNT(store_ioctls),
    .files = SANDBOX_KEEP_LIMIT, /* one for each client */
    .processes = 0,
    .memory = SANDBOX_KEEP_LIMIT, /* the tree's; guests have quotas */
    .file_size = SANDBOX_KEEP_LIMIT,
    .refuse = true,
};

const struct sandbox_profile confine_keeper = {
    .name = "keeper",
    .calls = keeper_calls,
    .nr_calls = COUNT(keeper_calls),
    .ioctls = keeper_ioctls,
    .nr_ioctls = COUNT(keeper_ioctls),
    .files = 16,
    .processes = 0,
    .memory = 64ul << 20,
    .file_size = SANDBOX_KEEP_LIMIT,
    .sees_files = true,
    .refuse = true,
};

int confine_enter(const struct sandbox_profile *profile, uid_t uid)
{
    const char *what;
    int rc;

    if (geteuid() != 0) {
        log_line("%s: not started as root, runs without confinement", profile->name);
        return 0;
    }
    tzset(); /* the time zone's file cannot be read later */
    rc = sandbox_enter(profile, uid, &what);
    if (rc)
        log_line("%s: cannot give up privileges at step \"%s\": %s", profile->name, what,
                 strerror(-rc));
    else if (what)
        log_line("%s: confined, but %s", profile->name, what);
    return rc;
}
