/* SPDX-License-Identifier: MIT */
/*
 * capture.h - record which packets the rings carried (tenue/capture.h has the file's format).
 *
 * A record is made when its round is over, so that it says what became of the packet: a process
 * that dies in a round leaves that round's packets unrecorded.
 */
#ifndef BACKENDS_NET_CAPTURE_H
#define BACKENDS_NET_CAPTURE_H

#include "../common/recorder.h"
#include "packet.h"

struct net_queue;
struct netback;

/* What a round's packets have in common. */
struct capture_round {
    uint64_t begun, answered; /* ns; 0: nothing is recorded */
};

/* What the guest said it can take. */
void capture_guest(struct netback *n);
/* One packet, of a device that has a capture. */
void capture_sent(struct net_queue *q, const struct capture_round *r, uint32_t index,
                  const struct packet_tx *pkt, bool failed, unsigned fate);
/* `pieces`: of the guest's pages, as they were to be filled; `bad`: those that could not be. */
struct gnt_copy;
void capture_received(struct net_queue *q, const struct capture_round *r, uint32_t index,
                      const struct packet_rx *plan, const struct gnt_copy *pieces, const bool *bad,
                      unsigned nr_pieces);

#endif
