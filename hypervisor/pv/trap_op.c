/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls by which a guest says where it wants to be entered and with what CPU state:
 * set_trap_table, set_callbacks, callback_op, nmi_op, stack_switch, set_segment_base,
 * fpu_taskswitch, set/get_debugreg, vm_assist.
 *
 * Everything stored here is loaded later without further checks, so each address is canonical
 * and in guest space, each selector ring 3 (ENT-2, ENT-7). No locks: a vcpu changes only itself.
 */
#include "state.h"

#include <tenue/hypercall.h>

#define FRAME_BYTES (7 * sizeof(uint64_t)) /* RCX R11 RIP CS RFLAGS RSP SS */
#define FRAME_BYTES_MAX (12 * sizeof(uint64_t))

#define DR7_ALLOWED 0xffff03ffull /* all but the reserved bits; general detect is refused */

bool pv_trap_entry_set(struct vcpu *v, const struct trap_info *ti)
{
    struct trap_info *slot = &v->pv.traps[ti->vector];

    if (ti->address != 0 && !guest_addr_ok(ti->address))
        return false;
    slot->vector = ti->vector;
    slot->flags = ti->flags & 7;
    slot->cs = ti->cs | 3;
    slot->address = ti->address;
    return true;
}

long hc_set_trap_table(uint64_t traps)
{
    struct vcpu *v = current_vcpu();

    if (traps == 0) {
        __builtin_memset(v->pv.traps, 0, PV_TRAPS * sizeof(*v->pv.traps));
        return 0;
    }
    for (;; traps += sizeof(struct trap_info)) {
        struct trap_info ti;

        if (guest_read_obj(&ti, guest_va_make(traps)) != 0)
            return -XEN_EFAULT;
        if (ti.address == 0)
            return 0;
        if (!pv_trap_entry_set(v, &ti))
            return -XEN_EINVAL;
        if (hal_preempt_point())
            return hypercall_restart(__HYPERVISOR_set_trap_table, traps + sizeof(ti), 0, 0, 0, 0);
    }
}

static int callback_set(struct vcpu *v, unsigned type, uint64_t address, bool mask_events)
{
    struct pv_callback *const slots[] = {
        [CALLBACKTYPE_event] = &v->pv.event,       [CALLBACKTYPE_failsafe] = &v->pv.failsafe,
        [CALLBACKTYPE_syscall] = &v->pv.syscall,   [CALLBACKTYPE_syscall32] = &v->pv.syscall32,
        [CALLBACKTYPE_sysenter] = &v->pv.sysenter,
    };
    const struct trap_info nmi = {VEC_NMI, 4, PV_SEL_KERNEL_CS, address}; /* 4: masks events */

    if (address != 0 && !guest_addr_ok(address))
        return -XEN_EINVAL;
    if (type == CALLBACKTYPE_nmi)
        return pv_trap_entry_set(v, &nmi) ? 0 : -XEN_EINVAL;
    if (type >= ARRAY_LEN(slots) || slots[type] == NULL)
        return -XEN_ENOSYS;
    *slots[type] = (struct pv_callback){address, mask_events};
    return 0;
}

long hc_callback_op(uint32_t cmd, uint64_t arg)
{
    const bool set = cmd == CALLBACKOP_register, unset = cmd == CALLBACKOP_unregister;
    struct callback_register op = {0};

    if (!set && !unset)
        return -XEN_ENOSYS;
    /* Both structures begin with the type. */
    if (guest_read(&op, guest_va_make(arg),
                   set ? sizeof(op) : sizeof(struct callback_unregister)) != 0)
        return -XEN_EFAULT;
    /* A guest cannot run without these three; the others may go. */
    if (unset && (op.type == CALLBACKTYPE_event || op.type == CALLBACKTYPE_failsafe ||
                  op.type == CALLBACKTYPE_syscall))
        return -XEN_EINVAL;
    return callback_set(current_vcpu(), op.type, op.address, op.flags & CALLBACKF_mask_events);
}

long hc_set_callbacks(uint64_t event, uint64_t failsafe, uint64_t syscall)
{
    struct vcpu *v = current_vcpu();

    if (!guest_addr_ok(event) || !guest_addr_ok(failsafe) || !guest_addr_ok(syscall))
        return -XEN_EINVAL;
    (void)callback_set(v, CALLBACKTYPE_event, event, true);
    (void)callback_set(v, CALLBACKTYPE_failsafe, failsafe, true);
    return callback_set(v, CALLBACKTYPE_syscall, syscall, v->pv.syscall.mask_events);
}

long hc_nmi_op(uint32_t cmd, uint64_t arg)
{
    struct xennmi_callback op;

    switch (cmd) {
    case XENNMI_register_callback:
        if (guest_read_obj(&op, guest_va_make(arg)) != 0)
            return -XEN_EFAULT;
        return callback_set(current_vcpu(), CALLBACKTYPE_nmi, op.handler_address, true);
    case XENNMI_unregister_callback:
        return callback_set(current_vcpu(), CALLBACKTYPE_nmi, 0, false);
    default:
        return -XEN_ENOSYS;
    }
}

bool pv_entry_stack_set(struct vcpu *v, uint64_t ss, uint64_t sp)
{
    const uint64_t top = sp & ~15ull;

    if (!guest_addr_ok(sp))
        return false;
    v->pv.kernel_ss = (uint16_t)ss | 3;
    v->pv.kernel_sp = sp;
    v->pv.entry_frame = PV_ENTRY_FRAME_NONE;
    if (guest_range_ok(guest_va_make(top - FRAME_BYTES_MAX), FRAME_BYTES_MAX))
        v->pv.entry_frame = top - FRAME_BYTES;
    return true;
}

static noinline_fn long stack_switch_anywhere(uint64_t ss, uint64_t sp)
{
    return pv_entry_stack_set(current_vcpu(), ss, sp) ? 0 : -XEN_EINVAL;
}

/* At each switch of a guest's processes: to a stack in the upper half with room around it. */
long hc_stack_switch(uint64_t ss, uint64_t sp)
{
    const uint64_t top = sp & ~15ull;
    struct vcpu *v = current_vcpu();

    if (unlikely(!guest_range_high(guest_va_make(top - FRAME_BYTES_MAX), FRAME_BYTES_MAX + 16)))
        return stack_switch_anywhere(ss, sp);
    v->pv.kernel_ss = (uint16_t)ss | 3;
    v->pv.kernel_sp = sp;
    v->pv.entry_frame = top - FRAME_BYTES;
    return 0;
}

bool pv_canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

long hc_set_segment_base(uint32_t which, uint64_t base)
{
    static const uint8_t held_in[] = {
        [SEGBASE_FS] = HAL_FS_BASE,
        [SEGBASE_GS_USER] = HAL_GS_BASE_INACTIVE,
        [SEGBASE_GS_KERNEL] = HAL_GS_BASE,
    };

    if (which == SEGBASE_GS_USER_SEL) {
        hal_load_gs_user_sel(base & 0xfffc ? (uint16_t)base | 3 : 0);
        return 0;
    }
    if (which >= ARRAY_LEN(held_in) || !pv_canonical(base))
        return -XEN_EINVAL;
    hal_segbase_write((enum hal_segbase)held_in[which], base);
    return 0;
}

long hc_fpu_taskswitch(uint32_t set)
{
    pv_set_ts(current_vcpu(), set != 0);
    return 0;
}

/* 4 and 5 are old names of 6 and 7. */
static unsigned debugreg_number(unsigned reg)
{
    return reg == 4 || reg == 5 ? reg + 2 : reg;
}

int pv_debugreg_set(struct vcpu *v, unsigned reg, uint64_t value)
{
    reg = debugreg_number(reg);
    if ((reg | 1) == 7 && value >> 32)
        return -XEN_EINVAL;
    switch (reg) {
    case 0 ... 3:
        if (value != 0 && !guest_addr_ok(value))
            return -XEN_EPERM;
        break;
    case 6:
        value = (value & DR6_STATUS) | DR6_DEFAULT;
        break;
    case 7:
        /* I/O breakpoints (type 2) would fire on our own port access. */
        if (value & DR7_GENERAL_DETECT ||
            (value & DR7_ENABLED && value >> 17 & ~(value >> 16) & 0x1111))
            return -XEN_EPERM;
        value = (value & DR7_ALLOWED) | DR7_DEFAULT;
        break;
    default:
        return -XEN_ENODEV;
    }
    v->pv.debugreg[reg] = value;
    if (v == current_vcpu())
        hal_debugreg_changed();
    return 0;
}

long hc_set_debugreg(uint32_t reg, uint64_t value)
{
    return pv_debugreg_set(current_vcpu(), reg, value);
}

int pv_debugreg_get(struct vcpu *v, unsigned reg, uint64_t *value)
{
    if (reg >= 8)
        return -XEN_ENODEV;
    *value = v->pv.debugreg[debugreg_number(reg)];
    return 0;
}

long hc_get_debugreg(uint32_t reg)
{
    uint64_t value;
    int rc = pv_debugreg_get(current_vcpu(), reg, &value);

    return rc != 0 ? rc : (long)value;
}

void pv_assists_changed(struct domain *d)
{
    const bool iopl = d->pv.vm_assist & 1ull << VMASST_TYPE_architectural_iopl;

    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] != NULL)
            WRITE_ONCE(d->vcpus[i]->shows_iopl, iopl);
}

long hc_vm_assist(uint32_t cmd, uint32_t type)
{
    struct domain *d = current_domain();
    uint64_t *assist = &d->pv.vm_assist;

    if (type >= 64 || !(PV_VM_ASSIST_OFFERED & 1ull << type))
        return -XEN_EINVAL;
    switch (cmd) {
    case VMASST_CMD_enable:
        __atomic_or_fetch(assist, 1ull << type, __ATOMIC_RELAXED);
        break;
    case VMASST_CMD_disable:
        __atomic_and_fetch(assist, ~(1ull << type), __ATOMIC_RELAXED);
        break;
    default:
        return -XEN_ENOSYS;
    }
    pv_assists_changed(d);
    return 0;
}
