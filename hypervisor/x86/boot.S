/* SPDX-License-Identifier: MIT */
/*
 * From the loader, or from a STARTUP interrupt, to C in long mode.
 *
 * The linked image is 64-bit and high; loaders want a 32-bit ELF file with Multiboot headers. So
 * the flat image begins with an ELF header written by hand, whose one segment is the whole file,
 * loaded at HV_IMAGE_PHYS. Memory below 1 MiB is not touched.
 *
 * State in (both Multiboot versions): 32-bit flat protected mode, paging off, interrupts off, EAX
 * magic, EBX information. Out: start(magic, info) on CPU 0's block, long mode, boot page tables: the
 * first 4 GiB at 0, at HV_VIRT_BASE (1 GiB of it) and in the direct map.
 *
 * The other CPUs: smp.c copies ap_code to a page below 1 MiB; the rest runs in the image. One at a
 * time: ap_block is its own. State in: real mode, CS the page's segment. Out:
 * ap_start() on the CPU's block, hypervisor's root.
 */
#include "asm-offsets.inc"
#include "desc.h"
#include "layout.h"

#define PHYS(sym) ((sym) - HV_VIRT_BASE)

#define SEL_CODE32 0x8
#define SEL_DATA32 0x10
#define SEL_CODE64 0x18

#define PTE_TABLE 0x03  /* present, writable */
#define PTE_LARGE 0x83  /* present, writable, 2 MiB */

#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x3 /* modules page aligned, memory information */
#define MB2_MAGIC 0xe85250d6

/* From 32-bit mode without paging to \to, on boot_l4; data segments become null. */
.macro LONG_MODE to
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
    ljmp $SEL_CODE64, $PHYS(\to\()_low)
.code64
\to\()_low:
    movabs $\to, %rax
    jmp *%rax
.text
\to:
    xorl %eax, %eax
    .irp segment, ds, es, fs, gs, ss
    movl %eax, %\segment
    .endr
.endm

.section .boot.header, "ax"
.code32
elf_header:
    .byte 0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    .word 2, 3                        /* executable, 80386 */
    .long 1
    .long PHYS(start32)
    .long elf_segment - elf_header, 0 /* program headers; no sections */
    .long 0
    .word 52, 32, 1, 40, 0, 0
elf_segment:
    .long 1                           /* PT_LOAD from offset 0 */
    .long 0
    .long HV_IMAGE_PHYS, HV_IMAGE_PHYS
    .long image_file_size, image_memory_size
    .long 7, 0x1000

    .balign 8
mb1_header:
    .long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)

    .balign 8
mb2_header:
    .long MB2_MAGIC, 0, mb2_end - mb2_header
    .long -(MB2_MAGIC + (mb2_end - mb2_header))
    .balign 8
    .word 6, 0                        /* modules page aligned */
    .long 8
    .balign 8
    .word 0, 0
    .long 8
mb2_end:

.section .boot.text, "ax"
.globl start32
start32:
    cli
    cld
    movl %eax, %esi
    movl %ebx, %ebp

    /* A 64-bit CPU with the features we cannot do without: say so on the serial port, else halt. */
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    andl $(1 << 29 | 1 << 20 | 1 << 11), %edx /* LM, NX, SYSCALL */
    cmpl $(1 << 29 | 1 << 20 | 1 << 11), %edx
    jne no_long_mode

    /* L2: 4 GiB of 2 MiB pages. */
    movl $PHYS(boot_l2), %edi
    movl $PTE_LARGE, %eax
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    jnc 1b
    /* L3: the four of them. */
    movl $PHYS(boot_l3), %edi
    movl $(PHYS(boot_l2) + PTE_TABLE), %eax
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x1000, %eax
    loop 2b
    /* L4: identity, image, direct map: the same L3. */
    movl $(PHYS(boot_l3) + PTE_TABLE), %eax
    movl %eax, PHYS(boot_l4)
    movl %eax, PHYS(boot_l4) + 8 * L4_SLOT_IMAGE
    movl %eax, PHYS(boot_l4) + 8 * L4_SLOT_DIRECT

    lgdt PHYS(boot_gdt_ptr)
    LONG_MODE start64
    leaq boot_block + BLOCK_STACK_TOP - REGS_SIZE(%rip), %rsp
    movl %esi, %edi /* magic */
    movl %ebp, %esi /* information */
    xorl %ebp, %ebp
    call start
    ud2

.section .boot.text, "ax"
.code32
no_long_mode:
    movl $PHYS(no_long_mode_text), %esi
3:  movw $0x3fd, %dx
4:  inb %dx, %al
    testb $0x20, %al
    jz 4b
    lodsb
    testb %al, %al
    jz 5f
    movw $0x3f8, %dx
    outb %al, %dx
    jmp 3b
5:  hlt
    jmp 5b

/* The other CPUs. */
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
    .word boot_gdt_end - boot_gdt - 1
    .long PHYS(boot_gdt)
ap_code_end:

.section .boot.text, "ax"
.code32
ap_32:
    movw $SEL_DATA32, %ax
    movw %ax, %ds
    movw %ax, %ss
    LONG_MODE ap_64
    movq hv_root(%rip), %rax
    shlq $12, %rax
    movq %rax, %cr3
    movq ap_block(%rip), %rsp
    addq $(BLOCK_STACK_TOP - REGS_SIZE), %rsp
    xorl %ebp, %ebp
    call ap_start
    ud2

.section .rodata
no_long_mode_text:
    .asciz "Tenue: this processor lacks 64-bit mode, NX or SYSCALL: use a 64-bit machine\r\n"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* ring 0: 32-bit code, data, 64-bit code */
    .quad 0x00cf93000000ffff
    .quad 0x00af9b000000ffff
boot_gdt_end:
boot_gdt_ptr:
    .word boot_gdt_end - boot_gdt - 1
    .long PHYS(boot_gdt), 0

.section .bss.page_aligned, "aw", @nobits
    .balign 4096
.globl boot_l4
boot_l4:
    .skip 4096
boot_l3:
    .skip 4096
boot_l2:
    .skip 4 * 4096

.section .boot_block, "aw", @nobits
.globl boot_block
boot_block:
    .skip BLOCK_SIZE
