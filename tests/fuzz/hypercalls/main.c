/* SPDX-License-Identifier: MIT */
/*
 * The hypercall fuzzer with seeds: `hypercalls FIRST COUNT [SECONDS [WORKERS]]` runs the sequences
 * of COUNT seeds from FIRST, or as many as SECONDS allow, in that many processes, says how fast,
 * and which operations hardly ever succeeded. A finding names its seed: run that one alone to see
 * it again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"

/* Each operation must have succeeded once in so many sequences on average, or the fuzzer does not
 * test what it seems to. */
#define SEQUENCES_PER_SUCCESS 400u
#define ENOUGH_SEQUENCES 4000u
#define SHOWN 8u
#define OPS_MAX 256u

static void last_words(int sig)
{
    progress_say();
    signal(sig, SIG_DFL);
    raise(sig);
}

/* Leaks are the audit's business; and looking for them, the library would call our sched_yield().
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
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
    unsigned order[OPS_MAX], poor = 0;

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

/* --- workers: one process each, every n-th seed --- */

#define WORKERS_MAX 16u
struct result {
    struct progress progress;
    struct tally tallies[OPS_MAX];
};

static void work(uint64_t first, uint64_t end, unsigned step, double until, struct result *r)
{
    signal(SIGABRT, last_words);
    signal(SIGSEGV, last_words);
    progress.doing = "starting";
    world_init();
    for (progress.seed = first; progress.seed < end && now() < until; progress.seed += step) {
        choose_from_seed(progress.seed);
        run_sequence();
    }
    r->progress = progress;
    memcpy(r->tallies, tallies, op_count * sizeof(tallies[0]));
}

static void add(const struct result *r)
{
    progress.sequences += r->progress.sequences;
    progress.calls += r->progress.calls;
    for (unsigned i = 0; i < op_count; i++) {
        tallies[i].tried += r->tallies[i].tried;
        tallies[i].done += r->tallies[i].done;
    }
}

/* Number of workers that found something. */
static unsigned work_together(uint64_t first, uint64_t count, double until, unsigned workers)
{
    struct result *results = mmap(NULL, workers * sizeof(*results), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned bad = 0;

    if (results == MAP_FAILED)
        return workers;
    for (unsigned w = 0; w < workers; w++) {
        const pid_t child = fork();

        if (child == 0) {
            work(first + w, first + count, workers, until, &results[w]);
            exit(0); /* not _exit: a coverage build writes its counters then */
        }
        bad += child < 0;
    }
    for (unsigned w = 0; w < workers; w++) {
        int status = 1;

        bad += wait(&status) < 0 || status != 0;
    }
    for (unsigned w = 0; w < workers; w++)
        add(&results[w]);
    return bad;
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 1000;
    const double begin = now(), limit = argc > 3 ? atof(argv[3]) : 1e9;
    const unsigned workers = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
    const char *const name = getenv("HYPERCALLS_NAME");
    unsigned failed;
    double took;

    if (op_count > OPS_MAX || workers == 0 || workers > WORKERS_MAX) {
        fprintf(stderr, "usage: hypercalls [FIRST [COUNT [SECONDS [WORKERS up to 16]]]]\n");
        return 2;
    }
    failed = work_together(first, count, begin + limit, workers);
    took = now() - begin;
    printf("the operations that succeeded least:\n");
    failed += say_successes(getenv("HYPERCALLS_ALL") != NULL);
    printf(
        "hypercalls: %lu sequences, %lu calls, audited after each; seeds from %lu; %.0f calls/s, "
        "%.1f sequences/s\n",
        progress.sequences, progress.calls, first, (double)progress.calls / took,
        (double)progress.sequences / took);
    printf("%s: %lu passed, %u failed\n", name ? name : "hypercalls", progress.sequences, failed);
    return failed != 0;
}
