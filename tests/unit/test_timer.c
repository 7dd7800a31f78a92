/* SPDX-License-Identifier: MIT */
/*
 * core/timer.c: every timer fires once, in order, not before its time, whatever was armed, moved or
 * stopped meanwhile (EV-9, IRQ-3).
 *
 * Sabotage: in heap_remove() drop the orphans (do not merge them back): random_against_model fails;
 * do not compare with q->pass in
 * timer_set(): callbacks_do_not_loop fails.
 */
#include <stdlib.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/percpu.h>

#define TIMERS 200

static struct timer timers[TIMERS];
static ns_t due[TIMERS]; /* the model: NS_NEVER when not armed */
static ns_t last_fired;
static unsigned fired, wrong;

static void note(struct timer *t)
{
    unsigned i = (unsigned)(t - timers);

    if (due[i] > fake_time || due[i] < last_fired)
        wrong++;
    last_fired = due[i];
    due[i] = NS_NEVER;
    fired++;
}

static void pass_time(ns_t step)
{
    fake_time += step;
    last_fired = 0;
    timer_softirq();
    for (unsigned i = 0; i < TIMERS; i++)
        if (due[i] <= fake_time)
            wrong++;
}

static void reset(void)
{
    fired = wrong = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        timer_init(&timers[i], note);
        due[i] = NS_NEVER;
    }
}

static void stop_all(void)
{
    for (unsigned i = 0; i < TIMERS; i++)
        timer_stop(&timers[i]);
}

static void arm(unsigned i, ns_t in)
{
    due[i] = fake_time + in;
    timer_set(&timers[i], due[i]);
}

static void fires_in_order(void)
{
    reset();
    arm(0, 300);
    arm(1, 100);
    arm(2, 200);
    arm(3, 100);
    pass_time(99);
    CU_ASSERT_EQUAL(fired, 0);
    pass_time(1);
    CU_ASSERT_EQUAL(fired, 2);
    pass_time(1000);
    CU_ASSERT_EQUAL(fired, 4);
    CU_ASSERT_EQUAL(wrong, 0);
}

static void random_against_model(void)
{
    srand(1);
    reset();
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rand() % TIMERS;

        switch (rand() % 8) {
        case 0:
            timer_stop(&timers[i]);
            due[i] = NS_NEVER;
            break;
        case 1:
            pass_time((ns_t)rand() % 3000);
            break;
        default:
            arm(i, (ns_t)rand() % 100000);
        }
    }
    pass_time(200000);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(fired > 1000);
    CU_ASSERT_PTR_NULL(cpus[0]->timers.root);
}

static void moves_between_cpus(void)
{
    reset();
    fake_on_cpu(0);
    arm(0, 100);
    fake_on_cpu(1);
    arm(0, 200); /* now CPU 1's */
    fake_on_cpu(0);
    pass_time(500);
    CU_ASSERT_EQUAL(fired, 0);
    wrong = 0; /* CPU 0 had nothing to fire */
    fake_on_cpu(1);
    pass_time(0);
    CU_ASSERT_EQUAL(fired, 1);
    fake_on_cpu(0);
    CU_ASSERT_EQUAL(wrong, 0);
    stop_all();
}

static void past_deadline_fires_at_once(void)
{
    reset();
    this_cpu()->softirqs = 0;
    arm(0, 0);
    CU_ASSERT_TRUE(this_cpu()->softirqs & (1u << SOFTIRQ_TIMER));
    pass_time(0);
    CU_ASSERT_EQUAL(fired, 1);
    timer_set(&timers[0], 0);
    due[0] = 0;
    pass_time(0);
    CU_ASSERT_EQUAL(fired, 2);
    this_cpu()->softirqs = 0;
}

static void rearm_for_the_past(struct timer *t)
{
    if (++fired < 1000)
        timer_set(t, 1);
}

/* What a callback arms for the past waits for the next pass. */
static void callbacks_do_not_loop(void)
{
    static struct timer chain[2];

    fired = 0;
    timer_init(&chain[0], rearm_for_the_past);
    timer_init(&chain[1], rearm_for_the_past);
    timer_set(&chain[0], fake_time + 5);
    timer_set(&chain[1], fake_time + 8);
    fake_time += 10;
    timer_softirq();
    CU_ASSERT_EQUAL(fired, 2);
    fake_time += 1;
    timer_softirq();
    CU_ASSERT_EQUAL(fired, 4);
    timer_stop(&chain[0]);
    timer_stop(&chain[1]);
}

static void never_is_stop(void)
{
    reset();
    arm(0, 10);
    timer_set(&timers[0], NS_NEVER);
    due[0] = NS_NEVER;
    pass_time(100);
    CU_ASSERT_EQUAL(fired, 0);
    timer_stop(&timers[0]);
    timer_kill(&timers[0]);
    CU_ASSERT_FALSE(timers[0].queued);
}

void suite_timer(void);
void suite_timer(void)
{
    CU_pSuite s = CU_add_suite("timer", NULL, NULL);

    CU_add_test(s, "fire in order, not early", fires_in_order);
    CU_add_test(s, "random arming against a model", random_against_model);
    CU_add_test(s, "a timer moves to the CPU that arms it", moves_between_cpus);
    CU_add_test(s, "EV-9: past deadlines fire", past_deadline_fires_at_once);
    CU_add_test(s, "IRQ-3: callbacks that arm again end", callbacks_do_not_loop);
    CU_add_test(s, "NS_NEVER and stop", never_is_stop);
}
