/* SPDX-License-Identifier: MIT */
/*
 * backoff.h - what a storm of notifications without work gets (BE-10): after 32 in a row each
 * further one delays this device by a millisecond, with its port masked. One useful event forgives
 * all.
 */
#ifndef BACKENDS_COMMON_BACKOFF_H
#define BACKENDS_COMMON_BACKOFF_H

#include <stdbool.h>
#include <time.h>

#define BACKOFF_FREE 32u

struct backoff {
    unsigned idle;
};

/* True if the caller was delayed. */
static inline bool backoff_account(struct backoff *b, bool useful)
{
    static const struct timespec pause = {.tv_nsec = 1000000};

    if (useful) {
        b->idle = 0;
        return false;
    }
    if (b->idle < BACKOFF_FREE) {
        b->idle++;
        return false;
    }
    nanosleep(&pause, NULL);
    return true;
}

#endif
