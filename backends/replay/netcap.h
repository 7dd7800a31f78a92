/* SPDX-License-Identifier: MIT */
/*
 * netcap.h - an interface's capture (tenue/capture.h), read and checked. Pure.
 *
 * A file that was accepted holds: every record is whole; its pieces lie in their pages and add up
 * to its frame, no longer than one may be; it has as many slots as its pieces and extra infos need.
 * Nothing more: times are whatever the file says, and so is what became of a packet.
 */
#ifndef BACKENDS_REPLAY_NETCAP_H
#define BACKENDS_REPLAY_NETCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <tenue/capture.h>

#include "capcheck.h"

struct cap_packet {
    struct capture_packet r;
    struct capture_piece piece[CAPTURE_MAX_PIECES];
    unsigned depth; /* how many were under way once this was taken, with it */
};

struct netcap {
    struct capture_head head;
    struct cap_packet *packets; /* in the order they were taken */
    size_t nr;
};

/* 0, or -EBADMSG with the offset and the reason in `err`, or -ENOMEM. */
int netcap_parse(const void *text, size_t len, struct netcap *out, char *err, size_t err_len);
void netcap_free(struct netcap *c);

/* Cannot be asked for again: what made it be refused, or which address it was about, is not there.
 */
bool netcap_left_out(const struct cap_packet *p);

const char *netcap_fate_name(unsigned fate);

#endif
