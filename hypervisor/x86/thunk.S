/* SPDX-License-Identifier: MIT */
/*
 * Indirect branches of the hypervisor's C code go through these, one a register (SPEC-2). As built
 * they are of the kind whose prediction ends in a trap; start-up makes plain jumps of them where the
 * processor needs no such thing (spec.c).
 */
.macro THUNK reg
    .balign 32
.globl __x86_indirect_thunk_\reg
__x86_indirect_thunk_\reg:
    call 2f
1:  pause
    lfence
    jmp 1b
2:  movq %\reg, (%rsp)
    ret
.endm

.text
    .balign 32
.globl thunks_start
thunks_start:
/* In the order of the registers' numbers; RSP has none, its place stays empty. */
    .irp reg, rax, rcx, rdx, rbx
    THUNK \reg
    .endr
    .balign 32
    ud2
    .irp reg, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    THUNK \reg
    .endr
