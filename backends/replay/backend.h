/* SPDX-License-Identifier: MIT */
/*
 * backend.h - a backend in a thread of this process, and talking with it as the device host does.
 * No store, no lock, no confinement; there is no guest to be confined against.
 */
#ifndef BACKENDS_REPLAY_BACKEND_H
#define BACKENDS_REPLAY_BACKEND_H

#include <stddef.h>

#include "../common/channel.h"
#include "../common/device.h"

/* Before anything else opens a descriptor: the backend finds its own at fixed numbers, the last of
 * which is this. */
void backend_reserve(int last);
/* Takes `fd`; 0 or -errno, also that of a call which gave -1. */
int backend_place(int fd, int number);
/* The host's end of the channel, or -errno. Once in a process; `fini` undoes ops->init. */
int backend_begin(const struct device_ops *ops, void (*fini)(struct device *),
                  struct channel_msg *start);
/* Ends it; closes that end. */
void backend_end(int host);

/* The front's part. 0, or -errno with the reason in `err`. */
int backend_say(int host, const struct channel_msg *m, char *err, size_t err_len);
int backend_say_state(int host, unsigned state, char *err, size_t err_len);
/* The backend's keys that come with a state. */
int backend_await(int host, unsigned state, struct channel_msg *m, char *err, size_t err_len);

#endif
