/* SPDX-License-Identifier: MIT */
/* blkreport.c - a disk's captures for report.h. */
#include <inttypes.h>
#include <stdio.h>

#include "front.h"
#include "report.h"

static void print_segments(const struct cap_request *q)
{
    for (unsigned i = 0; i < q->r.nr_segments; i++) {
        printf("%s%u-%u", i ? "," : "", q->segments[2 * i], q->segments[2 * i + 1]);
    }
}

static void text_request(const void *item)
{
    const struct cap_request *q = item;

    printf("%14.3f q%u %-7s", (double)q->r.taken / 1e3, q->r.queue, capfile_op_name(q->r.op));
    printf(" %10" PRIu64 "+%-5" PRIu64 " id %-6" PRIu64 " depth %-4u %-11s %10.3f", q->r.sector,
           q->r.nr_sectors, q->r.id, q->depth, capfile_status_name(q->r.status),
           (double)q->r.latency / 1e3);
    printf("%s%s ", q->r.flags & CAPTURE_INDIRECT ? " indirect" : "",
           q->r.flags & CAPTURE_REFUSED ? " refused" : "");
    print_segments(q);
    printf("\n");
}

static void json_request(const void *item)
{
    const struct cap_request *q = item;

    printf("{\"taken\":%" PRIu64 ",\"queue\":%u,\"op\":\"%s\",\"sector\":%" PRIu64
           ",\"sectors\":%" PRIu64 ",\"id\":%" PRIu64 ",\"depth\":%u",
           q->r.taken, q->r.queue, capfile_op_name(q->r.op), q->r.sector, q->r.nr_sectors, q->r.id,
           q->depth);
    printf(",\"status\":\"%s\",\"latency\":%" PRIu64
           ",\"indirect\":%s,\"refused\":%s,\"segments\":[",
           capfile_status_name(q->r.status), q->r.latency,
           q->r.flags & CAPTURE_INDIRECT ? "true" : "false",
           q->r.flags & CAPTURE_REFUSED ? "true" : "false");
    for (unsigned i = 0; i < q->r.nr_segments; i++) {
        printf("%s[%u,%u]", i ? "," : "", q->segments[2 * i], q->segments[2 * i + 1]);
    }
    printf("]}");
}

static void head(const struct capfile *c, bool json)
{
    const struct capture_head *h = &c->head;

    if (!json) {
        printf(", disk of %" PRIu64 " sectors, sector size %u, %u queue(s) of %u slots; "
               "%zu requests, %" PRIu64 " dropped\n",
               h->sectors, h->sector_size, h->queues, h->ring_slots, c->nr, h->dropped);
        printf("#   taken (us) queue op      sector+number              status       latency (us) "
               "sectors of each page\n");
    } else {
        printf("{\"begun\":%" PRIu64 ",\"sectors\":%" PRIu64 ",\"sector_size\":%u,\"queues\":%u,"
               "\"ring_slots\":%u,\"dropped\":%" PRIu64 ",\"requests\":[",
               h->begun, h->sectors, h->sector_size, h->queues, h->ring_slots, h->dropped);
    }
}

static int series_of(const void *item, uint64_t *bytes, bool *error)
{
    const struct cap_request *q = item;

    *bytes = q->r.nr_sectors * 512;
    *error = q->r.status != 0;
    return front_refused(q) ? -1 : capfile_op_index(q->r.op);
}

const struct report_kind report_block = {
    .what = "requests",
    .otherwise = "answered",
    .head = head,
    .text = text_request,
    .json = json_request,
    .nr_series = CAPFILE_OPS,
    .series = capfile_op_names,
    .series_of = series_of,
};
