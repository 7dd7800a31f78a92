/* SPDX-License-Identifier: MIT */
/* Contract: the operations of sched_op_compat, one example each (example.h). Invariants: EV-5. */
#include "example.h"

#define EXAMPLE_NUMBER(name) SCHEDOP_##name

EXAMPLE(yield)
{
    check_eq(hc_sched_op_compat(SCHEDOP_yield, 0), 0);
}

EXAMPLE(block)
{
    int timer = front_evtchn_bind_virq(VIRQ_TIMER, 0);

    front_evtchn_unmask((evtchn_port_t)timer);
    check_eq(hc_set_timer_op(front_time_ns() + 1000000), 0);
    check_eq(hc_sched_op_compat(SCHEDOP_block, 0), 0);
    front_irq_disable();
}

EXAMPLE(shutdown)
{
    hc_sched_op_compat(SCHEDOP_shutdown, SHUTDOWN_reboot); /* does not return */
}

/* Instead of the SDK's: how this guest ends, and a machine that is not reset fails it. */
void front_shutdown(unsigned reason)
{
    (void)reason;
    example_shutdown();
    for (;;)
        ;
}

EXAMPLES(LISTED(yield), LISTED(block));
