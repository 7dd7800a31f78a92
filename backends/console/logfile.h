/* SPDX-License-Identifier: MIT */
/*
 * logfile.h - a guest's console log: capped, one predecessor kept.
 *
 * Works on two open descriptors, since a backend has no paths: at the cap the log's content is
 * copied to the predecessor and the log starts empty. Bytes are written as the guest sent them.
 */
#ifndef BACKENDS_CONSOLE_LOGFILE_H
#define BACKENDS_CONSOLE_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logfile {
    int fd, old_fd; /* both append mode; -1: no log */
    uint64_t max;
    uint64_t size;
    bool failing; /* said so already */
};

/* max below 4 KiB counts as 4 KiB. */
int logfile_init(struct logfile *l, int fd, int old_fd, uint64_t max);

/* What cannot be written (full disk) is lost, with one message until it works again. */
void logfile_write(struct logfile *l, const uint8_t *data, size_t len);

#endif
