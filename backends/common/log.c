/* SPDX-License-Identifier: MIT */
/*
 * log.c - the rate-limited log. Owns its token bucket; single-threaded.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BURST 20
#define REFILL_MS 500

static unsigned tokens = BURST;
static unsigned left_out;
static long long last_refill_ms;

static void refill(void)
{
    struct timespec ts;
    long long now, gained;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    now = ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
    gained = (now - last_refill_ms) / REFILL_MS;
    if (gained > 0) {
        tokens = tokens + gained > BURST ? BURST : tokens + (unsigned)gained;
        last_refill_ms = now;
    }
}

void log_line(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n = 0;

    refill();
    if (!tokens) {
        left_out++;
        return;
    }
    tokens--;
    if (left_out) {
        n = snprintf(line, sizeof(line), "(%u messages left out) ", left_out);
        left_out = 0;
    }
    va_start(ap, fmt);
    n += vsnprintf(line + n, sizeof(line) - 1 - (size_t)n, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof(line) - 2) {
        n = (int)sizeof(line) - 2;
    }
    line[n++] = '\n';
    /* A log that cannot be written to is nothing a backend could mend. */
    if (write(STDERR_FILENO, line, (size_t)n) < 0) {
        return;
    }
}
