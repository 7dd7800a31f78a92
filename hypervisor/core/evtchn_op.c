/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOP_*: copies, permissions and the way results go back (public header event_channel.h).
 * FIFO operations are refused as a pair, so that Linux stays with the 2-level ABI (EV-10).
 *
 * A port that was made but whose number could not be written back is closed again: the caller
 * would never learn of it (EV-2).
 */

#include <tenue/hypercall.h>
#include <tenue/vcpu.h>

typedef __typeof__(((struct evtchn_op *)0)->u) evtchn_arg;

/* Operations that make a port and tell its number: their structures' sizes. */
static const uint8_t making[] = {
    [EVTCHNOP_alloc_unbound] = sizeof(struct evtchn_alloc_unbound),
    [EVTCHNOP_bind_interdomain] = sizeof(struct evtchn_bind_interdomain),
    [EVTCHNOP_bind_virq] = sizeof(struct evtchn_bind_virq),
    [EVTCHNOP_bind_ipi] = sizeof(struct evtchn_bind_ipi),
    [EVTCHNOP_bind_pirq] = sizeof(struct evtchn_bind_pirq),
};

static int bind_interdomain(struct domain *d, struct evtchn_bind_interdomain *op)
{
    struct domain *remote = domain_get_or_self(op->remote_dom);
    int rc;

    if (!remote)
        return -XEN_ESRCH;
    rc = evtchn_bind_interdomain(d, remote, op->remote_port, &op->local_port);
    domain_put(remote);
    return rc;
}

static int make(uint32_t cmd, struct domain *d, evtchn_arg *a, port_t *port)
{
    domid_t remote;

    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        remote = a->alloc_unbound.remote_dom;
        if (remote == DOMID_SELF)
            remote = current_domain()->domid;
        return evtchn_bind(d, EVTCHN_UNBOUND, remote, 0, port);
    case EVTCHNOP_bind_interdomain:
        return bind_interdomain(d, &a->bind_interdomain);
    case EVTCHNOP_bind_virq:
        return evtchn_bind(d, EVTCHN_VIRQ, a->bind_virq.virq, a->bind_virq.vcpu, port);
    case EVTCHNOP_bind_ipi:
        return evtchn_bind(d, EVTCHN_IPI, 0, a->bind_ipi.vcpu, port);
    default:
        return evtchn_bind(d, EVTCHN_PIRQ, a->bind_pirq.pirq, 0, port);
    }
}

static long op_make(uint32_t cmd, guest_va arg)
{
    struct domain *d;
    evtchn_arg a;
    port_t *port = (port_t *)((char *)&a + making[cmd]) - 1; /* the last member of each */
    int rc = guest_read(&a, arg, making[cmd]);

    if (rc == 0)
        rc = domain_get_permitted(cmd == EVTCHNOP_alloc_unbound ? a.alloc_unbound.dom : DOMID_SELF,
                                  &d);
    if (rc)
        return rc;
    rc = make(cmd, d, &a, port);
    if (rc == 0) {
        rc = guest_write(arg, &a, making[cmd]);
        if (rc && evtchn_close(d, *port))
            rc = -XEN_EFAULT;
    }
    domain_put(d);
    return rc;
}

/* Status or reset of a domain that is named first in either's structure. */
static long op_on_domain(uint32_t cmd, guest_va arg)
{
    struct evtchn_status op = {0};
    struct domain *d;
    long rc =
        guest_read(&op, arg, cmd == EVTCHNOP_status ? sizeof(op) : sizeof(struct evtchn_reset));

    STATIC_ASSERT(domain_first, offsetof(struct evtchn_status, dom) == 0 &&
                                    offsetof(struct evtchn_reset, dom) == 0);
    if (rc == 0)
        rc = domain_get_permitted(op.dom, &d);
    if (rc)
        return rc;
    rc = cmd == EVTCHNOP_status ? evtchn_status(d, op.port, &op) : evtchn_reset(d);
    domain_put(d);
    if (rc == -XEN_ERESTART)
        return hypercall_restart(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, arg.va, 0, 0, 0);
    return rc || cmd == EVTCHNOP_reset ? rc : guest_write_obj(arg, &op);
}

static noinline_fn long other_op(uint32_t cmd, guest_va arg)
{
    struct domain *self = current_domain();
    struct evtchn_bind_vcpu bind;
    uint32_t port; /* close and unmask have nothing else in their structure */
    int rc;

    if (cmd < ARRAY_LEN(making) && making[index_nospec(cmd, ARRAY_LEN(making))])
        return op_make((uint32_t)index_nospec(cmd, ARRAY_LEN(making)), arg);
    switch (cmd) {
    case EVTCHNOP_unmask:
        rc = guest_read_obj(&port, arg);
        return rc ? rc : evtchn_unmask(self, port);
    case EVTCHNOP_close:
        rc = guest_read_obj(&port, arg);
        return rc ? rc : evtchn_close(self, port);
    case EVTCHNOP_bind_vcpu:
        rc = guest_read_obj(&bind, arg);
        return rc ? rc : evtchn_bind_vcpu(self, bind.port, bind.vcpu);
    case EVTCHNOP_status:
    case EVTCHNOP_reset:
        return op_on_domain(cmd, arg);
    default:
        return -XEN_ENOSYS;
    }
}

long hc_event_channel_op(uint32_t cmd, uint64_t arg)
{
    uint32_t port;
    int rc;

    switch (cmd) {
    case EVTCHNOP_send:
        rc = guest_load32(&port, guest_va_make(arg));
        return rc ? rc : evtchn_send(current_vcpu()->domain, port);
    default:
        return other_op(cmd, guest_va_make(arg));
    }
}

/* The old form: one structure that starts with the command. */
long hc_event_channel_op_compat(uint64_t arg)
{
    uint32_t cmd;

    if (guest_read_obj(&cmd, guest_va_make(arg)))
        return -XEN_EFAULT;
    if (cmd > EVTCHNOP_unmask)
        return -XEN_ENOSYS;
    return hc_event_channel_op(cmd, arg + offsetof(struct evtchn_op, u));
}
