/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - give up what a process no longer needs once its devices are open (BE-11).
 *
 * A profile says what remains. The device backends have theirs here, the store has its own
 * (xenstore-lite/confine.c) and so has the kernel examiner (toolstack/confine.c);
 * tests/backends/subverted enters each of them by the function below
 * and tries to get out. docs/confinement.md is the table for people.
 */
#ifndef BACKENDS_COMMON_SANDBOX_H
#define BACKENDS_COMMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

struct sock_fprog;

#define SANDBOX_KEEP_LIMIT (RLIM_INFINITY - 1) /* leave a limit as it was */

struct sandbox_profile {
    const char *name;
    const int *calls; /* system calls beyond those that every profile has */
    size_t nr_calls;
    const unsigned long *ioctls; /* requests of ioctl(), on whatever descriptor */
    size_t nr_ioctls;
    rlim_t files, processes, memory, file_size;
    bool sees_files; /* keeps its root directory and, without a capability, user 0 */
    bool threads;    /* may make some; a process it never may */
    bool own_nice;   /* may change its own priority, within what it was allowed before */
    bool refuse;     /* another system call fails with EPERM; without this it ends the process */
    const struct sock_fprog *ready; /* the filter, made when this program was built; NULL: now */
};

extern const struct sandbox_profile sandbox_block, sandbox_block_nbd, sandbox_net, sandbox_console,
    sandbox_image;

/*
 * Root directory: an empty one, read-only, that no path leads out of. User and group: uid. No
 * capability, no new privileges, no core, no ptrace by others, no descriptor beyond the limit.
 * System calls: the profile's. 0 or -errno, with *what naming the step; on success *what is NULL,
 * or says what is weaker than it should be.
 */
int sandbox_enter(const struct sandbox_profile *p, uid_t uid, const char **what);

/*
 * What of it needs no privilege, for a process that never had any: limits, no new privileges, the
 * system calls. It keeps its user and its root directory.
 */
int sandbox_enter_unprivileged(const struct sandbox_profile *p, const char **what);

/* Writes the profile's filter to fd, as the kernel wants it: struct sock_filter, one after another.
 */
int sandbox_export(const struct sandbox_profile *p, int fd);

#endif
