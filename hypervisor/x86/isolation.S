/* SPDX-License-Identifier: MIT */
/*
 * Out-of-line parts of the ways in and out for CPUs with speculation faults (isolation.inc).
 *
 * This and entry.S are all the code that a guest's tables map under page-table isolation. A guest's
 * root is loaded by the instructions between tails_start and tails_end only, after which nothing
 * but the CPU's entry page (pcpu.h) is touched: whatever interrupts them goes back with that root
 * loaded again. VERW comes last, when no data of ours can follow it into a buffer (SPEC-3).
 */
#include "asm.inc"
#include "desc.h"
#include "isolation.inc"
#include "layout.h"
#include "regs.inc"

#define RSB_PAIRS 16
#define HISTORY_BRANCHES 256

.section .text.entry, "ax"

/* SYSCALL's stub comes here when there is work to do first; the rest it did itself. */
FUNCTION isolation_syscall
    ENTRY_WORK
    jmp syscall_entry
FUNCTION isolation_syscall32
    ENTRY_WORK
    jmp syscall32_entry

/* The lower half of an MSR, its upper being 0. Uses up RAX, RCX and RDX. */
.macro WRITE_MSR msr, value
    movl $\msr, %ecx
    movl \value, %eax
    xorl %edx, %edx
    wrmsr
.endm

/* All registers survive. */
FUNCTION spec_entry_work
    PUSH rax, rcx, rdx
    SPEC_UNLESS SPEC_IBRS, 1f
    WRITE_MSR MSR_SPEC_CTRL, spec_ctrl_entry(%rip)
1:  SPEC_UNLESS SPEC_IBPB_ENTRY, 2f
    WRITE_MSR MSR_PRED_CMD, $PRED_CMD_IBPB
2:  SPEC_UNLESS SPEC_BHB_ENTRY, 4f
    movl $HISTORY_BRANCHES, %ecx
3:  jmp .Lhistory
.Lhistory:
    decl %ecx
    jnz 3b
    lfence
4:  SPEC_UNLESS SPEC_RSB, 5f
    call spec_fill_rsb
5:  POP rdx, rcx, rax
    ret

spec_exit_work:
    PUSH rax, rcx, rdx
    SPEC_UNLESS SPEC_DIV, 1f
    movl $1, %eax
    movl $1, %ecx
    xorl %edx, %edx
    divl %ecx
1:  SPEC_UNLESS SPEC_IBRS, 2f
    WRITE_MSR MSR_SPEC_CTRL, spec_ctrl_exit(%rip)
2:  POP rdx, rcx, rax
    ret

/* Every entry of the return stack leads to a trap for speculation. Clobbers RCX. */
FUNCTION spec_fill_rsb
    movl $RSB_PAIRS, %ecx
1:  call 3f
2:  pause
    lfence
    jmp 2b
3:  call 5f
4:  pause
    lfence
    jmp 4b
5:  decl %ecx
    jnz 1b
    addq $(RSB_PAIRS * 16), %rsp
    ret

/* In place of LEAVE_SYSRET: RSP at the error code's slot. */
FUNCTION leave_sysret
    EXIT_WORK
    SPEC_UNLESS SPEC_PTI, 1f
    PUSH rax, rdx
    BLOCK_OF rax
    movq REGS_rsp - REGS_error_code + 16(%rsp), %rdx
    movq %rdx, PCPU_exit_rsp(%rax)
    popq %rdx
    popq PCPU_exit_rax(%rax)
    leaq PCPU_exit_rax(%rax), %rsp
    movq PCPU_guest_cr3(%rax), %rax
    jmp tail_sysret
1:  movq REGS_rsp - REGS_error_code(%rsp), %rsp
    jmp tail_sysret_last

FUNCTION leave_iret
    EXIT_WORK
    SPEC_UNLESS SPEC_PTI, 1f
    PUSH rax, rdx
    BLOCK_OF rax
    .irp word, 0, 8, 16, 24, 32
    movq REGS_rip - REGS_error_code + 16 + \word(%rsp), %rdx
    movq %rdx, BLOCK_ENTRY_TOP - 40 + \word(%rax)
    .endr
    popq %rdx
    popq BLOCK_ENTRY_TOP - 48(%rax)
    leaq BLOCK_ENTRY_TOP - 48(%rax), %rsp
    movq PCPU_guest_cr3(%rax), %rax
    jmp tail_iret
1:  addq $8, %rsp
    jmp tail_iret_last

/* To a guest only from stacks of their own (NMI); else to the hypervisor, maybe into a tail. */
FUNCTION leave_trap
    testb $3, 16(%rsp)
    jz 3f
    EXIT_WORK
    SPEC_UNLESS SPEC_PTI, 2f
    movq %rax, (%rsp) /* in place of the error code */
1:  BLOCK_OF rax
    movq PCPU_guest_cr3(%rax), %rax
    jmp tail_iret
2:  addq $8, %rsp
    jmp tail_iret_last
3:  SPEC_UNLESS SPEC_PTI, 5f
    movq %rax, (%rsp)
    leaq tails_start(%rip), %rax
    cmpq %rax, 8(%rsp)
    jb 4f
    leaq tails_end(%rip), %rax
    cmpq %rax, 8(%rsp)
    jb 1b
4:  movq (%rsp), %rax
5:  addq $8, %rsp
    iretq

.globl tails_start, tails_end
tails_start:
tail_sysret:
    movq %rax, %cr3
    popq %rax
    popq %rsp
tail_sysret_last:
    SPEC_UNLESS SPEC_VERW, 1f
    verw verw_selector(%rip)
1:  sysretq

tail_iret:
    movq %rax, %cr3
    popq %rax
tail_iret_last:
    SPEC_UNLESS SPEC_VERW, isolation_iretq
    verw verw_selector(%rip)
.globl isolation_iretq
isolation_iretq:
    iretq
tails_end:

/* Any writable data segment will do. */
.globl verw_selector
verw_selector:
    .word SEL_HV_DS

