/* SPDX-License-Identifier: MIT */
/* Contract: the operations of sched_op, one example each (example.h). Invariants: EV-5. */
#include "example.h"

#include <xen/domctl.h>

#define EXAMPLE_NUMBER(name) SCHEDOP_##name

EXAMPLE(yield)
{
    check_eq(hc_sched_op(SCHEDOP_yield, 0), 0);
}

EXAMPLE(block)
{
    int timer = front_evtchn_bind_virq(VIRQ_TIMER, 0);

    front_evtchn_unmask((evtchn_port_t)timer);
    check_eq(hc_set_timer_op(front_time_ns() + 1000000), 0);
    check_eq(hc_sched_op(SCHEDOP_block, 0), 0); /* until VIRQ_TIMER */
    front_irq_disable();
    front_evtchn_close((evtchn_port_t)timer);
}

EXAMPLE(poll)
{
    evtchn_port_t port = (evtchn_port_t)front_evtchn_bind_ipi(0);
    struct sched_poll op = {.nr_ports = 1, .timeout = front_time_ns() + 1000000};

    set_xen_guest_handle(op.ports, &port);
    check_eq(hc_sched_op(SCHEDOP_poll, &op), 0); /* the time is over: nobody sends */
    front_evtchn_close(port);
}

EXAMPLE(remote_shutdown)
{
    struct xen_domctl make = {.cmd = XEN_DOMCTL_createdomain,
                              .interface_version = XEN_DOMCTL_INTERFACE_VERSION};
    struct sched_remote_shutdown op = {.reason = SHUTDOWN_poweroff};

    make.u.createdomain.max_vcpus = 1;
    make.u.createdomain.max_evtchn_port = ~0u;
    make.u.createdomain.max_grant_frames = 4;
    make.u.createdomain.max_maptrack_frames = 4;
    make.u.createdomain.grant_opts = 1;
    check_eq(hc_domctl(&make), 0);
    op.domain_id = make.domain;
    check_eq(hc_sched_op(SCHEDOP_remote_shutdown, &op), 0);
    make.cmd = XEN_DOMCTL_destroydomain;
    check_eq(hc_domctl(&make), 0);
}

EXAMPLE(shutdown_code)
{
    struct sched_shutdown op = {.reason = SHUTDOWN_reboot};

    check_eq(hc_sched_op(SCHEDOP_shutdown_code, &op), 0);
}

EXAMPLE(shutdown)
{
    struct sched_shutdown op = {.reason = SHUTDOWN_reboot};

    hc_sched_op(SCHEDOP_shutdown, &op); /* does not return */
}

/* Instead of the SDK's: how this guest ends, and a machine that is not reset fails it. */
void front_shutdown(unsigned reason)
{
    (void)reason;
    example_shutdown();
    for (;;)
        ;
}

EXAMPLES(LISTED(yield), LISTED(block), LISTED(poll), LISTED(remote_shutdown),
         LISTED(shutdown_code));
