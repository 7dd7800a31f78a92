/* SPDX-License-Identifier: MIT */
/*
 * Entry from the domain builder. On entry (PV start of day): RSI = start_info, everything else as
 * front_boot_regs records it; paging is on, events are masked, no trap table exists. The first
 * thing done is to write all of it down, before one register changes.
 *
 * Position-independent: the same object is linked at either end of the address space.
 */
#define __ASSEMBLY__
#include <xen/xen.h>

    .section .text.head, "ax"
    .globl _start
    .hidden front_boot_regs
_start:
    mov     %rax, 0x00 + front_boot_regs(%rip)
    mov     %rbx, 0x08 + front_boot_regs(%rip)
    mov     %rcx, 0x10 + front_boot_regs(%rip)
    mov     %rdx, 0x18 + front_boot_regs(%rip)
    mov     %rsi, 0x20 + front_boot_regs(%rip)
    mov     %rdi, 0x28 + front_boot_regs(%rip)
    mov     %rbp, 0x30 + front_boot_regs(%rip)
    mov     %rsp, 0x38 + front_boot_regs(%rip)
    mov     %r8,  0x40 + front_boot_regs(%rip)
    mov     %r9,  0x48 + front_boot_regs(%rip)
    mov     %r10, 0x50 + front_boot_regs(%rip)
    mov     %r11, 0x58 + front_boot_regs(%rip)
    mov     %r12, 0x60 + front_boot_regs(%rip)
    mov     %r13, 0x68 + front_boot_regs(%rip)
    mov     %r14, 0x70 + front_boot_regs(%rip)
    mov     %r15, 0x78 + front_boot_regs(%rip)
    lea     front_stacks(%rip), %rsp
    add     $FRONT_STACK_SIZE, %rsp
    pushfq
    popq    0x80 + front_boot_regs(%rip)
    xor     %eax, %eax
    mov     %cs, %ax
    mov     %rax, 0x88 + front_boot_regs(%rip)
    mov     %ss, %ax
    mov     %rax, 0x90 + front_boot_regs(%rip)
    mov     %ds, %ax
    mov     %rax, 0x98 + front_boot_regs(%rip)
    mov     %es, %ax
    mov     %rax, 0xa0 + front_boot_regs(%rip)
    mov     %fs, %ax
    mov     %rax, 0xa8 + front_boot_regs(%rip)
    mov     %gs, %ax
    mov     %rax, 0xb0 + front_boot_regs(%rip)
    rdtsc
    shl     $32, %rdx
    or      %rdx, %rax
    mov     %rax, 0xb8 + front_boot_regs(%rip)
    cld
    mov     %rsi, %rdi
    xor     %ebp, %ebp
    call    front_start
1:  ud2
    jmp     1b

/* A secondary vCPU: RDI = its function, RSP already on its own stack. */
    .text
    .globl front_vcpu_entry
front_vcpu_entry:
    xor     %ebp, %ebp
    call    front_vcpu_main
1:  ud2
    jmp     1b

    .section .note.GNU-stack, "", @progbits
