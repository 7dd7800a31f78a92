/* SPDX-License-Identifier: MIT */
/* gather.c - the size of bursts: see gather.h. */
#include "gather.h"

static void grow(struct gather *g)
{
    if (g->topped && ++g->rounds < GATHER_PROBE) {
        return;
    }
    g->rounds = 0;
    g->expect += g->expect / 2 + 1;
}

/* What the round that ends tells about the next one. */
static void learn(struct gather *g, uint64_t now_us)
{
    bool waited = g->limit_us != 0;

    if (g->round && (!waited || g->round >= g->expect)) {
        uint64_t each = ((now_us - g->asked_us) << 8) / g->round + 1;

        g->each = g->each ? (g->each * 7 + each) / 8 : each;
    }
    if (waited && now_us >= g->limit_us && g->round < g->expect) {
        g->expect = g->round;
        g->topped = true;
        g->rounds = 0;
    } else if (g->round > g->expect) {
        g->expect = g->round;
    } else if (waited && g->round == g->expect) {
        grow(g);
    } else if (!waited) {
        g->expect = g->round; /* woken by the first, as usual */
    }
}

/* True: the time has come to see whether a small burst comes. */
static bool try_burst(struct gather *g)
{
    if (!g->patience) {
        g->patience = GATHER_PROBE;
    }
    if (++g->small < g->patience) {
        return false;
    }
    g->small = 0;
    g->patience *= g->patience < GATHER_PROBE_MOST ? 2 : 1;
    return true;
}

unsigned gather_next(struct gather *g, uint64_t now_us, unsigned most, uint64_t for_us)
{
    if (g->round || g->limit_us) {
        learn(g, now_us);
    }
    if (g->expect > most) {
        g->expect = most;
    }
    g->round = 0;
    g->limit_us = 0;
    g->asked_us = now_us;
    if (!for_us) {
        return 1;
    }
    if (g->expect >= GATHER_MIN) {
        g->patience = 0;
    } else {
        g->topped = false;
        if (!try_burst(g)) {
            return 1;
        }
        g->expect = GATHER_MIN;
    }
    if (g->each && (2 * g->each * g->expect >> 8) + 1 < for_us) {
        for_us = (2 * g->each * g->expect >> 8) + 1;
    }
    g->limit_us = now_us + for_us;
    return g->expect;
}
