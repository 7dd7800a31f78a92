/* SPDX-License-Identifier: MIT */
/*
 * Dispatch, the one restart convention, multicall.
 *
 * A handler takes its arguments as registers hold them and returns what RAX shall hold. A handler
 * that was preempted (hal_preempt_point() said so) after recording its progress returns
 * hypercall_restart(...): the guest executes the call again with the arguments given, in
 * multicall as well; each re-entry re-validates them (HC-5).
 */
#ifndef TENUE_HYPERCALL_H
#define TENUE_HYPERCALL_H

#include <tenue/abi.h>

/* The entry point from the metal: number in rax, arguments in rdi rsi rdx r10 r8, result to rax.
 * Guest kernel mode was checked by the caller. */
void hypercall_entry(struct cpu_user_regs *regs);
/* The same without its registers: the result. Handlers find those by hal_guest_regs(). */
long hypercall_dispatch(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t nr);
long hypercall_watched(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t nr);
/* Re-issue nr with these arguments. Returns the value the handler must return. */
long hypercall_restart(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                       uint64_t a4);
const char *hypercall_name(uint64_t nr); /* NULL when unknown */

#define HYPERCALL_NRS 64u

long hc_multicall(uint64_t calls, uint32_t count);
long hc_xen_version(uint32_t cmd, uint64_t arg);
long hc_console_io(uint32_t cmd, uint32_t count, uint64_t buf);
long hc_memory_op(uint64_t cmd, uint64_t arg);
long hc_physdev_op(uint32_t cmd, uint64_t arg);
long hc_physdev_op_compat(uint64_t arg);
long hc_platform_op(uint64_t uop);
long hc_vm_assist(uint32_t cmd, uint32_t type);

/* pv/ */
long hc_set_trap_table(uint64_t traps);
long hc_mmu_update(uint64_t reqs, uint64_t count, uint64_t done, uint64_t domid);
long hc_set_gdt(uint64_t frames, uint32_t entries);
long hc_stack_switch(uint64_t ss, uint64_t sp);
long hc_set_callbacks(uint64_t event, uint64_t failsafe, uint64_t syscall);
long hc_fpu_taskswitch(uint32_t set);
long hc_set_debugreg(uint32_t reg, uint64_t value);
long hc_get_debugreg(uint32_t reg);
long hc_update_descriptor(uint64_t maddr, uint64_t desc);
long hc_update_va_mapping(uint64_t va, uint64_t pte, uint64_t flags);
long hc_update_va_mapping_otherdomain(uint64_t va, uint64_t pte, uint64_t flags, uint64_t domid);
long hc_set_segment_base(uint32_t which, uint64_t base);
long hc_iret(void);
long hc_mmuext_op(uint64_t ops, uint64_t count, uint64_t done, uint64_t domid);
long hc_callback_op(uint32_t cmd, uint64_t arg);
long hc_nmi_op(uint32_t cmd, uint64_t arg);

#endif
