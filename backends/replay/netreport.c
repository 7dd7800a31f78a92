/* SPDX-License-Identifier: MIT */
/* netreport.c - an interface's captures for report.h. */
#include <inttypes.h>
#include <stdio.h>
#include <xen/grant_table.h>

#include "../net/packet.h"
#include "netcap.h"
#include "report.h"

static const char *const ways[] = {"sent", "received"};

static const char *word(const struct capture_packet *r)
{
    return r->flags & CAPTURE_MCAST_ADD   ? "joins"
           : r->flags & CAPTURE_MCAST_DEL ? "leaves"
                                          : ways[r->way];
}

static const char *status_name(int status)
{
    return status == NETIF_RSP_OKAY ? "ok" : status == NETIF_RSP_DROPPED ? "dropped" : "error";
}

static unsigned gso_version(const struct capture_packet *r)
{
    return r->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 ? 6 : 4;
}

static void text_packet(const void *item)
{
    const struct cap_packet *p = item;
    const struct capture_packet *r = &p->r;

    printf("%14.3f q%u %-8s %5u slots %-2u depth %-4u %-5s %-8s %10.3f ", (double)r->taken / 1e3,
           r->queue, word(r), r->size, r->nr_slots, p->depth, status_name(r->status),
           netcap_fate_name(r->fate), (double)r->latency / 1e3);
    for (unsigned i = 0; i < r->nr_pieces; i++) {
        printf("%s%u+%u", i ? "," : "", p->piece[i].offset, p->piece[i].size);
    }
    if (r->gso_size) {
        printf(" tcp%u:%u", gso_version(r), r->gso_size);
    }
    printf("%s%s\n", r->flags & CAPTURE_CSUM_BLANK ? " csum-blank" : "",
           r->flags & CAPTURE_VALIDATED ? " validated" : "");
}

static void json_packet(const void *item)
{
    const struct cap_packet *p = item;
    const struct capture_packet *r = &p->r;

    printf("{\"taken\":%" PRIu64 ",\"queue\":%u,\"op\":\"%s\",\"size\":%u,\"slots\":%u,"
           "\"depth\":%u,\"status\":\"%s\",\"fate\":\"%s\",\"latency\":%" PRIu64,
           r->taken, r->queue, word(r), r->size, r->nr_slots, p->depth, status_name(r->status),
           netcap_fate_name(r->fate), r->latency);
    printf(",\"gso\":%u,\"gso_version\":%u,\"csum_blank\":%s,\"validated\":%s,\"pieces\":[",
           r->gso_size, r->gso_size ? gso_version(r) : 0,
           r->flags & CAPTURE_CSUM_BLANK ? "true" : "false",
           r->flags & CAPTURE_VALIDATED ? "true" : "false");
    for (unsigned i = 0; i < r->nr_pieces; i++) {
        printf("%s[%u,%u]", i ? "," : "", p->piece[i].offset, p->piece[i].size);
    }
    printf("]}");
}

static void text_head(const struct capfile *c)
{
    static const char *const takes[] = {"sg", "gso4", "gso6", "csum4", "csum6"};
    const struct capture_head *h = &c->head;

    printf(", %u queue(s) of %u slots, headroom %u, the guest takes", h->queues, h->ring_slots,
           h->sector_size);
    for (unsigned i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
        printf("%s%s", h->sectors & 1u << i ? " " : "", h->sectors & 1u << i ? takes[i] : "");
    }
    printf("; %zu packets, %" PRIu64 " dropped\n", c->nr, h->dropped);
    printf("#   taken (us) queue, bytes, slots                     status and fate   latency (us) "
           "offset+bytes of each page\n");
}

static void head(const struct capfile *c, bool json)
{
    const struct capture_head *h = &c->head;

    if (json) {
        printf("{\"begun\":%" PRIu64 ",\"queues\":%u,\"ring_slots\":%u,\"headroom\":%u,"
               "\"takes\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"packets\":[",
               h->begun, h->queues, h->ring_slots, h->sector_size, h->sectors, h->dropped);
    } else {
        text_head(c);
    }
}

static int series_of(const void *item, uint64_t *bytes, bool *error)
{
    const struct capture_packet *r = &((const struct cap_packet *)item)->r;

    *bytes = r->size;
    *error = r->status != NETIF_RSP_OKAY || r->fate;
    return r->nr_pieces ? r->way : -1;
}

const struct report_kind report_net = {
    .what = "packets",
    .otherwise = "answered or delivered",
    .head = head,
    .text = text_packet,
    .json = json_packet,
    .nr_series = sizeof(ways) / sizeof(ways[0]),
    .series = ways,
    .series_of = series_of,
};
