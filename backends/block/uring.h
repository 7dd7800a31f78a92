/* SPDX-License-Identifier: MIT */
/*
 * uring.h - the block backend's io_uring: the only thing it waits on, and its only way to the
 * image.
 *
 * Set up while privileged (locked memory is then not charged to the user that the backend becomes),
 * with three fixed files and one fixed buffer, and restricted to the operations below on those
 * files before it is enabled: since ring operations do not pass a seccomp filter, this is the
 * filter.
 *
 * Every queueing function may submit to make room; completions carry the tag given.
 */
#ifndef BACKENDS_BLOCK_URING_H
#define BACKENDS_BLOCK_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

enum uring_file { URING_IMAGE, URING_EVTCHN, URING_CHANNEL, URING_NR_FILES };

struct uring {
    struct io_uring ring;
    uint32_t port_in, port_out; /* read from and written to the event channel descriptor */
};

/* 0 or -errno. */
int uring_init(struct uring *u, const int fds[URING_NR_FILES], void *buffer, size_t buffer_len);
void uring_free(struct uring *u);

void uring_read(struct uring *u, void *tag, void *buf, uint32_t len, uint64_t offset);
void uring_write(struct uring *u, void *tag, const void *buf, uint32_t len, uint64_t offset);
void uring_fdatasync(struct uring *u, void *tag);
void uring_punch(struct uring *u, void *tag, uint64_t offset, uint64_t len);

/* One event into port_in. Re-arm after each completion. */
void uring_wait_event(struct uring *u, void *tag);
/* Unmask a port; rides on the next submission, completes only on failure, with the tag. */
void uring_unmask(struct uring *u, void *tag, uint32_t port);
void uring_wait_channel(struct uring *u, void *tag);

/* Submit what is queued; wait for a completion if asked to. 0 or -errno. */
int uring_enter(struct uring *u, bool wait);

#endif
