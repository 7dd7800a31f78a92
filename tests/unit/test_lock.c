/* SPDX-License-Identifier: MIT */
/*
 * core/lock.c, diag/lock_order.c: locks taken out of order stop the machine in debug and hosted
 * builds, with both ranks named (HC-13). Each case is tried in a process of its own, since it ends
 * one.
 *
 * Sabotage: take order_check() out of spin_lock() (diag/lock_order.c): what is out of order passes.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/lock.h>
#include <tenue/percpu.h>

#define STOPPED 42
#define WENT_ON 43

static struct spinlock events = SPINLOCK_INIT(RANK_EVTCHN);
static struct spinlock other_events = SPINLOCK_INIT(RANK_EVTCHN);
static struct spinlock pages = SPINLOCK_INIT(RANK_DOMAIN_PAGES);
static struct spinlock console = SPINLOCK_INIT(RANK_CONSOLE);

static void stopped(const char *said)
{
    _exit(strstr(said, "taken while holding rank") ? STOPPED : 1);
}

static int outcome_of(void (*take)(void))
{
    const pid_t child = fork();
    int status = 0;

    if (child == 0) {
        fake_on_end = stopped;
        (void)fake_log_take();
        take();
        _exit(this_cpu()->held_count == 0 ? WENT_ON : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void rising(void)
{
    spin_lock(&events);
    spin_lock_nested(&other_events);
    spin_lock(&pages);
    spin_lock(&console);
    spin_unlock(&events); /* in any order */
    spin_unlock(&console);
    spin_unlock(&pages);
    spin_unlock(&other_events);
}

static void falling(void)
{
    spin_lock(&pages);
    spin_lock(&events);
}

static void same_rank(void)
{
    spin_lock(&events);
    spin_lock(&other_events);
}

static void falling_nested(void)
{
    spin_lock(&pages);
    spin_lock_nested(&events);
}

static void in_order(void)
{
    CU_ASSERT_EQUAL(outcome_of(rising), WENT_ON);
}

static void out_of_order(void)
{
    CU_ASSERT_EQUAL(outcome_of(falling), STOPPED);
    CU_ASSERT_EQUAL(outcome_of(same_rank), STOPPED);
    CU_ASSERT_EQUAL(outcome_of(falling_nested), STOPPED);
}

void suite_lock(void);
void suite_lock(void)
{
    CU_pSuite s = CU_add_suite("lock", NULL, NULL);

    CU_add_test(s, "HC-13: rising ranks", in_order);
    CU_add_test(s, "HC-13: an inversion stops the machine", out_of_order);
}
