/* SPDX-License-Identifier: MIT */
/*
 * platform_op: what the control domain may ask of the machine (public header platform.h). We boot
 * from BIOS or a loader that hides it, so firmware_info has nothing to tell: its errors are what
 * Linux takes for "no more disks" and "not EFI".
 */
#include <tenue/hypercall.h>
#include <tenue/vcpu.h>

#define S5_POWER_OFF 5

static long op_firmware_info(struct xen_platform_op *op, guest_va uop)
{
    switch (op->u.firmware_info.type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
        return -XEN_ESRCH;
    case XEN_FW_KBD_SHIFT_FLAGS:
        op->u.firmware_info.u.kbd_shift_flags = 0;
        return guest_write_obj(uop, op);
    default:
        return -XEN_ENOSYS;
    }
}

static long op_get_cpuinfo(struct xen_platform_op *op, guest_va uop)
{
    struct xenpf_pcpuinfo *info = &op->u.pcpu_info;

    info->max_present = cpu_count - 1;
    info->flags = XEN_PCPU_FLAGS_INVALID;
    info->apic_id = info->acpi_id = 0;
    if (info->xen_cpuid < cpu_count) {
        info->flags = XEN_PCPU_FLAGS_ONLINE;
        info->apic_id = hal_cpu_apic_id(info->xen_cpuid);
        info->acpi_id = info->xen_cpuid;
    }
    return guest_write_obj(uop, op);
}

long hc_platform_op(uint64_t uop_va)
{
    guest_va uop = guest_va_make(uop_va);
    struct xen_platform_op op;
    const struct xenpf_enter_acpi_sleep *sleep = &op.u.enter_acpi_sleep;

    if (guest_read_obj(&op, uop))
        return -XEN_EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -XEN_EACCES;
    switch (op.cmd) {
    case XENPF_settime64:
        return op.u.settime64.mbz ? -XEN_EINVAL
                                  : time_set_wallclock(op.u.settime64.secs, op.u.settime64.nsecs,
                                                       op.u.settime64.system_time);
    case XENPF_settime32:
        return time_set_wallclock(op.u.settime32.secs, op.u.settime32.nsecs,
                                  op.u.settime32.system_time);
    case XENPF_firmware_info:
        return op_firmware_info(&op, uop);
    case XENPF_get_cpuinfo:
        return op_get_cpuinfo(&op, uop);
    case XENPF_enter_acpi_sleep:
        if (sleep->flags || sleep->sleep_state != S5_POWER_OFF)
            return -XEN_EINVAL;
        return hal_acpi_sleep(sleep->sleep_state, sleep->val_a, sleep->val_b);
    default:
        return -XEN_ENOSYS;
    }
}
