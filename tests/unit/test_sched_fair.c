/* SPDX-License-Identifier: MIT */
/*
 * core/sched.c, sched_place.c, sched_share.c in virtual time (fake/sim.h): that weights and caps
 * are kept, that who wakes runs soon and starves nobody, that CPUs do not idle beside work, that a
 * vcpu is only where it may be, and that little happens while nothing is to be done.
 *
 * Sabotage: charge() counts half for weights above 256: weights_are_kept fails; no `s->budget -=
 * ran`: caps_are_kept; keeps_turn() without interrupts(): the_woken_run_at_once; every arrival gets
 * `earliest` as its key: storms_starve_nobody; sched_push() returns at once:
 * an_odd_one_out_takes_turns; no look at is_running in find_movable(): random_changes; no
 * timer_rest() in idle(): idle_ticks_wake_nobody; sched_admit() always returns 0:
 * static_partition_refuses; no at_rest() in waits_for_cpu(): static_partition_wakes_running.
 */
#include <stdlib.h>

#include <CUnit/CUnit.h>

#include "fake/sim.h"

#include <tenue/percpu.h>
#include <tenue/sched.h>

/* x is within 1/1000ths of what it should be. */
static bool close_to(ns_t x, ns_t wanted, unsigned permille)
{
    const ns_t diff = x > wanted ? x - wanted : wanted - x;

    return diff * 1000 <= wanted * permille;
}

static void finish(void)
{
    CU_ASSERT_EQUAL(sim_violations, 0);
    sim_end();
    CU_ASSERT_EQUAL(sim_violations, 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static void weights_are_kept(void)
{
    static const uint32_t weights[] = {64, 100, 128, 256, 300, 512, 768, 1024};
    const ns_t span = 10 * NS_PER_SEC;
    uint64_t sum = 0;

    sim_begin(1);
    for (unsigned i = 0; i < 8; i++) {
        sim_domain(1, weights[i], 0, NS_NEVER, 0);
        sum += weights[i];
    }
    sim_run(span);
    for (unsigned i = 0; i < 8; i++)
        CU_ASSERT_TRUE(close_to(sim[i].ran, span * weights[i] / sum, 20));
    finish();
}

/* Some always run, some sleep a little of the time: none gets less than it could use of its share.
 */
static void sleepers_neither_lose_nor_win(void)
{
    const ns_t span = 10 * NS_PER_SEC;
    unsigned hog, light;

    sim_begin(1);
    hog = sim_domain(1, 256, 0, NS_NEVER, 0);
    light = sim_domain(1, 256, 0, 2 * SIM_MS, 8 * SIM_MS);
    sim_domain(1, 256, 0, 30 * SIM_MS, 1 * SIM_MS);
    sim_run(span);
    CU_ASSERT_TRUE(close_to(sim[light].ran, span / 5, 30)); /* all it wants */
    CU_ASSERT_TRUE(close_to(sim[hog].ran, span * 2 / 5, 60));
    finish();
}

static void caps_are_kept(void)
{
    static const uint32_t caps[] = {1, 10, 25, 50, 99};
    const ns_t span = 10 * NS_PER_SEC;

    for (unsigned i = 0; i < ARRAY_LEN(caps); i++)
        for (unsigned others = 0; others < 2; others++) {
            sim_begin(1);
            sim_domain(1, others ? 65535 : 256, caps[i], NS_NEVER, 0);
            if (others)
                sim_domain(1, 256, 0, NS_NEVER, 0);
            sim_run(span);
            CU_ASSERT_TRUE(close_to(sim[0].ran, span * caps[i] / 100, 20));
            finish();
        }
}

/* Four vcpus on four CPUs share one budget; and one that sleeps a lot cannot save it up. */
static void caps_of_many_vcpus(void)
{
    const ns_t span = 10 * NS_PER_SEC;
    ns_t sum = 0;

    sim_begin(4);
    sim_domain(4, 256, 150, NS_NEVER, 0);
    sim_domain(1, 256, 30, 40 * SIM_MS, 200 * SIM_MS);
    sim_run(span);
    for (unsigned i = 0; i < 4; i++)
        sum += sim[i].ran;
    CU_ASSERT_TRUE(close_to(sum, span * 150 / 100, 20));
    CU_ASSERT_TRUE(sim[4].ran < span * 15 / 100);
    finish();
}

/* A cap that is lifted, or set anew, counts from then on. */
static void shares_change(void)
{
    sim_begin(1);
    sim_domain(1, 256, 10, NS_NEVER, 0);
    sim_domain(1, 256, 0, NS_NEVER, 0);
    sim_run(NS_PER_SEC);
    sched_set_share(sim[0].v->domain, 256, 0);
    sim_settle(NULL);
    sim_reset_counts();
    sim_run(4 * NS_PER_SEC);
    CU_ASSERT_TRUE(close_to(sim[0].ran, 2 * NS_PER_SEC, 20));
    sched_set_share(sim[0].v->domain, 768, 0);
    sim_reset_counts();
    sim_run(4 * NS_PER_SEC);
    CU_ASSERT_TRUE(close_to(sim[0].ran, 3 * NS_PER_SEC, 20));
    finish();
}

static void the_woken_run_at_once(void)
{
    sim_begin(1);
    for (unsigned i = 0; i < 8; i++)
        sim_domain(1, 256, 0, NS_NEVER, 0);
    sim_domain(1, 256, 0, SIM_MS / 10, 9 * SIM_MS);
    sim_domain(1, 16, 0, SIM_MS / 10, 23 * SIM_MS);
    sim_run(NS_PER_SEC / 2);
    sim_reset_counts();
    sim_run(5 * NS_PER_SEC);
    CU_ASSERT_TRUE(sim[8].wakes > 500);
    CU_ASSERT_TRUE(sim[8].worst_wait <= SIM_MS);
    CU_ASSERT_TRUE(sim[9].wakes > 150);
    CU_ASSERT_TRUE(sim[9].worst_wait <= SIM_MS);
    finish();
}

/* Pairs that wake each other all the time, and some that wake by themselves: the two that just run
 * have their share, and never wait for long. */
static void storms_starve_nobody(void)
{
    const ns_t span = 10 * NS_PER_SEC;

    sim_begin(1);
    sim_domain(1, 256, 0, NS_NEVER, 0);
    sim_domain(1, 256, 0, NS_NEVER, 0);
    for (unsigned i = 0; i < 4; i++)
        sim_domain(1, 256, 0, SIM_MS / 20, NS_NEVER);
    for (unsigned i = 2; i < 6; i++)
        sim[i].kicks = 1 + (i ^ 1);
    for (unsigned i = 0; i < 4; i++)
        sim_domain(1, 256, 0, SIM_MS / 5, SIM_MS / 100);
    sim_run(span);
    /* Two pairs, each of which runs one at a time, four alone, two that run: eight shares. */
    CU_ASSERT_TRUE(sim[0].ran >= span * 98 / 100 / 10);
    CU_ASSERT_TRUE(sim[1].ran >= span * 98 / 100 / 10);
    CU_ASSERT_TRUE(sim[0].worst_wait < 200 * SIM_MS);
    finish();
}

/* Ten guests that wake at the same time once a second: turns begin, and none of their timers is
 * left to wake the CPU after they sleep again. Guests' own timers are not counted. */
static void idle_is_quiet(void)
{
    sim_begin(1);
    for (unsigned i = 0; i < 10; i++)
        sim_domain(1, 256, 0, SIM_MS / 5, NS_PER_SEC);
    sim_run(NS_PER_SEC);
    sim_reset_counts();
    sim_run(10 * NS_PER_SEC);
    CU_ASSERT_TRUE(sim_timer_fires <= 2);
    for (unsigned i = 0; i < 10; i++)
        CU_ASSERT_TRUE(sim[i].wakes >= 9);
    finish();
}

/* As Linux: a tick while it runs, far off when it sleeps. The tick that did not come wakes nobody.
 */
static void idle_ticks_wake_nobody(void)
{
    unsigned own = 0;

    sim_begin(2);
    for (unsigned i = 0; i < 10; i++)
        sim[sim_domain(1, 256, 0, SIM_MS / 5, NS_PER_SEC / 4)].tick = 4 * SIM_MS;
    sim_run(NS_PER_SEC);
    sim_reset_counts();
    sim_run(10 * NS_PER_SEC);
    for (unsigned i = 0; i < 10; i++)
        own += sim[i].wakes;
    CU_ASSERT_TRUE(own >= 390);
    CU_ASSERT_TRUE(sim_timer_fires <= own + 2);
    finish();
}

static void no_cpu_idles_beside_work(void)
{
    const ns_t span = 5 * NS_PER_SEC;
    ns_t sum = 0;

    sim_begin(4);
    for (unsigned i = 0; i < 16; i++)
        sim_domain(1, 256, 0, NS_NEVER, 0);
    sim_run(span);
    for (unsigned i = 0; i < 16; i++) {
        sum += sim[i].ran;
        CU_ASSERT_TRUE(close_to(sim[i].ran, span / 4, 50));
    }
    CU_ASSERT_EQUAL(sum, 4 * span);
    finish();
}

/* Three on two CPUs: whoever is alone on one makes room. */
static void an_odd_one_out_takes_turns(void)
{
    const ns_t span = 20 * NS_PER_SEC;

    sim_begin(2);
    for (unsigned i = 0; i < 3; i++)
        sim_domain(1, 256, 0, NS_NEVER, 0);
    sim_run(span);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_TRUE(close_to(sim[i].ran, span * 2 / 3, 50));
    finish();
}

static void affinity_holds(void)
{
    const ns_t span = 4 * NS_PER_SEC;

    sim_begin(4);
    for (unsigned i = 0; i < 6; i++)
        sim_domain(1, 256, 0, NS_NEVER, 0);
    sim_settle(NULL);
    for (unsigned i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(sched_set_affinity(sim[i].v, 3), 0);
    sim_settle(NULL);
    sim_reset_counts();
    sim_run(span);
    for (unsigned i = 0; i < 6; i++)
        CU_ASSERT_TRUE(close_to(sim[i].ran, span / 3, 50));
    CU_ASSERT_TRUE(cpus[2]->idle && cpus[3]->idle);
    /* One sends itself away. */
    fake_on_cpu(0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(current_vcpu());
    CU_ASSERT_EQUAL(sched_set_affinity(current_vcpu(), 8), 0);
    sim_run(SIM_MS);
    CU_ASSERT_FALSE(cpus[3]->idle);
    finish();
}

/* Liked CPUs are taken first while they idle. */
static void soft_affinity_is_a_wish(void)
{
    unsigned on_liked = 0;

    sim_begin(4);
    sim_domain(1, 256, 0, 2 * SIM_MS, 3 * SIM_MS);
    sim[0].v->sched.soft = 4;
    CU_ASSERT_EQUAL(sched_set_affinity(sim[0].v, 0xe), 0);
    for (unsigned i = 0; i < 3; i++) {
        sim_domain(1, 256, 0, NS_NEVER, 0);
        CU_ASSERT_EQUAL(sched_set_affinity(sim[1 + i].v, i < 2 ? 1ull << i : 1), 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        sim_run(SIM_MS);
        on_liked += sim[0].v->cpu == 2;
    }
    CU_ASSERT_TRUE(on_liked > 950);
    finish();
}

static void yield_makes_room(void)
{
    unsigned first, rounds = 0;

    sim_begin(1);
    sim_domain(1, 1024, 0, NS_NEVER, 0);
    sim_domain(1, 256, 0, NS_NEVER, 0);
    sim_run(100 * SIM_MS);
    for (unsigned i = 0; i < 100; i++) {
        struct vcpu *me = cpus[0]->current;

        sched_yield(me);
        sim_settle(NULL);
        rounds += cpus[0]->current != me;
        sim_run(SIM_MS / 4);
    }
    CU_ASSERT_EQUAL(rounds, 100);
    first = sim[0].v == cpus[0]->current ? 0 : 1;
    CU_ASSERT_TRUE(first < 2);
    finish();
}

/* Each vcpu has a CPU; who has none waits, and gets the first that is given back. */
static void static_partition(void)
{
    const ns_t span = NS_PER_SEC;
    unsigned ran = 0, waiting = 0;

    sim_begin(4);
    sched_static = true;
    for (unsigned i = 0; i < 5; i++)
        sim_domain(1, 256, 0, NS_NEVER, 0);
    sim_run(span);
    for (unsigned i = 0; i < 5; i++) {
        ran += sim[i].ran == span;
        if (sim[i].ran == 0)
            waiting = i;
        CU_ASSERT_EQUAL(sim[i].moves, 0);
    }
    CU_ASSERT_EQUAL(ran, 4);
    CU_ASSERT_EQUAL(sim[waiting].v->runstate.state, RUNSTATE_runnable);
    vcpu_pause_set(sim[(waiting + 1) % 5].v, VPF_DOWN);
    sim_reset_counts();
    sim_run(span);
    CU_ASSERT_EQUAL(sim[waiting].ran, span);
    CU_ASSERT_EQUAL(sim[(waiting + 1) % 5].ran, 0);
    finish();
}

/* A CPU that is somebody's own is nobody else's, until it is given back. */
static void static_partition_refuses(void)
{
    struct vcpu *a, *b, *late;

    sim_begin(2);
    sched_static = true;
    a = sim[sim_domain(1, 256, 0, NS_NEVER, 0)].v;
    b = sim[sim_domain(1, 256, 0, NS_NEVER, 0)].v;
    sim_run(SIM_MS);
    CU_ASSERT_EQUAL(a->sched.own + b->sched.own, 3);
    CU_ASSERT_EQUAL(sched_set_affinity(a, (cpumask_t)1 << (b->sched.own - 1)), -XEN_EBUSY);
    CU_ASSERT_NOT_EQUAL(a->sched.hard & 1ull << (a->sched.own - 1), 0);
    late = sim[sim_domain(1, 256, 0, NS_NEVER, 0)].v;
    CU_ASSERT_EQUAL(sched_admit(late, 3), -XEN_EBUSY);
    sim_run(SIM_MS);
    CU_ASSERT_EQUAL(late->runstate.time[RUNSTATE_running], 0);
    vcpu_pause_set(late, VPF_DOWN);
    vcpu_pause_set(b, VPF_DOWN);
    sim_run(SIM_MS);
    CU_ASSERT_EQUAL(sched_set_affinity(a, (cpumask_t)1 << (2 - a->sched.own)), 0);
    sim_reset_counts();
    sim_run(SIM_MS);
    CU_ASSERT_EQUAL(sim[0].ran, SIM_MS);
    CU_ASSERT_EQUAL(a->sched.hard, (cpumask_t)1 << a->cpu);
    finish();
}

/* One that goes down, and away, is woken before its CPU has looked: until then it runs. */
static void static_partition_wakes_running(void)
{
    struct vcpu *v;
    unsigned home;

    sim_begin(2);
    sched_static = true;
    v = sim[sim_domain(1, 256, 0, NS_NEVER, 0)].v;
    sim_run(SIM_MS);
    home = v->cpu;
    fake_on_cpu(home);
    vcpu_pause_set(v, VPF_DOWN);
    CU_ASSERT_EQUAL(sched_set_affinity(v, (cpumask_t)1 << (1 - home)), 0);
    fake_on_cpu(1 - home);
    vcpu_pause_clear(v, VPF_DOWN);
    CU_ASSERT_EQUAL(v->runstate.state, RUNSTATE_running);
    sim_reset_counts();
    sim_run(SIM_MS);
    CU_ASSERT_EQUAL(sim[0].ran, SIM_MS);
    CU_ASSERT_EQUAL(v->cpu, 1 - home);
    finish();
}

/* Anything at any time on four CPUs, with the books looked at after each step. */
static void change(unsigned *seed, unsigned i)
{
    struct vcpu *v = sim[i].v;
    struct domain *d = v->domain;

    fake_on_cpu((unsigned)rand_r(seed) % cpu_count);
    if (this_cpu()->idle && v == current_vcpu())
        return; /* it cannot be at work here */
    switch (rand_r(seed) % 12) {
    case 0:
        if (v != current_vcpu()) {
            vcpu_pause(v);
            vcpu_unpause(v);
        }
        break;
    case 1:
        if (current_vcpu() && current_vcpu()->domain == d)
            break;
        domain_pause(d);
        domain_unpause(d);
        break;
    case 2:
        if (sched_set_affinity(v, 1 + (unsigned)rand_r(seed) % 15))
            break; /* the static policy has no such CPU left */
        break;
    case 3:
        WRITE_ONCE(v->sched.soft, (unsigned)rand_r(seed) % 16);
        break;
    case 4:
        sched_set_share(d, 1 + (unsigned)rand_r(seed) % SCHED_WEIGHT_MAX,
                        rand_r(seed) % 2 ? (unsigned)rand_r(seed) % 300 : 0);
        break;
    case 5:
        vcpu_pause_set(v, VPF_DOWN);
        break;
    case 6:
        vcpu_pause_clear(v, VPF_DOWN);
        break;
    case 7:
        if (current_vcpu() && !this_cpu()->idle)
            sched_yield(current_vcpu());
        break;
    case 8:
        vcpu_pause_set(v, VPF_BLOCKED);
        break;
    default:
        vcpu_kick(v);
    }
}

static void random_run(unsigned seed, bool partition)
{
    sim_begin(4);
    sched_static = partition;
    for (unsigned i = 0; i < 6; i++)
        sim_domain(1 + i % 3, 1 + (unsigned)rand_r(&seed) % 1000, i == 2 ? 120 : 0,
                   i % 2 ? NS_NEVER : (1 + (unsigned)rand_r(&seed) % 5000) * 1000,
                   (unsigned)rand_r(&seed) % 5000000);
    for (unsigned step = 0; step < 1500 && !sim_violations; step++) {
        change(&seed, (unsigned)rand_r(&seed) % sim_count);
        if (rand_r(&seed) % 4) {
            sim_settle(&seed);
            sim_check();
        }
        if (rand_r(&seed) % 4 == 0)
            sim_run((unsigned)rand_r(&seed) % 3000000);
    }
    if (sim_violations)
        CU_FAIL("the books are wrong");
    finish();
}

static void random_changes(void)
{
    for (unsigned seed = 1; seed <= 100; seed++) {
        random_run(seed, false);
        random_run(1000 + seed, true);
    }
}

void suite_sched_fair(void);
void suite_sched_fair(void)
{
    CU_pSuite s = CU_add_suite("sched_fair", NULL, NULL);

    CU_add_test(s, "weights are kept", weights_are_kept);
    CU_add_test(s, "sleepers neither lose nor win", sleepers_neither_lose_nor_win);
    CU_add_test(s, "caps are kept", caps_are_kept);
    CU_add_test(s, "caps of many vcpus", caps_of_many_vcpus);
    CU_add_test(s, "shares change", shares_change);
    CU_add_test(s, "the woken run at once", the_woken_run_at_once);
    CU_add_test(s, "storms starve nobody", storms_starve_nobody);
    CU_add_test(s, "idle is quiet", idle_is_quiet);
    CU_add_test(s, "idle ticks wake nobody", idle_ticks_wake_nobody);
    CU_add_test(s, "no CPU idles beside work", no_cpu_idles_beside_work);
    CU_add_test(s, "an odd one out takes turns", an_odd_one_out_takes_turns);
    CU_add_test(s, "affinity holds", affinity_holds);
    CU_add_test(s, "soft affinity is a wish", soft_affinity_is_a_wish);
    CU_add_test(s, "yield makes room", yield_makes_room);
    CU_add_test(s, "static partition", static_partition);
    CU_add_test(s, "static partition refuses", static_partition_refuses);
    CU_add_test(s, "static partition wakes running", static_partition_wakes_running);
    CU_add_test(s, "random changes", random_changes);
}
