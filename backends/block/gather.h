/* SPDX-License-Identifier: MIT */
/*
 * gather.h - how many requests to wait for before being woken. Pure.
 *
 * A guest that keeps many requests under way gives them in bursts; woken for the first of each, a
 * backend takes bursts apart and pays its wake-up for one or two. So the ring's event index asks to
 * be woken by the last request of a burst as large as the ones before, and a time limit covers the
 * case that it does not come. A guest that gives few at once is hardly ever waited for.
 *
 * A round is what happens from one sleep to the next. The size that is waited for grows with each
 * round until the time limit is hit, then now and then; when the limit is hit it becomes what there
 * was. So a wrong guess costs one time limit, which is twice what so many requests took of late.
 *
 * Small rounds may be a guest's way, or our own doing: woken for each request, one answers each
 * before the next is there. So after some of them a small burst is waited for, shortly, and each
 * time in vain makes the next try come half as soon.
 */
#ifndef BACKENDS_BLOCK_GATHER_H
#define BACKENDS_BLOCK_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#define GATHER_MIN 4u    /* smaller bursts are not waited for */
#define GATHER_PROBE 64u /* rounds after which a larger size is tried */
#define GATHER_PROBE_MOST 512u

struct gather {
    unsigned expect;   /* size of a burst, as far as known */
    unsigned round;    /* requests taken in this round */
    unsigned rounds;   /* since the size was last tried */
    unsigned small;    /* small rounds since a burst was last tried */
    unsigned patience; /* of these, how many before the next try; 0: GATHER_PROBE */
    bool topped;       /* a time limit was hit: do not grow with each round any more */
    uint64_t asked_us; /* since when this round is */
    uint64_t limit_us; /* when the time is over; 0: nothing is waited for */
    uint64_t each;     /* time that a request takes of a round, in 1/256 us; 0: not known */
};

/* So many requests were taken. */
static inline void gather_took(struct gather *g, unsigned n)
{
    g->round += n;
}

/*
 * The round is over and the ring is empty: for how many requests to sleep, 1 being as usual. At
 * most `most`; for no longer than for_us (0: never more than 1) from now_us on.
 */
unsigned gather_next(struct gather *g, uint64_t now_us, unsigned most, uint64_t for_us);

#endif
