/* SPDX-License-Identifier: MIT */
/*
 * Accounting and tracing as the verbs cost, trace and top use them: switched on for as long as
 * somebody looks, and off again, unless the administrator asked to keep accounts all the time.
 */
#ifndef TENUE_WATCH_H
#define TENUE_WATCH_H

#include "parts.h"
#include "verbs.h"

struct watch {
    int lock;      /* held: one verb at a time switches */
    uint32_t base; /* flags to go back to */
    uint32_t cpus;
};

/* flags: TENUE_WATCH_*; records and domid are about tracing. One complaint when it cannot be. */
int watch_begin(struct watch *w, struct session *s, uint32_t flags, uint32_t records,
                uint32_t domid) MUST_CHECK;
void watch_end(struct watch *w, struct session *s);
/* For good: keep accounts from now on, or not. */
int watch_keep(struct session *s, bool keep) MUST_CHECK;
/* Are accounts kept at the moment? */
bool watch_is_on(struct session *s);

int watch_names(struct session *s, struct part_names *names) MUST_CHECK;
/* -ENOENT: there is no such vCPU. Other failures are complained about. */
int watch_snapshot(struct session *s, uint32_t domid, unsigned vcpu,
                   struct part_snapshot *to) MUST_CHECK;

/* ns of the clock that nobody adjusts. */
uint64_t watch_clock(void);
/* Sleeps that long, or until somebody presses ^C (then, and ever after, false). */
bool watch_sleep(double seconds);
/* Makes ^C and SIGTERM end watch_sleep() instead of us. */
void watch_catch_signals(void);
/* A number of seconds above 0; false otherwise. */
bool watch_parse_seconds(const char *text, double *seconds);

#endif
