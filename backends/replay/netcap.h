/* SPDX-License-Identifier: MIT */
/*
 * netcap.h - an interface's capture: what its records are, checked (capcheck.h reads the file).
 * Pure.
 *
 * A file that was accepted holds: a record's pieces lie in their pages and add up to its frame, no
 * longer than one may be; it has as many slots as its pieces and extra infos need. Nothing more:
 * times are whatever the file says, and so is what became of a packet.
 */
#ifndef BACKENDS_REPLAY_NETCAP_H
#define BACKENDS_REPLAY_NETCAP_H

#include "capcheck.h"

struct cap_packet {
    struct capture_packet r;
    struct capture_piece piece[CAPTURE_MAX_PIECES];
    unsigned depth; /* how many were under way once this was taken, with it */
};

extern const struct cap_kind cap_net;

/* Cannot be asked for again: what made it be refused, or which address it was about, is not there.
 */
bool netcap_left_out(const struct cap_packet *p);

const char *netcap_fate_name(unsigned fate);

#endif
