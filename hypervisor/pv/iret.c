/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_iret: the guest kernel returns from a frame, to itself or to its user mode.
 *
 * Invariants: ENT-3 (flags and selectors fit for ring 3), ENT-9 (frame copied once), ENT-15 (user
 * mode needs a user root). A frame the CPU refuses later becomes the failsafe callback.
 */
#include <tenue/hypercall.h>

#include "state.h"

#define VECTOR_IRET 0x101u /* any value but PV_EXIT_SYSRET_OK: restore all registers */

long hc_iret(void)
{
    struct vcpu *v = current_vcpu();
    struct cpu_user_regs *regs = hal_guest_regs();
    struct iret_context ctx;

    if (guest_read_obj(&ctx, guest_va_make(regs->rsp)) != 0) {
        domain_crash(v->domain, "iret frame at %#lx cannot be read", regs->rsp);
        return 0;
    }
    if ((ctx.cs & 3) == 3) {
        if (mfn_is_none(v->pv.root_user)) {
            domain_crash(v->domain, "iret to user mode at %#lx without a user root", ctx.rip);
            return 0;
        }
        pv_toggle_mode(v);
    }
    regs->rip = ctx.rip;
    regs->cs = (uint16_t)ctx.cs | 3;
    regs->rflags = pv_eflags_sanitise(ctx.rflags);
    if (pv_iopl_is_architectural(v))
        v->pv.iopl = ctx.rflags >> EFLAGS_IOPL_SHIFT & 3;
    regs->rsp = ctx.rsp;
    regs->ss = (uint16_t)ctx.ss | 3;
    if (!(ctx.flags & VGCF_in_syscall)) {
        regs->rcx = ctx.rcx;
        regs->r11 = ctx.r11;
        regs->entry_vector = VECTOR_IRET;
    }
    WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, (ctx.rflags & EFLAGS_IF) == 0);
    v->in_nmi = false;
    return (long)ctx.rax;
}
