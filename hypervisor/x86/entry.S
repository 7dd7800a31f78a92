/* SPDX-License-Identifier: MIT */
/*
 * The ways in and out of the hypervisor, and nothing else.
 *
 * In: the CPU's block holds the stack; a guest's registers are saved at its top as struct
 * cpu_user_regs, in hypervisor mode wherever the stack stands. General registers are zeroed once
 * saved (ENT-10), DF and AC cleared (ENT-4), interrupts are off (ENT-13). Live DS, ES, FS, GS and their
 * bases stay the guest's: this code and everything it calls use none of them.
 *
 * Out: exit_to_guest tests for work and events with interrupts off, then restores every register.
 * SYSRET loads RIP and RFLAGS from RCX and R11, so it is taken only when pv/ said that these are dead
 * (EXIT_SYSRET_OK), and RIP is canonical, the selectors are the flat ones and RF is clear (ENT-1). With TF
 * it traps at once, so that a single step over a hypercall ends behind it; after IRET, one instruction later.
 * IRET may fault on selectors of the guest's: its address is known to trap.c (ENT-8).
 *
 * ISOLATION, LEAVE_... (isolation.inc) are where a CPU that needs it changes CR3 and
 * speculation state (SPEC-1, SPEC-3): nothing of ours is touched before the first, or after the second.
 */
#include "access.inc"
#include "asm.inc"
#include "desc.h"
#include "isolation.inc"
#include "layout.h"
#include "regs.inc"

/* From a stack whose next free word is the RDI slot: save and zero all general registers. */
.macro SAVE_REGS
    PUSH_AND_ZERO rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
.endm

/* From the ES slot: what a gate would have pushed. */
.macro SYSCALL_FRAME cs
    pushq $GUEST_SS
    pushq (PCPU_scratch_rsp - BLOCK_STACK_TOP + REGS_SIZE - REGS_ss)(%rsp)
    pushq %r11
    pushq $\cs
    pushq %rcx
    pushq $0
    movl $EXIT_SYSRET_OK, 4(%rsp)
.endm

/* From a gate: all registers saved, RDI their address. */
.macro ENTER_BY_GATE way
    ISOLATION \way
    CLAC
    SAVE_REGS
    cld
    movq %rsp, %rdi
.endm

.text

/*
 * SYSCALL, from each CPU's stub (idt.c), which saved the guest's stack pointer in the block and
 * loaded the address of the ES slot. RCX is the guest's RIP, R11 its RFLAGS; FMASK cleared IF, TF, DF, AC,
 * NT. CS is what the guest kernel runs on, or what SYSRET gives a 64-bit user.
 */
FUNCTION syscall_entry
    SYSCALL_FRAME GUEST_CS64
/* fast.S comes here with what is not for it. */
.globl syscall_framed
syscall_framed:
    SAVE_REGS
    movq %rsp, %rdi
    leaq REGS_SIZE - BLOCK_STACK_TOP(%rsp), %rbx
    movq CPU_current(%rbx), %r12
    cmpb $0, VCPU_kernel_mode(%r12)
    je 1f
    call hypercall_entry
    jmp exit_to_guest
1:  call pv_syscall
    jmp exit_to_guest

/* SYSCALL in compatibility mode (AMD). */
FUNCTION syscall32_entry
    SYSCALL_FRAME GUEST_CS32
    SAVE_REGS
    movq %rsp, %rdi
    call pv_syscall32
    jmp exit_to_guest

/* SYSENTER (Intel): the stack is loaded by hardware, nothing else is saved. TF and NT are live. */
FUNCTION sysenter_entry
    ISOLATION ENTER_SYSENTER
    CLAC
    pushq $GUEST_SS
    pushq $0
    pushfq
    pushq $GUEST_CS32
    pushq $0
    pushq $0
    movl $EXIT_SYSRET_OK, 4(%rsp)
    pushq $2
    popfq
    SAVE_REGS
    orl $EFLAGS_IF, REGS_rflags(%rsp)
    andl $~(EFLAGS_TF | EFLAGS_NT), REGS_rflags(%rsp)
    movq %rsp, %rdi
    call pv_sysenter
    jmp exit_to_guest

/*
 * The way out. RSP: the guest's registers at the top of the block.
 */
FUNCTION exit_to_guest
    leaq REGS_SIZE - BLOCK_STACK_TOP(%rsp), %rbx
exit_test:
    movq CPU_current(%rbx), %r12
    cmpq $0, CPU_softirqs(%rbx) /* and watched, beside it */
    jne exit_slow
exit_events:
    movq VCPU_vcpu_info(%r12), %rax
    cmpb $0, VCPU_nmi_pending(%r12)
    jne exit_nmi
    cmpb $0, INFO_pending(%rax)
    jne exit_event
exit_restore:
    movl REGS_rflags(%rsp), %r11d
    andl $~(EFLAGS_IOPL | EFLAGS_NT | EFLAGS_VM), %r11d
    orl $EFLAGS_IF, %r11d
    cmpl $EXIT_SYSRET_OK, REGS_entry_vector(%rsp)
    jne exit_iret
    movq REGS_rip(%rsp), %rcx
    movq %rcx, %rax
    shlq $16, %rax
    sarq $16, %rax
    cmpq %rax, %rcx
    jne exit_iret
    cmpw $GUEST_CS64, REGS_cs(%rsp)
    jne exit_iret
    cmpw $GUEST_SS, REGS_ss(%rsp)
    jne exit_iret
    testl $EFLAGS_RF, %r11d
    jnz exit_iret
    POP r15, r14, r13, r12, rbp, rbx
    addq $8, %rsp /* R11 */
    POP r10, r9, r8, rax
    addq $8, %rsp /* RCX */
    POP rdx, rsi, rdi
    LEAVE_SYSRET

exit_iret:
    movl %r11d, REGS_rflags(%rsp)
    orb $3, REGS_cs(%rsp)
    orb $3, REGS_ss(%rsp)
    POP GENERAL_REGS
    LEAVE_IRET

exit_slow:
    cmpl $0, CPU_softirqs(%rbx)
    jne 1f
    call account_exit
    jmp exit_events
1:  call guest_exit_work
    jmp exit_test
exit_nmi:
    cmpb $0, VCPU_in_nmi(%r12)
    je 1f
    cmpb $0, INFO_pending(%rax)
    je exit_restore
exit_event:
    cmpb $0, INFO_mask(%rax)
    jne exit_restore
1:  movq %rsp, %rdi
    call pv_deliver_event
    jmp exit_test

/* From anywhere on one of this CPU's stacks, with the guest's registers in place. */
FUNCTION enter_guest
    movq $-BLOCK_SIZE, %rax
    andq %rsp, %rax
    leaq BLOCK_STACK_TOP - REGS_SIZE(%rax), %rsp
    jmp exit_to_guest

/*
 * Exceptions. Each vector's stub leaves error code and vector in their slot.
 */
    .balign 16
exception_common:
    ENTER_BY_GATE ENTER_TRAP
    testb $3, REGS_cs(%rsp)
    jz 1f
    call trap_from_guest
    jmp exit_to_guest
1:  call trap_from_hv
    testl %eax, %eax
    jz restore_hv
    /* The IRET to the guest faulted and its registers are whole again at the top of the block. */
    jmp enter_guest

restore_hv:
    POP GENERAL_REGS
    LEAVE_TRAP

    .balign 16
interrupt_common:
    ENTER_BY_GATE ENTER_TRAP
    call irq_dispatch
    testb $3, REGS_cs(%rsp)
    jnz exit_to_guest
    jmp restore_hv

/*
 * NMI, machine check, double fault: on stacks of their own, wherever they come; back by IRET without
 * looking for work, so that an NMI is not unmasked early (R-10). They touch no lock and no CR.
 */
    .balign 16
ist_common:
    ENTER_BY_GATE ENTER_IST
    call trap_ist
    jmp restore_hv

/* Debug traps come on a stack of their own; from a guest they go on as other exceptions do. */
    .balign 16
debug_common:
    ENTER_BY_GATE ENTER_IST
    testb $3, REGS_cs(%rsp)
    jz 1f
    call trap_move_to_main_stack
    movq %rax, %rsp
    movq %rax, %rdi
    call trap_from_guest
    jmp exit_to_guest
1:  call trap_from_hv
    jmp restore_hv

.macro ENTRY_STUB vector, common, has_error=0
    .balign 16
    .if \has_error == 0
    pushq $0
    .endif
    movl $\vector, 4(%rsp)
    jmp \common
.endm

/* 256 stubs of 16 bytes; idt.c takes the address of vector n as idt_stubs + 16 * n. */
FUNCTION idt_stubs
.set vec, 0
.rept 256
    .if vec == VEC_DB
    ENTRY_STUB vec, debug_common
    .elseif vec == VEC_NMI || vec == VEC_MC
    ENTRY_STUB vec, ist_common
    .elseif vec == VEC_DF
    ENTRY_STUB vec, ist_common, 1
    .elseif vec == 10 || vec == 11 || vec == 12 || vec == 13 || vec == 14 || vec == 17 || vec == 21 || vec == 29 || vec == 30
    ENTRY_STUB vec, exception_common, 1
    .elseif vec < VEC_EXCEPTIONS || vec == VEC_INT80
    ENTRY_STUB vec, exception_common
    .else
    ENTRY_STUB vec, interrupt_common
    .endif
    .set vec, vec + 1
.endr
FUNCTION idt_stubs_end
