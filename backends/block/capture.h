/* SPDX-License-Identifier: MIT */
/*
 * capture.h - record what the rings asked for (tenue/capture.h has the file's format).
 *
 * The host's descriptor is closed once the file is mapped: whoever takes this process over cannot
 * make the file longer.
 */
#ifndef BACKENDS_BLOCK_CAPTURE_H
#define BACKENDS_BLOCK_CAPTURE_H

#include <tenue/capture.h>

#include "queue.h"

struct capture;

/* Takes `fd`. NULL, with a word in the log: nothing is recorded, and the device works without. */
struct capture *capture_open(int fd);
void capture_close(struct capture *c);

/* What the guest is told of the disk. */
void capture_geometry(struct capture *c, const struct request_limits *lim, unsigned queues,
                      unsigned ring_slots);
/* One request, answered now. */
void capture_request(struct capture *c, unsigned queue, const struct queue_entry *e,
                     uint64_t since_ns, uint64_t now_ns, int status);

#endif
