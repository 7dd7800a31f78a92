/* SPDX-License-Identifier: MIT */
/*
 * limit.h - how many operations and bytes a second a device, or a group of devices, may do.
 *
 * A struct limit lies in memory that those who draw from it share: all processes that serve the
 * device one after the other, all devices of a group, and whoever shows or changes it (meter.h).
 * It holds, for operations and for bytes, when the next one is due if they came evenly. One may
 * come early by the burst's time, so what was not used comes back, up to the burst. An operation is
 * let go or not as a whole and its bytes are counted then, so a limit is exceeded by one operation
 * at most.
 *
 * No locks: each number is one atomic word, and a process may end between any two instructions. A
 * change of the figures beside an operation may mix the two once.
 */
#ifndef TENUE_LIMIT_H
#define TENUE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What can be counted. */
#define LIMIT_OPS_MAX 10000000ull       /* a second */
#define LIMIT_BYTES_MAX 100000000000ull /* a second */
#define LIMIT_BURST_SECONDS_MAX 3600ull /* a burst, at its rate */
#define LIMIT_TEXT_MAX 96

/* Per second; 0: not limited. Bursts: 0: 5 ms of the rate, or half an operation's time if that is
 * longer. */
struct limit_rates {
    uint64_t ops, bytes;
    uint64_t ops_burst, bytes_burst;
};

struct limit_bucket {
    uint64_t rate, burst; /* as asked for */
    uint64_t due;         /* 1/16 ns of the monotonic clock: when the next one would come */
};

struct limit {
    struct limit_bucket ops, bytes;
};

void limit_set(struct limit *l, const struct limit_rates *r);
void limit_get(const struct limit *l, struct limit_rates *r);
bool limit_is_set(const struct limit *l);

/*
 * One operation of so many bytes, of all `n` limits or of none. 0: go. Else: not before so many
 * nanoseconds have passed.
 */
uint64_t limit_take(struct limit *const *l, unsigned n, uint64_t now_ns, uint64_t bytes);

/*
 * "2000iops", "20MB/s", both joined by +; behind each @ and a burst: a number of operations or
 * bytes, or a time (us, ms, s) at that rate. Units: B KB MB GB KiB MiB GiB, and b Kb Mb Gb for
 * bits, a second; "none": no limit. 0, or -1 with a sentence in `why`.
 */
int limit_parse(const char *text, struct limit_rates *r, char *why, size_t why_len);
/* The same back, in units that divide the figures; "none". */
void limit_print(const struct limit_rates *r, char *text, size_t len);

#endif
