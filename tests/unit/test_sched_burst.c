/* SPDX-License-Identifier: MIT */
/*
 * core/sched.c: who sends another an event goes on for a while if it makes use of that, and is
 * interrupted at once if it only waits for the answer (ADR 66).
 *
 * Sabotage: learn() leaves at_once 0: at_once_for_who_waits. In defers() `ran >= 2 * BURST` or no
 * look at BURST / 8: waits_for_a_burst_at_most; no look at by_running, or at the cap:
 * others_are_not_deferred. learn() never sets shorts to 0: short_now_and_then_is_not_yet_waiting;
 * no AGAIN there: bursts_come_back.
 */
#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/evtchn.h>
#include <tenue/percpu.h>
#include <tenue/sched.h>

#define US 1000ull
#define BURST (1000 * US)

static struct guest g[2];
static port_t port[2];

static unsigned running(void)
{
    return current_vcpu()->domain->domid - 31u;
}

/* The one that runs has nothing to do. */
static void sleeps(void)
{
    CU_ASSERT_FATAL(this_cpu()->runq.waiting_count > 0); /* else it idles for ever */
    current_vcpu()->vcpu_info->evtchn_upcall_pending = 0;
    fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0);
    sched_softirq();
}

/* `from` sends the other an event, if that has taken the one before. */
static void sends(unsigned from)
{
    struct domain *to = g[!from].d;

    to->shared_info->evtchn_pending[0] = 0;
    to->vcpus[0]->vcpu_info->evtchn_pending_sel = 0;
    CU_ASSERT_EQUAL(evtchn_send(g[from].d, port[from]), 0);
    sched_softirq();
}

/* Two of one vcpu on CPU 0: 0 runs and is ahead, 1 sleeps. */
static void two_up(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct domain *d = fake_domain((uint16_t)(31 + i), 1, 100);

        guest_init(&g[i], d);
        CU_ASSERT_EQUAL(sched_set_affinity(d->vcpus[0], 1), 0);
        vcpu_pause_clear(d->vcpus[0], VPF_DOWN);
    }
    CU_ASSERT_EQUAL_FATAL(evtchn_bind(g[0].d, EVTCHN_UNBOUND, 32, 0, &port[0]), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_bind_interdomain(g[1].d, g[0].d, port[0], &port[1]), 0);
    domain_unpause_by_controller(g[0].d);
    sched_softirq();
    domain_unpause_by_controller(g[1].d);
    do {
        fake_time += SCHED_SLICE;
        sched_softirq();
    } while (running() != 1);
    sleeps();
    CU_ASSERT_EQUAL_FATAL(running(), 0);
    fake_time += 2 * SCHED_SLICE;
}

static void two_down(void)
{
    for (unsigned i = 0; i < 2; i++)
        domain_pause_nosync(g[i].d);
    fake_stop_turns();
    for (unsigned i = 0; i < 2; i++)
        CU_ASSERT_TRUE(fake_destroy(g[i].d));
    this_cpu()->softirqs = 0;
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

/* 0 sends to 1, so often; where 1 does not run at once, 0 goes on for so long and sleeps. Returns
 * how often 1 ran at once. */
static unsigned interruptions(unsigned times, ns_t goes_on)
{
    unsigned count = 0;

    for (unsigned i = 0; i < times; i++) {
        fake_time += 5 * US;
        sends(0);
        if (running() == 1) {
            count++;
        } else {
            fake_time += goes_on;
            sleeps();
            vcpu_mark_event_pending(g[0].d->vcpus[0]);
        }
        CU_ASSERT_EQUAL_FATAL(running(), 1);
        sleeps();
        CU_ASSERT_EQUAL_FATAL(running(), 0);
    }
    return count;
}

/* The first ends the long stretch before. Then, after 16 tries in a row, one after 16, 32, .. 256
 * interruptions. */
static void at_once_for_who_waits(void)
{
    two_up();
    CU_ASSERT_EQUAL(interruptions(17, 5 * US), 1);
    CU_ASSERT_EQUAL(interruptions(16 + 32 + 64 + 2, 5 * US), 16 + 32 + 64);
    CU_ASSERT_EQUAL(interruptions(3000, 5 * US), 3000 - 13);
    two_down();
}

static void short_now_and_then_is_not_yet_waiting(void)
{
    two_up();
    interruptions(1, 5 * US);
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(interruptions(15, 5 * US), 0);
        CU_ASSERT_EQUAL(interruptions(1, 100 * US), 0);
    }
    two_down();
}

/* 64 bursts, 128 at once, and so on, whatever was before. */
static void bursts_come_back(void)
{
    two_up();
    interruptions(3000, 5 * US);
    CU_ASSERT_TRUE(interruptions(1200, 100 * US) <= 256 + 5 * 128);
    CU_ASSERT_EQUAL(interruptions(10 * (64 + 128), 100 * US), 10 * 128);
    two_down();
}

/* How long 1 waits for 0, which has run for so long when it sends. */
static ns_t wait_after(ns_t ran)
{
    ns_t waited = 0;

    two_up();
    sends(0);
    sleeps();
    fake_time += ran;
    for (sends(0); running() != 1 && waited < SCHED_SLICE; sched_softirq()) {
        fake_time += 10 * US;
        waited += 10 * US;
    }
    two_down();
    return waited;
}

static void waits_for_a_burst_at_most(void)
{
    CU_ASSERT_EQUAL(wait_after(0), BURST);
    CU_ASSERT_EQUAL(wait_after(100 * US), BURST - 100 * US);
    CU_ASSERT_EQUAL(wait_after(BURST / 8), 0); /* that was a burst */
}

/* Whom a timer, a device or another CPU wakes; and who has a cap: what it does not use in its
 * period it does not get later. */
static void others_are_not_deferred(void)
{
    two_up();
    sends(0);
    sleeps();
    fake_time += 5 * US;
    vcpu_mark_event_pending(g[1].d->vcpus[0]);
    sched_softirq();
    CU_ASSERT_EQUAL(running(), 1);
    sleeps();
    sched_set_share(g[1].d, SCHED_WEIGHT_DEFAULT, 50);
    CU_ASSERT_EQUAL(interruptions(8, 100 * US), 8);
    two_down();
}

void suite_sched_burst(void);
void suite_sched_burst(void)
{
    CU_pSuite s = CU_add_suite("sched_burst", NULL, NULL);

    CU_add_test(s, "at once for one that waits", at_once_for_who_waits);
    CU_add_test(s, "short now and then", short_now_and_then_is_not_yet_waiting);
    CU_add_test(s, "bursts come back", bursts_come_back);
    CU_add_test(s, "a woken one waits for a burst at most", waits_for_a_burst_at_most);
    CU_add_test(s, "others are not deferred", others_are_not_deferred);
}
