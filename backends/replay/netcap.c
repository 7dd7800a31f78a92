/* SPDX-License-Identifier: MIT */
/* netcap.c - see netcap.h. */
#include "netcap.h"

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

static int check(const struct parse *p, const uint8_t *at, void *item)
{
    struct cap_packet *k = item;
    int rc;

    memcpy(k->piece, at + sizeof(k->r), k->r.nr_pieces * sizeof(k->piece[0]));
    rc = check_kind(p, at, &k->r);
    return rc ? rc : check_pieces(p, at, k);
}

const struct cap_kind cap_net = {
    .kind = CAPTURE_NET,
    .record = sizeof(struct capture_packet),
    .item = sizeof(struct cap_packet),
    .depth_at = offsetof(struct cap_packet, depth),
    .index_at = offsetof(struct capture_packet, index),
    .rings = 2,
    .nr_at = offsetof(struct capture_packet, nr_pieces),
    .most = CAPTURE_MAX_PIECES,
    .bytes = capture_packet_bytes,
    .parts = "pieces",
    .check = check,
};
