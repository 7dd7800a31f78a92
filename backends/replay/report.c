/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. */
#include "report.h"

#include <stdio.h>

#include "series.h"

void report_capture(const struct report_kind *k, const struct capfile *c, bool json)
{
    if (!json) {
        printf("# begun ");
        series_print_begun(c->head.begun);
    }
    k->head(c, json);
    for (size_t i = 0; i < c->nr; i++) {
        if (json) {
            printf("%s", i ? ",\n" : "");
            k->json(cap_item(c, i));
        } else {
            k->text(cap_item(c, i));
        }
    }
    printf("%s", json ? "]}\n" : "");
}

/* ---- a replay ---- */

static bool collect(const struct report_kind *k, const struct capfile *c, int which,
                    struct series *s)
{
    if (!series_begin(s, c->nr)) {
        return false;
    }
    for (size_t i = 0; i < c->nr; i++) {
        uint64_t bytes;
        bool error;

        if (k->series_of(cap_item(c, i), &bytes, &error) == which) {
            series_add(s, cap_latency(c, i), bytes, error);
        }
    }
    series_end(s);
    return true;
}

static double span(const struct capfile *c)
{
    uint64_t end = 0;

    for (size_t i = 0; i < c->nr; i++) {
        uint64_t e = cap_taken(c, i) + cap_latency(c, i);

        end = e > end ? e : end;
    }
    return c->nr ? (double)(end - cap_taken(c, 0)) / 1e9 : 0;
}

static void totals(const struct report_kind *k, const struct capfile *was,
                   const struct pace_result *r, bool json)
{
    if (json) {
        printf("{\"replayed\":%zu,\"seconds\":%.6f,\"recorded\":%zu,\"recorded_seconds\":%.6f,"
               "\"left_out\":%zu,\"differ\":%zu,\"ops\":{",
               r->done, (double)r->ns / 1e9, was->nr, span(was), r->skipped, r->differ);
        return;
    }
    printf("%zu %s in %.3f s; recorded: %zu in %.3f s; left out %zu, %s otherwise than then %zu\n",
           r->done, k->what, (double)r->ns / 1e9, was->nr, span(was), r->skipped, k->otherwise,
           r->differ);
    series_report_head(k->what);
}

void report_replay(const struct report_kind *k, const struct capfile *was,
                   const struct capfile *again, const struct pace_result *r, bool json)
{
    bool first = true;

    totals(k, was, r, json);
    for (unsigned i = 0; i < k->nr_series; i++) {
        struct series then = {0}, now = {0};

        if (collect(k, was, (int)i, &then) && collect(k, again, (int)i, &now) &&
            (then.nr || now.nr)) {
            series_report(k->series[i], k->what, &then, &now, json, first);
            first = false;
        }
        series_free(&then);
        series_free(&now);
    }
    printf("%s", json ? "}}\n" : "");
}
