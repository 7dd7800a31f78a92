/* SPDX-License-Identifier: MIT */
/* series.c - see series.h. Times in text are microseconds, in JSON nanoseconds. */
#include "series.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void series_print_begun(uint64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000);
    char text[32] = "?";
    struct tm tm;

    if (gmtime_r(&seconds, &tm)) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    printf("%s", text);
}

bool series_begin(struct series *s, size_t most)
{
    *s = (struct series){.ns = malloc((most + 1) * sizeof(uint64_t))};
    return s->ns;
}

void series_add(struct series *s, uint64_t ns, uint64_t bytes, bool error)
{
    s->ns[s->nr++] = ns;
    s->errors += error;
    s->bytes += bytes;
    meter_count(&s->histogram, ns);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

void series_end(struct series *s)
{
    qsort(s->ns, s->nr, sizeof(s->ns[0]), by_size);
}

void series_free(struct series *s)
{
    free(s->ns);
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

static void json_series(const char *when, const char *what, const struct series *s)
{
    bool first = true;

    printf("\"%s\":{\"%s\":%zu,\"bytes\":%" PRIu64 ",\"errors\":%zu,\"p50\":%" PRIu64
           ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 ",\"histogram\":[",
           when, what, s->nr, s->bytes, s->errors, quantile(s, 50), quantile(s, 90),
           quantile(s, 99), quantile(s, 100));
    for (unsigned b = 0; b < METER_BUCKETS; b++) {
        if (s->histogram.bucket[b]) {
            printf("%s[%" PRIu64 ",%" PRIu64 "]", first ? "" : ",", meter_bucket_end(b),
                   s->histogram.bucket[b]);
            first = false;
        }
    }
    printf("]}");
}

void series_report(const char *name, const char *what, const struct series *was,
                   const struct series *now, bool json, bool first)
{
    if (!json) {
        text_series(name, "recorded", was);
        text_series("", "replayed", now);
        text_histogram(was, now);
        return;
    }
    printf("%s\"%s\":{", first ? "" : ",", name);
    json_series("recorded", what, was);
    printf(",");
    json_series("replayed", what, now);
    printf("}");
}

void series_report_head(const char *what)
{
    printf("%-8s %-8s %9s %12s %7s %10s %10s %10s %10s\n", "op", "", what, "bytes", "errors",
           "p50 us", "p90 us", "p99 us", "max us");
}
