/* SPDX-License-Identifier: MIT */
/*
 * Every way into the guest kernel, and the one way out.
 *
 * The hypervisor enters a handler with RSP at: rcx, r11, [error code,] rip, cs, rflags, rsp, ss.
 * The stubs turn that into a struct front_regs whose last nine words are the frame that
 * HYPERVISOR_iret consumes (rax, r11, rcx, flags, rip, cs, rflags, rsp, ss). Of the general
 * registers only RCX and R11 are taken from the frame; all others are live and saved as they are.
 */
#define __ASSEMBLY__
#include <xen/xen.h>

    .macro SAVE_TAIL            /* RSP at the flags slot, RCX and R11 loaded */
    push    %rcx
    push    %r11
    push    %rax
    .endm

    .text
    .balign 32
    .globl  front_trap_stubs
front_trap_stubs:
    .set    vec, 0
    .rept   256
    .balign 32
    pop     %rcx
    pop     %r11
    /* 8 #DF, 10 #TS .. 14 #PF, 17 #AC, 21 #CP carry an error code: it sits in the flags slot. */
    .if     !(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21)
    push    $0
    .endif
    SAVE_TAIL
    mov     $vec, %eax
    jmp     trap_common
    .set    vec, vec + 1
    .endr

    .globl  front_event_stub
front_event_stub:
    pop     %rcx
    pop     %r11
    push    $0
    SAVE_TAIL
    mov     $0x100, %eax
    jmp     trap_common

    .globl  front_failsafe_stub
front_failsafe_stub:
    pop     %rcx
    pop     %r11
    popq    0x00 + front_failsafe_sel(%rip)     /* ds */
    popq    0x08 + front_failsafe_sel(%rip)     /* es */
    popq    0x10 + front_failsafe_sel(%rip)     /* fs */
    popq    0x18 + front_failsafe_sel(%rip)     /* gs */
    push    $0
    SAVE_TAIL
    mov     $0x101, %eax
    jmp     trap_common

    .globl  front_syscall_stub
front_syscall_stub:
    pop     %rcx
    pop     %r11
    push    $0
    SAVE_TAIL
    mov     $0x102, %eax
    jmp     trap_common

trap_common:                    /* RSP: rax r11 rcx error rip ...; EAX = vector */
    push    %rax                /* vector */
    mov     32(%rsp), %rax
    push    %rax                /* error */
    movq    $0, 40(%rsp)        /* iret flags: full restore unless a handler says otherwise */
    push    %rdi
    push    %rsi
    push    %rdx
    push    %r8
    push    %r9
    push    %r10
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    cld
    mov     %rsp, %rdi
    mov     %rsp, %rbx
    and     $-16, %rsp
    call    front_trap_dispatch
    mov     %rbx, %rsp
    /* fall through: leave with the frame at RSP */

    .globl  front_trap_return
front_trap_return:
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdx
    pop     %rsi
    pop     %rdi
    add     $16, %rsp           /* error, vector */
    mov     $__HYPERVISOR_iret, %eax
    syscall                     /* RAX, RCX, R11 come from the frame */
    ud2

/*
 * void front_user_jump(struct front_regs *frame, u64 *saved_rsp): leave for the frame; the matching
 * front_user_land() makes this call return. Callee-saved registers are kept on this stack.
 */
    .globl  front_user_jump
front_user_jump:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, (%rsi)
    mov     %rdi, %rsp
    jmp     front_trap_return

/* void front_user_land(u64 saved_rsp): abandon the trap stack, return from front_user_jump(). */
    .globl  front_user_land
front_user_land:
    mov     %rdi, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

/* Called in user mode. u64 front_user_syscall(u64 nr, u64 arg) */
    .globl  front_user_syscall
front_user_syscall:
    mov     %rdi, %rax
    mov     %rsi, %rdi
    syscall
    ret

/* A user function that returns comes here with its value in RAX. */
    .globl  front_user_return
front_user_return:
    mov     %rax, %rdi
    mov     $0x45584954, %eax   /* FRONT_USER_EXIT */
    syscall
    ud2

/* long front_hypercall_by_page(u64 nr, a1, a2, a3, a4, a5) */
    .globl  front_hypercall_by_page
front_hypercall_by_page:
    mov     %rdi, %rax
    shl     $5, %rax            /* 32 bytes a slot */
    lea     front_hypercall_page(%rip), %r11
    add     %rax, %r11
    mov     %rsi, %rdi
    mov     %rdx, %rsi
    mov     %rcx, %rdx
    mov     %r8, %r10
    mov     %r9, %r8
    jmp     *%r11

    .weak   front_hypercall_page

    .section .note.GNU-stack, "", @progbits
