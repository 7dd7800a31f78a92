/* SPDX-License-Identifier: MIT */
/* Contract: the operations of event_channel_op, one example each (example.h). Invariants: EV-1. */
#include "example.h"

#include <xen/physdev.h>

#define EXAMPLE_NUMBER(name) EVTCHNOP_##name

static evtchn_port_t offered, connected;

EXAMPLE(alloc_unbound)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};

    check_eq(hc_event_channel_op(EVTCHNOP_alloc_unbound, &op), 0);
    offered = op.port;
}

EXAMPLE(bind_interdomain)
{
    struct evtchn_bind_interdomain op = {.remote_dom = DOMID_SELF, .remote_port = offered};

    check_eq(hc_event_channel_op(EVTCHNOP_bind_interdomain, &op), 0);
    connected = op.local_port;
}

EXAMPLE(send)
{
    struct evtchn_send op = {.port = connected};

    check_eq(hc_event_channel_op(EVTCHNOP_send, &op), 0);
    check(front_evtchn_pending(offered));
}

EXAMPLE(status)
{
    struct evtchn_status op = {.dom = DOMID_SELF, .port = connected};

    check_eq(hc_event_channel_op(EVTCHNOP_status, &op), 0);
    check_eq(op.status, EVTCHNSTAT_interdomain);
    check_eq(op.u.interdomain.port, offered);
}

EXAMPLE(bind_vcpu)
{
    struct evtchn_bind_vcpu op = {.port = offered, .vcpu = 0};

    check_eq(hc_event_channel_op(EVTCHNOP_bind_vcpu, &op), 0);
}

EXAMPLE(unmask)
{
    struct evtchn_unmask op = {.port = offered};

    check_eq(hc_event_channel_op(EVTCHNOP_unmask, &op), 0);
}

EXAMPLE(close)
{
    struct evtchn_close op = {.port = connected};

    check_eq(hc_event_channel_op(EVTCHNOP_close, &op), 0);
}

EXAMPLE(bind_ipi)
{
    struct evtchn_bind_ipi op = {.vcpu = 0};

    check_eq(hc_event_channel_op(EVTCHNOP_bind_ipi, &op), 0);
}

EXAMPLE(bind_virq)
{
    struct evtchn_bind_virq op = {.virq = VIRQ_DEBUG, .vcpu = 0};

    check_eq(hc_event_channel_op(EVTCHNOP_bind_virq, &op), 0);
}

EXAMPLE(bind_pirq)
{
    struct physdev_map_pirq map = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 12, .pirq = 12};
    struct evtchn_bind_pirq op = {.pirq = 12};

    check_eq(hc_physdev_op(PHYSDEVOP_map_pirq, &map), 0);
    check_eq(hc_event_channel_op(EVTCHNOP_bind_pirq, &op), 0);
}

EXAMPLE(reset)
{
    struct evtchn_reset op = {.dom = DOMID_SELF};

    check_eq(hc_event_channel_op(EVTCHNOP_reset, &op), 0);
}

EXAMPLES(LISTED(alloc_unbound), LISTED(bind_interdomain), LISTED(send), LISTED(status),
         LISTED(bind_vcpu), LISTED(unmask), LISTED(close), LISTED(bind_ipi), LISTED(bind_virq),
         LISTED(bind_pirq), LISTED(reset));
