/* SPDX-License-Identifier: MIT */
/*
 * report.h - captures as text and JSON, and what a replay was like beside what was recorded. What
 * an item is printed as, and which latencies belong together, the kinds say (blkreport.c,
 * netreport.c). Times in text are microseconds, in JSON nanoseconds.
 */
#ifndef BACKENDS_REPLAY_REPORT_H
#define BACKENDS_REPLAY_REPORT_H

#include "pace.h"

struct report_kind {
    const char *what;      /* items are */
    const char *otherwise; /* how what differs went */

    /* Text: goes on after when it was begun. JSON: up to the items' opening bracket. */
    void (*head)(const struct capfile *c, bool json);
    void (*text)(const void *item);
    void (*json)(const void *item);

    unsigned nr_series;
    const char *const *series; /* names */
    /* Which of them an item counts in, and as what; -1: none. */
    int (*series_of)(const void *item, uint64_t *bytes, bool *error);
};
extern const struct report_kind report_block, report_net; /* each in its program */

void report_capture(const struct report_kind *k, const struct capfile *c, bool json);
/* `again` holds what the backend recorded while `was` was done again. */
void report_replay(const struct report_kind *k, const struct capfile *was,
                   const struct capfile *again, const struct pace_result *r, bool json);

#endif
