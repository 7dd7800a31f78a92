/* SPDX-License-Identifier: MIT */
/* capture.h - record what a disk's rings asked for (tenue/capture.h has the file's format). */
#ifndef BACKENDS_BLOCK_CAPTURE_H
#define BACKENDS_BLOCK_CAPTURE_H

#include "../common/recorder.h"
#include "queue.h"

/* What the guest is told of the disk. */
void capture_geometry(struct capture *c, const struct request_limits *lim, unsigned queues,
                      unsigned ring_slots);
/* One request, answered now. */
void capture_request(struct capture *c, unsigned queue, const struct queue_entry *e,
                     uint64_t since_ns, uint64_t now_ns, int status);

#endif
