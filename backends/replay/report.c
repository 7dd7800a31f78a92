/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. Times in text are microseconds, in JSON nanoseconds. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <tenue/meter.h>
#include <time.h>

/* ---- a capture ---- */

static void print_begun(uint64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000);
    char text[32] = "?";
    struct tm tm;

    if (gmtime_r(&seconds, &tm)) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    printf("%s", text);
}

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
        print_begun(h->begun);
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

/* One operation's, then or now. */
struct series {
    uint64_t *ns;
    size_t nr, errors;
    uint64_t bytes, span; /* from the first taken to the last answered */
    struct meter_latency histogram;
};

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool collect(const struct capfile *c, int op, struct series *s)
{
    *s = (struct series){.ns = malloc((c->nr + 1) * sizeof(uint64_t))};
    if (!s->ns) {
        return false;
    }
    for (size_t i = 0; i < c->nr; i++) {
        const struct cap_request *q = &c->requests[i];

        if (front_refused(q) || capfile_op_index(q->r.op) != op) {
            continue;
        }
        s->ns[s->nr++] = q->r.latency;
        s->errors += q->r.status != 0;
        s->bytes += q->r.nr_sectors * 512;
        meter_count(&s->histogram, q->r.latency);
    }
    qsort(s->ns, s->nr, sizeof(s->ns[0]), by_size);
    return true;
}

static uint64_t quantile(const struct series *s, unsigned percent)
{
    return s->nr ? s->ns[(s->nr - 1) * percent / 100] : 0;
}

static void text_series(const char *name, const char *when, const struct series *s)
{
    printf("%-8s %-8s %9zu %12" PRIu64 " %7zu %10.1f %10.1f %10.1f %10.1f\n", name, when, s->nr,
           s->bytes, s->errors, (double)quantile(s, 50) / 1e3, (double)quantile(s, 90) / 1e3,
           (double)quantile(s, 99) / 1e3, (double)quantile(s, 100) / 1e3);
}

/* By octaves; JSON has all steps. */
static void text_histogram(const struct series *was, const struct series *now)
{
    uint64_t then = 0, again = 0;

    for (unsigned b = 0; b < METER_BUCKETS; b++) {
        then += was->histogram.bucket[b];
        again += now->histogram.bucket[b];
        if ((then || again) && (b % 4 == 0 || b == METER_BUCKETS - 1)) {
            printf("         < %12.1f us %10" PRIu64 " then %10" PRIu64 " now\n",
                   (double)meter_bucket_end(b) / 1e3, then, again);
            then = again = 0;
        }
    }
}

static void json_series(const char *when, const struct series *s)
{
    bool first = true;

    printf("\"%s\":{\"requests\":%zu,\"bytes\":%" PRIu64 ",\"errors\":%zu,\"p50\":%" PRIu64
           ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 ",\"histogram\":[",
           when, s->nr, s->bytes, s->errors, quantile(s, 50), quantile(s, 90), quantile(s, 99),
           quantile(s, 100));
    for (unsigned b = 0; b < METER_BUCKETS; b++) {
        if (s->histogram.bucket[b]) {
            printf("%s[%" PRIu64 ",%" PRIu64 "]", first ? "" : ",", meter_bucket_end(b),
                   s->histogram.bucket[b]);
            first = false;
        }
    }
    printf("]}");
}

static void report_op(const char *name, const struct series *was, const struct series *now,
                      bool json, bool first)
{
    if (!json) {
        text_series(name, "recorded", was);
        text_series("", "replayed", now);
        text_histogram(was, now);
        return;
    }
    printf("%s\"%s\":{", first ? "" : ",", name);
    json_series("recorded", was);
    printf(",");
    json_series("replayed", now);
    printf("}");
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
        printf("%-8s %-8s %9s %12s %7s %10s %10s %10s %10s\n", "op", "", "requests", "bytes",
               "errors", "p50 us", "p90 us", "p99 us", "max us");
    }
    for (int op = 0; op < CAPFILE_OPS; op++) {
        struct series then = {0}, now = {0};

        if (collect(was, op, &then) && collect(again, op, &now) && (then.nr || now.nr)) {
            report_op(capfile_op_names[op], &then, &now, json, first);
            first = false;
        }
        free(then.ns);
        free(now.ns);
    }
    printf("%s", json ? "}}\n" : "");
}
