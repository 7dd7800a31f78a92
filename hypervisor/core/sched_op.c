/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_*: yield, block, shut down, poll (public header sched.h). The compat form (hypercall 6)
 * carries yield, block and shutdown with the reason as a value.
 */

#include <tenue/vcpu.h>

#define POLL_PORTS_MAX 128u

/* Unmask, then wait unless an event is there already: set the flag first, look again after. */
static long op_block(struct vcpu *v)
{
    WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, 0);
    if (READ_ONCE(v->vcpu_info->evtchn_upcall_pending))
        return 0;
    __atomic_fetch_or(&v->pause_flags, 1u << VPF_BLOCKED, __ATOMIC_SEQ_CST);
    if (READ_ONCE(v->vcpu_info->evtchn_upcall_pending) || READ_ONCE(v->nmi_pending))
        vcpu_pause_clear(v, VPF_BLOCKED);
    else
        softirq_raise(SOFTIRQ_SCHED);
    return 0;
}

/* 1 when one of the ports is pending, 0 when none is, or an error (EV-5). */
static int poll_ports_pending(struct vcpu *v, guest_va ports, uint32_t nr)
{
    struct domain *d = v->domain;

    for (uint32_t i = 0; i < nr; i++) {
        port_t port;
        int rc = guest_read_elem(&port, ports, i, sizeof(port));

        if (rc)
            return rc;
        if (!evtchn_port_is_valid(d, port))
            return -XEN_EINVAL;
        if (i == 0)
            v->poll.ports[0] = port;
        if (evtchn_port_is_pending(d, port))
            return 1;
    }
    return 0;
}

static long op_poll(struct vcpu *v, guest_va arg)
{
    struct sched_poll op;
    int rc;

    if (guest_read_obj(&op, arg))
        return -XEN_EFAULT;
    if (op.nr_ports > POLL_PORTS_MAX)
        return -XEN_EINVAL;

    timer_stop(&v->poll_timer);
    /* Port 0 first: a sender between here and the check of the ports must find us polling. */
    v->poll.nr = op.nr_ports;
    v->poll.ports[0] = 0;
    if (op.nr_ports == 1) {
        rc = poll_ports_pending(v, guest_va_of(op.ports), 1);
        if (rc)
            return rc < 0 ? rc : 0;
    }
    __atomic_fetch_or(&v->pause_flags, 1u << VPF_POLL, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&v->domain->poll_mask, 1u << v->id, __ATOMIC_SEQ_CST);

    rc = poll_ports_pending(v, guest_va_of(op.ports), op.nr_ports);
    if (rc == 0 && vcpu_event_pending(v))
        rc = 1;
    if (rc) {
        vcpu_poll_end(v);
        return rc < 0 ? rc : 0;
    }
    if (op.timeout)
        timer_set(&v->poll_timer, op.timeout);
    softirq_raise(SOFTIRQ_SCHED);
    return 0;
}

static long op_shutdown(uint32_t reason)
{
    domain_shutdown(current_domain(), (uint8_t)reason);
    return 0;
}

static long op_remote_shutdown(guest_va arg)
{
    struct sched_remote_shutdown op;
    struct domain *d;

    if (guest_read_obj(&op, arg))
        return -XEN_EFAULT;
    if (!current_domain()->is_control)
        return -XEN_EPERM;
    d = domain_get(op.domain_id);
    if (!d)
        return -XEN_ESRCH;
    domain_shutdown(d, (uint8_t)op.reason);
    domain_put(d);
    return 0;
}

/* Only notes the reason; the shutdown itself follows. */
static long op_shutdown_code(uint32_t reason)
{
    if (!READ_ONCE(current_domain()->shutting_down))
        current_domain()->shutdown_code = (uint8_t)reason;
    return 0;
}

long hc_sched_op(uint32_t cmd, uint64_t arg_va)
{
    guest_va arg = guest_va_make(arg_va);
    struct sched_shutdown sd;
    int rc;

    switch (cmd) {
    case SCHEDOP_block:
        return op_block(current_vcpu());
    case SCHEDOP_yield:
        sched_yield(current_vcpu());
        return 0;
    case SCHEDOP_poll:
        return op_poll(current_vcpu(), arg);
    case SCHEDOP_shutdown:
        rc = guest_read_obj(&sd, arg);
        return rc ? rc : op_shutdown(sd.reason);
    case SCHEDOP_shutdown_code:
        rc = guest_read_obj(&sd, arg);
        return rc ? rc : op_shutdown_code(sd.reason);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(arg);
    default:
        return -XEN_ENOSYS;
    }
}

long hc_sched_op_compat(uint32_t cmd, uint64_t arg)
{
    if (cmd == SCHEDOP_shutdown)
        return op_shutdown((uint32_t)arg);
    if (cmd != SCHEDOP_yield && cmd != SCHEDOP_block)
        return -XEN_ENOSYS;
    return hc_sched_op(cmd, 0);
}
