/* SPDX-License-Identifier: MIT */
/*
 * limit.c - token buckets as one time each: see limit.h. The words for them are limit_text.c's.
 *
 * Invariant: `due` is at most one operation's time beyond now and the burst. Times are in 1/16 ns,
 * which counts 10^7 operations a second exactly and bytes at the highest rate within 1 %; the clock
 * wraps after 36 years.
 */
#include <tenue/limit.h>

#define TICKS_PER_S 16000000000ull
#define TICKS_PER_NS 16ull
#define SLACK (TICKS_PER_S / 200) /* 5 ms: how late a process may wake without loss */

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void store(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static void bucket_set(struct limit_bucket *b, uint64_t rate, uint64_t burst)
{
    store(&b->burst, burst);
    store(&b->rate, rate);
    store(&b->due, 0);
}

void limit_set(struct limit *l, const struct limit_rates *r)
{
    bucket_set(&l->ops, r->ops, r->ops_burst);
    bucket_set(&l->bytes, r->bytes, r->bytes_burst);
}

void limit_get(const struct limit *l, struct limit_rates *r)
{
    *r = (struct limit_rates){
        .ops = load(&l->ops.rate),
        .bytes = load(&l->bytes.rate),
        .ops_burst = load(&l->ops.burst),
        .bytes_burst = load(&l->bytes.burst),
    };
}

bool limit_is_set(const struct limit *l)
{
    return load(&l->ops.rate) || load(&l->bytes.rate);
}

static uint64_t time_of(uint64_t units, uint64_t rate)
{
    return (uint64_t)(((unsigned __int128)units * TICKS_PER_S + rate / 2) / rate);
}

/* How early one may be: by the burst, at least by the slack, an operation by half its own time. */
static uint64_t early(uint64_t rate, uint64_t burst, bool whole)
{
    uint64_t least = whole && time_of(1, rate) / 2 > SLACK ? time_of(1, rate) / 2 : SLACK;
    uint64_t asked = burst ? time_of(whole ? burst - 1 : burst, rate) : 0;

    return asked > least ? asked : least;
}

/* 0 and *cost is taken, or the ticks to wait. */
static uint64_t bucket_take(struct limit_bucket *b, uint64_t now, uint64_t units, bool whole,
                            uint64_t *cost)
{
    uint64_t rate = load(&b->rate), due, from;

    *cost = 0;
    if (!rate || !units) {
        return 0;
    }
    *cost = time_of(units, rate);
    due = load(&b->due);
    do {
        uint64_t may = now + early(rate, load(&b->burst), whole);

        if (due > may) {
            *cost = 0;
            return due - may;
        }
        from = due > now ? due : now;
    } while (!__atomic_compare_exchange_n(&b->due, &due, from + *cost, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return 0;
}

static void bucket_give(struct limit_bucket *b, uint64_t cost)
{
    if (cost) {
        __atomic_fetch_sub(&b->due, cost, __ATOMIC_RELAXED);
    }
}

static uint64_t take_one(struct limit *l, uint64_t now, uint64_t bytes, uint64_t cost[2])
{
    uint64_t wait;

    cost[0] = cost[1] = 0;
    if (!limit_is_set(l)) {
        return 0; /* of most devices, for each of their operations */
    }
    wait = bucket_take(&l->ops, now, 1, true, &cost[0]);
    if (wait) {
        return wait;
    }
    wait = bucket_take(&l->bytes, now, bytes, false, &cost[1]);
    if (wait) {
        bucket_give(&l->ops, cost[0]);
    }
    return wait;
}

uint64_t limit_take(struct limit *const *l, unsigned n, uint64_t now_ns, uint64_t bytes)
{
    enum { MOST = 4 };
    uint64_t cost[MOST][2], wait = 0;
    unsigned i = 0;

    for (; i < n && i < MOST; i++) {
        wait = take_one(l[i], now_ns * TICKS_PER_NS, bytes, cost[i]);
        if (wait) {
            break;
        }
    }
    while (wait && i-- > 0) {
        bucket_give(&l[i]->ops, cost[i][0]);
        bucket_give(&l[i]->bytes, cost[i][1]);
    }
    return (wait + TICKS_PER_NS - 1) / TICKS_PER_NS;
}
