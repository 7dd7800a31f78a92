/* SPDX-License-Identifier: MIT */
/*
 * uring.c - set-up, restriction and queueing. Owns the ring; the buffers and files are the
 * caller's.
 *
 * The event channel descriptor is non-blocking, so a read of it is parked on its poll queue by the
 * kernel and completes with the port: one entry instead of a poll, a read and the calls for both.
 */
#include "uring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 256

static const uint8_t allowed_ops[] = {
    IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED, IORING_OP_FSYNC,    IORING_OP_FALLOCATE,
    IORING_OP_READ,       IORING_OP_WRITE,       IORING_OP_POLL_ADD, IORING_OP_TIMEOUT,
};
#define NR_OPS (sizeof(allowed_ops) / sizeof(allowed_ops[0]))

static char alarm_tag;

/* liburing 2.3 declares functions for these two operations and does not export them. */
static int ring_register(struct uring *u, unsigned op, const void *arg, unsigned count)
{
    return syscall(__NR_io_uring_register, u->ring.ring_fd, op, arg, count) < 0 ? -errno : 0;
}

static int restrict_ring(struct uring *u)
{
    struct io_uring_restriction res[NR_OPS + 2];

    memset(res, 0, sizeof(res));
    for (unsigned i = 0; i < NR_OPS; i++) {
        res[i].opcode = IORING_RESTRICTION_SQE_OP;
        res[i].sqe_op = allowed_ops[i];
    }
    res[NR_OPS].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
    res[NR_OPS].sqe_flags = IOSQE_FIXED_FILE;
    res[NR_OPS + 1].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    res[NR_OPS + 1].sqe_flags = IOSQE_CQE_SKIP_SUCCESS;
    return ring_register(u, IORING_REGISTER_RESTRICTIONS, res, NR_OPS + 2);
}

static int create_ring(struct uring *u)
{
    unsigned best = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int rc = io_uring_queue_init(ENTRIES, &u->ring, IORING_SETUP_R_DISABLED | best);

    /* Kernels before 6.1 do not know the two, which only save work. */
    if (rc == -EINVAL) {
        rc = io_uring_queue_init(ENTRIES, &u->ring, IORING_SETUP_R_DISABLED);
    }
    return rc;
}

int uring_init(struct uring *u, const int fds[URING_NR_FILES], void *buffer, size_t buffer_len)
{
    struct iovec iov = {.iov_base = buffer, .iov_len = buffer_len};
    int rc = create_ring(u);

    if (rc) {
        return rc;
    }
    u->fixed = (uintptr_t)buffer;
    u->fixed_end = u->fixed + buffer_len;
    rc = io_uring_register_buffers(&u->ring, &iov, 1);
    if (!rc) {
        rc = io_uring_register_files(&u->ring, fds, URING_NR_FILES);
    }
    if (!rc) {
        rc = restrict_ring(u);
    }
    if (!rc) {
        rc = ring_register(u, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    }
    if (rc < 0) {
        io_uring_queue_exit(&u->ring);
    }
    return rc < 0 ? rc : 0;
}

void uring_free(struct uring *u)
{
    io_uring_queue_exit(&u->ring);
}

static struct io_uring_sqe *get_sqe(struct uring *u)
{
    struct io_uring_sqe *sqe;

    /* Full only when a burst exceeds ENTRIES; submitting always empties the queue. */
    while (!(sqe = io_uring_get_sqe(&u->ring))) {
        io_uring_submit(&u->ring);
    }
    return sqe;
}

static void finish(struct io_uring_sqe *sqe, void *tag, unsigned flags)
{
    io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | flags);
    io_uring_sqe_set_data(sqe, tag);
}

static bool is_fixed(const struct uring *u, const void *buf, uint32_t len)
{
    return (uintptr_t)buf >= u->fixed && (uintptr_t)buf + len <= u->fixed_end;
}

void uring_read(struct uring *u, void *tag, void *buf, uint32_t len, uint64_t offset)
{
    struct io_uring_sqe *sqe = get_sqe(u);

    if (is_fixed(u, buf, len)) {
        io_uring_prep_read_fixed(sqe, URING_IMAGE, buf, len, offset, 0);
    } else {
        io_uring_prep_read(sqe, URING_IMAGE, buf, len, offset);
    }
    finish(sqe, tag, 0);
}

void uring_write(struct uring *u, void *tag, const void *buf, uint32_t len, uint64_t offset)
{
    struct io_uring_sqe *sqe = get_sqe(u);

    if (is_fixed(u, buf, len)) {
        io_uring_prep_write_fixed(sqe, URING_IMAGE, buf, len, offset, 0);
    } else {
        io_uring_prep_write(sqe, URING_IMAGE, buf, len, offset);
    }
    finish(sqe, tag, 0);
}

void uring_fdatasync(struct uring *u, void *tag)
{
    struct io_uring_sqe *sqe = get_sqe(u);

    io_uring_prep_fsync(sqe, URING_IMAGE, IORING_FSYNC_DATASYNC);
    finish(sqe, tag, 0);
}

void uring_punch(struct uring *u, void *tag, uint64_t offset, uint64_t len)
{
    struct io_uring_sqe *sqe = get_sqe(u);

    io_uring_prep_fallocate(sqe, URING_IMAGE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)offset, (off_t)len);
    finish(sqe, tag, 0);
}

void uring_wait_event(struct uring *u, void *tag)
{
    struct io_uring_sqe *sqe = get_sqe(u);

    io_uring_prep_read(sqe, URING_EVTCHN, u->port_in, sizeof(u->port_in), 0);
    finish(sqe, tag, 0);
}

/* Kernels before 5.17 tell success, too. */
void uring_unmask(struct uring *u, void *tag)
{
    const bool can_skip = u->ring.features & IORING_FEAT_CQE_SKIP;
    struct io_uring_sqe *sqe = get_sqe(u);

    io_uring_prep_write(sqe, URING_EVTCHN, u->port_out,
                        u->nr_out * (unsigned)sizeof(u->port_out[0]), 0);
    finish(sqe, tag, can_skip ? IOSQE_CQE_SKIP_SUCCESS : 0);
}

void uring_wait_channel(struct uring *u, void *tag)
{
    struct io_uring_sqe *sqe = get_sqe(u);

    io_uring_prep_poll_add(sqe, URING_CHANNEL, POLLIN);
    finish(sqe, tag, 0);
}

static int enter_once(struct uring *u, uint64_t wait_us)
{
    struct __kernel_timespec ts = {
        .tv_sec = (long long)(wait_us / 1000000),
        .tv_nsec = (long long)(wait_us % 1000000) * 1000,
    };
    struct io_uring_sqe *sqe;
    struct io_uring_cqe *cqe;

    if (!wait_us) {
        return io_uring_submit_and_get_events(&u->ring);
    }
    if (wait_us == UINT64_MAX) {
        return io_uring_submit_and_wait(&u->ring, 1);
    }
    if (u->ring.features & IORING_FEAT_EXT_ARG) {
        return io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
    }
    /* Before 5.11 a time is a request like others. */
    sqe = get_sqe(u);
    io_uring_prep_timeout(sqe, &ts, 0, 0);
    finish(sqe, &alarm_tag, 0);
    return io_uring_submit_and_wait(&u->ring, 1);
}

void uring_wait_remote(struct uring *u, void *tag)
{
    struct io_uring_sqe *sqe = get_sqe(u);

    io_uring_prep_poll_add(sqe, URING_REMOTE, POLLIN);
    finish(sqe, tag, 0);
}

bool uring_is_alarm(const void *tag)
{
    return tag == &alarm_tag;
}

int uring_enter(struct uring *u, uint64_t wait_us)
{
    int rc;

    do {
        rc = enter_once(u, wait_us);
    } while (rc == -EINTR);
    return rc < 0 ? rc : 0;
}
