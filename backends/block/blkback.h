/* SPDX-License-Identifier: MIT */
/*
 * blkback.h - the block backend proper: ring in, image out.
 *
 * device_ops for main.c; the tests drive the same ops with other gntdev and evtchn objects linked
 * in.
 */
#ifndef BACKENDS_BLOCK_BLKBACK_H
#define BACKENDS_BLOCK_BLKBACK_H

#include "../common/device.h"

extern const struct device_ops blkback_ops;

/* One turn of the event loop: submit, wait for something if nothing is left to do, take completions
 * and messages, serve the ring, publish the answers. */
void blkback_turn(struct device *d);
/* Learn what the image is, from its server if it has one; before anything else. 0 or -errno. */
int blkback_meet_image(struct device *d);
/* A connection that was asked for: the operation `link` of the program that has a remote image. */
void blkback_link(struct device *d, int socket);
/* Arm what the loop waits on; once, before the first turn. */
void blkback_arm(struct device *d);
/* Undo init (tests; a real process just ends). */
void blkback_fini(struct device *d);

/* For tests: what teardown must bring back to nothing. */
struct blkback_usage {
    unsigned inflight, inflight_writes, pool_pages, mapped;
};
void blkback_usage(const struct device *d, struct blkback_usage *out);

#endif
