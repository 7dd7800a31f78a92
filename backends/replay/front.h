/* SPDX-License-Identifier: MIT */
/*
 * front.h - a front that asks a block backend for what a capture holds.
 *
 * The backend runs in a thread of this process, on pages of this process (memory.h); it is the one
 * that serves guests, from its ring to its image, and cannot tell the difference.
 */
#ifndef BACKENDS_REPLAY_FRONT_H
#define BACKENDS_REPLAY_FRONT_H

#include "capfile.h"
#include "pace.h"

/* A request's id is its number in the capture. `skip_writes`: leave out whatever changes the image.
 * Otherwise as pace_run(). */
int front_replay(struct pace *p, bool skip_writes);

/* What changes an image. */
bool front_writes(const struct cap_request *q);
/* Cannot be asked for again: it broke a rule, and what it said was not recorded. */
bool front_refused(const struct cap_request *q);

#endif
