/* SPDX-License-Identifier: MIT */
/*
 * Contract: the forms that hypercalls had before they were numbered as today, still used by small
 * guests: set_callbacks, sched_op_compat, event_channel_op_compat, physdev_op_compat. They do what
 * their successors do.
 *
 * Invariants: HC-8, ENT-2.
 * A failure means: older and smaller kernels than Linux do not run.
 * Sabotage: register front_trap_stub(3) as the event callback: the event is not counted.
 */
#include "guest.h"

#include <xen/physdev.h>

GUEST_RUN("vcpus=1");

static u64 hits;

static void on_event(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    hits++;
}

static void callbacks(void)
{
    long rc = front_hc3(__HYPERVISOR_set_callbacks, front_trap_stub(FRONT_VEC_EVENT),
                        front_trap_stub(FRONT_VEC_FAILSAFE), front_trap_stub(FRONT_VEC_SYSCALL));

    check_eq(rc, 0);
}

static u64 u_exit(u64 arg)
{
    return arg;
}

static void events(void)
{
    struct evtchn_op op = {.cmd = EVTCHNOP_bind_ipi};
    evtchn_port_t port;

    check_eq(front_hc1(__HYPERVISOR_event_channel_op_compat, &op), 0);
    port = op.u.bind_ipi.port;
    check(port > 0 && port < 4096, "port %u", port);
    front_evtchn_handle(port, on_event, NULL);
    front_evtchn_unmask(port);
    front_irq_enable();
    op.cmd = EVTCHNOP_send;
    op.u.send.port = port;
    check_eq(front_hc1(__HYPERVISOR_event_channel_op_compat, &op), 0);
    check_eq(hits, 1);
    op.u.send.port = 4000;
    check_eq(front_hc1(__HYPERVISOR_event_channel_op_compat, &op), -XEN_EINVAL);
    op.cmd = EVTCHNOP_close;
    op.u.close.port = port;
    check_eq(front_hc1(__HYPERVISOR_event_channel_op_compat, &op), 0);
    op.cmd = 99;
    check(front_hc1(__HYPERVISOR_event_channel_op_compat, &op) < 0, "unknown compat event op");
}

static void scheduling(void)
{
    check_eq(front_hc2(__HYPERVISOR_sched_op_compat, SCHEDOP_yield, 0), 0);
    check(front_hc2(__HYPERVISOR_sched_op_compat, 99, 0) < 0, "unknown compat sched op");
    /* block, with an event waiting */
    hits = 0;
    front_irq_disable();
    {
        int port = front_evtchn_bind_virq(VIRQ_TIMER, 0);

        front_evtchn_handle((evtchn_port_t)port, on_event, NULL);
        front_evtchn_unmask((evtchn_port_t)port);
        front_timer_at(front_time_ns() + 2000000);
    }
    check_eq(front_hc2(__HYPERVISOR_sched_op_compat, SCHEDOP_block, 0), 0);
    check(hits >= 1 && front_irq_enabled());
}

static void physdev(void)
{
    physdev_op_t op = {.cmd = PHYSDEVOP_set_iopl};

    op.u.set_iopl.iopl = 1;
    check_eq(front_hc1(__HYPERVISOR_physdev_op_compat, &op), 0);
    check_eq(FAULT("cli", :), FAULT_NONE);
    op.u.set_iopl.iopl = 0;
    check_eq(front_hc1(__HYPERVISOR_physdev_op_compat, &op), 0);
    check_eq(FAULT("cli", :), GP(0));
}

void guest_test(void)
{
    front_user_root_init();
    callbacks();
    check_eq(front_user_run(u_exit, 5).value, 5);
    events();
    scheduling();
    physdev();
}
