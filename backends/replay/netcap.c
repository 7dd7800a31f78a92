/* SPDX-License-Identifier: MIT */
/* netcap.c - see netcap.h. */
#include "netcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../net/packet.h"

static const char *const fates[] = {"passed", "lost", "spoofed", "unusable"};
#define NR_FATES (sizeof(fates) / sizeof(fates[0]))

_Static_assert(CAPTURE_MAX_PIECES >= PACKET_MAX_SLOTS && CAPTURE_PIECE_PAGE == PACKET_PAGE,
               "room for every packet");

const char *netcap_fate_name(unsigned fate)
{
    return fate < NR_FATES ? fates[fate] : "unknown";
}

static bool is_wish(const struct capture_packet *r)
{
    return r->flags & (CAPTURE_MCAST_ADD | CAPTURE_MCAST_DEL);
}

bool netcap_left_out(const struct cap_packet *p)
{
    return is_wish(&p->r) || p->r.fate == CAPTURE_SPOOFED || p->r.fate == CAPTURE_UNUSABLE ||
           p->r.status != NETIF_RSP_OKAY;
}

static int check_pieces(const struct parse *p, const uint8_t *at, const struct cap_packet *k)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < k->r.nr_pieces; i++) {
        const struct capture_piece *piece = &k->piece[i];

        if (piece->offset + piece->size > CAPTURE_PIECE_PAGE) {
            return cap_bad(p, at + sizeof(k->r) + i * sizeof(*piece),
                           "piece %u, of %u bytes at %u, crosses its page", i, piece->size,
                           piece->offset);
        }
        sum += piece->size;
    }
    if (k->r.nr_pieces && sum != k->r.size) {
        return cap_bad(p, at, "pieces of %u bytes in a frame of %u", sum, k->r.size);
    }
    return 0;
}

static int check_kind(const struct parse *p, const uint8_t *at, const struct capture_packet *r)
{
    unsigned extras = r->nr_slots - r->nr_pieces;

    if (r->way > CAPTURE_RECEIVED) {
        return cap_bad(p, at, "unknown way %u", r->way);
    }
    if (r->flags >= 2 * CAPTURE_MCAST_DEL || (is_wish(r) && r->way != CAPTURE_SENT)) {
        return cap_bad(p, at, "unknown flags %#x", r->flags);
    }
    if (r->fate >= NR_FATES) {
        return cap_bad(p, at, "unknown fate %u", r->fate);
    }
    if (r->status < NETIF_RSP_DROPPED || r->status > NETIF_RSP_OKAY) {
        return cap_bad(p, at, "unknown status %d", r->status);
    }
    if (r->gso_type > XEN_NETIF_GSO_TYPE_TCPV6 || !r->gso_type != !r->gso_size) {
        return cap_bad(p, at, "segments of %u bytes and type %u", r->gso_size, r->gso_type);
    }
    if (r->size > PACKET_MAX_BYTES) {
        return cap_bad(p, at, "a frame of %u bytes", r->size);
    }
    if (is_wish(r) ? r->nr_pieces : !r->nr_pieces) {
        return cap_bad(p, at, "a %s of %u pieces", is_wish(r) ? "wish" : "packet", r->nr_pieces);
    }
    if (r->nr_slots < r->nr_pieces || extras > PACKET_MAX_EXTRAS + is_wish(r) ||
        (r->gso_size && !extras)) {
        return cap_bad(p, at, "%u pieces in %u slots", r->nr_pieces, r->nr_slots);
    }
    return 0;
}

static int check_record(const struct parse *p, const uint8_t *at, size_t left, struct cap_packet *k)
{
    const struct capture_packet *r = &k->r;
    int rc;

    if (left < sizeof(*r)) {
        return cap_bad(p, at, "a record is cut off");
    }
    memcpy(&k->r, at, sizeof(k->r));
    if (r->nr_pieces > CAPTURE_MAX_PIECES || r->bytes != capture_packet_bytes(r->nr_pieces)) {
        return cap_bad(p, at, "a record of %u bytes for %u pieces", r->bytes, r->nr_pieces);
    }
    if (r->bytes > left) {
        return cap_bad(p, at, "a record is cut off");
    }
    if (r->queue >= CAPTURE_MAX_QUEUES) {
        return cap_bad(p, at, "queue %u of at most %u", r->queue, CAPTURE_MAX_QUEUES);
    }
    if (r->taken > INT64_MAX || r->latency > INT64_MAX) {
        return cap_bad(p, at, "a time of more than centuries");
    }
    memcpy(k->piece, at + sizeof(*r), r->nr_pieces * sizeof(k->piece[0]));
    rc = check_kind(p, at, r);
    return rc ? rc : check_pieces(p, at, k);
}

/* Of those taken in one go, of one ring, the ring's index decides. */
static int in_order(const void *a, const void *b)
{
    const struct capture_packet *x = a, *y = b; /* the first member */

    if (x->taken != y->taken) {
        return x->taken < y->taken ? -1 : 1;
    }
    if (x->queue != y->queue || x->way != y->way) {
        return x->queue * 2 + x->way < y->queue * 2 + y->way ? -1 : 1;
    }
    return x->index == y->index ? 0 : (int32_t)(x->index - y->index) < 0 ? -1 : 1;
}

int netcap_parse(const void *text, size_t len, struct netcap *out, char *err, size_t err_len)
{
    const struct parse p = {.text = text, .err = err, .err_len = err_len};
    const uint8_t *at = p.text + sizeof(out->head), *end;
    int rc;

    memset(out, 0, sizeof(*out));
    memcpy(&out->head, text, len < sizeof(out->head) ? len : sizeof(out->head));
    rc = cap_check_head(&p, len, &out->head, CAPTURE_NET);
    if (rc) {
        return rc;
    }
    end = at + out->head.used;
    out->packets =
        malloc((out->head.used / sizeof(struct capture_packet) + 1) * sizeof(out->packets[0]));
    if (!out->packets) {
        snprintf(err, err_len, "out of memory");
        return -ENOMEM;
    }
    while (!rc && at < end) {
        struct cap_packet *k = &out->packets[out->nr];

        rc = check_record(&p, at, (size_t)(end - at), k);
        at += k->r.bytes;
        out->nr++;
    }
    rc = rc ? rc
            : cap_order(out->packets, out->nr, sizeof(out->packets[0]),
                        offsetof(struct cap_packet, depth), in_order);
    if (rc) {
        netcap_free(out);
    }
    return rc;
}

void netcap_free(struct netcap *c)
{
    free(c->packets);
    c->packets = NULL;
    c->nr = 0;
}
