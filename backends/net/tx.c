/* SPDX-License-Identifier: MIT */
/*
 * tx.c - packets from the guest to the tap.
 *
 * A round copies slots into private memory, parses them into packets, copies all their pieces with
 * one batch of grant copies (or from the arena), answers every slot (the data is ours by then), and
 * writes the packets. Every slot is answered in the order and place it came, extra slots with
 * NETIF_RSP_NULL.
 *
 * Each piece has a page of the buffer to itself, so that no copy crosses one; the tap takes them in
 * one call. What the checks want to see is moved together in the first piece's page.
 *
 * Invariant: req_cons == rsp_prod_pvt between rounds.
 */
#include <string.h>
#include <sys/uio.h>

#include "../common/log.h"
#include "state.h"

#define FIRST_AT 16u /* in its page: room for the tap's header, and the frame's header aligned */
#define REPLY_APART_MAX 63u /* rounds */

struct tx_round {
    unsigned nr_packets, nr_pieces;
    struct capture_round times;
    struct tx_item {
        struct packet_tx pkt;
        RING_IDX index; /* of its first slot */
        uint16_t id[PACKET_MAX_SLOTS];
        unsigned first_piece;
        bool failed;
    } item[NET_BATCH];
    struct gnt_copy pieces[GNT_COPY_BATCH];
    bool bad[GNT_COPY_BATCH];
};

/* Private copies of the next slots, at most what a packet may have; mostly it has one. */
static unsigned copy_slots(struct net_queue *q, RING_IDX prod, union packet_tx_slot *slots)
{
    RING_IDX avail = prod - q->tx.ring.req_cons;
    unsigned count = avail < PACKET_MAX_SLOTS ? avail : PACKET_MAX_SLOTS;

    RING_COPY_REQUEST(&q->tx.ring, q->tx.ring.req_cons, &slots[0].req);
    if (!(slots[0].req.flags & (NETTXF_extra_info | NETTXF_more_data))) {
        return 1;
    }
    for (unsigned i = 1; i < count; i++) {
        RING_COPY_REQUEST(&q->tx.ring, q->tx.ring.req_cons + i, &slots[i].req);
    }
    return count;
}

static bool first_has_headroom(uint16_t size)
{
    return size <= PACKET_PAGE - FIRST_AT;
}

static void plan_pieces(struct net_queue *q, struct tx_round *r, struct tx_item *it)
{
    it->first_piece = r->nr_pieces;
    for (unsigned k = 0; k < it->pkt.nr_frags; k++) {
        const struct packet_frag *f = &it->pkt.frag[k];
        uint8_t *to = q->tx.buffers + r->nr_pieces * (size_t)PACKET_PAGE;

        if (k == 0 && first_has_headroom(f->size)) {
            to += FIRST_AT;
        }
        r->pieces[r->nr_pieces++] = (struct gnt_copy){to, f->gref, f->offset, f->size};
    }
}

/* Take packets until a limit of the round or the end of what is there. False: the device was
 * failed. */
static bool collect(struct net_queue *q, struct tx_round *r, RING_IDX prod)
{
    union packet_tx_slot slots[PACKET_MAX_SLOTS];

    while (q->tx.ring.req_cons != prod && r->nr_packets < NET_BATCH &&
           r->nr_pieces + PACKET_MAX_FRAGS <= GNT_COPY_BATCH) {
        struct tx_item *it = &r->item[r->nr_packets];
        unsigned avail = copy_slots(q, prod, slots);
        const char *wrong = packet_tx_parse(slots, avail, &it->pkt);

        if (wrong) {
            device_fail(q->n->d, "transmit ring %u at %u: %s", q->index, q->tx.ring.req_cons,
                        wrong);
            return false;
        }
        if (!it->pkt.drop && !throttle_pass(q, METER_WRITE, it->pkt.size)) {
            break; /* parsed anew when it may go */
        }
        for (unsigned k = 0; k < it->pkt.nr_slots; k++) {
            it->id[k] = slots[k].req.id;
        }
        it->failed = it->pkt.drop;
        it->first_piece = r->nr_pieces;
        it->index = q->tx.ring.req_cons;
        if (!it->pkt.drop) {
            plan_pieces(q, r, it);
        }
        q->tx.ring.req_cons += it->pkt.nr_slots;
        r->nr_packets++;
    }
    return true;
}

static void copy_pieces(struct net_queue *q, struct tx_round *r)
{
    if (!r->nr_pieces ||
        !arena_copy(&q->arena, q->n->d->gnt, false, r->pieces, r->nr_pieces, r->bad)) {
        return;
    }
    for (unsigned i = 0; i < r->nr_packets; i++) {
        struct tx_item *it = &r->item[i];

        for (unsigned k = 0; !it->pkt.drop && k < it->pkt.nr_frags; k++) {
            it->failed |= r->bad[it->first_piece + k];
        }
    }
}

static void change_mcast(struct net_queue *q, struct tx_round *r)
{
    for (unsigned i = 0; i < r->nr_packets; i++) {
        struct tx_item *it = &r->item[i];

        if (it->pkt.mcast == XEN_NETIF_EXTRA_TYPE_MCAST_ADD) {
            it->failed = !mcast_add(&q->n->journal->mcast, it->pkt.mcast_addr);
        } else if (it->pkt.mcast) {
            mcast_del(&q->n->journal->mcast, it->pkt.mcast_addr);
        }
    }
}

static void respond(struct net_queue *q, struct tx_round *r)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->nr_packets; i++) {
        const struct tx_item *it = &r->item[i];
        int16_t status = it->failed ? NETIF_RSP_ERROR : NETIF_RSP_OKAY;

        for (unsigned k = 0; k < it->pkt.nr_slots; k++) {
            bool extra = it->pkt.slot_is_extra[k];
            const netif_tx_response_t rsp = {.id = extra ? 0 : it->id[k],
                                             .status = extra ? NETIF_RSP_NULL : status};

            answers_set(q->tx.answers, n++, &rsp, sizeof(rsp));
        }
    }
    answers_put(q->tx.answers, n, &q->tx.to);
    q->tx.ring.rsp_prod_pvt += n;
    if (!q->tx.question) {
        net_tell(q);
    }
}

/* Bytes of the next pieces follow the first, until the headers are in one place. */
static size_t gather_head(struct iovec *part, unsigned nr, uint8_t *head)
{
    size_t have = part[0].iov_len;

    for (unsigned k = 1; k < nr && have < PACKET_HEAD; k++) {
        size_t take = PACKET_HEAD - have < part[k].iov_len ? PACKET_HEAD - have : part[k].iov_len;

        memcpy(head + have, part[k].iov_base, take);
        part[k].iov_base = (uint8_t *)part[k].iov_base + take;
        part[k].iov_len -= take;
        have += take;
    }
    part[0].iov_len = have;
    return have;
}

/* Said once, and counted: a guest may try for as long as it likes. */
static void note_spoofed(struct net_queue *q)
{
    if (!q->tx_spoofed++) {
        log_line("queue %u: a frame in another's name was not sent (antispoof=off lets it)",
                 q->index);
    }
}

/* What becomes of it: CAPTURE_PASSED or why not. */
static unsigned send_packet(struct net_queue *q, const struct tx_round *r, const struct tx_item *it)
{
    struct iovec parts[PACKET_MAX_FRAGS + 1], *part = parts + 1;
    struct virtio_net_hdr hdr;
    uint8_t *head = r->pieces[it->first_piece].local;
    unsigned nr = it->pkt.nr_frags;
    size_t have;

    part[0] = (struct iovec){head, it->pkt.frag[0].size};
    for (unsigned k = 1; k < nr; k++) {
        part[k] = (struct iovec){r->pieces[it->first_piece + k].local, it->pkt.frag[k].size};
    }
    have = gather_head(part, nr, head);
    if (!guard_allows(&q->n->guard, head, have)) {
        note_spoofed(q);
        return CAPTURE_SPOOFED;
    }
    if (!packet_tx_offload(head, have, it->pkt.size, &it->pkt, &hdr)) {
        return CAPTURE_UNUSABLE;
    }
    if (first_has_headroom(it->pkt.frag[0].size)) {
        memcpy(head - NET_HEADROOM, &hdr, sizeof(hdr));
        part->iov_base = head - NET_HEADROOM;
        part->iov_len += NET_HEADROOM;
    } else {
        parts[0] = (struct iovec){&hdr, sizeof(hdr)};
        part = parts;
        nr++;
    }
    mirror_frame(&q->n->mirror, part, nr, NET_HEADROOM + it->pkt.size);
    return tap_write(q->tap, part, nr, NET_HEADROOM + it->pkt.size) ? CAPTURE_PASSED : CAPTURE_LOST;
}

static void send_packets(struct net_queue *q, const struct tx_round *r, uint64_t tick)
{
    uint64_t bytes = 0;
    unsigned sent = 0;

    for (unsigned i = 0; i < r->nr_packets; i++) {
        const struct tx_item *it = &r->item[i];

        unsigned fate = it->pkt.drop ? CAPTURE_UNUSABLE
                        : it->failed ? CAPTURE_LOST
                                     : CAPTURE_PASSED;

        if (!it->failed && !it->pkt.mcast) {
            fate = send_packet(q, r, it);
        }
        if (q->n->capture) {
            capture_sent(q, &r->times, it->index, &it->pkt, it->failed, fate);
        }
        if (it->pkt.mcast) {
            continue;
        }
        if (fate == CAPTURE_PASSED) {
            sent++;
            bytes += it->pkt.size;
        } else {
            q->tx_dropped++;
            q->m->errors++;
        }
    }
    q->tx_packets += sent;
    net_count(q, METER_WRITE, sent, bytes, tick);
}

/* A stream's rounds are larger, and their answers can wait. */
static bool is_small(const struct tx_round *r)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < r->nr_pieces; i++) {
        bytes += r->pieces[i].len;
    }
    return bytes <= PACKET_PAGE;
}

bool tx_waits(struct net_queue *q)
{
    return !q->n->gathering && !throttle_waits(q, METER_WRITE) &&
           RING_HAS_UNCONSUMED_REQUESTS(&q->tx.ring);
}

bool tx_want_event(struct net_queue *q)
{
    int more;

    RING_FINAL_CHECK_FOR_REQUESTS(&q->tx.ring, more);
    return more;
}

/*
 * Is it worth while to look for an answer as soon as the guest's packet is sent? After each time in
 * vain not for twice as long.
 */
static bool reply_expected(struct net_queue *q)
{
    if (q->n->gathering || q->tx.untried++ < q->tx.between) {
        return false;
    }
    q->tx.untried = 0;
    return true;
}

void tx_learn_reply(struct net_queue *q, bool came)
{
    if (came) {
        q->tx.between = 0;
    } else if (q->tx.between < REPLY_APART_MAX) {
        q->tx.between = 2 * q->tx.between + 1;
    }
}

void tx_serve(struct net_queue *q)
{
    static struct tx_round round; /* large, and one round at a time */
    uint64_t tick = __rdtsc();
    RING_IDX prod = ring_producer(&q->tx.ring.sring->req_prod);

    if (!ring_producer_valid(prod, q->tx.ring.req_cons, q->tx.ring.rsp_prod_pvt,
                             RING_SIZE(&q->tx.ring))) {
        device_fail(q->n->d, "transmit ring %u: producer %u is impossible (consumer %u)", q->index,
                    prod, q->tx.ring.req_cons);
        return;
    }
    round.nr_packets = round.nr_pieces = 0;
    round.times.begun = capture_now(q->n);
    if (!collect(q, &round, prod)) {
        return;
    }
    throttle_round(q, METER_WRITE);
    if (round.nr_packets) {
        q->tx.question = is_small(&round) && reply_expected(q);
        copy_pieces(q, &round);
        change_mcast(q, &round);
        respond(q, &round);
        round.times.answered = capture_now(q->n);
        send_packets(q, &round, tick);
        q->tx.packets_of_round = round.nr_packets;
    }
}
