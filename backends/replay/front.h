/* SPDX-License-Identifier: MIT */
/*
 * front.h - a front that asks a block backend for what a capture holds.
 *
 * The backend runs in a thread of this process, on pages of this process (memory.h); it is the one
 * that serves guests, from its ring to its image, and cannot tell the difference.
 */
#ifndef BACKENDS_REPLAY_FRONT_H
#define BACKENDS_REPLAY_FRONT_H

#include <stdbool.h>

#include "../common/channel.h"
#include "capfile.h"

struct front_options {
    bool fast;        /* as many under way as were then, not when they were */
    bool skip_writes; /* leave out whatever changes the image */
    int host;         /* the host's end of the backend's channel */
};

struct front_result {
    size_t done, skipped;
    size_t differ; /* answered otherwise than was recorded */
    uint64_t ns;   /* it took */
};

/*
 * Connect, do it all, disconnect. A request's id is its number in the capture. 0, or -errno with
 * the reason in `err`.
 */
int front_replay(const struct capfile *c, const struct front_options *o, struct front_result *r,
                 char *err, size_t err_len);

/* What changes an image. */
bool front_writes(const struct cap_request *q);
/* Cannot be asked for again: it broke a rule, and what it said was not recorded. */
bool front_refused(const struct cap_request *q);

#endif
