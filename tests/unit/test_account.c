/* SPDX-License-Identifier: MIT */
/*
 * diag/account.c, trace.c, tenue_op.c over a fake clock: whatever a vcpu does, its parts sum to the
 * wall clock, and what of them is spent on a CPU to what the scheduler's own clock says; no counter
 * falls, on and off and on again; a ring overwrites its oldest records and says how many.
 *
 * Sabotage: leave out `a->since = now` in change(): sums; in account_runstate() take SWITCH for
 * RUNSTATE_runnable: running_is_what_the_scheduler_says; let copy_chunk() take
 * first = 0: overwriting; let trace_follow() free the ring while tracing is on: the same.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/account.h>
#include <tenue/entrypoints.h>
#include <tenue/percpu.h>
#include <tenue/sched.h>

#define RING 256u /* one page of records */

static struct guest g[2];
static struct tenue_part_time parts[TENUE_PARTS], earlier[TENUE_PARTS];

/* The control domain asks, from a page of a guest that lends its memory. */
static long op(uint64_t cmd, void *arg, size_t bytes)
{
    struct vcpu *was = current_vcpu();
    void *there = guest_ptr(&g[0], 40);
    long rc;

    memcpy(there, arg, bytes);
    rc = fake_hypercall(__HYPERVISOR_tenue_op, cmd, guest_va_at(40), 0, 0);
    memcpy(arg, there, bytes);
    CU_ASSERT_PTR_EQUAL(current_vcpu(), was);
    return rc;
}

static long watch(uint32_t flags)
{
    struct tenue_op_watch w = {
        .set = 1, .flags = flags, .trace_records = RING, .trace_domid = TENUE_TRACE_ALL};
    long rc = op(TENUE_OP_watch, &w, sizeof(w));

    if (rc == 0)
        CU_ASSERT_EQUAL(w.flags, flags);
    guest_exit_work();
    return rc;
}

/* What entry.S does around a hypercall. */
static void enter_and_leave(uint64_t nr, ns_t inside)
{
    struct cpu_user_regs regs = {.rax = nr, .rdi = 0};

    fake_time += 1000;
    if (watch_on)
        account_enter_hypercall(&regs);
    fake_time += inside;
    if (this_cpu()->softirqs)
        guest_exit_work();
    fake_time += 7;
    if (this_cpu()->watched)
        account_exit();
}

static struct tenue_op_account read_account(const struct guest *whose)
{
    struct tenue_op_account a = {.domid = whose->d->domid, .parts = guest_va_at(41)};
    uint64_t sum = 0;

    CU_ASSERT_EQUAL_FATAL(op(TENUE_OP_account, &a, sizeof(a)), 0);
    memcpy(parts, guest_ptr(&g[0], 41), sizeof(parts));
    for (unsigned i = 0; i < TENUE_PARTS; i++)
        sum += parts[i].ns;
    CU_ASSERT_EQUAL(sum, a.now - a.opened);
    CU_ASSERT_EQUAL(a.now, fake_time);
    return a;
}

static void begin(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct domain *d = fake_domain((uint16_t)(31 + i), 1, 100);

        guest_init(&g[i], d);
        CU_ASSERT_EQUAL(sched_set_affinity(d->vcpus[0], 1), 0);
        vcpu_pause_clear(d->vcpus[0], VPF_DOWN);
        domain_unpause_by_controller(d);
    }
    g[0].d->is_control = true;
    sched_softirq();
    while (current_vcpu()->domain != g[0].d) {
        fake_time += SCHED_SLICE;
        sched_softirq();
    }
    CU_ASSERT_PTR_EQUAL_FATAL(current_vcpu()->domain, g[0].d);
    this_cpu()->softirqs = 0;
}

static void end(void)
{
    CU_ASSERT_EQUAL(watch(0), 0);
    fake_settle(); /* the other CPUs, too */
    g[0].d->is_control = false;
    for (unsigned i = 0; i < 2; i++)
        domain_pause_nosync(g[i].d);
    fake_stop_turns();
    for (unsigned i = 0; i < 2; i++)
        CU_ASSERT_TRUE(fake_destroy(g[i].d));
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        cpus[cpu]->softirqs = 0;
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static void sums(void)
{
    struct tenue_op_account a = {.domid = 31};

    begin();
    CU_ASSERT_EQUAL(op(TENUE_OP_account, &a, sizeof(a)), -XEN_ENODATA);
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT), 0);
    CU_ASSERT_FALSE(fake_metal.fast_paths);
    account_exit();
    for (unsigned i = 0; i < 50; i++)
        enter_and_leave(i % 40, 100 * i);
    fake_time += 12345;
    read_account(&g[0]);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + 39].ns, 3900 + 7);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + 39].count, 1);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + 3].count, 2);
    CU_ASSERT_EQUAL(parts[TENUE_PART_KERNEL].ns, 50 * 1000 + 12345);
    end();
}

/* Blocked, woken, preempted, switched to: by the scheduler, with an account of both sides. */
static void running_is_what_the_scheduler_says(void)
{
    ns_t started;
    uint64_t ran, base;

    begin();
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT), 0);
    started = fake_time;
    base = read_account(&g[0]).running;
    account_exit();
    for (unsigned i = 0; i < 40; i++) {
        fake_time += SCHED_SLICE / 3;
        if (i % 4 == 1) {
            current_vcpu()->vcpu_info->evtchn_upcall_pending = 0;
            fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0);
        }
        softirq_raise(SOFTIRQ_SCHED);
        fake_time += 11;
        guest_exit_work();
        account_exit();
        if (i % 4 == 3)
            for (unsigned k = 0; k < 2; k++)
                vcpu_mark_event_pending(g[k].d->vcpus[0]);
    }
    for (unsigned k = 0; k < 2; k++) /* both run, or wait */
        vcpu_kick(g[k].d->vcpus[0]);
    for (unsigned i = 0; i < 2 && current_vcpu()->domain != g[0].d; i++) {
        fake_time += SCHED_SLICE;
        softirq_raise(SOFTIRQ_SCHED);
        guest_exit_work();
    }
    for (unsigned k = 0; k < 2; k++) {
        struct tenue_op_account a = read_account(&g[k]);

        ran = 0;
        for (unsigned i = 0; i < TENUE_PARTS; i++)
            if (i != TENUE_PART_WAITING && i != TENUE_PART_BLOCKED && i != TENUE_PART_OFFLINE)
                ran += parts[i].ns;
        CU_ASSERT(parts[TENUE_PART_WAITING].ns > 0 || parts[TENUE_PART_BLOCKED].ns > 0);
        CU_ASSERT_EQUAL(a.opened, started);
        if (k == 0)
            CU_ASSERT_EQUAL(ran, a.running - base);
    }
    end();
}

static void elements_count_as_themselves(void)
{
    struct cpu_user_regs regs = {.rax = __HYPERVISOR_multicall};

    begin();
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT), 0);
    account_exit();
    account_enter_hypercall(&regs);
    for (unsigned i = 0; i < 5; i++) {
        fake_time += 10;
        account_element_begin(__HYPERVISOR_xen_version, 0);
        fake_time += 100;
        account_element_end();
    }
    account_exit();
    read_account(&g[0]);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + __HYPERVISOR_xen_version].ns, 500);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + __HYPERVISOR_xen_version].count, 5);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + __HYPERVISOR_multicall].ns, 50);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + __HYPERVISOR_multicall].count, 1);
    account_enter(TENUE_PART_EXCEPTION + 13);
    fake_time += 100;
    account_rename(TENUE_PART_EMUL_MSR);
    account_exit();
    read_account(&g[0]);
    CU_ASSERT_EQUAL(parts[TENUE_PART_EXCEPTION + 13].count, 0);
    CU_ASSERT_EQUAL(parts[TENUE_PART_EMUL_MSR].ns, 100);
    end();
}

/* Off, the time goes on, under a name of its own; on again, nothing has been forgotten. */
static void off_and_on(void)
{
    begin();
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT), 0);
    account_exit();
    enter_and_leave(17, 50);
    CU_ASSERT_EQUAL(watch(0), 0);
    CU_ASSERT_TRUE(fake_metal.fast_paths);
    CU_ASSERT_FALSE(this_cpu()->watched);
    read_account(&g[0]);
    memcpy(earlier, parts, sizeof(parts));
    enter_and_leave(17, 50);
    fake_time += 1000000;
    read_account(&g[0]);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + 17].count, 1);
    CU_ASSERT_EQUAL(parts[TENUE_PART_UNWATCHED].ns - earlier[TENUE_PART_UNWATCHED].ns,
                    1000000 + 1000 + 50 + 7);
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT), 0);
    enter_and_leave(17, 50);
    read_account(&g[0]);
    CU_ASSERT_EQUAL(parts[TENUE_PART_HYPERCALL + 17].count, 2);
    for (unsigned i = 0; i < TENUE_PARTS; i++)
        CU_ASSERT_TRUE(parts[i].ns >= earlier[i].ns && parts[i].count >= earlier[i].count);
    end();
}

static struct tenue_op_trace read_trace(uint64_t next, uint32_t room)
{
    struct tenue_op_trace t = {.next = next, .count = room, .records = guest_va_at(41)};

    CU_ASSERT_EQUAL_FATAL(op(TENUE_OP_trace, &t, sizeof(t)), 0);
    return t;
}

static void overwriting(void)
{
    const struct tenue_trace_record *r;
    struct tenue_op_trace t;
    uint64_t start;

    begin();
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE), 0);
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE), -XEN_EBUSY);
    account_exit();
    r = (const struct tenue_trace_record *)guest_ptr(&g[0], 41);
    t = read_trace(0, 100);
    start = t.next;
    for (unsigned i = 0; i < 5; i++)
        enter_and_leave(20 + i, 9);
    t = read_trace(start, 100);
    CU_ASSERT_EQUAL(t.lost, 0);
    CU_ASSERT_EQUAL_FATAL(t.count, 11); /* five ways in and out, and the call that asks */
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(TENUE_TRACE_ARG_PART(r[2 * i].arg), TENUE_PART_HYPERCALL + 20 + i);
        CU_ASSERT_EQUAL(r[2 * i + 1].arg, TENUE_PART_KERNEL);
        CU_ASSERT_EQUAL(r[2 * i + 1].ns - r[2 * i].ns, 9 + 7);
        CU_ASSERT_EQUAL(r[2 * i].domid, 31);
    }
    start = t.next;
    for (unsigned i = 0; i < 200; i++)
        enter_and_leave(i % 40, 9);
    t = read_trace(start, 2 * RING);
    CU_ASSERT_EQUAL(t.lost + t.count, 400 + 1);
    CU_ASSERT_EQUAL(t.count, RING - 1);
    CU_ASSERT_EQUAL(TENUE_TRACE_ARG_PART(r[t.count - 1].arg),
                    TENUE_PART_HYPERCALL + __HYPERVISOR_tenue_op);
    CU_ASSERT_EQUAL(TENUE_TRACE_ARG_FIRST(r[t.count - 1].arg), TENUE_OP_trace);
    CU_ASSERT_EQUAL(r[t.count - 2].arg, TENUE_PART_KERNEL);
    end();
}

static void odd_places_to_read_from(void)
{
    struct tenue_op_trace t;

    begin();
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE), 0);
    account_exit();
    for (unsigned i = 0; i < 10; i++)
        enter_and_leave(20, 9);
    t = read_trace(1u << 20, 100); /* from the future: nothing, and the present index */
    CU_ASSERT_EQUAL(t.count, 0);
    CU_ASSERT_TRUE(t.next < 1u << 20);
    t = read_trace(t.next, 0);
    CU_ASSERT_EQUAL(t.count, 0);
    end();
}

static void refusals(void)
{
    struct tenue_op_watch w = {.set = 1, .flags = 3, .trace_domid = TENUE_TRACE_ALL};
    struct tenue_op_account a = {.domid = 99};
    struct tenue_op_part_name n = {.part = TENUE_PARTS};
    struct tenue_op_trace t = {.cpu = 99};

    begin();
    /* No memory: nothing is on, and nothing is lost. */
    fake_fail_alloc = 1;
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT), -XEN_ENOMEM);
    CU_ASSERT_FALSE(watch_on);
    CU_ASSERT_EQUAL(op(TENUE_OP_watch, &w, sizeof(w)), -XEN_EINVAL); /* no records */
    w.trace_records = TENUE_TRACE_RECORDS_MAX + 1;
    CU_ASSERT_EQUAL(op(TENUE_OP_watch, &w, sizeof(w)), -XEN_EINVAL);
    w.trace_records = RING;
    w.trace_domid = DOMID_SELF;
    CU_ASSERT_EQUAL(op(TENUE_OP_watch, &w, sizeof(w)), -XEN_EINVAL);
    for (uint32_t bad = 0; bad < 16; bad++)
        if (bad != 0 && bad != 1 && bad != 3 && bad != 5 && bad != 7)
            CU_ASSERT_EQUAL(watch(bad), -XEN_EINVAL);
    CU_ASSERT_EQUAL(watch_flags(), 0);
    CU_ASSERT_FALSE(watch_on);
    CU_ASSERT_EQUAL(op(TENUE_OP_account, &a, sizeof(a)), -XEN_ENOENT);
    CU_ASSERT_EQUAL(op(TENUE_OP_trace, &t, sizeof(t)), -XEN_EINVAL);
    t.cpu = 0;
    CU_ASSERT_EQUAL(op(TENUE_OP_trace, &t, sizeof(t)), -XEN_ENODATA);
    CU_ASSERT_EQUAL(op(TENUE_OP_part_name, &n, sizeof(n)), -XEN_ENOENT);
    for (uint32_t part = 0; part < TENUE_PARTS; part++) {
        n.part = part;
        if (op(TENUE_OP_part_name, &n, sizeof(n)) == 0)
            CU_ASSERT_TRUE(n.name[0] && !n.name[sizeof(n.name) - 1]);
    }
    g[0].d->is_control = false;
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_tenue_op, TENUE_OP_version, 0, 0, 0), -XEN_EPERM);
    g[0].d->is_control = true;
    CU_ASSERT_EQUAL(watch(TENUE_WATCH_ACCOUNT), 0);
    fake_fail_alloc = 2;
    w = (struct tenue_op_watch){
        .set = 1, .flags = 3, .trace_records = RING, .trace_domid = TENUE_TRACE_ALL};
    CU_ASSERT_EQUAL(op(TENUE_OP_watch, &w, sizeof(w)), -XEN_ENOMEM);
    fake_fail_alloc = 0;
    CU_ASSERT_EQUAL(watch_flags(), TENUE_WATCH_ACCOUNT);
    end();
}

void suite_account(void);

void suite_account(void)
{
    CU_pSuite s = CU_add_suite("account", NULL, NULL);

    CU_ADD_TEST(s, sums);
    CU_ADD_TEST(s, running_is_what_the_scheduler_says);
    CU_ADD_TEST(s, elements_count_as_themselves);
    CU_ADD_TEST(s, off_and_on);
    CU_ADD_TEST(s, overwriting);
    CU_ADD_TEST(s, odd_places_to_read_from);
    CU_ADD_TEST(s, refusals);
}
