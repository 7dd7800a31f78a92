/* SPDX-License-Identifier: MIT */
/*
 * netfront.h - a front that sends, and has sent to it, what an interface's capture holds. The
 * backend runs in a thread of this process (backend.h, memory.h), behind it a tap or nothing
 * (netsink.h).
 */
#ifndef BACKENDS_REPLAY_NETFRONT_H
#define BACKENDS_REPLAY_NETFRONT_H

#include "netcap.h"
#include "pace.h"

/* `sent_only`: nothing is given to the backend for the guest, since the tap is a real one.
 * Otherwise as pace_run(). */
int netfront_replay(struct pace *p, bool sent_only);

#endif
