/* SPDX-License-Identifier: MIT */
/*
 * Every offset and constant that assembly uses. Never linked: the build reads the listing.
 */
#include <tenue/abi.h>
#include <tenue/spec.h>
#include <tenue/vcpu.h>

#include "desc.h"
#include "pcpu.h"
#include "../pv/bounce.h"

#define DEFINE(name, value) __asm__ volatile(".ascii \"->" #name " %0\"" ::"i"((long)(value)))

void asm_offsets(void);

void asm_offsets(void)
{
    DEFINE(REGS_SIZE, sizeof(struct cpu_user_regs));
    DEFINE(REGS_r15, offsetof(struct cpu_user_regs, r15));
    DEFINE(REGS_rbx, offsetof(struct cpu_user_regs, rbx));
    DEFINE(REGS_r11, offsetof(struct cpu_user_regs, r11));
    DEFINE(REGS_rcx, offsetof(struct cpu_user_regs, rcx));
    DEFINE(REGS_error_code, offsetof(struct cpu_user_regs, error_code));
    DEFINE(REGS_entry_vector, offsetof(struct cpu_user_regs, entry_vector));
    DEFINE(REGS_rip, offsetof(struct cpu_user_regs, rip));
    DEFINE(REGS_cs, offsetof(struct cpu_user_regs, cs));
    DEFINE(REGS_rflags, offsetof(struct cpu_user_regs, rflags));
    DEFINE(REGS_rsp, offsetof(struct cpu_user_regs, rsp));
    DEFINE(REGS_ss, offsetof(struct cpu_user_regs, ss));
    DEFINE(REGS_es, offsetof(struct cpu_user_regs, es));

    DEFINE(CPU_softirqs, offsetof(struct cpu, softirqs));
    DEFINE(CPU_current, offsetof(struct cpu, current));
    /* In a CPU's block: the guest's registers, and where they are pushed from. */
    DEFINE(BLOCK_regs, BLOCK_STACK_TOP - sizeof(struct cpu_user_regs));
    DEFINE(BLOCK_regs_top,
           BLOCK_STACK_TOP - sizeof(struct cpu_user_regs) + offsetof(struct cpu_user_regs, es));
    DEFINE(PCPU_scratch_rsp, offsetof(struct pcpu, entry.scratch_rsp));
    DEFINE(PCPU_full_cr3, offsetof(struct pcpu, entry.full_cr3));
    DEFINE(PCPU_guest_cr3, offsetof(struct pcpu, entry.guest_cr3));
    DEFINE(PCPU_exit_rax, offsetof(struct pcpu, entry.exit_rax));
    DEFINE(PCPU_exit_rsp, offsetof(struct pcpu, entry.exit_rsp));

    DEFINE(VCPU_vcpu_info, offsetof(struct vcpu, vcpu_info));
    DEFINE(VCPU_nmi_pending, offsetof(struct vcpu, nmi_pending));
    DEFINE(VCPU_kernel_mode, offsetof(struct vcpu, pv.kernel_mode));
    DEFINE(INFO_pending, offsetof(struct vcpu_info, evtchn_upcall_pending));
    DEFINE(INFO_mask, offsetof(struct vcpu_info, evtchn_upcall_mask));

    DEFINE(GUEST_CS64, FLAT_RING3_CS64);
    DEFINE(GUEST_CS32, FLAT_RING3_CS32);
    DEFINE(GUEST_SS, FLAT_RING3_SS64);
    DEFINE(HV_CS, SEL_HV_CS);
    DEFINE(HV_DS, SEL_HV_DS);
    DEFINE(EXIT_SYSRET_OK, PV_EXIT_SYSRET_OK);

    DEFINE(SPEC_PTI, SPEC_PTI);
    DEFINE(SPEC_IBRS, SPEC_IBRS);
    DEFINE(SPEC_IBPB_ENTRY, SPEC_IBPB_ENTRY);
    DEFINE(SPEC_RSB, SPEC_RSB);
    DEFINE(SPEC_BHB_ENTRY, SPEC_BHB_ENTRY);
    DEFINE(SPEC_VERW, SPEC_VERW);
    DEFINE(SPEC_DIV, SPEC_DIV);
}
