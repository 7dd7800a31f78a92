/* SPDX-License-Identifier: MIT */
/*
 * Shared by the Linux-side programs: the clock, batches, one line of output per figure.
 *
 * A figure is timed in BATCHES batches after one that only warms up, each of them a window of the
 * plugin's; the middle one is reported, since timer ticks and other domains' work land in whichever
 * batch is running.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

/* The processor's counter. */
static inline uint64_t ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static inline void __attribute__((noreturn)) die(const char *w)
{
    perror(w);
    exit(1);
}

/*
 * Tells the plugin (tcgcount.c): 1 a batch begins, 5 it ends, 2 the row is complete (and ends a
 * batch that 5 did not), 3 user space is reached, 4 the next phase starts. A long nop that nobody
 * else uses.
 */
#define MARK(id) asm volatile(".byte 0x0f,0x1f,0x84,0x00," #id ",0x00,0x45,0x54")
#define BATCHES 5
/* per-operation nanoseconds (virtual instructions under -icount shift=0): least, middle, most */
static inline void report(const char *set, const char *name, uint64_t *t, double n)
{
    MARK(2);
    for (int i = 1; i < BATCHES; i++)
        for (int j = i; j && t[j] < t[j - 1]; j--) {
            uint64_t x = t[j];
            t[j] = t[j - 1];
            t[j - 1] = x;
        }
    printf("%s %-34s n %.0f min %.1f med %.1f max %.1f ns/op\n", set, name, n, t[0] / n,
           t[BATCHES / 2] / n, t[BATCHES - 1] / n);
    fflush(stdout);
}
#define BENCH(set, name, n, stmt)                                                                  \
    do {                                                                                           \
        uint64_t t_[BATCHES];                                                                      \
        for (int b_ = -1; b_ < BATCHES; b_++) {                                                    \
            MARK(1);                                                                               \
            uint64_t s_ = now_ns();                                                                \
            for (long i_ = 0; i_ < (n); i_++) {                                                    \
                stmt;                                                                              \
            }                                                                                      \
            if (b_ >= 0) {                                                                         \
                t_[b_] = now_ns() - s_;                                                            \
                MARK(5);                                                                           \
            }                                                                                      \
        }                                                                                          \
        report(set, name, t_, n);                                                                  \
    } while (0)

#endif
