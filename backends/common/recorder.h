/* SPDX-License-Identifier: MIT */
/*
 * recorder.h - a backend's side of a capture (tenue/capture.h has the file's format): records are
 * put one behind the other.
 *
 * The host's descriptor is closed once the file is mapped: whoever takes this process over cannot
 * make the file longer.
 */
#ifndef BACKENDS_COMMON_RECORDER_H
#define BACKENDS_COMMON_RECORDER_H

#include <tenue/capture.h>

struct capture {
    struct capture_head *head;
    uint64_t used, origin;
};

/* Takes `fd`. NULL, with a word in the log: nothing is recorded, and the device works without. */
struct capture *capture_open(int fd, uint32_t kind);
void capture_close(struct capture *c);

/* Where the next record of so many bytes goes. NULL: recording is off, or there is no room. */
void *capture_room(struct capture *c, uint32_t bytes);
/* It is there, whole. */
void capture_commit(struct capture *c, uint32_t bytes);

#endif
