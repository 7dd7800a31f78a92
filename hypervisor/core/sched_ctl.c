/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's parameters as domctl and sysctl carry them. The fair policy goes by the name of
 * credit2, whose parameters it has: a weight for each vcpu and a cap for the domain. Tools that
 * know credit's structures are served as well, since weight and cap mean the same there.
 */

#include "control.h"
#include "sched_priv.h"

uint32_t sched_public_id(void)
{
    return sched_static ? XEN_SCHEDULER_NULL : XEN_SCHEDULER_CREDIT2;
}

static bool id_is_known(uint32_t id)
{
    return id == sched_public_id() || (!sched_static && id == XEN_SCHEDULER_CREDIT);
}

STATIC_ASSERT(credit_weight_first, offsetof(struct xen_domctl_sched_credit, weight) ==
                                       offsetof(struct xen_domctl_sched_credit2, weight));
STATIC_ASSERT(credit_cap_second, offsetof(struct xen_domctl_sched_credit, cap) ==
                                     offsetof(struct xen_domctl_sched_credit2, cap));

/* The static policy has nothing to set or tell. */
int sched_domctl(struct domain *d, struct xen_domctl_scheduler_op *op)
{
    struct xen_domctl_sched_credit2 *p = &op->u.credit2;
    const bool put = op->cmd == XEN_DOMCTL_SCHEDOP_putinfo;

    if (!id_is_known(op->sched_id) || (!put && op->cmd != XEN_DOMCTL_SCHEDOP_getinfo))
        return -XEN_EINVAL;
    if (sched_static)
        return 0;
    if (put) {
        if (p->weight == 0 || p->cap > 100 * d->max_vcpus)
            return -XEN_EINVAL;
        sched_set_share(d, p->weight, p->cap);
    } else {
        p->weight = (uint16_t)READ_ONCE(d->sched.weight);
        p->cap = (uint16_t)READ_ONCE(d->sched.cap);
    }
    return 0;
}

/* How far a vcpu must be ahead before one that wakes interrupts it: what Xen calls the rate limit.
 */
int sched_sysctl(struct xen_sysctl_scheduler_op *op)
{
    uint32_t us = op->u.sched_credit2.ratelimit_us;

    if (op->cpupool_id != 0)
        return -XEN_ESRCH;
    if (sched_static || op->sched_id != XEN_SCHEDULER_CREDIT2)
        return -XEN_EINVAL;
    switch (op->cmd) {
    case XEN_SYSCTL_SCHEDOP_getinfo:
        op->u.sched_credit2.ratelimit_us = READ_ONCE(sched_wake_margin_us);
        return 0;
    case XEN_SYSCTL_SCHEDOP_putinfo:
        if (us && (us < XEN_SYSCTL_SCHED_RATELIMIT_MIN || us > XEN_SYSCTL_SCHED_RATELIMIT_MAX))
            return -XEN_EINVAL;
        WRITE_ONCE(sched_wake_margin_us, us);
        return 0;
    default:
        return -XEN_EINVAL;
    }
}

/* effective: of the soft mask, what of the hard one it leaves. */
static int tell_affinity(const struct vcpu *v, struct xen_domctl_vcpuaffinity *op, bool effective)
{
    const cpumask_t online = cpumask_online(), hard = READ_ONCE(v->sched.hard) & online;
    const cpumask_t soft = READ_ONCE(v->sched.soft) & online;
    int rc = 0;

    if (op->flags & XEN_VCPUAFFINITY_HARD)
        rc = cpumask_write(&op->cpumap_hard, hard);
    if (rc == 0 && op->flags & XEN_VCPUAFFINITY_SOFT)
        rc = cpumask_write(&op->cpumap_soft, effective ? soft & hard : soft);
    return rc;
}

/* Masks are checked before any of them counts; what is told back is what has an effect. */
int sched_set_vcpu_affinity(struct vcpu *v, struct xen_domctl_vcpuaffinity *op)
{
    const cpumask_t online = cpumask_online();
    cpumask_t hard = online, soft = online;
    int rc = 0;

    if (op->flags & XEN_VCPUAFFINITY_HARD)
        rc = cpumask_read(&hard, &op->cpumap_hard);
    if (rc == 0 && op->flags & XEN_VCPUAFFINITY_SOFT)
        rc = cpumask_read(&soft, &op->cpumap_soft);
    if (rc == 0 && (!(op->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) ||
                    !(hard & online) || !(soft & online)))
        rc = -XEN_EINVAL;
    if (rc == 0 && op->flags & XEN_VCPUAFFINITY_HARD)
        rc = sched_set_affinity(v, hard & online);
    if (rc == 0 && op->flags & XEN_VCPUAFFINITY_SOFT)
        WRITE_ONCE(v->sched.soft, soft);
    return rc ? rc : tell_affinity(v, op, true);
}

int sched_get_vcpu_affinity(const struct vcpu *v, struct xen_domctl_vcpuaffinity *op)
{
    return tell_affinity(v, op, false);
}
