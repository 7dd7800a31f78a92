/* SPDX-License-Identifier: MIT */
/* netreport.c - see netreport.h. Times in text are microseconds, in JSON nanoseconds. */
#include "netreport.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xen/grant_table.h>

#include "../net/packet.h"
#include "series.h"

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

static void text_packet(const struct cap_packet *p)
{
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

static void json_packet(const struct cap_packet *p)
{
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

static void text_head(const struct netcap *c)
{
    static const char *const takes[] = {"sg", "gso4", "gso6", "csum4", "csum6"};
    const struct capture_head *h = &c->head;

    printf("# begun ");
    series_print_begun(h->begun);
    printf(", %u queue(s) of %u slots, headroom %u, the guest takes", h->queues, h->ring_slots,
           h->sector_size);
    for (unsigned i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
        printf("%s%s", h->sectors & 1u << i ? " " : "", h->sectors & 1u << i ? takes[i] : "");
    }
    printf("; %zu packets, %" PRIu64 " dropped\n", c->nr, h->dropped);
    printf("#   taken (us) queue, bytes, slots                     status and fate   latency (us) "
           "offset+bytes of each page\n");
}

void netreport_capture(const struct netcap *c, bool json)
{
    const struct capture_head *h = &c->head;

    if (json) {
        printf("{\"begun\":%" PRIu64 ",\"queues\":%u,\"ring_slots\":%u,\"headroom\":%u,"
               "\"takes\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"packets\":[",
               h->begun, h->queues, h->ring_slots, h->sector_size, h->sectors, h->dropped);
    } else {
        text_head(c);
    }
    for (size_t i = 0; i < c->nr; i++) {
        if (json) {
            printf("%s", i ? ",\n" : "");
            json_packet(&c->packets[i]);
        } else {
            text_packet(&c->packets[i]);
        }
    }
    printf("%s", json ? "]}\n" : "");
}

/* ---- a replay ---- */

static bool collect(const struct netcap *c, unsigned way, struct series *s)
{
    if (!series_begin(s, c->nr)) {
        return false;
    }
    for (size_t i = 0; i < c->nr; i++) {
        const struct capture_packet *r = &c->packets[i].r;

        if (r->way == way && r->nr_pieces) {
            series_add(s, r->latency, r->size, r->status != NETIF_RSP_OKAY || r->fate);
        }
    }
    series_end(s);
    return true;
}

static double span(const struct netcap *c)
{
    uint64_t end = 0;

    for (size_t i = 0; i < c->nr; i++) {
        uint64_t e = c->packets[i].r.taken + c->packets[i].r.latency;

        end = e > end ? e : end;
    }
    return c->nr ? (double)(end - c->packets[0].r.taken) / 1e9 : 0;
}

void netreport_replay(const struct netcap *was, const struct netcap *again,
                      const struct netfront_result *r, bool json)
{
    bool first = true;

    printf(json ? "{\"replayed\":%zu,\"seconds\":%.6f,\"recorded\":%zu,\"recorded_seconds\":%.6f,"
                  "\"left_out\":%zu,\"differ\":%zu,\"ops\":{"
                : "%zu packets in %.3f s; recorded: %zu in %.3f s; left out %zu, answered or "
                  "delivered otherwise than then %zu\n",
           r->done, (double)r->ns / 1e9, was->nr, span(was), r->skipped, r->differ);
    if (!json) {
        series_report_head("packets");
    }
    for (unsigned way = CAPTURE_SENT; way <= CAPTURE_RECEIVED; way++) {
        struct series then = {0}, now = {0};

        if (collect(was, way, &then) && collect(again, way, &now) && (then.nr || now.nr)) {
            series_report(ways[way], "packets", &then, &now, json, first);
            first = false;
        }
        series_free(&then);
        series_free(&now);
    }
    printf("%s", json ? "}}\n" : "");
}
