/* SPDX-License-Identifier: MIT */
/*
 * memory.h - a guest that is this very process: grants and event channels for a backend that runs
 * in a thread of it. Another implementation of backends/common/{gntdev,evtchn}.h, by shared memory;
 * this is the front's side of it.
 *
 * Page number = grant reference; all are granted, for writing. The front's calls are one thread's.
 */
#ifndef BACKENDS_REPLAY_MEMORY_H
#define BACKENDS_REPLAY_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_PAGES 32768u
#define MEMORY_PORTS 8u /* 1 to 8; the backend's own number is the same */

/* 0 or -errno; once. */
int memory_open(void);
uint8_t *memory_page(uint32_t ref);

/* Ring the backend's end of a port. */
void memory_notify(unsigned port);
/* Sleep until the backend rings, at most so long. */
void memory_wait(uint64_t ns);

#endif
