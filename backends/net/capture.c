/* SPDX-License-Identifier: MIT */
/* capture.c - see capture.h; common/recorder.c has the file. */
#include "capture.h"

#include <string.h>

#include "state.h"

void capture_guest(struct netback *n)
{
    struct capture_head *h = n->capture ? n->capture->head : NULL;

    if (h) {
        h->sector_size = n->headroom;
        h->queues = n->nr_queues;
        h->ring_slots = RING_SIZE(&n->q[0].tx.ring);
        h->sectors =
            (n->feat.sg ? CAPTURE_TAKES_SG : 0u) | (n->feat.gso4 ? CAPTURE_TAKES_GSO4 : 0u) |
            (n->feat.gso6 ? CAPTURE_TAKES_GSO6 : 0u) | (n->feat.csum4 ? CAPTURE_TAKES_CSUM4 : 0u) |
            (n->feat.csum6 ? CAPTURE_TAKES_CSUM6 : 0u);
    }
}

static void put(struct capture *c, const struct net_queue *q, const struct capture_round *r,
                struct capture_packet *p, const struct capture_piece *pieces)
{
    uint8_t *to;

    p->bytes = capture_packet_bytes(p->nr_pieces);
    p->queue = (uint16_t)q->index;
    p->taken = r->begun - c->origin;
    p->latency = r->answered - r->begun;
    to = capture_room(c, p->bytes);
    if (to) {
        memset(to, 0, p->bytes);
        memcpy(to, p, sizeof(*p));
        memcpy(to + sizeof(*p), pieces, p->nr_pieces * sizeof(*pieces));
        capture_commit(c, p->bytes);
    }
}

static uint8_t flags_of_sent(const struct packet_tx *pkt)
{
    if (pkt->mcast) {
        return pkt->mcast == XEN_NETIF_EXTRA_TYPE_MCAST_ADD ? CAPTURE_MCAST_ADD : CAPTURE_MCAST_DEL;
    }
    return pkt->csum_blank ? CAPTURE_CSUM_BLANK : 0;
}

void capture_sent(struct net_queue *q, const struct capture_round *r, uint32_t index,
                  const struct packet_tx *pkt, bool failed, unsigned fate)
{
    struct capture_piece pieces[CAPTURE_MAX_PIECES];
    struct capture_packet p = {
        .way = CAPTURE_SENT,
        .flags = flags_of_sent(pkt),
        .index = index,
        .size = pkt->size,
        .gso_size = pkt->gso_size,
        .gso_type = pkt->gso_type,
        .fate = (uint8_t)fate,
        .status = failed ? NETIF_RSP_ERROR : NETIF_RSP_OKAY,
        .nr_slots = (uint16_t)pkt->nr_slots,
        .nr_pieces = (uint16_t)pkt->nr_frags,
    };

    for (unsigned k = 0; k < pkt->nr_frags; k++) {
        pieces[k] = (struct capture_piece){pkt->frag[k].offset, pkt->frag[k].size};
    }
    put(q->n->capture, q, r, &p, pieces);
}

void capture_received(struct net_queue *q, const struct capture_round *r, uint32_t index,
                      const struct packet_rx *plan, const struct gnt_copy *from, const bool *bad,
                      unsigned nr_pieces)
{
    struct capture_piece pieces[CAPTURE_MAX_PIECES];
    struct capture_packet p = {
        .way = CAPTURE_RECEIVED,
        .flags = (uint8_t)((plan->flags & NETRXF_csum_blank ? CAPTURE_CSUM_BLANK : 0) |
                           (plan->flags & NETRXF_data_validated ? CAPTURE_VALIDATED : 0)),
        .index = index,
        .gso_size = plan->gso_size,
        .gso_type = plan->gso_type,
        .nr_slots = (uint16_t)plan->nr_slots,
        .nr_pieces = (uint16_t)nr_pieces,
    };

    for (unsigned k = 0; k < nr_pieces; k++) {
        pieces[k] = (struct capture_piece){from[k].offset, from[k].len};
        p.size += from[k].len;
        if (bad[k]) {
            p.status = NETIF_RSP_ERROR;
            p.fate = CAPTURE_LOST;
        }
    }
    put(q->n->capture, q, r, &p, pieces);
}
