/* SPDX-License-Identifier: MIT */
/*
 * domctl: what the control domain does to domains (public header domctl.h, interface 0x15). The
 * dispatcher admitted only the control domain (LC-1).
 *
 * The structure is copied in once, and back when its operation is done. One operation at a time per
 * domain: it claims domctl_busy, which is no lock, since destroying or loading a context may be
 * preempted; whoever finds it claimed has the hypercall issued again. Not offered (HVM, shadow,
 * debugging, passthrough): -ENOSYS.
 */
#include <tenue/hypercall.h>
#include <tenue/pv.h>

#include "control.h"
#include "lib.h"

#define TSC_MODE_DEFAULT 0u
#define TSC_MODE_NEVER_EMULATE 2u

/* --- creation --- */

/* A limit where negative means: the default. */
static uint32_t limit_or(int32_t asked, uint32_t fallback, uint32_t most)
{
    return asked < 0 ? fallback : MIN((uint32_t)asked, most);
}

static int check_create(const struct xen_domctl_createdomain *c)
{
    if (c->flags & ~(uint32_t)XEN_DOMCTL_CDF_xs_domain || c->iommu_opts || c->vmtrace_size ||
        c->cpupool_id || c->arch.emulation_flags)
        return -XEN_EOPNOTSUPP;
    if (c->arch.misc_flags & ~XEN_X86_MSR_RELAXED || c->grant_opts & ~XEN_DOMCTL_GRANT_version_mask)
        return -XEN_EINVAL;
    return 0;
}

/* The first free domid after the last one given out, so that ids are not reused at once. */
static int create_with_free_id(struct domain_config *cfg, struct domain **d)
{
    static uint32_t last; /* [a] only a hint */
    int rc = -XEN_EEXIST;

    for (unsigned tries = 0; tries < MAX_DOMAINS + 1 && rc == -XEN_EEXIST; tries++) {
        uint32_t id = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);

        cfg->domid = (uint16_t)(1 + (id - 1) % (DOMID_FIRST_RESERVED - 1));
        if (domain_of_owner(cfg->domid))
            continue;
        rc = domain_create(cfg, d);
    }
    return rc == -XEN_EEXIST ? -XEN_ENOMEM : rc;
}

static int op_createdomain(struct xen_domctl *op)
{
    const struct xen_domctl_createdomain *c = &op->u.createdomain;
    struct domain_config cfg = {
        .domid = op->domain,
        .max_vcpus = c->max_vcpus,
        .max_evtchn_port = c->max_evtchn_port,
        .ssidref = c->ssidref,
    };
    struct domain *d;
    int rc = check_create(c);

    if (rc)
        return rc;
    cfg.max_grant_frames = limit_or(c->max_grant_frames, GRANT_FRAMES_DEFAULT, GRANT_FRAMES_MAX);
    cfg.max_maptrack_frames =
        limit_or(c->max_maptrack_frames, MAPTRACK_FRAMES_DEFAULT, MAPTRACK_FRAMES_DEFAULT);
    memcpy(cfg.handle, c->handle, sizeof(cfg.handle));
    if (op->domain == 0 || op->domain >= DOMID_FIRST_RESERVED)
        rc = create_with_free_id(&cfg, &d);
    else
        rc = domain_create(&cfg, &d);
    if (rc)
        return rc;
    op->domain = d->domid;
    return 0;
}

static int op_max_vcpus(struct domain *d, const struct xen_domctl_max_vcpus *m)
{
    if (m->max != d->max_vcpus)
        return -XEN_EINVAL;
    for (uint32_t i = 0; i < m->max; i++) {
        int rc;

        if (d->vcpus[i])
            continue;
        rc = vcpu_create(d, i);
        if (rc)
            return rc;
        if (i + 1 < m->max && hal_preempt_point())
            return -XEN_ERESTART; /* those that are there are passed over */
    }
    return 0;
}

/* --- pausing and the end --- */

static int op_pause(struct domain *d)
{
    if (!d->paused_by_controller) {
        d->paused_by_controller = true;
        domain_pause(d);
    }
    return 0;
}

static int op_unpause(struct domain *d)
{
    struct vcpu *v;

    if (!d->vcpus[0] || !d->vcpus[0]->initialised)
        return -XEN_EINVAL;
    for_each_vcpu (d, v)
        if (sched_admit(v, READ_ONCE(v->sched.hard)))
            return -XEN_EBUSY;
    domain_unpause_by_controller(d);
    return 0;
}

/* --- vcpus --- */

/* Loaded with the domain's vcpus stopped. */
static int op_setvcpucontext(struct vcpu *v, const struct xen_domctl_vcpucontext *op)
{
    bool online;
    int rc;

    domain_pause(v->domain);
    rc = vcpu_load_context(v, guest_va_of(op->ctxt), true, &online);
    if (rc == 0 && online)
        vcpu_pause_clear(v, VPF_DOWN);
    else if (rc == 0)
        vcpu_pause_set(v, VPF_DOWN);
    domain_unpause(v->domain);
    return rc;
}

static int op_getvcpuinfo(const struct vcpu *v, struct xen_domctl_getvcpuinfo *op)
{
    const uint32_t flags = READ_ONCE(v->pause_flags);

    op->online = !(flags & (1u << VPF_DOWN));
    op->blocked = !!(flags & (1u << VPF_BLOCKED));
    op->running = vcpu_runstate(v).state == RUNSTATE_running;
    op->cpu_time = vcpu_cpu_time(v);
    op->cpu = READ_ONCE(v->cpu);
    return 0;
}

/* --- settings --- */

static int op_max_mem(struct domain *d, const struct xen_domctl_max_mem *op)
{
    uint64_t frames = op->max_memkb >> (PAGE_SHIFT - 10);

    spin_lock(&d->pages.lock);
    d->pages.max = (uint32_t)MIN(frames, (uint64_t)UINT32_MAX);
    spin_unlock(&d->pages.lock);
    return 0;
}

static int op_hypercall_init(struct domain *d, const struct xen_domctl_hypercall_init *op)
{
    mfn_t m = mfn_make(op->gmfn);
    int rc = page_get_and_type(m, d, PGT_WRITABLE);

    if (rc)
        return rc;
    pv_fill_hypercall_page(mfn_to_ptr(m));
    return page_put_and_type(m);
}

static int op_gettscinfo(struct xen_domctl_tsc_info *op)
{
    *op = (struct xen_domctl_tsc_info){
        .tsc_mode = TSC_MODE_NEVER_EMULATE,
        .gtsc_khz = hal_tsc_khz,
        .elapsed_nsec = hal_now(),
    };
    return 0;
}

/* Before it has a vcpu, a domain's policy is what the caller sees. */
static int op_get_cpu_policy(struct domain *d, struct xen_domctl_cpu_policy *op)
{
    struct vcpu *v = d->vcpus[0] ? d->vcpus[0] : current_vcpu();

    op->nr_msrs = 0;
    return cpu_policy_write(v, guest_va_of(op->leaves), &op->nr_leaves);
}

/* --- dispatch --- */

static int run(struct domain *d, struct xen_domctl *op)
{
    /* The structure of each operation on a vcpu begins with its number. */
    struct vcpu *v = domain_vcpu(d, op->u.vcpucontext.vcpu);
    const int no_vcpu = op->u.vcpucontext.vcpu < d->max_vcpus ? -XEN_ESRCH : -XEN_EINVAL;

    switch (op->cmd) {
    case XEN_DOMCTL_destroydomain:
        return d->is_control ? -XEN_EINVAL : domain_kill(d);
    case XEN_DOMCTL_pausedomain:
        return op_pause(d);
    case XEN_DOMCTL_unpausedomain:
        return op_unpause(d);
    case XEN_DOMCTL_resumedomain:
        domain_resume(d);
        return 0;
    case XEN_DOMCTL_getdomaininfo:
        domain_get_info(d, &op->u.getdomaininfo);
        op->domain = d->domid;
        return 0;
    case XEN_DOMCTL_setvcpucontext:
        return v ? op_setvcpucontext(v, &op->u.vcpucontext) : -XEN_EINVAL;
    case XEN_DOMCTL_getvcpucontext:
        return v ? vcpu_store_context(v, guest_va_of(op->u.vcpucontext.ctxt)) : -XEN_EINVAL;
    case XEN_DOMCTL_getvcpuinfo:
        return v ? op_getvcpuinfo(v, &op->u.getvcpuinfo) : no_vcpu;
    case XEN_DOMCTL_setvcpuaffinity:
        return v ? sched_set_vcpu_affinity(v, &op->u.vcpuaffinity) : no_vcpu;
    case XEN_DOMCTL_getvcpuaffinity:
        return v ? sched_get_vcpu_affinity(v, &op->u.vcpuaffinity) : no_vcpu;
    case XEN_DOMCTL_max_vcpus:
        return op_max_vcpus(d, &op->u.max_vcpus);
    case XEN_DOMCTL_max_mem:
        return op_max_mem(d, &op->u.max_mem);
    case XEN_DOMCTL_setdomainhandle:
        memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
        return 0;
    case XEN_DOMCTL_settimeoffset:
        d->time_offset_seconds = op->u.settimeoffset.time_offset_seconds;
        time_update_wallclock(d);
        return 0;
    case XEN_DOMCTL_hypercall_init:
        return op_hypercall_init(d, &op->u.hypercall_init);
    case XEN_DOMCTL_set_address_size:
        return op->u.address_size.size == 64 ? 0 : -XEN_EOPNOTSUPP;
    case XEN_DOMCTL_get_address_size:
        op->u.address_size.size = 64;
        return 0;
    case XEN_DOMCTL_settscinfo:
        /* Guests read the TSC natively; a wish for emulation cannot be granted. */
        if (op->u.tsc_info.tsc_mode != TSC_MODE_DEFAULT &&
            op->u.tsc_info.tsc_mode != TSC_MODE_NEVER_EMULATE)
            return -XEN_EOPNOTSUPP;
        return 0;
    case XEN_DOMCTL_gettscinfo:
        return op_gettscinfo(&op->u.tsc_info);
    case XEN_DOMCTL_setnodeaffinity:
        return 0; /* one node: any map that names it is what is */
    case XEN_DOMCTL_getnodeaffinity:
        return cpumask_write(&op->u.nodeaffinity.nodemap, 1);
    case XEN_DOMCTL_scheduler_op:
        return sched_domctl(d, &op->u.scheduler_op);
    case XEN_DOMCTL_set_cpu_policy:
        /* What a guest sees is pv/cpuid.c's decision, the same for all: a policy is accepted so
         * that standard tools go on, and does not widen or narrow that. */
        if (op->u.cpu_policy.nr_leaves > CPU_POLICY_LEAVES_MAX ||
            op->u.cpu_policy.nr_msrs > CPU_POLICY_MSRS_MAX)
            return -XEN_E2BIG;
        return 0;
    case XEN_DOMCTL_get_cpu_policy:
        return op_get_cpu_policy(d, &op->u.cpu_policy);
    case XEN_DOMCTL_irq_permission:
        return op->u.irq_permission.allow_access ? -XEN_EOPNOTSUPP : 0;
    case XEN_DOMCTL_iomem_permission:
        return op->u.iomem_permission.allow_access ? -XEN_EOPNOTSUPP : 0;
    case XEN_DOMCTL_ioport_permission:
        return op->u.ioport_permission.allow_access ? -XEN_EOPNOTSUPP : 0;
    default:
        return -XEN_ENOSYS;
    }
}

/* A dying domain answers questions and is destroyed further; nothing else. */
static bool allowed_when_dying(uint32_t cmd)
{
    return cmd == XEN_DOMCTL_destroydomain || cmd == XEN_DOMCTL_getdomaininfo ||
           cmd == XEN_DOMCTL_getvcpuinfo;
}

static bool allowed_on_self(uint32_t cmd)
{
    return cmd != XEN_DOMCTL_destroydomain && cmd != XEN_DOMCTL_pausedomain &&
           cmd != XEN_DOMCTL_resumedomain && cmd != XEN_DOMCTL_setvcpucontext &&
           cmd != XEN_DOMCTL_getvcpucontext && cmd != XEN_DOMCTL_settscinfo;
}

static long run_claimed(struct domain *d, struct xen_domctl *op, guest_va uop)
{
    long rc;

    if (__atomic_exchange_n(&d->domctl_busy, true, __ATOMIC_ACQUIRE))
        return hypercall_restart(__HYPERVISOR_domctl, uop.va, 0, 0, 0, 0);
    if ((domain_is_dying(d) && !allowed_when_dying(op->cmd)) ||
        (d == current_domain() && !allowed_on_self(op->cmd)))
        rc = -XEN_EINVAL;
    else
        rc = run(d, op);
    __atomic_store_n(&d->domctl_busy, false, __ATOMIC_RELEASE);
    if (rc == -XEN_ERESTART)
        return hypercall_restart(__HYPERVISOR_domctl, uop.va, 0, 0, 0, 0);
    return rc ? rc : guest_write_obj(uop, op);
}

long hc_domctl(uint64_t uop_va)
{
    guest_va uop = guest_va_make(uop_va);
    struct xen_domctl op;
    struct domain *d;
    long rc;

    if (guest_read_obj(&op, uop))
        return -XEN_EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -XEN_EACCES;
    if (op.cmd == XEN_DOMCTL_createdomain) {
        rc = op_createdomain(&op);
        return rc ? rc : guest_write_obj(uop, &op);
    }
    /* Asking for information iterates: the answer is about the next domain there is. */
    d = domain_get(op.domain);
    if (!d && op.cmd == XEN_DOMCTL_getdomaininfo)
        d = domain_next(op.domain);
    if (!d)
        return -XEN_ESRCH;
    rc = run_claimed(d, &op, uop);
    domain_put(d);
    return rc;
}
