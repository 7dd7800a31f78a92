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

/* The domain an operation names: self, or any for the control domain. Counted. */
static int target_domain(domid_t domid, struct domain **d)
{
    struct domain *self = current_domain();

    if (domid == DOMID_SELF || domid == self->domid) {
        domain_ref(self);
        *d = self;
        return 0;
    }
    if (!self->is_control)
        return -XEN_EPERM;
    *d = domain_get(domid);
    return *d ? 0 : -XEN_ESRCH;
}

/* rc of making port, or of telling the caller about it. */
static long written_or_closed(int written, struct domain *d, port_t port)
{
    if (written == 0)
        return 0;
    return evtchn_close(d, port) ? -XEN_EFAULT : written;
}

static long op_alloc_unbound(guest_va arg)
{
    struct evtchn_alloc_unbound op;
    struct domain *d;
    uint16_t remote;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    rc = target_domain(op.dom, &d);
    if (rc)
        return rc;
    remote = op.remote_dom == DOMID_SELF ? current_domain()->domid : op.remote_dom;
    rc = evtchn_alloc_unbound(d, remote, &op.port);
    if (rc == 0)
        rc = (int)written_or_closed(guest_write_obj(arg, &op), d, op.port);
    domain_put(d);
    return rc;
}

static long op_bind_interdomain(guest_va arg)
{
    struct domain *self = current_domain(), *remote;
    struct evtchn_bind_interdomain op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    remote = domain_get_or_self(op.remote_dom);
    if (!remote)
        return -XEN_ESRCH;
    rc = evtchn_bind_interdomain(self, remote, op.remote_port, &op.local_port);
    domain_put(remote);
    if (rc)
        return rc;
    return written_or_closed(guest_write_obj(arg, &op), self, op.local_port);
}

static long op_bind_virq(guest_va arg)
{
    struct domain *self = current_domain();
    struct evtchn_bind_virq op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    rc = evtchn_bind_virq(self, op.virq, op.vcpu, &op.port);
    if (rc)
        return rc;
    return written_or_closed(guest_write_obj(arg, &op), self, op.port);
}

static long op_bind_ipi(guest_va arg)
{
    struct domain *self = current_domain();
    struct evtchn_bind_ipi op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    rc = evtchn_bind_ipi(self, op.vcpu, &op.port);
    if (rc)
        return rc;
    return written_or_closed(guest_write_obj(arg, &op), self, op.port);
}

static long op_bind_pirq(guest_va arg)
{
    struct domain *self = current_domain();
    struct evtchn_bind_pirq op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    rc = evtchn_bind_pirq(self, op.pirq, &op.port);
    if (rc)
        return rc;
    return written_or_closed(guest_write_obj(arg, &op), self, op.port);
}

static long op_status(guest_va arg)
{
    struct evtchn_status op, out = {0};
    struct domain *d;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    rc = target_domain(op.dom, &d);
    if (rc)
        return rc;
    out.dom = op.dom;
    out.port = op.port;
    rc = evtchn_status(d, op.port, &out);
    domain_put(d);
    return rc ? rc : guest_write_obj(arg, &out);
}

static long op_bind_vcpu(guest_va arg)
{
    struct evtchn_bind_vcpu op;
    int rc = guest_read_obj(&op, arg);

    return rc ? rc : evtchn_bind_vcpu(current_domain(), op.port, op.vcpu);
}

static long op_reset(guest_va arg)
{
    struct evtchn_reset op;
    struct domain *d;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    rc = target_domain(op.dom, &d);
    if (rc)
        return rc;
    rc = evtchn_reset(d);
    domain_put(d);
    if (rc == -XEN_ERESTART)
        return hypercall_restart(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, arg.va, 0, 0, 0);
    return rc;
}

static noinline_fn long other_op(uint32_t cmd, guest_va arg)
{
    uint32_t port; /* send, close and unmask have nothing else in their structure */
    int rc;

    switch (cmd) {
    case EVTCHNOP_unmask:
        rc = guest_read_obj(&port, arg);
        return rc ? rc : evtchn_unmask(current_domain(), port);
    case EVTCHNOP_close:
        rc = guest_read_obj(&port, arg);
        return rc ? rc : evtchn_close(current_domain(), port);
    case EVTCHNOP_alloc_unbound:
        return op_alloc_unbound(arg);
    case EVTCHNOP_bind_interdomain:
        return op_bind_interdomain(arg);
    case EVTCHNOP_bind_virq:
        return op_bind_virq(arg);
    case EVTCHNOP_bind_ipi:
        return op_bind_ipi(arg);
    case EVTCHNOP_bind_pirq:
        return op_bind_pirq(arg);
    case EVTCHNOP_status:
        return op_status(arg);
    case EVTCHNOP_bind_vcpu:
        return op_bind_vcpu(arg);
    case EVTCHNOP_reset:
        return op_reset(arg);
    default:
        return -XEN_ENOSYS;
    }
}

long hc_event_channel_op(uint64_t cmd, uint64_t arg)
{
    uint32_t port;
    int rc;

    switch ((uint32_t)cmd) {
    case EVTCHNOP_send:
        rc = guest_load32(&port, guest_va_make(arg));
        return rc ? rc : evtchn_send(current_vcpu()->domain, port);
    default:
        return other_op((uint32_t)cmd, guest_va_make(arg));
    }
}

/* The old form: one structure that starts with the command. */
long hc_event_channel_op_compat(uint64_t arg)
{
    uint32_t cmd;
    int rc = guest_read_obj(&cmd, guest_va_make(arg));

    if (rc)
        return rc;
    if (cmd > EVTCHNOP_unmask)
        return -XEN_ENOSYS;
    return hc_event_channel_op(cmd, arg + offsetof(struct evtchn_op, u));
}
