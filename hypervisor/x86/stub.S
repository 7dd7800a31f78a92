/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL's first instructions. idt.c copies them to the same page of every CPU's block, so what they
 * name of it lies at a distance that is known here: they find the stack without SWAPGS or any guest
 * register. Their jumps lead out of the block: they are listed, for idt.c to move them back.
 *
 * State in: the guest's, but for CS, SS, RCX (its RIP) and R11 (its RFLAGS); interrupts off.
 */
#include "isolation.inc"
#include "layout.h"
#include "regs.inc"

.globl stubs, stubs_end, stub_jumps, stub_jumps_end
.set block, stubs - BLOCK_STUB_OFF /* where a block would be whose page this is */

.macro STUB name, save, stack, target, isolated=0
.globl \name
\name:
    movq %rsp, block + \save(%rip)
    .if \isolated
    SPEC_UNLESS SPEC_PTI, .Lours\@
    movq %rax, block + PCPU_scratch_rax(%rip)
    movq block + PCPU_full_cr3(%rip), %rax
    movq %rax, %cr3
    movq block + PCPU_scratch_rax(%rip), %rax
    .endif
.Lours\@:
    leaq block + \stack(%rip), %rsp
    jmp \target
.Lend\@:
    .pushsection .rodata.stub_jumps, "a"
    .long .Lend\@ - 4 - stubs
    .popsection
.endm

.section .rodata.stub_jumps, "a"
stub_jumps:

.section .rodata
stubs:
    STUB stub_syscall, PCPU_scratch_rsp, BLOCK_regs_top, syscall_entry
    STUB stub_syscall32, PCPU_scratch_rsp, BLOCK_regs_top, syscall32_entry
/* fast.S has the guest's stack pointer where it belongs, and the stack at the register frame. */
    STUB stub_fast, BLOCK_regs + REGS_rsp, BLOCK_regs, fast_syscall
/* For CPUs with work at entries. */
    STUB stub_isolated, PCPU_scratch_rsp, BLOCK_regs_top, isolation_syscall, 1
    STUB stub_isolated32, PCPU_scratch_rsp, BLOCK_regs_top, isolation_syscall32, 1
stubs_end:

.section .rodata.stub_jumps, "a"
stub_jumps_end:
