/* SPDX-License-Identifier: MIT */
/*
 * tx.c - packets from the guest to the tap.
 *
 * A round copies slots into private memory, parses them into packets, copies all their pieces with
 * one batch of grant copies, answers every slot (the data is ours by then), and writes the packets.
 * Every slot is answered in the order and place it came, extra slots with NETIF_RSP_NULL.
 *
 * Invariant: req_cons == rsp_prod_pvt between rounds.
 */
#include <string.h>

#include "../common/log.h"
#include "netback.h"

struct tx_round {
    unsigned nr_packets, nr_pieces;
    struct tx_item {
        struct packet_tx pkt;
        uint16_t id[PACKET_MAX_SLOTS];
        unsigned first_piece;
        bool failed;
    } item[NET_BATCH];
    struct gnt_copy pieces[GNT_COPY_BATCH];
    bool bad[GNT_COPY_BATCH];
};

static uint8_t *frame_of(struct netback *n, unsigned i)
{
    return n->tx.buffers + (size_t)i * NET_SLOT_BYTES + NET_HEADROOM;
}

/* Private copies of the next slots, at most what a packet may have. */
static unsigned copy_slots(struct netback *n, RING_IDX prod, union packet_tx_slot *slots)
{
    RING_IDX avail = prod - n->tx.ring.req_cons;
    unsigned count = avail < PACKET_MAX_SLOTS ? avail : PACKET_MAX_SLOTS;

    for (unsigned i = 0; i < count; i++) {
        RING_COPY_REQUEST(&n->tx.ring, n->tx.ring.req_cons + i, &slots[i].req);
    }
    return count;
}

static void plan_pieces(struct netback *n, struct tx_round *r, unsigned i)
{
    struct tx_item *it = &r->item[i];
    uint8_t *to = frame_of(n, i);

    it->first_piece = r->nr_pieces;
    for (unsigned k = 0; k < it->pkt.nr_frags; k++) {
        const struct packet_frag *f = &it->pkt.frag[k];

        r->pieces[r->nr_pieces++] = (struct gnt_copy){to, f->gref, f->offset, f->size};
        to += f->size;
    }
}

/* Take packets until a limit of the round or the end of what is there. False: the device was
 * failed. */
static bool collect(struct netback *n, struct tx_round *r, RING_IDX prod)
{
    union packet_tx_slot slots[PACKET_MAX_SLOTS];

    while (n->tx.ring.req_cons != prod && r->nr_packets < NET_BATCH &&
           r->nr_pieces + PACKET_MAX_FRAGS <= GNT_COPY_BATCH) {
        struct tx_item *it = &r->item[r->nr_packets];
        unsigned avail = copy_slots(n, prod, slots);
        const char *wrong = packet_tx_parse(slots, avail, &it->pkt);

        if (wrong) {
            device_fail(n->d, "transmit ring at %u: %s", n->tx.ring.req_cons, wrong);
            return false;
        }
        for (unsigned k = 0; k < it->pkt.nr_slots; k++) {
            it->id[k] = slots[k].req.id;
        }
        it->failed = it->pkt.drop;
        it->first_piece = r->nr_pieces;
        if (!it->pkt.drop) {
            plan_pieces(n, r, r->nr_packets);
        }
        n->tx.ring.req_cons += it->pkt.nr_slots;
        r->nr_packets++;
    }
    return true;
}

static void copy_pieces(struct netback *n, struct tx_round *r)
{
    if (!r->nr_pieces || !gntdev_copy(n->d->gnt, false, r->pieces, r->nr_pieces, r->bad)) {
        return;
    }
    for (unsigned i = 0; i < r->nr_packets; i++) {
        struct tx_item *it = &r->item[i];

        for (unsigned k = 0; !it->pkt.drop && k < it->pkt.nr_frags; k++) {
            it->failed |= r->bad[it->first_piece + k];
        }
    }
}

static void respond_slot(struct netback *n, uint16_t id, int16_t status)
{
    netif_tx_response_t rsp;

    memset(&rsp, 0, sizeof(rsp));
    rsp.id = id;
    rsp.status = status;
    memcpy(RING_GET_RESPONSE(&n->tx.ring, n->tx.ring.rsp_prod_pvt), &rsp, sizeof(rsp));
    n->tx.ring.rsp_prod_pvt++;
}

static void respond(struct netback *n, const struct tx_round *r)
{
    int notify;

    for (unsigned i = 0; i < r->nr_packets; i++) {
        const struct tx_item *it = &r->item[i];
        int16_t status = it->failed ? NETIF_RSP_ERROR : NETIF_RSP_OKAY;

        for (unsigned k = 0; k < it->pkt.nr_slots; k++) {
            bool extra = it->pkt.slot_is_extra[k];

            respond_slot(n, extra ? 0 : it->id[k], extra ? NETIF_RSP_NULL : status);
        }
    }
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&n->tx.ring, notify);
    if (notify) {
        evtchn_notify(n->d->evt, n->tx.port);
    }
}

static void send_packets(struct netback *n, const struct tx_round *r)
{
    for (unsigned i = 0; i < r->nr_packets; i++) {
        const struct tx_item *it = &r->item[i];
        uint8_t *frame = frame_of(n, i);
        struct virtio_net_hdr hdr;

        if (it->failed || !packet_tx_offload(frame, it->pkt.size, &it->pkt, &hdr)) {
            n->tx_dropped++;
            continue;
        }
        memcpy(frame - NET_HEADROOM, &hdr, sizeof(hdr));
        if (tap_write(n->tap, frame - NET_HEADROOM, NET_HEADROOM + it->pkt.size)) {
            n->tx_packets++;
        } else {
            n->tx_dropped++;
        }
    }
}

bool tx_serve(struct netback *n)
{
    static struct tx_round round; /* large, and one round at a time */
    RING_IDX prod = ring_producer(&n->tx.ring.sring->req_prod);
    int more;

    if (!ring_producer_valid(prod, n->tx.ring.req_cons, n->tx.ring.rsp_prod_pvt,
                             RING_SIZE(&n->tx.ring))) {
        device_fail(n->d, "transmit ring producer %u is impossible (consumer %u)", prod,
                    n->tx.ring.req_cons);
        return false;
    }
    round.nr_packets = round.nr_pieces = 0;
    if (!collect(n, &round, prod)) {
        return false;
    }
    if (round.nr_packets) {
        copy_pieces(n, &round);
        respond(n, &round);
        send_packets(n, &round);
    }
    RING_FINAL_CHECK_FOR_REQUESTS(&n->tx.ring, more);
    return more;
}
