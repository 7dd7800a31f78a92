/* SPDX-License-Identifier: MIT */
/*
 * Every offset and constant that assembly uses, but those of general registers (regs.inc). Never
 * linked: the build reads the listing.
 */
#include "desc.h"
#include "pcpu.h"
#include "../pv/state.h"

#define DEFINE(name, value) __asm__ volatile(".ascii \"->" #name " %0\"" ::"i"((long)(value)))

void asm_offsets(void);

void asm_offsets(void)
{
    DEFINE(REGS_SIZE, sizeof(struct cpu_user_regs));
    DEFINE(REGS_END, offsetof(struct cpu_user_regs, es));

    DEFINE(CPU_softirqs, offsetof(struct cpu, softirqs));
    DEFINE(CPU_current, offsetof(struct cpu, current));
    DEFINE(CPU_root, offsetof(struct cpu, root));
    DEFINE(CPU_flush_stamp, offsetof(struct cpu, flush_stamp));
    DEFINE(CPU_tags, offsetof(struct cpu, tags));
    /* In a CPU's block: the guest's registers, and where they are pushed from. */
    DEFINE(BLOCK_regs, BLOCK_STACK_TOP - sizeof(struct cpu_user_regs));
    DEFINE(BLOCK_regs_top,
           BLOCK_STACK_TOP - sizeof(struct cpu_user_regs) + offsetof(struct cpu_user_regs, es));
    DEFINE(PCPU_scratch_rsp, offsetof(struct pcpu, entry.scratch_rsp));
    DEFINE(PCPU_scratch_rax, offsetof(struct pcpu, entry.scratch_rax));
    DEFINE(PCPU_full_cr3, offsetof(struct pcpu, entry.full_cr3));
    DEFINE(PCPU_guest_cr3, offsetof(struct pcpu, entry.guest_cr3));
    DEFINE(PCPU_exit_rax, offsetof(struct pcpu, entry.exit_rax));
    DEFINE(PCPU_exit_rsp, offsetof(struct pcpu, entry.exit_rsp));

    DEFINE(VCPU_vcpu_info, offsetof(struct vcpu, vcpu_info));
    DEFINE(VCPU_nmi_pending, offsetof(struct vcpu, nmi_pending));
    DEFINE(VCPU_in_nmi, offsetof(struct vcpu, in_nmi));
    DEFINE(VCPU_kernel_mode, offsetof(struct vcpu, pv.kernel_mode));
    DEFINE(VCPU_odd, offsetof(struct vcpu, odd));
    DEFINE(VCPU_root_kernel, offsetof(struct vcpu, pv.root_kernel));
    DEFINE(VCPU_root_user, offsetof(struct vcpu, pv.root_user));
    DEFINE(VCPU_entry_frame, offsetof(struct vcpu, pv.entry_frame));
    DEFINE(VCPU_syscall_address, offsetof(struct vcpu, pv.syscall.address));
    DEFINE(VCPU_syscall_masks, offsetof(struct vcpu, pv.syscall.mask_events));
    DEFINE(VCPU_event_address, offsetof(struct vcpu, pv.event.address));
    DEFINE(VCPU_traps, offsetof(struct vcpu, pv.traps));
    DEFINE(TRAP_PF_flags, VEC_PF * sizeof(struct trap_info) + offsetof(struct trap_info, flags));
    DEFINE(TRAP_PF_address,
           VEC_PF * sizeof(struct trap_info) + offsetof(struct trap_info, address));
    DEFINE(INFO_cr2, offsetof(struct vcpu_info, arch.cr2));
    DEFINE(INFO_pending, offsetof(struct vcpu_info, evtchn_upcall_pending));
    DEFINE(INFO_mask, offsetof(struct vcpu_info, evtchn_upcall_mask));

    DEFINE(GUEST_CS64, FLAT_RING3_CS64);
    DEFINE(GUEST_CS32, FLAT_RING3_CS32);
    DEFINE(GUEST_SS, FLAT_RING3_SS64);
    DEFINE(HYPERCALL_iret, __HYPERVISOR_iret);
    DEFINE(IRET_SIZE, sizeof(struct iret_context));
    DEFINE(IRET_in_syscall, VGCF_in_syscall);
    DEFINE(EFLAGS_GUEST, PV_EFLAGS_GUEST);
    DEFINE(EFLAGS_ALWAYS, EFLAGS_FIXED | EFLAGS_IF);
    DEFINE(GUEST_HIGH_START, GUEST_HIGH_START);
    DEFINE(EXIT_HYPERCALL, PV_EXIT_HYPERCALL);
    DEFINE(EXIT_SYSRET_OK, PV_EXIT_SYSRET_OK);
}
