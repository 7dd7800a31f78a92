/* SPDX-License-Identifier: MIT */
/*
 * First instructions of the other CPUs. smp.c copies ap_code to a page below 1 MiB; the rest runs
 * in the image. One CPU at a time: ap_root and ap_block are its own.
 *
 * State in: real mode, CS the page's segment. Out: ap_start() on the CPU's block, hypervisor's root.
 */
#include "asm-offsets.inc"
#include "desc.h"
#include "layout.h"

#define PHYS(sym) ((sym) - HV_VIRT_BASE)
#define SEL_CODE32 0x8
#define SEL_DATA32 0x10
#define SEL_CODE64 0x18

.section .rodata
.code16
.globl ap_code, ap_code_end
ap_code:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl ap_code_gdt_ptr - ap_code
    movl $CR0_PE, %eax
    movl %eax, %cr0
    ljmpl $SEL_CODE32, $PHYS(ap_32)
    .balign 4
ap_code_gdt_ptr:
    .word ap_gdt_end - ap_gdt - 1
    .long PHYS(ap_gdt)
ap_code_end:

    .balign 8
ap_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00af9b000000ffff
ap_gdt_end:

.section .boot.text, "ax"
.code32
ap_32:
    movw $SEL_DATA32, %ax
    movw %ax, %ds
    movw %ax, %ss
    movl $(CR4_PAE | CR4_PGE), %eax
    movl %eax, %cr4
    movl $PHYS(boot_l4), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $(EFER_SCE | EFER_LME | EFER_NXE), %eax
    wrmsr
    movl $CR0_OURS, %eax
    movl %eax, %cr0
    ljmp $SEL_CODE64, $PHYS(ap_64_low)
.code64
ap_64_low:
    movabs $ap_64, %rax
    jmp *%rax

.text
ap_64:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movq ap_root(%rip), %rax
    movq %rax, %cr3
    movq ap_block(%rip), %rsp
    addq $(BLOCK_STACK_TOP - REGS_SIZE), %rsp
    xorl %ebp, %ebp
    call ap_start
    ud2

.section .bss
    .balign 8
.globl ap_root, ap_block
ap_root:
    .skip 8
ap_block:
    .skip 8
