/* SPDX-License-Identifier: MIT */
/*
 * Contract: whatever a vCPU keeps asking for - events for those that sleep, timers in the past,
 * polls for what is there, flushes by masks of one, operations on vCPUs that run, are down or are
 * not there, domains made and destroyed - each request has its answer, and a neighbour that only
 * computes on the same CPU has as much of it as beside one that computes, too.
 *
 * Time is counted in instructions: both share one CPU evenly, so what the storm costs is paid by
 * the vCPU that raises it.
 *
 * Invariants: HC-5, HC-9, EV-5, EV-9, LC-7.
 * A failure means: a guest, or a thread of it, slows others down by what it asks for.
 * Sabotage: leave out in op_register_vcpu_info() (core/vcpu_op.c) whether the vCPU is down.
 */
#define __XEN_TOOLS__ 1
#include "guest.h"

#include <xen/domctl.h>

GUEST_RUN("vcpus=1 memory=64 timeout=120 icount append=dom0_max_vcpus=4");

#define MS 1000000UL
#define SPAN (60 * MS)
#define NEIGHBOUR 1u
#define DOWN 2u

static volatile u64 loops;
static u64 wrong;
static const char *doing;
static evtchn_port_t to_self, to_neighbour, to_sleeper;

static void neighbour(void)
{
    front_irq_disable();
    for (;;)
        loops++;
}

/* The first that is not as it should be is told. */
static void expect(long got, long want, const char *what)
{
    if (got != want && wrong++ == 0)
        check(false, "%s: %s answered %ld, not %ld", doing, what, got, want);
}

/* --- storms: one step each --- */

static void calm(void)
{
    for (volatile unsigned i = 0; i < 1000; i++)
        ;
}

static void events(void)
{
    expect(front_evtchn_send(to_self), 0, "send");
    expect(front_evtchn_send(to_neighbour), 0, "send");
    expect(front_evtchn_send(to_sleeper), 0, "send");
}

static void timers_in_the_past(void)
{
    struct vcpu_set_singleshot_timer set = {.timeout_abs_ns = 1};
    const unsigned me = 0;

    expect(front_hc1(__HYPERVISOR_set_timer_op, 1), 0, "set_timer_op");
    expect(hc_vcpu_op(VCPUOP_set_singleshot_timer, me, &set), 0, "a timer in the past");
    set.flags = VCPU_SSHOTTMR_future;
    expect(hc_vcpu_op(VCPUOP_set_singleshot_timer, me, &set), 0, "one in the future only");
    set.timeout_abs_ns = ~0UL;
    expect(hc_vcpu_op(VCPUOP_set_singleshot_timer, NEIGHBOUR, &set), -XEN_EINVAL, "another's");
}

/* The port is pending, or the time is over: it comes back. */
static void polls(void)
{
    evtchn_port_t port = to_self;
    struct sched_poll poll = {.nr_ports = 1, .timeout = 1};

    set_xen_guest_handle(poll.ports, &port);
    expect(front_evtchn_send(to_self), 0, "send");
    expect(hc_sched_op(SCHEDOP_poll, &poll), 0, "poll");
    poll.nr_ports = 129;
    expect(hc_sched_op(SCHEDOP_poll, &poll), -XEN_EINVAL, "a poll for too many");
}

static void masks_of_one(void)
{
    u64 mask = 1u << NEIGHBOUR;
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_MULTI};

    set_xen_guest_handle(op.arg2.vcpumask, (void *)&mask);
    expect(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0, "a flush");
    op.cmd = MMUEXT_INVLPG_MULTI;
    op.arg1.linear_addr = (u64)&loops;
    expect(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0, "a flush of one page");
}

static void operations_on_others(void)
{
    static vcpu_guest_context_t context;
    struct vcpu_register_vcpu_info info = {.mfn = front_va_to_mfn((void *)&context)};
    struct vcpu_runstate_info state;

    expect(hc_vcpu_op(VCPUOP_up, NEIGHBOUR, 0), 0, "up, of one that is");
    expect(hc_vcpu_op(VCPUOP_is_up, NEIGHBOUR, 0), 1, "is_up");
    expect(hc_vcpu_op(VCPUOP_initialise, NEIGHBOUR, &context), -XEN_EEXIST, "initialise twice");
    expect(hc_vcpu_op(VCPUOP_register_vcpu_info, NEIGHBOUR, &info), -XEN_EINVAL,
           "a running one's area");
    expect(hc_vcpu_op(VCPUOP_get_runstate_info, NEIGHBOUR, &state), 0, "its run state");
    expect(hc_vcpu_op(VCPUOP_up, DOWN, 0), -XEN_EINVAL, "up, without a context");
    expect(hc_vcpu_op(VCPUOP_down, DOWN, 0), 0, "down, of one that is");
    expect(hc_vcpu_op(VCPUOP_up, 77, 0), -XEN_ENOENT, "one that is not there");
    expect(hc_vcpu_op(99, NEIGHBOUR, 0), -XEN_ENOSYS, "an unknown operation");
}

static long domctl(struct xen_domctl *op, u32 cmd, domid_t domid)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domid;
    return front_hc1(__HYPERVISOR_domctl, (u64)op);
}

/* A domain that never ran, and what is asked of it before and after its end. */
static void domains(void)
{
    struct xen_domctl op = {.cmd = 0};
    domid_t id;

    op.u.createdomain.max_vcpus = 2;
    op.u.createdomain.max_evtchn_port = ~0U;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = 1;
    expect(domctl(&op, XEN_DOMCTL_createdomain, 0), 0, "create");
    id = op.domain;
    op = (struct xen_domctl){.u.max_vcpus.max = 2};
    expect(domctl(&op, XEN_DOMCTL_max_vcpus, id), 0, "max_vcpus");
    op = (struct xen_domctl){.u.max_vcpus.max = 3};
    expect(domctl(&op, XEN_DOMCTL_max_vcpus, id), -XEN_EINVAL, "more than it may have");
    events();
    op = (struct xen_domctl){.cmd = 0};
    expect(domctl(&op, XEN_DOMCTL_destroydomain, id), 0, "destroy");
    expect(domctl(&op, XEN_DOMCTL_unpausedomain, id) < 0, 1, "unpause of what is gone");
}

/* --- */

/* How far the neighbour gets meanwhile. */
static u64 span(const char *name, void (*storm)(void))
{
    const u64 end = front_time_ns() + SPAN, before = loops;
    u64 steps = 0;

    doing = name;
    for (; front_time_ns() < end; steps++)
        storm();
    check(steps > 20, "%s: only %lu steps", name, steps);
    return loops - before;
}

void guest_test(void)
{
    static const struct {
        const char *name;
        void (*storm)(void);
    } storms[] = {
        {"events", events},
        {"timers in the past", timers_in_the_past},
        {"polls", polls},
        {"masks of one", masks_of_one},
        {"operations on others", operations_on_others},
        {"domains", domains},
    };
    u64 alike;

    to_self = (evtchn_port_t)front_evtchn_bind_ipi(0);
    to_neighbour = (evtchn_port_t)front_evtchn_bind_ipi(NEIGHBOUR);
    to_sleeper = (evtchn_port_t)front_evtchn_bind_ipi(DOWN);
    check_eq(front_vcpu_start(NEIGHBOUR, neighbour), 0);
    (void)span("a first while", calm);
    alike = span("calm", calm);
    check(alike > 1000, "the neighbour does not run: %lu", alike);
    for (unsigned i = 0; i < sizeof(storms) / sizeof(storms[0]); i++) {
        const u64 got = span(storms[i].name, storms[i].storm);

        check(got * 100 >= alike * 85, "%s: the neighbour came to %lu, else to %lu", storms[i].name,
              got, alike);
    }
}
