/* SPDX-License-Identifier: MIT */
/* capture.c - the two ends of a capture's life (tenue/capture.h); what lies between is
 * recorder.c's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <tenue/capture.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int capture_prepare(int fd, uint32_t kind)
{
    struct capture_head head = {
        .magic = CAPTURE_MAGIC,
        .version = CAPTURE_VERSION,
        .kind = kind,
        .on = 1,
        .begun = clock_ns(CLOCK_REALTIME),
        .origin = clock_ns(CLOCK_MONOTONIC),
    };
    int rc = posix_fallocate(fd, 0, CAPTURE_BYTES);

    if (rc) {
        return -rc;
    }
    return pwrite(fd, &head, sizeof(head), 0) == sizeof(head) ? 0 : -EIO;
}

void capture_finish(int fd)
{
    struct capture_head head;

    if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
        head.used > CAPTURE_BYTES - sizeof(head)) {
        return; /* somebody has written here; it is refused when it is read */
    }
    head.on = 0;
    if (ftruncate(fd, (off_t)(sizeof(head) + head.used)) ||
        pwrite(fd, &head, sizeof(head), 0) != sizeof(head)) {
        fprintf(stderr, "capture: %s\n", strerror(errno));
    }
}
