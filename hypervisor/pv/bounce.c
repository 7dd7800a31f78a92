/* SPDX-License-Identifier: MIT */
/*
 * Entering the guest kernel: exception, system call, upcall, NMI and failsafe frames, built in C
 * on the guest's own stack (contract: RCX, R11, [error code,] RIP, CS, RFLAGS, RSP, SS).
 *
 * Invariants: ENT-5 (the whole frame is range-checked and written once; a stack that cannot take
 * it crashes the domain), ENT-15. Frames bounced here leave RCX and R11 dead, which the exit path
 * may use (PV_EXIT_SYSRET_OK). No locks. Leaves: why to enter, to trap dispatch (trap.c in pv).
 */

#include <tenue/account.h>
#include <tenue/entrypoints.h>

#include "root.h"
#include "state.h"

#define FRAME_WORDS_MAX 12

void pv_toggle_mode(struct vcpu *v)
{
    v->pv.kernel_mode = !v->pv.kernel_mode;
    hal_swapgs();
    hal_switch_root(v->pv.kernel_mode ? v->pv.root_kernel : v->pv.root_user);
}

/*
 * Put a frame on the guest kernel's stack, with what is extra between R11 and RIP, and go on at the
 * handler. Masks events when asked; the frame says how it was before.
 */
static void enter(struct vcpu *v, struct cpu_user_regs *regs, uint64_t handler, bool mask_events,
                  const uint64_t *extra, unsigned extras)
{
    uint8_t *mask = &v->vcpu_info->evtchn_upcall_mask;
    const uint8_t masked = READ_ONCE(*mask);
    uint64_t flags = regs->rflags & ~(EFLAGS_IF | EFLAGS_IOPL), words[FRAME_WORDS_MAX], sp;
    unsigned n = 0;

    if (pv_iopl_is_architectural(v))
        flags |= (uint64_t)v->pv.iopl << EFLAGS_IOPL_SHIFT;
    words[n++] = regs->rcx;
    words[n++] = regs->r11;
    while (extras-- != 0)
        words[n++] = *extra++;
    words[n++] = regs->rip;
    words[n++] = (v->pv.kernel_mode ? regs->cs & ~3ull : regs->cs) | (uint64_t)masked << 32;
    words[n++] = masked ? flags : flags | EFLAGS_IF;
    words[n++] = regs->rsp;
    words[n++] = regs->ss;
    if (mask_events)
        WRITE_ONCE(*mask, 1);
    sp = v->pv.kernel_mode ? regs->rsp : v->pv.kernel_sp;
    sp = (sp & ~15ull) - n * sizeof(uint64_t);
    if (!v->pv.kernel_mode)
        pv_toggle_mode(v);
    if (guest_write(guest_va_make(sp), words, n * sizeof(uint64_t)) != 0) {
        domain_crash(v->domain, "no stack for an entry frame at %#lx", sp);
        return;
    }
    regs->rip = handler;
    regs->cs = PV_SEL_KERNEL_CS;
    regs->ss = PV_SEL_KERNEL_SS;
    regs->rsp = sp;
    regs->rflags &= ~(EFLAGS_TF | EFLAGS_RF | EFLAGS_NT | EFLAGS_VM | EFLAGS_AC | EFLAGS_IOPL);
    regs->rflags |= EFLAGS_IF;
    regs->entry_vector = PV_EXIT_SYSRET_OK;
}

void pv_inject(struct cpu_user_regs *regs, uint8_t vector, uint64_t error)
{
    struct vcpu *v = current_vcpu();
    const struct trap_info *ti = &v->pv.traps[vector];
    const bool has_error = error != PV_NO_ERROR;

    if (ti->address == 0) {
        domain_crash(v->domain, "exception %u (error %#lx) at %04x:%#lx has no handler", vector,
                     has_error ? error : 0ul, regs->cs, regs->rip);
        return;
    }
    enter(v, regs, ti->address, TI_GET_IF(ti) != 0, &error, has_error);
}

/* The guest kernel runs in ring 3: hide from it that the CPU calls its accesses user ones. Where a
 * process loads a selector, say that it was the process. */
void pv_inject_page_fault(struct cpu_user_regs *regs, uint64_t cr2, uint32_t error)
{
    struct vcpu *v = current_vcpu();

    WRITE_ONCE(v->vcpu_info->arch.cr2, cr2);
    pv_inject(regs, VEC_PF, v->pv.kernel_mode ? error & ~PF_USER : error | PF_USER);
}

/* A 32-bit entry that the guest did not ask for is the fault that hardware would give. */
static void syscall_enter(struct cpu_user_regs *regs, const struct pv_callback *cb, uint8_t fault)
{
    struct vcpu *v = current_vcpu();

    watch_enter(TENUE_PART_SYSCALL);
    if (cb->address != 0)
        enter(v, regs, cb->address, cb->mask_events, NULL, 0);
    else if (fault != 0)
        pv_inject(regs, fault, fault == VEC_GP ? 0 : PV_NO_ERROR);
    else
        domain_crash(v->domain, "system call at %#lx without a registered callback", regs->rip);
}

void pv_syscall(struct cpu_user_regs *regs)
{
    syscall_enter(regs, &current_vcpu()->pv.syscall, 0);
}

void pv_syscall32(struct cpu_user_regs *regs)
{
    syscall_enter(regs, &current_vcpu()->pv.syscall32, VEC_UD);
}

void pv_sysenter(struct cpu_user_regs *regs)
{
    syscall_enter(regs, &current_vcpu()->pv.sysenter, VEC_GP);
}

static void deliver_nmi(struct vcpu *v, struct cpu_user_regs *regs)
{
    const struct trap_info *ti = &v->pv.traps[VEC_NMI];

    v->nmi_pending = false;
    if (ti->address == 0)
        return; /* nobody asked for NMIs: dropped, as the sender was told they may be */
    v->in_nmi = true;
    enter(v, regs, ti->address, TI_GET_IF(ti) != 0, NULL, 0);
}

void pv_deliver_event(struct cpu_user_regs *regs)
{
    struct vcpu *v = current_vcpu();

    if (v->nmi_pending && !v->in_nmi) {
        deliver_nmi(v, regs);
        return;
    }
    if (v->pv.event.address == 0) {
        domain_crash(v->domain, "event pending and unmasked without a registered callback");
        return;
    }
    enter(v, regs, v->pv.event.address, true, NULL, 0);
}

void pv_failsafe(struct cpu_user_regs *regs)
{
    const uint64_t selectors[] = {regs->ds, regs->es, regs->fs, regs->gs};
    struct vcpu *v = current_vcpu();

    watch_enter(TENUE_PART_FAILSAFE);
    if (v->pv.failsafe.address == 0) {
        domain_crash(v->domain, "return to %04x:%#lx faulted, and there is no failsafe callback",
                     regs->cs, regs->rip);
        return;
    }
    enter(v, regs, v->pv.failsafe.address, v->pv.failsafe.mask_events, selectors,
          ARRAY_LEN(selectors));
}
