/* SPDX-License-Identifier: MIT */
/*
 * core/sched.c, vcpu.c, sched_op.c: who runs next, that no wake-up is lost, and what pausing,
 * polling and timers do (EV-5).
 *
 * Sabotage: drop both looks at upcall_pending in op_block(): block_with_an_event_returns fails.
 * Sabotage: leave SOFTIRQ_TABLES pending in idle() (core/sched.c): sleeps_though_tables_are_owed.
 * What is fair is tested in test_sched_fair.c.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/entrypoints.h>
#include <tenue/percpu.h>
#include <tenue/sched.h>

static struct guest g[3];

static void next_turn(void)
{
    fake_time += SCHED_SLICE;
    sched_softirq();
}

/* Three guests of one vcpu on CPU 0; the first runs, and each has had a turn since it started. */
static void three_up(void)
{
    for (unsigned i = 0; i < 3; i++) {
        struct domain *d = fake_domain((uint16_t)(31 + i), 1, 100);

        guest_init(&g[i], d);
        CU_ASSERT_EQUAL(sched_set_affinity(d->vcpus[0], 1), 0);
        vcpu_pause_clear(d->vcpus[0], VPF_DOWN);
    }
    for (unsigned i = 0; i < 3; i++)
        domain_unpause_by_controller(g[i].d);
    sched_softirq();
    do
        next_turn();
    while (current_vcpu() != g[0].d->vcpus[0]);
    CU_ASSERT_PTR_EQUAL_FATAL(current_vcpu(), g[0].d->vcpus[0]);
}

static void three_down(void)
{
    for (unsigned i = 0; i < 3; i++)
        domain_pause_nosync(g[i].d);
    fake_stop_turns();
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_TRUE(fake_destroy(g[i].d));
    this_cpu()->softirqs = 0;
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static unsigned running(void)
{
    return current_vcpu()->domain->domid - 31u;
}

static void turns_go_round(void)
{
    unsigned turns[3] = {0}, last;

    three_up();
    for (unsigned i = 0; i < 9; i++) {
        turns[running()]++;
        last = running();
        next_turn();
    }
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(turns[i], 3);
    /* Not before its time. */
    fake_time += SCHED_SLICE / 2;
    last = running();
    sched_softirq();
    CU_ASSERT_EQUAL(running(), last);
    three_down();
}

static void yield_gives_up_the_turn(void)
{
    three_up();
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0), 0);
    sched_softirq();
    CU_ASSERT_EQUAL(running(), 1);
    three_down();
}

static void woken_goes_first(void)
{
    three_up();
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0), 0);
    CU_ASSERT_TRUE(this_cpu()->softirqs & (1u << SOFTIRQ_SCHED));
    sched_softirq();
    CU_ASSERT_EQUAL(running(), 1);
    fake_time += 1000;
    vcpu_mark_event_pending(g[0].d->vcpus[0]);
    sched_softirq();
    CU_ASSERT_EQUAL(running(), 0); /* at once, before 1's turn is over and before 2 */
    g[0].d->vcpus[0]->vcpu_info->evtchn_upcall_pending = 0;
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0), 0);
    sched_softirq();
    CU_ASSERT_EQUAL(running(), 1); /* it was interrupted, not at its end */
    three_down();
}

/* Two that wake each other all the time leave a third its share. */
static void ping_pong_does_not_starve(void)
{
    unsigned third = 0;

    three_up();
    for (unsigned i = 0; i < 400; i++) {
        unsigned me = running();

        fake_time += SCHED_SLICE / 20;
        if (me == 2) {
            third++;
        } else {
            struct vcpu *other = g[1 - me].d->vcpus[0];

            other->vcpu_info->evtchn_upcall_pending = 0;
            vcpu_mark_event_pending(other);
            current_vcpu()->vcpu_info->evtchn_upcall_pending = 0;
            fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0);
        }
        sched_softirq();
    }
    CU_ASSERT_TRUE(third >= 60);
    three_down();
}

static void block_with_an_event_returns(void)
{
    three_up();
    current_vcpu()->vcpu_info->evtchn_upcall_mask = 1;
    current_vcpu()->vcpu_info->evtchn_upcall_pending = 1;
    this_cpu()->softirqs = 0;
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(current_vcpu()->pause_flags, 0);
    CU_ASSERT_EQUAL(current_vcpu()->vcpu_info->evtchn_upcall_mask, 0);
    three_down();
}

static long poll(port_t port, uint32_t nr, uint64_t timeout)
{
    struct sched_poll op = {.nr_ports = nr, .timeout = timeout};

    set_xen_guest_handle(op.ports, (evtchn_port_t *)(guest_va_at(11)));
    memcpy(guest_ptr(&g[0], 10), &op, sizeof(op));
    memcpy(guest_ptr(&g[0], 11), &port, sizeof(port));
    return fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, guest_va_at(10), 0, 0);
}

/* EV-5, and the port's being masked does not matter. */
static void polling(void)
{
    struct vcpu *v;
    port_t p;

    three_up();
    v = g[0].d->vcpus[0];
    v->vcpu_info->evtchn_upcall_mask = 1;
    CU_ASSERT_EQUAL(evtchn_bind(g[0].d, EVTCHN_IPI, 0, 0, &p), 0);
    CU_ASSERT_EQUAL(poll(0, 1, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(poll(p + 1, 1, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(poll(MAX_EVTCHNS, 1, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(poll(~0u, 1, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(poll(p, 129, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(v->pause_flags, 0);
    CU_ASSERT_EQUAL(g[0].d->poll_mask, 0);

    g[0].d->shared_info->evtchn_mask[0] = ~0ull;
    CU_ASSERT_EQUAL(poll(p, 1, 0), 0);
    CU_ASSERT_TRUE(v->pause_flags & (1u << VPF_POLL));
    CU_ASSERT_EQUAL(evtchn_send(g[0].d, p), 0);
    CU_ASSERT_EQUAL(v->pause_flags, 0);
    CU_ASSERT_EQUAL(g[0].d->poll_mask, 0);
    /* Pending already: no wait, and it stays pending. */
    CU_ASSERT_EQUAL(poll(p, 1, 0), 0);
    CU_ASSERT_EQUAL(v->pause_flags, 0);
    CU_ASSERT_TRUE(evtchn_port_is_pending(g[0].d, p));
    /* With a deadline. */
    g[0].d->shared_info->evtchn_pending[0] = 0;
    CU_ASSERT_EQUAL(poll(p, 1, fake_time + 5000), 0);
    CU_ASSERT_TRUE(v->pause_flags & (1u << VPF_POLL));
    fake_time += 6000;
    timer_softirq();
    CU_ASSERT_EQUAL(v->pause_flags, 0);
    three_down();
}

static void pause_is_counted(void)
{
    unsigned ran = 0;

    three_up();
    domain_pause_nosync(g[1].d);
    domain_pause_nosync(g[1].d);
    domain_unpause(g[1].d);
    for (unsigned i = 0; i < 6; i++) {
        next_turn();
        CU_ASSERT_NOT_EQUAL(running(), 1);
    }
    domain_unpause(g[1].d);
    for (unsigned i = 0; i < 6; i++) {
        next_turn();
        ran += running() == 1;
    }
    CU_ASSERT_TRUE(ran >= 2);
    three_down();
}

static void runstate_adds_up(void)
{
    const struct vcpu_runstate_info *r;
    uint64_t sum = 0, before, start;

    three_up();
    r = &g[1].d->vcpus[0]->runstate;
    start = fake_time;
    before = r->time[RUNSTATE_running];
    for (unsigned i = 0; i < 30; i++) {
        fake_time += SCHED_SLICE;
        sched_softirq();
    }
    for (unsigned i = 0; i < 4; i++)
        sum += r->time[i];
    CU_ASSERT_TRUE(sum + fake_time - r->state_entry_time >= 30 * SCHED_SLICE);
    CU_ASSERT_EQUAL((r->time[RUNSTATE_running] - before) / SCHED_SLICE, 10);
    CU_ASSERT_EQUAL(fake_time - start, 30 * SCHED_SLICE);
    three_down();
}

/* Timer operations of VCPUOP: a past deadline fires, only one's own timer can be set. */
static void singleshot_timer(void)
{
    struct vcpu_set_singleshot_timer set = {.timeout_abs_ns = 1};
    port_t p;

    three_up();
    CU_ASSERT_EQUAL(evtchn_bind(g[0].d, EVTCHN_VIRQ, VIRQ_TIMER, 0, &p), 0);
    memcpy(guest_ptr(&g[0], 10), &set, sizeof(set));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, guest_va_at(10), 0),
        0);
    timer_softirq();
    CU_ASSERT_TRUE(evtchn_port_is_pending(g[0].d, p));
    set.flags = VCPU_SSHOTTMR_future;
    memcpy(guest_ptr(&g[0], 10), &set, sizeof(set));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, guest_va_at(10), 0),
        0); /* the flag is not obeyed */
    three_down();
}

/* EV-9: periods have a floor. */
static void periodic_timer(void)
{
    struct vcpu_set_periodic_timer set = {.period_ns = 1000};
    unsigned ticks = 0;
    port_t p;

    three_up();
    CU_ASSERT_EQUAL(evtchn_bind(g[0].d, EVTCHN_VIRQ, VIRQ_TIMER, 0, &p), 0);
    memcpy(guest_ptr(&g[0], 10), &set, sizeof(set));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, guest_va_at(10), 0),
        -XEN_EINVAL);
    set.period_ns = ~0ull;
    memcpy(guest_ptr(&g[0], 10), &set, sizeof(set));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, guest_va_at(10), 0),
        -XEN_EINVAL);
    set.period_ns = 2000000;
    memcpy(guest_ptr(&g[0], 10), &set, sizeof(set));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, guest_va_at(10), 0), 0);
    for (unsigned i = 0; i < 10; i++) {
        fake_time += 2000000;
        timer_softirq();
        ticks += evtchn_port_is_pending(g[0].d, p);
        g[0].d->shared_info->evtchn_pending[0] = 0;
    }
    CU_ASSERT_EQUAL(ticks, 10);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0, 0), 0);
    fake_time += 20000000;
    timer_softirq();
    CU_ASSERT_FALSE(evtchn_port_is_pending(g[0].d, p));
    three_down();
}

/* HC-11: aligned, inside one owned frame, once; what was pending is not lost. */
static void vcpu_info_registration(void)
{
    struct vcpu_register_vcpu_info info = {.mfn = 0, .offset = 64};
    struct vcpu *v;
    vcpu_info_t *moved;

    three_up();
    v = g[0].d->vcpus[0];
#define REGISTER()                                                                                 \
    (memcpy(guest_ptr(&g[0], 10), &info, sizeof(info)),                                            \
     fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, guest_va_at(10), 0))
    info.mfn = g[1].frames[12].n;
    CU_ASSERT_TRUE(REGISTER() < 0); /* not its frame */
    info.mfn = g[0].frames[g[0].l1].n;
    CU_ASSERT_TRUE(REGISTER() < 0); /* a page table */
    info.mfn = ~0ull;
    CU_ASSERT_TRUE(REGISTER() < 0);
    info.mfn = g[0].frames[12].n;
    for (uint32_t offset = 1; offset < 8; offset++) {
        info.offset = offset;
        CU_ASSERT_TRUE(REGISTER() < 0);
    }
    info.offset = PAGE_SIZE - 63;
    CU_ASSERT_TRUE(REGISTER() < 0);
    info.offset = PAGE_SIZE - 56;
    CU_ASSERT_TRUE(REGISTER() < 0);
    v->vcpu_info->arch.cr2 = 0x1234;
    info.offset = PAGE_SIZE - 64;
    CU_ASSERT_EQUAL(REGISTER(), 0);
    moved = (vcpu_info_t *)((char *)guest_ptr(&g[0], 12) + PAGE_SIZE - 64);
    CU_ASSERT_PTR_EQUAL(v->vcpu_info, moved);
    CU_ASSERT_EQUAL(moved->arch.cr2, 0x1234);
    CU_ASSERT_EQUAL(moved->evtchn_pending_sel, ~0ul);
    CU_ASSERT_EQUAL(moved->evtchn_upcall_pending, 1);
    CU_ASSERT_TRUE(moved->time.tsc_to_system_mul != 0 || moved->time.version);
    CU_ASSERT_TRUE(REGISTER() < 0); /* once */
#undef REGISTER
    three_down();
}

static void is_up_counts_only_what_exists(void)
{
    three_up();
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0, 0), 1);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0, 0), -XEN_ENOENT);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 8191, 0, 0), -XEN_ENOENT);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, ~0ull, 0, 0), -XEN_ENOENT);
    three_down();
}

static unsigned idled, pending_in_idle;

static void bring_first_up(void)
{
    idled++;
    pending_in_idle |= this_cpu()->softirqs;
    vcpu_pause_clear(g[0].d->vcpus[0], VPF_DOWN);
}

/* A vcpu goes down while it pays for its old tables: its CPU sleeps, and does not look for work
 * all the time with interrupts off, until the vcpu can pay on. */
static void sleeps_though_tables_are_owed(void)
{
    struct vcpu *v;

    three_up();
    v = g[0].d->vcpus[0];
    domain_pause_nosync(g[1].d);
    domain_pause_nosync(g[2].d);
    softirq_raise(SOFTIRQ_TABLES);
    vcpu_pause_set(v, VPF_DOWN);
    idled = pending_in_idle = 0;
    fake_metal.at_idle = bring_first_up;
    guest_exit_work();
    fake_metal.at_idle = NULL;
    CU_ASSERT_EQUAL(idled, 1);
    CU_ASSERT_EQUAL(pending_in_idle, 0);
    CU_ASSERT_PTR_EQUAL(current_vcpu(), v);
    CU_ASSERT_EQUAL(this_cpu()->softirqs, 0);
    three_down();
}

void suite_sched(void);
void suite_sched(void)
{
    CU_pSuite s = CU_add_suite("sched", NULL, NULL);

    CU_add_test(s, "turns go round", turns_go_round);
    CU_add_test(s, "yield", yield_gives_up_the_turn);
    CU_add_test(s, "a woken vcpu goes first", woken_goes_first);
    CU_add_test(s, "ping-pong does not starve a third", ping_pong_does_not_starve);
    CU_add_test(s, "block with an event pending", block_with_an_event_returns);
    CU_add_test(s, "EV-5: poll", polling);
    CU_add_test(s, "pauses are counted", pause_is_counted);
    CU_add_test(s, "run states add up", runstate_adds_up);
    CU_add_test(s, "single-shot timer", singleshot_timer);
    CU_add_test(s, "EV-9: periodic timer", periodic_timer);
    CU_add_test(s, "HC-11: vcpu_info registration", vcpu_info_registration);
    CU_add_test(s, "is_up", is_up_counts_only_what_exists);
    CU_add_test(s, "a CPU sleeps though tables are owed", sleeps_though_tables_are_owed);
}
