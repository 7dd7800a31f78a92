/* SPDX-License-Identifier: MIT */
/*
 * rx.c - packets from the tap to the guest's buffers.
 *
 * A round reads packets as long as the guest has buffers for them, takes their slots, copies all
 * pieces with one batch and pushes the responses. A packet without enough slots is held, and the
 * tap is not read until the guest posts more: the tap's own queue is the bound, and drops the
 * newest (BE-7).
 *
 * Responses stand in the slots of the requests they answer, the extra slot in that of the request
 * it consumed; so responses are made in the order that requests were taken.
 */
#include <string.h>

#include "netback.h"

struct rx_round {
    unsigned nr_packets, nr_pieces;
    struct rx_item {
        struct packet_rx plan;
        unsigned first_piece, nr_frags;
        uint32_t len;
        uint16_t id[PACKET_MAX_SLOTS];
    } item[NET_BATCH];
    struct gnt_copy pieces[GNT_COPY_BATCH];
    bool bad[GNT_COPY_BATCH];
};

static uint8_t *buffer_of(struct netback *n, unsigned i)
{
    return n->rx.buffers + (size_t)i * NET_SLOT_BYTES;
}

/* Take the slots of a packet; the pieces go where their requests say. */
static void take_slots(struct netback *n, struct rx_round *r, struct rx_item *it, uint8_t *frame)
{
    uint32_t left = it->len;
    bool extra = it->plan.gso_type != XEN_NETIF_GSO_TYPE_NONE;

    it->first_piece = r->nr_pieces;
    it->nr_frags = it->plan.nr_slots - extra;
    for (unsigned k = 0; k < it->plan.nr_slots; k++) {
        netif_rx_request_t req;
        uint16_t len = (uint16_t)(left < PACKET_PAGE ? left : PACKET_PAGE);

        RING_COPY_REQUEST(&n->rx.ring, n->rx.ring.req_cons, &req);
        n->rx.ring.req_cons++;
        it->id[k] = req.id;
        if (extra && k == 1) {
            continue; /* this one's buffer stays unused: its slot carries the extra info */
        }
        r->pieces[r->nr_pieces++] = (struct gnt_copy){frame, req.gref, 0, len};
        frame += len;
        left -= len;
    }
}

/* The next packet, into buffer i, or the held one. 0: none. */
static size_t next_packet(struct netback *n, unsigned i)
{
    size_t len = n->rx.held;

    if (!len) {
        return tap_read(n->tap, buffer_of(n, i), NET_SLOT_BYTES);
    }
    n->rx.held = 0;
    return len; /* a held packet is in buffer 0, and is the first one of a round */
}

static void hold(struct netback *n, unsigned i, size_t len, unsigned slots)
{
    if (i) {
        memcpy(buffer_of(n, 0), buffer_of(n, i), len);
    }
    n->rx.held = len;
    n->rx.held_slots = slots;
}

/*
 * Fill a round. Returns false when the tap is empty or a packet had to be held in buffer 0 - the
 * caller must have used the round's buffers before that packet is moved there, so it is reported in
 * *held_at.
 */
static bool collect(struct netback *n, struct rx_round *r, RING_IDX prod, unsigned *held_at,
                    size_t *held_len)
{
    while (r->nr_packets < NET_BATCH && r->nr_pieces + PACKET_MAX_FRAGS <= GNT_COPY_BATCH) {
        struct rx_item *it = &r->item[r->nr_packets];
        uint8_t *buf = buffer_of(n, r->nr_packets);
        size_t len = next_packet(n, r->nr_packets);
        struct virtio_net_hdr hdr;

        if (len <= NET_HEADROOM) {
            return false;
        }
        memcpy(&hdr, buf, sizeof(hdr));
        it->len = (uint32_t)(len - NET_HEADROOM);
        if (!packet_rx_plan(&hdr, it->len, n->feat.sg, &it->plan)) {
            n->rx_dropped++;
            continue;
        }
        if (it->plan.nr_slots > prod - n->rx.ring.req_cons) {
            *held_at = r->nr_packets;
            *held_len = len;
            return false;
        }
        take_slots(n, r, it, buf + NET_HEADROOM);
        r->nr_packets++;
    }
    return true;
}

static void put_response(struct netback *n, const void *rsp)
{
    _Static_assert(sizeof(netif_rx_response_t) == sizeof(netif_extra_info_t), "slots are alike");
    memcpy(RING_GET_RESPONSE(&n->rx.ring, n->rx.ring.rsp_prod_pvt), rsp,
           sizeof(netif_rx_response_t));
    n->rx.ring.rsp_prod_pvt++;
}

static void put_extra(struct netback *n, const struct packet_rx *plan)
{
    netif_extra_info_t extra;

    memset(&extra, 0, sizeof(extra));
    extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
    extra.u.gso.size = plan->gso_size;
    extra.u.gso.type = plan->gso_type;
    put_response(n, &extra);
}

static void respond_packet(struct netback *n, const struct rx_round *r, const struct rx_item *it)
{
    bool extra = it->plan.gso_type != XEN_NETIF_GSO_TYPE_NONE;
    unsigned piece = it->first_piece, last = it->first_piece + it->nr_frags - 1;

    for (unsigned k = 0; k < it->plan.nr_slots; k++) {
        netif_rx_response_t rsp;

        if (extra && k == 1) {
            put_extra(n, &it->plan);
            continue;
        }
        memset(&rsp, 0, sizeof(rsp));
        rsp.id = it->id[k];
        rsp.flags = (uint16_t)((k == 0 ? it->plan.flags | (extra ? NETRXF_extra_info : 0u) : 0u) |
                               (piece < last ? NETRXF_more_data : 0u));
        rsp.status = r->bad[piece] ? NETIF_RSP_ERROR : (int16_t)r->pieces[piece].len;
        put_response(n, &rsp);
        piece++;
    }
}

static void finish_round(struct netback *n, struct rx_round *r)
{
    int notify;

    memset(r->bad, 0, sizeof(r->bad));
    /* A piece that could not be copied is told in its own slot; the guest drops that packet. */
    if (gntdev_copy(n->d->gnt, true, r->pieces, r->nr_pieces, r->bad)) {
        n->rx_dropped++;
    }
    for (unsigned i = 0; i < r->nr_packets; i++) {
        respond_packet(n, r, &r->item[i]);
    }
    n->rx_packets += r->nr_packets;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&n->rx.ring, notify);
    if (notify) {
        evtchn_notify(n->d->evt, n->rx.port);
    }
}

/* Ask to be told when the held packet's slots are there. True if they already are. */
static bool want_slots(struct netback *n)
{
    n->rx.ring.sring->req_event = n->rx.ring.req_cons + n->rx.held_slots;
    xen_mb(); /* the event index is out before the producer is looked at again */
    return ring_producer(&n->rx.ring.sring->req_prod) - n->rx.ring.req_cons >= n->rx.held_slots;
}

bool rx_serve(struct netback *n)
{
    static struct rx_round round; /* large, and one round at a time */
    RING_IDX prod = ring_producer(&n->rx.ring.sring->req_prod);
    unsigned held_at = 0;
    size_t held_len = 0;
    bool more;

    if (!ring_producer_valid(prod, n->rx.ring.req_cons, n->rx.ring.rsp_prod_pvt,
                             RING_SIZE(&n->rx.ring))) {
        device_fail(n->d, "receive ring producer %u is impossible (consumer %u)", prod,
                    n->rx.ring.req_cons);
        return false;
    }
    if (n->rx.held && prod - n->rx.ring.req_cons < n->rx.held_slots) {
        return want_slots(n);
    }
    round.nr_packets = round.nr_pieces = 0;
    more = collect(n, &round, prod, &held_at, &held_len);
    if (round.nr_packets) {
        finish_round(n, &round);
    }
    if (held_len) {
        hold(n, held_at, held_len, round.item[held_at].plan.nr_slots);
        return want_slots(n);
    }
    return more;
}
