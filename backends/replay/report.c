/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. Times in text are microseconds, in JSON nanoseconds. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include "series.h"

/* ---- a capture ---- */

static void print_segments(const struct cap_request *q)
{
    for (unsigned i = 0; i < q->r.nr_segments; i++) {
        printf("%s%u-%u", i ? "," : "", q->segments[2 * i], q->segments[2 * i + 1]);
    }
}

static void text_request(const struct cap_request *q)
{
    printf("%14.3f q%u %-7s", (double)q->r.taken / 1e3, q->r.queue, capfile_op_name(q->r.op));
    printf(" %10" PRIu64 "+%-5" PRIu64 " id %-6" PRIu64 " depth %-4u %-11s %10.3f", q->r.sector,
           q->r.nr_sectors, q->r.id, q->depth, capfile_status_name(q->r.status),
           (double)q->r.latency / 1e3);
    printf("%s%s ", q->r.flags & CAPTURE_INDIRECT ? " indirect" : "",
           q->r.flags & CAPTURE_REFUSED ? " refused" : "");
    print_segments(q);
    printf("\n");
}

static void json_request(const struct cap_request *q)
{
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

void report_capture(const struct capfile *c, bool json)
{
    const struct capture_head *h = &c->head;

    if (!json) {
        printf("# begun ");
        series_print_begun(h->begun);
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
    for (size_t i = 0; i < c->nr; i++) {
        if (json) {
            printf("%s", i ? ",\n" : "");
            json_request(&c->requests[i]);
        } else {
            text_request(&c->requests[i]);
        }
    }
    printf("%s", json ? "]}\n" : "");
}

/* ---- a replay ---- */

static bool collect(const struct capfile *c, int op, struct series *s)
{
    if (!series_begin(s, c->nr)) {
        return false;
    }
    for (size_t i = 0; i < c->nr; i++) {
        const struct cap_request *q = &c->requests[i];

        if (!front_refused(q) && capfile_op_index(q->r.op) == op) {
            series_add(s, q->r.latency, q->r.nr_sectors * 512, q->r.status != 0);
        }
    }
    series_end(s);
    return true;
}

static double span(const struct capfile *c)
{
    uint64_t end = 0;

    for (size_t i = 0; i < c->nr; i++) {
        uint64_t e = c->requests[i].r.taken + c->requests[i].r.latency;

        end = e > end ? e : end;
    }
    return c->nr ? (double)(end - c->requests[0].r.taken) / 1e9 : 0;
}

void report_replay(const struct capfile *was, const struct capfile *again,
                   const struct front_result *r, bool json)
{
    bool first = true;

    printf(json ? "{\"replayed\":%zu,\"seconds\":%.6f,\"recorded\":%zu,\"recorded_seconds\":%.6f,"
                  "\"left_out\":%zu,\"differ\":%zu,\"ops\":{"
                : "%zu requests in %.3f s; recorded: %zu in %.3f s; left out %zu, answered "
                  "otherwise than then %zu\n",
           r->done, (double)r->ns / 1e9, was->nr, span(was), r->skipped, r->differ);
    if (!json) {
        series_report_head("requests");
    }
    for (int op = 0; op < CAPFILE_OPS; op++) {
        struct series then = {0}, now = {0};

        if (collect(was, op, &then) && collect(again, op, &now) && (then.nr || now.nr)) {
            series_report(capfile_op_names[op], "requests", &then, &now, json, first);
            first = false;
        }
        series_free(&then);
        series_free(&now);
    }
    printf("%s", json ? "}}\n" : "");
}
