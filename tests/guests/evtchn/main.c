/* SPDX-License-Identifier: MIT */
/*
 * Contract: 2-level event channels. Sending sets the pending bit, then (port unmasked) the word's
 * selector bit, then upcall_pending, and the upcall follows unless masked; a masked port only
 * pends; unmasking one that pends raises it. Binding marks the local end pending once. Status
 * names what a port is; ports that are not valid, not open or not of the right kind are refused
 * with the error that says which.
 *
 * Invariants: EV-1, EV-2, EV-5, EV-6, EV-8, EV-10, HC-12.
 * A failure means: a guest loses interrupts, takes them twice, or can use a channel it never had.
 * Sabotage: in the SDK's deliver_word() leave the pending bit set: the upcall never ends.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static u64 hits, depth, max_depth;
static evtchn_port_t nested_port;

static void on_event(evtchn_port_t port, void *opaque)
{
    (void)opaque;
    hits++;
    depth++;
    max_depth = depth > max_depth ? depth : max_depth;
    if (port != nested_port && nested_port) {
        /* Upcalls may nest if the handler lets them. */
        front_evtchn_send(nested_port);
        front_irq_enable();
        front_irq_disable();
    }
    depth--;
}

static void delivery(void)
{
    vcpu_info_t *v = front_vcpu_info(0);
    int port = front_evtchn_bind_ipi(0);

    if (!check(port > 0, "bind_ipi answers %d", port))
        return;
    front_evtchn_handle((evtchn_port_t)port, on_event, NULL);
    /* Masked port: only the pending bit. */
    check_eq(front_evtchn_send((evtchn_port_t)port), 0);
    check(front_evtchn_pending((evtchn_port_t)port));
    check_eq(v->evtchn_upcall_pending, 0);
    check_eq(v->evtchn_pending_sel >> (port / 64) & 1, 0);
    check_eq(hits, 0);
    /* Unmask while upcalls are masked: everything set, nothing delivered. */
    front_irq_disable();
    front_evtchn_unmask((evtchn_port_t)port);
    check_eq(v->evtchn_upcall_pending, 1);
    check_eq(v->evtchn_pending_sel >> (port / 64) & 1, 1);
    check_eq(hits, 0);
    front_irq_enable();
    check_eq(hits, 1);
    check_eq(v->evtchn_upcall_pending, 0);
    /* Open: delivered before the send returns. Twice pending is once delivered. */
    check_eq(front_evtchn_send((evtchn_port_t)port), 0);
    check_eq(hits, 2);
    front_irq_disable();
    front_evtchn_send((evtchn_port_t)port);
    front_evtchn_send((evtchn_port_t)port);
    front_irq_enable();
    check_eq(hits, 3);
    /* The selector is not needed for a port that was unmasked by hand: unmask re-raises it. */
    front_evtchn_mask((evtchn_port_t)port);
    front_evtchn_send((evtchn_port_t)port);
    check_eq(hits, 3);
    front_evtchn_unmask((evtchn_port_t)port);
    check_eq(hits, 4);
    check_eq(front_evtchn_close((evtchn_port_t)port), 0);
    check_eq(front_evtchn_send((evtchn_port_t)port), -XEN_EINVAL);
}

static void nesting(void)
{
    evtchn_port_t outer = (evtchn_port_t)front_evtchn_bind_ipi(0);

    nested_port = (evtchn_port_t)front_evtchn_bind_ipi(0);
    hits = 0;
    front_evtchn_handle(outer, on_event, NULL);
    front_evtchn_handle(nested_port, on_event, NULL);
    front_evtchn_unmask(outer);
    front_evtchn_unmask(nested_port);
    front_evtchn_send(outer);
    check_eq(hits, 2);
    check_eq(max_depth, 2);
    front_evtchn_close(outer);
    front_evtchn_close(nested_port);
    nested_port = 0;
}

static void interdomain(void)
{
    int a = front_evtchn_alloc(DOMID_SELF), b;
    evtchn_status_t s;

    check(a > 0, "alloc_unbound answers %d", a);
    check_eq(front_evtchn_status((evtchn_port_t)a, &s), 0);
    check_eq(s.status, EVTCHNSTAT_unbound);
    check_eq(front_evtchn_send((evtchn_port_t)a), 0); /* nobody there yet: lost, not an error */
    b = front_evtchn_connect(DOMID_SELF, (evtchn_port_t)a);
    check(b > 0 && b != a, "bind_interdomain answers %d for %d", b, a);
    check(front_evtchn_take((evtchn_port_t)b), "the local end is not pending after the bind");
    front_evtchn_take((evtchn_port_t)a);
    check_eq(front_evtchn_status((evtchn_port_t)b, &s), 0);
    check_eq(s.status, EVTCHNSTAT_interdomain);
    check_eq(s.u.interdomain.port, a);
    check_eq(s.u.interdomain.dom, 0);
    check_eq(front_evtchn_send((evtchn_port_t)a), 0);
    check(front_evtchn_take((evtchn_port_t)b) && !front_evtchn_pending((evtchn_port_t)a));
    check_eq(front_evtchn_send((evtchn_port_t)b), 0);
    check(front_evtchn_take((evtchn_port_t)a) && !front_evtchn_pending((evtchn_port_t)b));
    check_eq(front_evtchn_connect(DOMID_SELF, (evtchn_port_t)a), -XEN_EINVAL);
    /* Closing one end leaves the other unbound, for the same domain to bind again. */
    check_eq(front_evtchn_close((evtchn_port_t)b), 0);
    check_eq(front_evtchn_status((evtchn_port_t)a, &s), 0);
    check_eq(s.status, EVTCHNSTAT_unbound);
    b = front_evtchn_connect(DOMID_SELF, (evtchn_port_t)a);
    check(b > 0, "bind again answers %d", b);
    check_eq(front_evtchn_close((evtchn_port_t)a), 0);
    check_eq(front_evtchn_close((evtchn_port_t)b), 0);
    check_eq(front_evtchn_status((evtchn_port_t)a, &s), 0);
    check_eq(s.status, EVTCHNSTAT_closed);
}

static void virqs(void)
{
    evtchn_status_t s;
    int port = front_evtchn_bind_virq(VIRQ_TIMER, 0), again;

    check(port > 0, "VIRQ_TIMER answers %d", port);
    again = front_evtchn_bind_virq(VIRQ_TIMER, 0);
    check_eq(again, -XEN_EEXIST);
    check_eq(front_evtchn_status((evtchn_port_t)port, &s), 0);
    check_eq(s.status, EVTCHNSTAT_virq);
    check_eq(s.u.virq, VIRQ_TIMER);
    check_eq(s.vcpu, 0);
    check_eq(front_evtchn_send((evtchn_port_t)port), -XEN_EINVAL);
    check_eq(front_evtchn_close((evtchn_port_t)port), 0);
    again = front_evtchn_bind_virq(VIRQ_TIMER, 0);
    check(again > 0, "VIRQ_TIMER after close: %d", again);
    front_evtchn_close((evtchn_port_t)again);
    check_eq(front_evtchn_bind_virq(NR_VIRQS, 0), -XEN_EINVAL);
    check_eq(front_evtchn_bind_virq(~0U, 0), -XEN_EINVAL);
    check_eq(front_evtchn_bind_virq(VIRQ_TIMER, 1), -XEN_ENOENT);
    check_eq(front_evtchn_bind_virq(VIRQ_TIMER, ~0U), -XEN_ENOENT);
}

static void refusals(void)
{
    static const evtchn_port_t bad[] = {0, 700, 4095, 4096, 131072, 0x7fffffff, ~0U};
    evtchn_status_t s;

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        evtchn_bind_vcpu_t bind = {.port = bad[i]};
        evtchn_unmask_t unmask = {.port = bad[i]};

        check(front_evtchn_send(bad[i]) == -XEN_EINVAL, "send to %u", bad[i]);
        check(front_evtchn_close(bad[i]) == -XEN_EINVAL, "close of %u", bad[i]);
        check(hc_event_channel_op(EVTCHNOP_bind_vcpu, &bind) == -XEN_EINVAL, "bind_vcpu %u",
              bad[i]);
        check(front_evtchn_connect(DOMID_SELF, bad[i]) == -XEN_EINVAL, "connect to %u", bad[i]);
        if (bad[i] > 4096)
            check(hc_event_channel_op(EVTCHNOP_unmask, &unmask) == -XEN_EINVAL, "unmask %u",
                  bad[i]);
    }
    check_eq(front_evtchn_status(~0U, &s), -XEN_EINVAL);
    check_eq(front_evtchn_bind_ipi(1), -XEN_ENOENT);
    check_eq(front_evtchn_bind_ipi(~0U), -XEN_ENOENT);
    check_eq(front_evtchn_connect(77, 1), -XEN_ESRCH);
    check_eq(hc_event_channel_op(EVTCHNOP_send, 0x8000000000000000UL), -XEN_EFAULT);
    check_eq(hc_event_channel_op(99, &s), -XEN_ENOSYS);
}

void guest_test(void)
{
    front_irq_enable();
    delivery();
    nesting();
    interdomain();
    virqs();
    refusals();
}
