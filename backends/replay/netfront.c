/* SPDX-License-Identifier: MIT */
/*
 * netfront.c - see netfront.h. Pages: for each queue its two rings, then a page for each slot of
 * each ring, so that a slot's page is somebody's exactly as long as the slot is.
 *
 * Invariants: packets go out in the order they were taken; all buffers for received ones are posted
 * but for those being looked at; both rings are answered in order (backends/net says so), so what
 * an answer is about is known by its place, and is checked against what it says.
 */
#include "netfront.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/grant_table.h>

#include "../common/ring.h"

#include <xen/io/netif.h>
#include <xen/io/xenbus.h>

#include "backend.h"
#include "memory.h"
#include "netsink.h"

#define SLOTS 256u /* of a ring of one page */
#define QUEUE_PAGES (2u + 2u * SLOTS)

_Static_assert(CAPTURE_MAX_QUEUES *QUEUE_PAGES <= MEMORY_PAGES, "a page for every slot");

/* A received packet as far as it is there. */
struct arriving {
    uint32_t size;
    unsigned pieces;
    uint16_t flags, gso_size;
    bool extra_next, failed;
};

struct queue {
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    uint32_t packet_of[SLOTS]; /* of the transmit ring: number of the packet that begins there */
    bool begins[SLOTS], is_extra[SLOTS];
    uint32_t expected[SLOTS]; /* packets on their way to us, by number */
    unsigned given, got;
    struct arriving now;
};

struct front {
    struct pace *p;
    bool sent_only;
    struct queue *q;
};

static bool left_out(const struct front *f, size_t i)
{
    const struct cap_packet *p = &f->p->cap->packets[i];

    return netcap_left_out(p) || (f->sent_only && p->r.way == CAPTURE_RECEIVED);
}

static struct netsink_frame frame_of(const struct cap_packet *p)
{
    return (struct netsink_frame){
        .size = p->r.size,
        .gso_size = p->r.gso_size,
        .gso_type = p->r.gso_type,
        .csum_blank = p->r.flags & CAPTURE_CSUM_BLANK,
        .validated = p->r.flags & CAPTURE_VALIDATED,
    };
}

/* ---- pages ---- */

static uint32_t tx_page(unsigned queue, unsigned slot)
{
    return queue * QUEUE_PAGES + 2 + slot % SLOTS;
}

static uint32_t rx_page(unsigned queue, unsigned slot)
{
    return queue * QUEUE_PAGES + 2 + SLOTS + slot % SLOTS;
}

/* ---- connecting ---- */

static void post_buffer(struct front *f, unsigned queue)
{
    netif_rx_front_ring_t *rx = &f->q[queue].rx;
    netif_rx_request_t *req = RING_GET_REQUEST(rx, rx->req_prod_pvt);

    *req = (netif_rx_request_t){
        .id = (uint16_t)(rx->req_prod_pvt % SLOTS),
        .gref = rx_page(queue, rx->req_prod_pvt),
    };
    rx->req_prod_pvt++;
}

static void add_rings(struct front *f, unsigned queue, const char *prefix, struct channel_msg *m)
{
    struct queue *q = &f->q[queue];
    netif_tx_sring_t *txs = (netif_tx_sring_t *)memory_page(queue * QUEUE_PAGES);
    netif_rx_sring_t *rxs = (netif_rx_sring_t *)memory_page(queue * QUEUE_PAGES + 1);
    char key[CHANNEL_KEY_MAX];

    SHARED_RING_INIT(txs);
    FRONT_RING_INIT(&q->tx, txs, GNT_PAGE);
    SHARED_RING_INIT(rxs);
    FRONT_RING_INIT(&q->rx, rxs, GNT_PAGE);
    while (q->rx.req_prod_pvt < SLOTS) {
        post_buffer(f, queue);
    }
    RING_PUSH_REQUESTS(&q->rx);
    snprintf(key, sizeof(key), "%stx-ring-ref", prefix);
    channel_addf(m, key, "%u", queue * QUEUE_PAGES);
    snprintf(key, sizeof(key), "%srx-ring-ref", prefix);
    channel_addf(m, key, "%u", queue * QUEUE_PAGES + 1);
}

/* What the guest said then. */
static int add_features(struct front *f, const struct channel_msg *back, struct channel_msg *m)
{
    const struct capture_head *h = &f->p->cap->head;

    (void)back;
    channel_addf(m, "state", "%u", XenbusStateConnected);
    channel_add(m, "request-rx-copy", "1");
    channel_add(m, "feature-sg", h->sectors & CAPTURE_TAKES_SG ? "1" : "0");
    channel_add(m, "feature-gso-tcpv4", h->sectors & CAPTURE_TAKES_GSO4 ? "1" : "0");
    channel_add(m, "feature-gso-tcpv6", h->sectors & CAPTURE_TAKES_GSO6 ? "1" : "0");
    channel_add(m, "feature-no-csum-offload", h->sectors & CAPTURE_TAKES_CSUM4 ? "0" : "1");
    channel_add(m, "feature-ipv6-csum-offload", h->sectors & CAPTURE_TAKES_CSUM6 ? "1" : "0");
    if (h->sector_size) {
        channel_addf(m, "xdp-headroom", "%u", h->sector_size);
    }
    return 0;
}

/* ---- sending ---- */

/* The headers, over as many pieces as they take. */
static void fill_pieces(const struct cap_packet *p, unsigned queue, const unsigned *slot)
{
    struct netsink_frame frame = frame_of(p);
    uint8_t headers[NETSINK_HEADERS];
    size_t have = netsink_headers(&frame, headers), at = 0;

    for (unsigned k = 0; k < p->r.nr_pieces && at < have; k++) {
        size_t n = have - at < p->piece[k].size ? have - at : p->piece[k].size;

        memcpy(memory_page(tx_page(queue, slot[k])) + p->piece[k].offset, headers + at, n);
        at += n;
    }
}

static void put_extra(struct queue *q, const struct capture_packet *r)
{
    netif_extra_info_t extra = {
        .type = XEN_NETIF_EXTRA_TYPE_GSO,
        .u.gso = {.size = r->gso_size, .type = r->gso_type},
    };

    q->is_extra[q->tx.req_prod_pvt % SLOTS] = true;
    memcpy(RING_GET_REQUEST(&q->tx, q->tx.req_prod_pvt), &extra, sizeof(extra));
    q->tx.req_prod_pvt++;
}

static void put_piece(struct queue *q, unsigned queue, const struct cap_packet *p, unsigned k)
{
    unsigned slot = q->tx.req_prod_pvt % SLOTS;
    uint16_t flags = k + 1 < p->r.nr_pieces ? NETTXF_more_data : 0;

    if (!k) {
        flags |= p->r.flags & CAPTURE_CSUM_BLANK ? NETTXF_csum_blank | NETTXF_data_validated : 0;
        flags |= p->r.gso_size ? NETTXF_extra_info : 0;
    }
    *RING_GET_REQUEST(&q->tx, q->tx.req_prod_pvt) = (netif_tx_request_t){
        .gref = tx_page(queue, slot),
        .offset = p->piece[k].offset,
        .flags = flags,
        .id = (uint16_t)slot,
        .size = (uint16_t)(k ? p->piece[k].size : p->r.size), /* the first says the whole */
    };
    q->is_extra[slot] = false;
    q->begins[slot] = !k;
    q->tx.req_prod_pvt++;
}

/* False: no room for it now. */
static bool put(struct front *f, const struct cap_packet *p, size_t i)
{
    struct queue *q = &f->q[p->r.queue];
    unsigned slot[CAPTURE_MAX_PIECES];

    if ((unsigned)RING_FREE_REQUESTS(&q->tx) < p->r.nr_pieces + 1u) {
        return false;
    }
    q->packet_of[q->tx.req_prod_pvt % SLOTS] = (uint32_t)i;
    for (unsigned k = 0; k < p->r.nr_pieces; k++) {
        slot[k] = q->tx.req_prod_pvt % SLOTS;
        put_piece(q, p->r.queue, p, k);
        if (!k && p->r.gso_size) {
            put_extra(q, &p->r);
        }
    }
    fill_pieces(p, p->r.queue, slot);
    f->p->res.passed += p->r.fate == CAPTURE_PASSED;
    return true;
}

static bool give(struct front *f, const struct cap_packet *p, size_t i)
{
    struct queue *q = &f->q[p->r.queue];
    struct netsink_frame frame = frame_of(p);

    if (q->given - q->got == SLOTS) {
        return false;
    }
    q->expected[q->given++ % SLOTS] = (uint32_t)i;
    netsink_give(p->r.queue, &frame);
    return true;
}

static bool send(struct front *f, size_t i)
{
    const struct cap_packet *p = &f->p->cap->packets[i];

    return p->r.way == CAPTURE_SENT ? put(f, p, i) : give(f, p, i);
}

static void push(struct front *f)
{
    for (unsigned i = 0; i < f->p->nr_queues; i++) {
        int tx, rx;

        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&f->q[i].tx, tx);
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&f->q[i].rx, rx);
        if (tx || rx) {
            memory_notify(i + 1);
        }
    }
}

/* ---- answers ---- */

static int take_sent(struct front *f, struct queue *q, RING_IDX at, const netif_tx_response_t *rsp)
{
    unsigned slot = at % SLOTS;

    if (q->is_extra[slot] ? rsp->status != NETIF_RSP_NULL : rsp->id != slot) {
        return pace_fail(f->p, -EPROTO, "transmit slot %u has the answer of slot %u, status %d",
                         slot, rsp->id, rsp->status);
    }
    if (!q->is_extra[slot] && q->begins[slot]) {
        pace_answered(f->p, rsp->status != f->p->cap->packets[q->packet_of[slot]].r.status);
    }
    return 0;
}

/* The last piece of a received packet is there: is it the one that was recorded? */
static int arrived(struct front *f, struct queue *q)
{
    const struct arriving *a = &q->now;
    const struct capture_packet *r;
    uint16_t flags = 0;

    if (q->got == q->given) {
        return pace_fail(f->p, -EPROTO, "a packet that nobody sent, of %u bytes", a->size);
    }
    r = &f->p->cap->packets[q->expected[q->got++ % SLOTS]].r;
    flags |= r->flags & CAPTURE_CSUM_BLANK ? NETRXF_csum_blank : 0;
    flags |= r->flags & CAPTURE_VALIDATED ? NETRXF_data_validated : 0;
    pace_answered(f->p, a->failed || a->size != r->size || a->pieces != r->nr_pieces ||
                            a->gso_size != r->gso_size ||
                            (a->flags & (NETRXF_csum_blank | NETRXF_data_validated)) != flags);
    memset(&q->now, 0, sizeof(q->now));
    return 0;
}

static int take_received(struct front *f, struct queue *q, RING_IDX at)
{
    struct arriving *a = &q->now;
    netif_rx_response_t rsp;
    bool more;

    RING_COPY_RESPONSE(&q->rx, at, &rsp);
    if (a->extra_next) {
        netif_extra_info_t extra;

        memcpy(&extra, &rsp, sizeof(extra));
        a->gso_size = extra.u.gso.size;
        a->extra_next = false;
        more = a->flags & NETRXF_more_data;
    } else {
        if (rsp.id != at % SLOTS) {
            return pace_fail(f->p, -EPROTO, "receive slot %u has the answer of slot %u", at % SLOTS,
                             rsp.id);
        }
        a->failed |= rsp.status < 0;
        a->size += rsp.status < 0 ? 0u : (unsigned)rsp.status;
        a->extra_next = !a->pieces && rsp.flags & NETRXF_extra_info;
        a->flags = a->pieces ? a->flags : rsp.flags;
        a->pieces++;
        more = rsp.flags & NETRXF_more_data;
    }
    return more || a->extra_next ? 0 : arrived(f, q);
}

/* The number of answers, or -errno. */
static int take_answers(struct front *f, unsigned queue)
{
    struct queue *q = &f->q[queue];
    int rc = 0, n = 0, more_tx, more_rx;

    do {
        RING_IDX end = ring_producer(&q->tx.sring->rsp_prod);

        for (; !rc && q->tx.rsp_cons != end; n++) {
            netif_tx_response_t rsp;

            RING_COPY_RESPONSE(&q->tx, q->tx.rsp_cons, &rsp);
            rc = take_sent(f, q, q->tx.rsp_cons++, &rsp);
        }
        end = ring_producer(&q->rx.sring->rsp_prod);
        for (; !rc && q->rx.rsp_cons != end; n++) {
            rc = take_received(f, q, q->rx.rsp_cons++);
            post_buffer(f, queue);
        }
        RING_FINAL_CHECK_FOR_RESPONSES(&q->tx, more_tx);
        RING_FINAL_CHECK_FOR_RESPONSES(&q->rx, more_rx);
    } while (!rc && (more_tx || more_rx));
    return rc ? rc : n;
}

static const struct pace_ops ops = {
    .what = "packets",
    .lost_s = 60,
    .connect = add_features,
    .add_rings = add_rings,
    .left_out = left_out,
    .send = send,
    .push = push,
    .take_answers = take_answers,
};

int netfront_replay(struct pace *p, bool sent_only)
{
    struct front f = {.p = p, .sent_only = sent_only};
    int rc;

    p->ops = &ops;
    p->nr_queues = cap_queues(p->cap);
    f.q = calloc(p->nr_queues, sizeof(*f.q));
    if (!f.q) {
        return pace_fail(p, -ENOMEM, "out of memory");
    }
    rc = pace_run(p, &f);
    free(f.q);
    return rc;
}
