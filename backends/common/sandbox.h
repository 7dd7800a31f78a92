/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - give up what a backend no longer needs once its devices are open (BE-11).
 */
#ifndef BACKENDS_COMMON_SANDBOX_H
#define BACKENDS_COMMON_SANDBOX_H

#include <sys/types.h>

/*
 * Root directory: an empty, deleted one. User and group: uid. No new privileges, no core, no ptrace
 * by others, few descriptors. System calls: the list in sandbox.c; another one kills the process.
 * 0 or -errno, with *what naming the step.
 */
int sandbox_enter(uid_t uid, const char **what);

#endif
