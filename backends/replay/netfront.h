/* SPDX-License-Identifier: MIT */
/*
 * netfront.h - a front that sends, and has sent to it, what an interface's capture holds. The
 * backend runs in a thread of this process (backend.h, memory.h), behind it a tap or nothing
 * (netsink.h).
 */
#ifndef BACKENDS_REPLAY_NETFRONT_H
#define BACKENDS_REPLAY_NETFRONT_H

#include "netcap.h"

struct netfront_options {
    bool fast;      /* as many under way as were then, not when they were */
    bool sent_only; /* nothing is given to the backend for the guest: the tap is a real one */
    int host;       /* the host's end of the backend's channel */
};

struct netfront_result {
    size_t done, skipped;
    size_t differ;   /* answered, or delivered, otherwise than was recorded */
    uint64_t passed; /* of those sent again, that got through then */
    uint64_t ns;     /* it took */
};

/* How many queues its packets are of. */
unsigned netfront_queues(const struct netcap *c);
/* Connect, do it all, disconnect. 0, or -errno with the reason in `err`. */
int netfront_replay(const struct netcap *c, const struct netfront_options *o,
                    struct netfront_result *r, char *err, size_t err_len);

#endif
