/* SPDX-License-Identifier: MIT */
/*
 * uring.h - the block backend's io_uring: the only thing it waits on, and its only way to the
 * image.
 *
 * Set up while privileged (locked memory is then not charged to the user that the backend becomes),
 * with its fixed files and one fixed buffer, and restricted to the operations below on those
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

/*
 * URING_LIFE is used by nobody. The ring holds its files until the kernel is done with the last
 * operation, also when the process is gone; so the far end of this pipe tells when that is.
 */
/* A raw image has no URING_REMOTE and any other no URING_IMAGE: -1 then. */
enum uring_file {
    URING_LIFE,
    URING_IMAGE,
    URING_EVTCHN,
    URING_CHANNEL,
    URING_REMOTE,
    URING_NR_FILES
};

#define URING_PORTS 16 /* events that one read takes */

struct uring {
    struct io_uring ring;
    uint32_t port_in[URING_PORTS], port_out[URING_PORTS]; /* read from the event channel, to be
                                                             unmasked */
    unsigned nr_out;
    uintptr_t fixed, fixed_end; /* the registered buffer */
};

/* Data may also come from and go to other memory than the buffer: 0 or -errno. */
int uring_init(struct uring *u, const int fds[URING_NR_FILES], void *buffer, size_t buffer_len);
void uring_free(struct uring *u);

void uring_read(struct uring *u, void *tag, void *buf, uint32_t len, uint64_t offset);
void uring_write(struct uring *u, void *tag, const void *buf, uint32_t len, uint64_t offset);
void uring_fdatasync(struct uring *u, void *tag);
void uring_punch(struct uring *u, void *tag, uint64_t offset, uint64_t len);

/* Events into port_in: the bytes read complete. Re-arm after each completion. */
void uring_wait_event(struct uring *u, void *tag);
/* Unmask the ports in port_out; rides on the next submission. Success may complete, too. */
void uring_unmask(struct uring *u, void *tag);
void uring_wait_channel(struct uring *u, void *tag);
void uring_wait_remote(struct uring *u, void *tag);
/* Of a wait for a time, on old kernels: to be passed over. */
bool uring_is_alarm(const void *tag);

/*
 * Submit what is queued; wait for a completion: not at all (0), for so many microseconds, or for as
 * long as it takes (UINT64_MAX). 0 or -errno, -ETIME among them.
 */
int uring_enter(struct uring *u, uint64_t wait_us);

#endif
