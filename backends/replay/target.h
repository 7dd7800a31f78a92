/* SPDX-License-Identifier: MIT */
/*
 * target.h - the backend that a capture is done again against: the one that serves guests, in a
 * thread, on an image or an NBD server's.
 */
#ifndef BACKENDS_REPLAY_TARGET_H
#define BACKENDS_REPLAY_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/channel.h"

struct target_options {
    const char *image; /* path, or nbd://... */
    bool readonly, buffered;
    struct channel_msg *start; /* how to serve: queues=, grants=, ... */
};

#define TARGET_LAST_FD (CHANNEL_DEVICE_FD + 1) /* the image, the capture: backend_reserve() */

/* Where it records what it does is there already. The host's end of the channel, or -1 with the
 * reason in `err`. Once in a process. */
int target_start(struct target_options *o, char *err, size_t err_len);

#endif
