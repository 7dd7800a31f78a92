/* SPDX-License-Identifier: MIT */
/*
 * The hypercall fuzzer with seeds: `hypercalls FIRST COUNT [SECONDS]` runs the sequences of COUNT
 * seeds from FIRST, or as many as SECONDS allow, says how fast, and which operations hardly ever
 * succeeded. A finding names its seed: run that one alone to see it again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"

/* Each operation must have succeeded once in so many sequences on average, or the fuzzer does not
 * test what it seems to. */
#define SEQUENCES_PER_SUCCESS 400u
#define ENOUGH_SEQUENCES 1000u
#define SHOWN 8u

static void last_words(int sig)
{
    progress_say();
    signal(sig, SIG_DFL);
    raise(sig);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_success(const void *a, const void *b)
{
    const uint64_t x = tallies[*(const unsigned *)a].done, y = tallies[*(const unsigned *)b].done;

    return (x > y) - (x < y);
}

/* Operations that succeeded too rarely; the rarest ones are shown. */
static unsigned say_successes(bool all)
{
    unsigned order[256], poor = 0;

    for (unsigned i = 0; i < op_count; i++)
        order[i] = i;
    qsort(order, op_count, sizeof(order[0]), by_success);
    for (unsigned i = 0; i < op_count; i++) {
        const struct tally *t = &tallies[order[i]];
        const bool few = progress.sequences >= ENOUGH_SEQUENCES &&
                         t->done < progress.sequences / SEQUENCES_PER_SUCCESS;

        poor += few;
        if (all || few || i < SHOWN)
            printf("  %-36s %8lu of %8lu succeeded%s\n", ops[order[i]].name, t->done, t->tried,
                   few ? ": too few" : "");
    }
    return poor;
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 1000;
    const double begin = now(), limit = argc > 3 ? atof(argv[3]) : 1e9;
    double took;
    unsigned poor;

    signal(SIGABRT, last_words);
    signal(SIGSEGV, last_words);
    progress.doing = "starting";
    world_init();
    for (progress.seed = first; progress.seed < first + count && now() - begin < limit;
         progress.seed++) {
        choose_from_seed(progress.seed);
        run_sequence();
    }
    took = now() - begin;
    printf("the operations that succeeded least:\n");
    poor = say_successes(getenv("HYPERCALLS_ALL") != NULL);
    printf("hypercalls: %lu sequences, %lu calls, audited after each; seeds %lu to %lu; %.0f "
           "calls/s, %.1f sequences/s\n",
           progress.sequences, progress.calls, first, progress.seed - 1,
           (double)progress.calls / took, (double)progress.sequences / took);
    printf("check-hypercalls: %lu passed, %u failed\n", progress.sequences, poor);
    return poor != 0;
}
