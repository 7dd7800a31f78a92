/* SPDX-License-Identifier: MIT */
/*
 * VCPUOP_*: what a guest asks about its own vcpus (public header vcpu.h), and set_timer_op.
 *
 * Mechanism in vcpu.c and timer.c; loading a context is pv's (LC-9).
 */

#include <tenue/hypercall.h>
#include <tenue/pv.h>

#define PERIOD_MIN (1000 * 1000ull) /* 1 ms: below it, ticks are all that runs */
#define PERIOD_MAX (~0ull >> 2)

static long op_initialise(struct vcpu *v, guest_va arg)
{
    bool online;
    int rc = vcpu_load_context(v, arg, false, &online);

    if (rc == -XEN_ERESTART)
        return hypercall_restart(__HYPERVISOR_vcpu_op, VCPUOP_initialise, v->id, arg.va, 0, 0);
    return rc;
}

/* The last one that goes down takes the domain with it: nobody could bring it up again. */
static long op_down(struct vcpu *v)
{
    const struct vcpu *other;

    for_each_vcpu (v->domain, other)
        if (other != v && !(READ_ONCE(other->pause_flags) & (1u << VPF_DOWN))) {
            vcpu_pause_set(v, VPF_DOWN);
            return 0;
        }
    domain_shutdown(v->domain, SHUTDOWN_poweroff);
    return 0;
}

/* The current vcpu may still be charged for the stretch that is running. */
static long op_runstate_info(const struct vcpu *v, guest_va arg)
{
    struct vcpu_runstate_info copy = vcpu_runstate(v);
    ns_t now = hal_now();

    if (now > copy.state_entry_time)
        copy.time[copy.state] += now - copy.state_entry_time;
    copy.state_entry_time = now;
    return guest_write_obj(arg, &copy);
}

/* An area for the run state or the time: all that the structure holds is where it is. */
static long op_register_area(struct vcpu *v, guest_va arg, guest_va *registered, uint64_t bytes)
{
    guest_va area;

    if (guest_read_obj(&area, arg) || !guest_range_ok(area, bytes))
        return -XEN_EFAULT;
    WRITE_ONCE(registered->va, area.va);
    v->time_stamp = TIME_NEVER;
    if (v == current_vcpu()) {
        vcpu_runstate_publish(v);
        time_refresh_vcpu(v);
    }
    return 0;
}

static long op_register_vcpu_info(struct vcpu *v, guest_va arg)
{
    struct vcpu_register_vcpu_info info;

    if (guest_read_obj(&info, arg))
        return -XEN_EFAULT;
    if (v != current_vcpu() && !(READ_ONCE(v->pause_flags) & (1u << VPF_DOWN)))
        return -XEN_EINVAL;
    return vcpu_map_vcpu_info(v, mfn_make(info.mfn), info.offset);
}

static long op_set_periodic(struct vcpu *v, guest_va arg)
{
    struct vcpu_set_periodic_timer set;

    if (guest_read_obj(&set, arg))
        return -XEN_EFAULT;
    if (set.period_ns < PERIOD_MIN || set.period_ns > PERIOD_MAX)
        return -XEN_EINVAL;
    v->periodic_period = set.period_ns;
    timer_set(&v->periodic, hal_now() + set.period_ns);
    return 0;
}

static long op_set_singleshot(struct vcpu *v, guest_va arg)
{
    struct vcpu_set_singleshot_timer set;

    if (v != current_vcpu())
        return -XEN_EINVAL;
    if (guest_read_obj(&set, arg))
        return -XEN_EFAULT;
    /* VCPU_SSHOTTMR_future is not obeyed, as on Xen: kernels that set it ask for ever. */
    timer_set(&v->singleshot, MIN(set.timeout_abs_ns, NS_NEVER - 1));
    return 0;
}

static long op_get_physid(const struct vcpu *v, guest_va arg)
{
    const uint64_t apic = hal_cpu_apic_id(v->cpu), id = apic << 32 | apic;

    return v->domain->is_control ? guest_write_obj(arg, &id) : -XEN_EINVAL;
}

long hc_vcpu_op(uint32_t cmd, uint32_t vcpuid, uint64_t arg_va)
{
    struct vcpu *v = domain_vcpu(current_domain(), vcpuid);
    guest_va arg = guest_va_make(arg_va);

    if (!v)
        return -XEN_ENOENT;
    switch (cmd) {
    case VCPUOP_set_singleshot_timer:
        return op_set_singleshot(v, arg);
    case VCPUOP_is_up:
        return !(READ_ONCE(v->pause_flags) & (1u << VPF_DOWN));
    case VCPUOP_initialise:
        return op_initialise(v, arg);
    case VCPUOP_up:
        if (!v->initialised)
            return -XEN_EINVAL;
        vcpu_pause_clear(v, VPF_DOWN);
        return 0;
    case VCPUOP_down:
        return op_down(v);
    case VCPUOP_get_runstate_info:
        return op_runstate_info(v, arg);
    case VCPUOP_register_runstate_memory_area:
        return op_register_area(v, arg, &v->runstate_va, sizeof(struct vcpu_runstate_info));
    case VCPUOP_register_vcpu_time_memory_area:
        return op_register_area(v, arg, &v->time_va, sizeof(struct vcpu_time_info));
    case VCPUOP_register_vcpu_info:
        return op_register_vcpu_info(v, arg);
    case VCPUOP_set_periodic_timer:
        return op_set_periodic(v, arg);
    case VCPUOP_stop_periodic_timer:
        v->periodic_period = 0;
        timer_stop(&v->periodic);
        return 0;
    case VCPUOP_stop_singleshot_timer:
        if (v != current_vcpu())
            return -XEN_EINVAL;
        timer_stop(&v->singleshot);
        return 0;
    case VCPUOP_send_nmi:
        if (!guest_va_is_null(arg))
            return -XEN_EINVAL;
        if (!__atomic_exchange_n(&v->nmi_pending, true, __ATOMIC_SEQ_CST))
            vcpu_kick(v);
        return 0;
    case VCPUOP_get_physid:
        return op_get_physid(v, arg);
    default:
        return -XEN_ENOSYS;
    }
}

long hc_set_timer_op(uint64_t deadline)
{
    struct vcpu *v = current_vcpu();

    if (deadline == 0)
        timer_stop(&v->singleshot);
    else
        timer_set(&v->singleshot, MIN(deadline, NS_NEVER - 1));
    return 0;
}
