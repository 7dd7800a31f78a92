/* SPDX-License-Identifier: MIT */
/*
 * rx.c - packets from the tap to the guest's buffers.
 *
 * A round reads packets as long as the guest has buffers for them, takes their slots, copies all
 * pieces with one batch and pushes the responses. A packet without enough slots is held, and the
 * tap is not read until the guest posts more: the tap's own queue is the bound, and drops the
 * newest (BE-7). One that must wait for a limit is held likewise.
 *
 * Frames begin on a page of the buffers, so that no copy crosses one; the tap's header comes to lie
 * at the end of the page before.
 *
 * Responses stand in the slots of the requests they answer, the extra slot in that of the request
 * it consumed; so responses are made in the order that requests were taken.
 *
 * Invariant: req_cons == rsp_prod_pvt between rounds.
 */
#include <string.h>

#include "state.h"

struct rx_round {
    unsigned nr_packets, nr_pieces;
    size_t used; /* bytes of the buffers, whole pages */
    struct capture_round times;
    struct rx_item {
        struct packet_rx plan;
        RING_IDX index; /* of its first slot */
        unsigned first_piece, nr_frags;
        uint32_t len;
        uint16_t id[PACKET_MAX_SLOTS];
    } item[NET_BATCH];
    struct gnt_copy pieces[GNT_COPY_BATCH];
    bool bad[GNT_COPY_BATCH];
};

_Static_assert(sizeof(netif_rx_response_t) == sizeof(netif_extra_info_t), "slots are alike");

/* Where the next frame begins. The page before it must be free at its end. */
static uint8_t *next_frame(struct net_queue *q, const struct rx_round *r)
{
    return q->rx.buffers + r->used + PACKET_PAGE;
}

static void occupy(struct rx_round *r, size_t frame_bytes)
{
    size_t last = frame_bytes % PACKET_PAGE;

    r->used += (frame_bytes + PACKET_PAGE - 1) / PACKET_PAGE * PACKET_PAGE;
    if (!last || last > PACKET_PAGE - NET_HEADROOM) {
        r->used += PACKET_PAGE; /* no room for the next header behind this one */
    }
}

static bool has_room(const struct rx_round *r)
{
    return r->nr_packets < NET_BATCH && r->nr_pieces + PACKET_MAX_SLOTS <= GNT_COPY_BATCH &&
           r->used + PACKET_PAGE + NET_FRAME_ROOM <= NET_RX_PAGES * (size_t)PACKET_PAGE;
}

/* Take the slots of a packet; the pieces go where their requests say. */
static void take_slots(struct net_queue *q, struct rx_round *r, struct rx_item *it, uint8_t *frame)
{
    const uint16_t headroom = (uint16_t)q->n->headroom;
    const uint32_t room = PACKET_PAGE - headroom;
    uint32_t left = it->len;
    bool extra = it->plan.gso_type != XEN_NETIF_GSO_TYPE_NONE;

    it->index = q->rx.ring.req_cons;
    it->first_piece = r->nr_pieces;
    it->nr_frags = it->plan.nr_slots - extra;
    for (unsigned k = 0; k < it->plan.nr_slots; k++) {
        netif_rx_request_t req;
        uint16_t len = (uint16_t)(left < room ? left : room);

        RING_COPY_REQUEST(&q->rx.ring, q->rx.ring.req_cons, &req);
        q->rx.ring.req_cons++;
        it->id[k] = req.id;
        if (extra && k == 1) {
            continue; /* this one's buffer stays unused: its slot carries the extra info */
        }
        r->pieces[r->nr_pieces++] = (struct gnt_copy){frame, req.gref, headroom, len};
        frame += len;
        left -= len;
    }
}

/* The frame's length, of the next packet or the held one. 0: none. */
static size_t next_packet(struct net_queue *q, uint8_t *frame)
{
    size_t len = q->rx.held;

    if (len) {
        q->rx.held = 0;
        return len; /* it is at the beginning of the buffers, and the first one of a round */
    }
    len = tap_read(q->tap, frame - NET_HEADROOM, NET_HEADROOM + NET_FRAME_ROOM);
    return len > NET_HEADROOM ? len - NET_HEADROOM : 0;
}

static bool guest_wants(const struct net_queue *q, const uint8_t *frame, size_t len)
{
    return !q->n->mcast_control || len < 6 || mcast_hears(&q->n->journal->mcast, frame);
}

static void mirror_received(struct net_queue *q, uint8_t *frame, size_t len)
{
    const struct iovec whole = {frame - NET_HEADROOM, NET_HEADROOM + len};

    mirror_frame(&q->n->mirror, &whole, 1, NET_HEADROOM + len);
}

/*
 * Fill a round with at most `limit` packets. False when the tap is empty, or a packet had to be
 * held: then it lies at next_frame() and `held` is its length.
 */
static bool collect(struct net_queue *q, struct rx_round *r, RING_IDX prod, unsigned limit,
                    size_t *held)
{
    for (unsigned n = 0; n < limit && has_room(r); n++) {
        struct rx_item *it = &r->item[r->nr_packets];
        uint8_t *frame = next_frame(q, r);
        size_t len = next_packet(q, frame);
        struct virtio_net_hdr hdr;

        if (!len) {
            return false;
        }
        memcpy(&hdr, frame - NET_HEADROOM, sizeof(hdr));
        it->len = (uint32_t)len;
        if (!packet_rx_plan(&hdr, len, q->n->feat.sg, PACKET_PAGE - q->n->headroom, &it->plan) ||
            !guest_wants(q, frame, len)) {
            q->rx_dropped++;
            q->m->errors++;
            continue;
        }
        if (it->plan.nr_slots > prod - q->rx.ring.req_cons) {
            q->rx.held_slots = it->plan.nr_slots;
            *held = len;
            return false;
        }
        if (!throttle_pass(q, METER_READ, len)) {
            q->rx.held_slots = it->plan.nr_slots;
            *held = len;
            return false;
        }
        take_slots(q, r, it, frame);
        mirror_received(q, frame, len);
        occupy(r, len);
        r->nr_packets++;
    }
    return true;
}

static unsigned answer_packet(struct net_queue *q, const struct rx_round *r,
                              const struct rx_item *it, unsigned n)
{
    bool extra = it->plan.gso_type != XEN_NETIF_GSO_TYPE_NONE;
    unsigned piece = it->first_piece, last = it->first_piece + it->nr_frags - 1;

    for (unsigned k = 0; k < it->plan.nr_slots; k++) {
        netif_rx_response_t rsp;

        if (extra && k == 1) {
            netif_extra_info_t info;

            memset(&info, 0, sizeof(info));
            info.type = XEN_NETIF_EXTRA_TYPE_GSO;
            info.u.gso.size = it->plan.gso_size;
            info.u.gso.type = it->plan.gso_type;
            answers_set(q->rx.answers, n++, &info, sizeof(info));
            continue;
        }
        memset(&rsp, 0, sizeof(rsp));
        rsp.id = it->id[k];
        rsp.offset = r->pieces[piece].offset;
        rsp.flags = (uint16_t)((k == 0 ? it->plan.flags | (extra ? NETRXF_extra_info : 0u) : 0u) |
                               (piece < last ? NETRXF_more_data : 0u));
        rsp.status = r->bad[piece] ? NETIF_RSP_ERROR : (int16_t)r->pieces[piece].len;
        answers_set(q->rx.answers, n++, &rsp, sizeof(rsp));
        piece++;
    }
    return n;
}

static void finish_round(struct net_queue *q, struct rx_round *r, uint64_t tick)
{
    uint64_t bytes = 0;
    unsigned n = 0;

    memset(r->bad, 0, sizeof(r->bad));
    /* A piece that could not be copied is told in its own slot; the guest drops that packet. */
    if (arena_copy(&q->arena, q->n->d->gnt, true, r->pieces, r->nr_pieces, r->bad)) {
        q->rx_dropped++;
        q->m->errors++;
    }
    for (unsigned i = 0; i < r->nr_packets; i++) {
        n = answer_packet(q, r, &r->item[i], n);
        bytes += r->item[i].len;
    }
    answers_put(q->rx.answers, n, &q->rx.to);
    q->rx.ring.rsp_prod_pvt += n;
    q->rx_packets += r->nr_packets;
    net_tell(q);
    r->times.answered = capture_now(q->n);
    for (unsigned i = 0; q->n->capture && i < r->nr_packets; i++) {
        const struct rx_item *it = &r->item[i];

        capture_received(q, &r->times, it->index, &it->plan, &r->pieces[it->first_piece],
                         &r->bad[it->first_piece], it->nr_frags);
    }
    net_count(q, METER_READ, r->nr_packets, bytes, tick);
}

/* Ask to be told when the held packet's slots are there. True if they already are. */
static bool want_slots(struct net_queue *q)
{
    q->rx.ring.sring->req_event = q->rx.ring.req_cons + q->rx.held_slots;
    xen_mb(); /* the event index is out before the producer is looked at again */
    return ring_producer(&q->rx.ring.sring->req_prod) - q->rx.ring.req_cons >= q->rx.held_slots;
}

/* The round's buffers are free again; the held packet goes to their beginning. */
static bool hold(struct net_queue *q, const struct rx_round *r, size_t len)
{
    if (r->used) {
        memmove(q->rx.buffers + PACKET_PAGE - NET_HEADROOM, next_frame(q, r) - NET_HEADROOM,
                NET_HEADROOM + len);
    }
    q->rx.held = len;
    return throttle_waits(q, METER_READ) ? false : want_slots(q);
}

/*
 * Asking the tap for a packet that is not there costs as much as one that is. Where packets come
 * one at a time, the next round takes one and leaves the rest to the loop; every fourth looks for a
 * second.
 */
static void expect_next(struct net_queue *q, unsigned limit, unsigned got, bool more)
{
    if (limit == 1 && more) {
        q->rx.expect = ++q->rx.ones % 4 ? 1 : 2;
    } else {
        q->rx.expect = got > 1 || more ? NET_BATCH : 1;
    }
}

bool rx_serve(struct net_queue *q)
{
    static struct rx_round round; /* large, and one round at a time */
    uint64_t tick = __rdtsc();
    RING_IDX prod = ring_producer(&q->rx.ring.sring->req_prod);
    unsigned limit = q->rx.expect;
    size_t held = 0;
    bool more;

    if (!ring_producer_valid(prod, q->rx.ring.req_cons, q->rx.ring.rsp_prod_pvt,
                             RING_SIZE(&q->rx.ring))) {
        device_fail(q->n->d, "receive ring %u: producer %u is impossible (consumer %u)", q->index,
                    prod, q->rx.ring.req_cons);
        return false;
    }
    if (q->rx.held && prod - q->rx.ring.req_cons < q->rx.held_slots) {
        throttle_round(q, METER_READ);
        return want_slots(q);
    }
    round.nr_packets = round.nr_pieces = 0;
    round.used = 0;
    round.times.begun = capture_now(q->n);
    more = collect(q, &round, prod, limit, &held);
    throttle_round(q, METER_READ);
    if (round.nr_packets) {
        finish_round(q, &round, tick);
    }
    expect_next(q, limit, round.nr_packets, more);
    return held ? hold(q, &round, held) : more && limit > 1;
}
