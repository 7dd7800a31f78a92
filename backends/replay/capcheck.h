/* SPDX-License-Identifier: MIT */
/* capcheck.h - what reading a capture of either kind shares (capfile.c, netcap.c). */
#ifndef BACKENDS_REPLAY_CAPCHECK_H
#define BACKENDS_REPLAY_CAPCHECK_H

#include <stddef.h>
#include <tenue/capture.h>

struct parse {
    const uint8_t *text;
    char *err;
    size_t err_len;
};

/* "byte N: ...", the offset of `at`. -EBADMSG. */
int cap_bad(const struct parse *p, const void *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int cap_check_head(const struct parse *p, size_t len, const struct capture_head *h, uint32_t kind);

/*
 * Sorts items of `stride` bytes, each beginning with its record, by the time they were taken; then
 * finds how many were under way once each was taken, with it: an unsigned, so many bytes into the
 * item. 0 or -ENOMEM.
 */
int cap_order(void *items, size_t nr, size_t stride, size_t depth_at,
              int (*in_order)(const void *, const void *));

/* A file's text (free() it), its length in *len; or NULL with the reason in `err`. */
void *capfile_read(const char *path, size_t *len, char *err, size_t err_len);

#endif
