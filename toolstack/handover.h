/* SPDX-License-Identifier: MIT */
/*
 * Between the command that creates a guest and the guest's supervisor: how the second comes to be,
 * and messages of one byte that says what it is and some that belong to it.
 */
#ifndef TENUE_HANDOVER_H
#define TENUE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { HANDOVER_ROOM = 1200 };
enum { MSG_BUILT = 'B', MSG_ERROR = 'E', MSG_GO = 'G', MSG_GO_PAUSED = 'P', MSG_RUNNING = 'R' };

/*
 * Starts run(arg) as a process, on a copy of the caller's memory or, with `lend`, on that memory
 * itself and a stack of its own (supervise.h says what that means for the caller). As fork().
 */
pid_t handover_start(int (*run)(void *), void *arg, bool lend);

bool handover_tell(int fd, char kind, const void *data, size_t len);
/* Returns the kind, 0 if the other side is gone; *len is what follows the kind. */
char handover_hear(int fd, char *data, size_t room, size_t *len);

#endif
