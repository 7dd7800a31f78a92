/* SPDX-License-Identifier: MIT */
/* Contract: event_channel_op_compat (example.h). Invariants: EV-1. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(event_channel_op_compat)
{
    struct evtchn_op op = {.cmd = EVTCHNOP_bind_ipi, .u.bind_ipi.vcpu = 0};

    check_eq(hc_event_channel_op_compat(&op), 0);
    check(op.u.bind_ipi.port);
}

EXAMPLES(LISTED(event_channel_op_compat));
