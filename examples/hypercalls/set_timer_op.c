/* SPDX-License-Identifier: MIT */
/* Contract: set_timer_op (example.h). Invariants: EV-1. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(set_timer_op)
{
    int timer = front_evtchn_bind_virq(VIRQ_TIMER, 0);

    check_eq(hc_set_timer_op(front_time_ns() + 1000000), 0);
    while (!front_evtchn_pending((evtchn_port_t)timer))
        hc_sched_op(SCHEDOP_yield, 0);
    check_eq(hc_set_timer_op(0), 0); /* stop */
}

EXAMPLES(LISTED(set_timer_op));
