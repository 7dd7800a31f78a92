/* SPDX-License-Identifier: MIT */
/*
 * Four CPUs, each a host thread, run a control domain of four vcpus and four guests of three that
 * do anything (guest.c) and are built, paused, moved, weighed and destroyed meanwhile (control.c),
 * all in the hypervisor's own sources under the thread sanitizer, until so many operations are
 * done. Then everything stops, and the books are audited; the guests end, and nothing is left.
 *
 * Usage: threads SEED [STEPS [SECONDS [static]]], or `threads planted`: two threads and one
 * variable, which the sanitizer has to report. The seed decides every guest's choices, not who
 * meets whom.
 *
 * Volatile accesses (READ_ONCE, WRITE_ONCE) count as relaxed atomics: the compiler marks them, and
 * the functions below tell the sanitizer so.
 *
 * Sabotage, each seen in the seeds of `make check` (tests/mutants/list.py): a port freed after its
 * table was unlocked; frames' and domains' references counted by plain instructions; a dead
 * domain's frames freed without the allocator's lock; a run state copied without its queue's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "threads.h"

#include "../../hypervisor/diag/audit.h"

#include <tenue/pv.h>
#include <tenue/sched.h>

/* --- volatile accesses --- */

#define VOLATILE(bytes, type)                                                                      \
    void __tsan_volatile_read##bytes(void *p);                                                     \
    void __tsan_volatile_write##bytes(void *p);                                                    \
    void __tsan_volatile_read##bytes(void *p)                                                      \
    {                                                                                              \
        (void)__atomic_load_n((type *)p, __ATOMIC_RELAXED);                                        \
    }                                                                                              \
    void __tsan_volatile_write##bytes(void *p)                                                     \
    {                                                                                              \
        (void)__atomic_fetch_add((type *)p, 0, __ATOMIC_RELAXED);                                  \
    }
VOLATILE(1, uint8_t)
VOLATILE(2, uint16_t)
VOLATILE(4, uint32_t)
VOLATILE(8, uint64_t)

/* A struct of two words, each of which is whole. */
void __tsan_volatile_read16(void *p);
void __tsan_volatile_write16(void *p);
void __tsan_volatile_read16(void *p)
{
    __tsan_volatile_read8(p);
    __tsan_volatile_read8((uint64_t *)p + 1);
}
void __tsan_volatile_write16(void *p)
{
    __tsan_volatile_write8(p);
    __tsan_volatile_write8((uint64_t *)p + 1);
}

/* --- does the sanitizer see anything? --- */

static unsigned planted;
static struct spinlock planted_lock = SPINLOCK_INIT(RANK_CONSOLE);

static void *plant(void *arg)
{
    fake_this_cpu = arg;
    for (unsigned i = 0; i < 1000; i++) {
        spin_lock(&planted_lock);
        spin_unlock(&planted_lock);
        planted++; /* too late */
    }
    return NULL;
}

static int planted_race(void)
{
    void *const on[] = {cpus[0], cpus[1]};

    host_run(2, plant, on);
    return 0;
}

static unsigned audit(const char *when)
{
    const unsigned violations = pv_audit() + fake_tlb_audit();

    if (violations)
        printf("threads: %u violations %s\n", violations, when);
    return violations;
}

int main(int argc, char **argv)
{
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    const unsigned seconds = argc > 3 ? (unsigned)atoi(argv[3]) : 60;
    unsigned wrong;

    fake_machine_init();
    if (argc > 1 && strcmp(argv[1], "planted") == 0)
        return planted_race();
    fake_control_end();
    (void)fake_control_begin(CPUS);
    sched_static = argc > 4 && strcmp(argv[4], "static") == 0;
    steps_wanted = argc > 2 ? (unsigned)atoi(argv[2]) : 20000;
    control_begin();
    printf("threads: seed %lu, %u operations%s\n", seed, steps_wanted,
           sched_static ? ", static policy" : "");
    fflush(stdout);
    cpus_run(seed, seconds);
    guest_report();
    wrong = audit("when all had stopped");
    if (!control_end()) {
        printf("threads: a guest does not go\n");
        wrong++;
    }
    wrong += audit("after the guests");
    printf("threads: seed %lu, %u operations, %s\n", seed, steps_done, wrong ? "FAILED" : "ok");
    return wrong != 0;
}
