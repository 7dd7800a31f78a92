/* SPDX-License-Identifier: MIT */
/*
 * capfile.h - a disk's capture: what its records are, checked (capcheck.h reads the file). Pure.
 *
 * A file that was accepted holds: every record is of a known operation; its segments lie in their
 * pages and add up to its length; what it says of itself agrees. Nothing more: places and times are
 * whatever the file says.
 */
#ifndef BACKENDS_REPLAY_CAPFILE_H
#define BACKENDS_REPLAY_CAPFILE_H

#include "capcheck.h"

struct cap_request {
    struct capture_record r;
    const uint8_t *segments; /* first, last; in the text that was parsed */
    unsigned depth;          /* how many were under way once this was taken, with it */
};

extern const struct cap_kind cap_block;

/* "read", "write", ... */
const char *capfile_op_name(uint8_t op);
const char *capfile_status_name(int status);
/* Operations in the order of reports; -1 for none of them. */
#define CAPFILE_OPS 5
extern const char *const capfile_op_names[CAPFILE_OPS];
int capfile_op_index(uint8_t op);

#endif
