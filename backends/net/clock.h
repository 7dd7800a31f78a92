/* SPDX-License-Identifier: MIT */
/*
 * clock.h - nanoseconds for measuring, from the processor's counter: in a PV domain to ask the
 * kernel for the time costs as much as a packet's whole system call.
 */
#ifndef BACKENDS_NET_CLOCK_H
#define BACKENDS_NET_CLOCK_H

#include <stdint.h>
#include <time.h>
#include <x86intrin.h>

struct clock_rate {
    uint64_t ns_per_tick; /* 32 bits of fraction; 0: not known yet */
    uint64_t tick0, ns0;
};

static inline uint64_t clock_kernel_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void clock_begin(struct clock_rate *c)
{
    c->ns0 = clock_kernel_ns();
    c->tick0 = __rdtsc();
}

/* To be called again some milliseconds after clock_begin(); later is better. */
static inline void clock_measure(struct clock_rate *c)
{
    uint64_t ns = clock_kernel_ns() - c->ns0, ticks = __rdtsc() - c->tick0;

    c->ns_per_tick = ticks ? (uint64_t)(((__uint128_t)ns << 32) / ticks) : 0;
}

/* Since a reading of __rdtsc(). */
static inline uint64_t clock_since(const struct clock_rate *c, uint64_t tick)
{
    return (uint64_t)(((__uint128_t)(__rdtsc() - tick) * c->ns_per_tick) >> 32);
}

#endif
