/* SPDX-License-Identifier: MIT */
/*
 * Everything the metal calls upward, apart from the public functions of the concepts
 * (sched_softirq, timer_softirq, hypercall_entry, console_rx).
 *
 * The way out: after any C handler the exit path tests this_cpu()->softirqs (then
 * guest_exit_work()) and the current vcpu's pending event (then pv_deliver_event()), until neither
 * is left, restores registers and returns to the guest.
 */
#ifndef TENUE_ENTRYPOINTS_H
#define TENUE_ENTRYPOINTS_H

#include <tenue/abi.h>
#include <tenue/bootinfo.h>

struct vcpu;

/* After the machine layer is up on the boot CPU: the contents page of bring-up (core/main.c).
 * Returns when the control domain can run; the caller enters the exit path. */
void tenue_main(void);

/* Softirqs until none is pending and current may run. */
void guest_exit_work(void);

/* pv/: traps from a guest; regs are the live registers. */
void pv_syscall(struct cpu_user_regs *regs); /* SYSCALL from guest user mode */
void pv_syscall32(struct cpu_user_regs *regs);
void pv_sysenter(struct cpu_user_regs *regs);
/* Exception vector from guest mode. error_code in regs, cr2 for vector 14. Emulates what must be,
 * else injects; crashes the domain when there is no handler. */
void pv_exception(struct cpu_user_regs *regs, uint8_t vector, uint64_t cr2);
void pv_software_interrupt(struct cpu_user_regs *regs, uint8_t vector); /* int n through a gate */
/* An iretq or segment load on the way to the guest faulted: make it the failsafe callback. */
void pv_failsafe(struct cpu_user_regs *regs);
/* Event pending and unmasked (or NMI): build the upcall frame. */
void pv_deliver_event(struct cpu_user_regs *regs);
/* #PF in hypervisor mode on the LDT window of current: true when a page was mapped; retry. */
bool pv_ldt_fault(uint64_t offset);

/* core/pirq.c: GSI asserted. */
void pirq_interrupt(unsigned gsi);

#endif
