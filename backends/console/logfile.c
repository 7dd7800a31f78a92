/* SPDX-License-Identifier: MIT */
/*
 * logfile.c - capped log with rotation by copy. Invariant: neither file is ever longer than max.
 */
#include "logfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/log.h"

#define MIN_MAX 4096u

int logfile_init(struct logfile *l, int fd, int old_fd, uint64_t max)
{
    struct stat st;

    *l = (struct logfile){.fd = fd, .old_fd = old_fd, .max = max < MIN_MAX ? MIN_MAX : max};
    if (fd < 0) {
        return 0;
    }
    if (fstat(fd, &st)) {
        return -errno;
    }
    l->size = (uint64_t)st.st_size;
    return 0;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n ? -errno : -EIO;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/*
 * The newest `max` bytes of the log become the predecessor. A longer log was left by a larger cap.
 */
static int rotate(struct logfile *l)
{
    uint8_t buf[16384];
    off_t at = l->size > l->max ? (off_t)(l->size - l->max) : 0;
    ssize_t n;
    int rc;

    if (ftruncate(l->old_fd, 0)) {
        return -errno;
    }
    while ((n = pread(l->fd, buf, sizeof(buf), at)) > 0) {
        rc = write_all(l->old_fd, buf, (size_t)n);
        if (rc) {
            break; /* a full disk: an incomplete predecessor is better than a log that stops */
        }
        at += n;
    }
    if (ftruncate(l->fd, 0)) {
        return -errno;
    }
    l->size = 0;
    return 0;
}

void logfile_write(struct logfile *l, const uint8_t *data, size_t len)
{
    int rc = 0;

    if (l->fd < 0) {
        return;
    }
    while (len && !rc) {
        uint64_t room = l->size < l->max ? l->max - l->size : 0;
        size_t n = len < room ? len : (size_t)room;

        if (!room) {
            rc = rotate(l);
            continue;
        }
        rc = write_all(l->fd, data, n);
        if (!rc) {
            l->size += n;
            data += n;
            len -= n;
        }
    }
    if (rc && !l->failing) {
        log_line("console log: %s; output is lost until there is room", strerror(-rc));
    }
    l->failing = rc != 0;
}
