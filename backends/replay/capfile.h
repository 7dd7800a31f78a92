/* SPDX-License-Identifier: MIT */
/*
 * capfile.h - a disk's capture (tenue/capture.h), read and checked. Pure.
 *
 * A file that was accepted holds: every record is whole and of a known operation; its segments lie
 * in their pages and add up to its length; what it says of itself agrees. Nothing more: places and
 * times are whatever the file says.
 */
#ifndef BACKENDS_REPLAY_CAPFILE_H
#define BACKENDS_REPLAY_CAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <tenue/capture.h>

#include "capcheck.h"

struct cap_request {
    struct capture_record r;
    const uint8_t *segments; /* first, last; in the text that was parsed */
    unsigned depth;          /* how many were under way once this was taken, with it */
};

struct capfile {
    struct capture_head head;
    struct cap_request *requests; /* in the order they were taken */
    size_t nr;
};

/* 0, or -EBADMSG with the offset and the reason in `err`, or -ENOMEM. `text` stays the caller's and
 * is referred to. */
int capfile_parse(const void *text, size_t len, struct capfile *out, char *err, size_t err_len);
void capfile_free(struct capfile *c);

/* "read", "write", ... */
const char *capfile_op_name(uint8_t op);
const char *capfile_status_name(int status);
/* Operations in the order of reports; -1 for none of them. */
#define CAPFILE_OPS 5
extern const char *const capfile_op_names[CAPFILE_OPS];
int capfile_op_index(uint8_t op);

#endif
