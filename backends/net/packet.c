/* SPDX-License-Identifier: MIT */
/*
 * packet.c - parse transmit chains, check headers for checksum and segmentation offload.
 *
 * Invariants of a chain that was accepted: 1..PACKET_MAX_FRAGS pieces, none empty, each inside its
 * page, their sum the size that the first slot gave, at most PACKET_MAX_BYTES; GSO only with a size
 * and a type that we offer.
 */
#include "packet.h"

#include <netinet/in.h>
#include <string.h>

_Static_assert(sizeof(netif_tx_request_t) == 12, "transmit slot of the ABI");
_Static_assert(sizeof(netif_extra_info_t) == 8, "extra slot of the ABI");

/* ---- transmit chain ---- */

static const char *parse_gso(const netif_extra_info_t *extra, struct packet_tx *out)
{
    if (out->gso_size) {
        return "two GSO slots in one packet";
    }
    if (!extra->u.gso.size) {
        return "a GSO slot with segment size 0";
    }
    if (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
        extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6) {
        return "a GSO type that was not offered";
    }
    out->gso_size = extra->u.gso.size;
    out->gso_type = extra->u.gso.type;
    return NULL;
}

static const char *parse_mcast(const netif_extra_info_t *extra, struct packet_tx *out)
{
    if (out->mcast) {
        return "two multicast slots in one request";
    }
    out->mcast = extra->type;
    memcpy(out->mcast_addr, extra->u.mcast.addr, sizeof(out->mcast_addr));
    return NULL;
}

static const char *parse_extra(const netif_extra_info_t *extra, struct packet_tx *out)
{
    switch (extra->type) {
    case XEN_NETIF_EXTRA_TYPE_GSO:
        return parse_gso(extra, out);
    case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
    case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
        return parse_mcast(extra, out);
    }
    return "an extra slot of a type that was not offered";
}

static const char *parse_extras(const union packet_tx_slot *slots, unsigned avail,
                                struct packet_tx *out)
{
    unsigned nr = 0;
    bool more = true;

    while (more) {
        const netif_extra_info_t *extra = &slots[out->nr_slots].extra;
        const char *wrong;

        if (out->nr_slots >= avail) {
            return "a chain that ends in its extra slots";
        }
        if (nr++ == PACKET_MAX_EXTRAS) {
            return "too many extra slots";
        }
        wrong = parse_extra(extra, out);
        if (wrong) {
            return wrong;
        }
        more = extra->flags & XEN_NETIF_EXTRA_FLAG_MORE;
        out->slot_is_extra[out->nr_slots++] = true;
    }
    return NULL;
}

static const char *add_frag(const netif_tx_request_t *req, uint32_t size, struct packet_tx *out)
{
    if (req->offset >= PACKET_PAGE || size > PACKET_PAGE - req->offset) {
        return "a piece that crosses its page";
    }
    if (!size) {
        out->drop = true;
    }
    out->frag[out->nr_frags++] = (struct packet_frag){req->gref, req->offset, (uint16_t)size};
    return NULL;
}

/* The first slot's size is the whole packet's; its own piece is what the others leave. */
static const char *parse_frags(const union packet_tx_slot *slots, unsigned avail,
                               struct packet_tx *out)
{
    const netif_tx_request_t *req = &slots[0].req;
    uint32_t left = req->size;
    const char *wrong = NULL;

    out->nr_frags = 1; /* the first one's place */
    while (!wrong && (req->flags & NETTXF_more_data)) {
        if (out->nr_slots >= avail) {
            return "a chain that ends in the middle of a packet";
        }
        if (out->nr_frags == PACKET_MAX_FRAGS) {
            return "more pieces in one packet than 18";
        }
        req = &slots[out->nr_slots].req;
        out->slot_is_extra[out->nr_slots++] = false;
        if (req->size > left) {
            return "pieces longer than their packet";
        }
        left -= req->size;
        wrong = add_frag(req, req->size, out);
    }
    if (!wrong) {
        unsigned n = out->nr_frags;

        out->nr_frags = 0;
        wrong = add_frag(&slots[0].req, left, out);
        out->nr_frags = n;
    }
    return wrong;
}

const char *packet_tx_parse(const union packet_tx_slot *slots, unsigned avail,
                            struct packet_tx *out)
{
    uint16_t flags = slots[0].req.flags;
    const char *wrong = NULL;

    out->nr_slots = 1;
    out->slot_is_extra[0] = false;
    out->drop = false;
    out->size = slots[0].req.size;
    out->csum_blank = flags & NETTXF_csum_blank;
    out->gso_size = 0;
    out->gso_type = XEN_NETIF_GSO_TYPE_NONE;
    out->mcast = 0;
    out->nr_frags = 0;
    if (flags & NETTXF_extra_info) {
        wrong = parse_extras(slots, avail, out);
    }
    if (!wrong && out->mcast) {
        return flags & NETTXF_more_data ? "a multicast request with a packet" : NULL;
    }
    if (!wrong) {
        wrong = parse_frags(slots, avail, out);
    }
    if (out->size < PACKET_MIN_BYTES) {
        out->drop = true;
    }
    return wrong;
}

/* ---- headers ---- */

struct layout {
    size_t l3, l4; /* offsets */
    uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
    bool v6;
    uint32_t l4_len; /* what the pseudo header says */
};

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t sum_words(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += be16(p + i);
    }
    return sum;
}

/* Of a packet of `len` bytes the first `have` are at `data`. */
static bool parse_ipv4(const uint8_t *data, size_t have, size_t len, struct layout *l)
{
    const uint8_t *ip = data + l->l3;
    size_t header, total;

    if (have - l->l3 < 20 || ip[0] >> 4 != 4) {
        return false;
    }
    header = (size_t)(ip[0] & 15) * 4;
    total = be16(ip + 2);
    /* A fragment's checksum is not in this packet: nobody can be asked to fill it in. */
    if (header < 20 || header > have - l->l3 || total < header || total > len - l->l3 ||
        (be16(ip + 6) & 0x3fff)) {
        return false;
    }
    l->v6 = false;
    l->l4 = l->l3 + header;
    l->l4_len = (uint32_t)(total - header);
    l->proto = ip[9];
    return true;
}

static bool parse_ipv6(const uint8_t *data, size_t have, size_t len, struct layout *l)
{
    const uint8_t *ip = data + l->l3;
    size_t at = l->l3 + 40, end;
    uint8_t next;

    if (have < at || ip[0] >> 4 != 6) {
        return false;
    }
    end = at + be16(ip + 4);
    if (end > len) {
        return false;
    }
    next = ip[6];
    for (int i = 0;
         i < 8 && (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS);
         i++) {
        if (end - at < 8 || have - at < 8 || end - at < 8 + (size_t)data[at + 1] * 8 ||
            have - at < 8 + (size_t)data[at + 1] * 8) {
            return false;
        }
        next = data[at];
        at += 8 + (size_t)data[at + 1] * 8;
    }
    l->v6 = true;
    l->l4 = at;
    l->l4_len = (uint32_t)(end - at);
    l->proto = next;
    return true;
}

static bool parse_headers(const uint8_t *data, size_t have, size_t len, struct layout *l)
{
    uint16_t type = be16(data + 12);

    l->l3 = 14;
    for (int i = 0; i < 2 && (type == 0x8100 || type == 0x88a8); i++) {
        if (have < l->l3 + 4) {
            return false;
        }
        type = be16(data + l->l3 + 2);
        l->l3 += 4;
    }
    if (have <= l->l3) {
        return false;
    }
    return type == 0x0800 ? parse_ipv4(data, have, len, l)
                          : type == 0x86dd && parse_ipv6(data, have, len, l);
}

static uint16_t pseudo_sum(const uint8_t *data, const struct layout *l)
{
    uint32_t sum = l->proto + (l->l4_len >> 16) + (l->l4_len & 0xffff);

    sum += l->v6 ? sum_words(data + l->l3 + 8, 32) : sum_words(data + l->l3 + 12, 8);
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* Offset of the checksum in its header, 0 if the header is not whole or of another protocol. */
static uint16_t csum_field(const uint8_t *data, size_t have, const struct layout *l, size_t *header)
{
    if (l->proto == IPPROTO_TCP && have - l->l4 >= 20 && l->l4_len >= 20) {
        *header = (size_t)(data[l->l4 + 12] >> 4) * 4;
        return *header >= 20 && *header <= l->l4_len ? 16 : 0;
    }
    if (l->proto == IPPROTO_UDP && have - l->l4 >= 8 && l->l4_len >= 8) {
        *header = 8;
        return 6;
    }
    return 0;
}

static bool gso_fits(const struct packet_tx *tx, const struct layout *l)
{
    return l->proto == IPPROTO_TCP && l->v6 == (tx->gso_type == XEN_NETIF_GSO_TYPE_TCPV6);
}

bool packet_tx_offload(uint8_t *data, size_t have, size_t len, const struct packet_tx *tx,
                       struct virtio_net_hdr *hdr)
{
    struct layout l;
    size_t header;
    uint16_t field, sum;

    memset(hdr, 0, sizeof(*hdr));
    if (!tx->csum_blank && !tx->gso_size) {
        return true;
    }
    if (!parse_headers(data, have, len, &l)) {
        return false;
    }
    field = csum_field(data, have, &l, &header);
    if (!field || (tx->gso_size && !gso_fits(tx, &l))) {
        return false;
    }
    sum = pseudo_sum(data, &l);
    data[l.l4 + field] = (uint8_t)(sum >> 8);
    data[l.l4 + field + 1] = (uint8_t)sum;
    hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    hdr->csum_start = (uint16_t)l.l4;
    hdr->csum_offset = field;
    hdr->hdr_len = (uint16_t)(l.l4 + header);
    if (tx->gso_size) {
        hdr->gso_type = l.v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
        hdr->gso_size = tx->gso_size;
    }
    return true;
}

/* ---- receive ---- */

bool packet_rx_plan(const struct virtio_net_hdr *hdr, size_t len, bool sg, size_t room,
                    struct packet_rx *out)
{
    memset(out, 0, sizeof(*out));
    if (len < PACKET_MIN_BYTES || len > PACKET_MAX_BYTES) {
        return false;
    }
    if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        out->flags = NETRXF_csum_blank | NETRXF_data_validated;
    } else if (hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
        out->flags = NETRXF_data_validated;
    }
    switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        break;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        out->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        out->gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
        break;
    default:
        return false; /* never asked for */
    }
    out->gso_size = out->gso_type ? hdr->gso_size : 0;
    out->nr_slots = (unsigned)((len + room - 1) / room);
    if (out->nr_slots > 1 && !sg) {
        return false;
    }
    out->nr_slots += out->gso_type != XEN_NETIF_GSO_TYPE_NONE;
    return true;
}
