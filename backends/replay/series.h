/* SPDX-License-Identifier: MIT */
/* series.h - latencies of one kind of requests, then or now, and how reports print them. */
#ifndef BACKENDS_REPLAY_SERIES_H
#define BACKENDS_REPLAY_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tenue/meter.h>

struct series {
    uint64_t *ns;
    size_t nr, errors;
    uint64_t bytes;
    struct meter_latency histogram;
};

/* False: no memory for so many. */
bool series_begin(struct series *s, size_t most);
void series_add(struct series *s, uint64_t ns, uint64_t bytes, bool error);
/* All are there; nothing was added between. */
void series_end(struct series *s);
void series_free(struct series *s);

/* `what`: in JSON the name of their number. */
void series_report_head(const char *what);
void series_report(const char *name, const char *what, const struct series *was,
                   const struct series *now, bool json, bool first);

/* When a capture was begun, for people. */
void series_print_begun(uint64_t ns);

#endif
