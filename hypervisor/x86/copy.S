/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault on what a guest gave us, each with its recovery (ENT-12): an
 * .extable row says where to go on when the first address faults. Guest memory is open to us
 * only between STAC and CLAC; both are no-ops that start-up replaces when SMAP is on.
 *
 * C calling convention throughout; only caller-saved registers are used.
 */
#include "access.inc"
#include "asm.inc"

.text

/* uint64_t hal_copy_{from,to}_guest(dst, src, bytes): bytes not copied. */
FUNCTION hal_copy_from_guest
FUNCTION hal_copy_to_guest
    STAC
    cmpq $8, %rdx
    jne 2f
    TRY copy_fault_8, movq (%rsi), %rax
    TRY copy_fault_8, movq %rax, (%rdi)
    xorl %eax, %eax
    CLAC
    ret
2:  movq %rdx, %rcx
    andl $7, %edx
    shrq $3, %rcx
    TRY copy_fault_words, rep movsq
    movl %edx, %ecx
    TRY copy_fault_bytes, rep movsb
    CLAC
    xorl %eax, %eax
    ret
copy_fault_8:
    movl $8, %eax
    CLAC
    ret
copy_fault_words:
    leaq (%rdx, %rcx, 8), %rax
    CLAC
    ret
copy_fault_bytes:
    movq %rcx, %rax
    CLAC
    ret

/* bool hal_rdmsr_safe(msr, *value) */
FUNCTION hal_rdmsr_safe
    movl %edi, %ecx
    TRY return_false, rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, (%rsi)
    movl $1, %eax
    ret

/* bool hal_wrmsr_safe(msr, value) */
FUNCTION hal_wrmsr_safe
    movl %edi, %ecx
    movq %rsi, %rax
    movq %rsi, %rdx
    shrq $32, %rdx
    TRY return_false, wrmsr
    movl $1, %eax
    ret

return_false:
    xorl %eax, %eax
    ret

/* bool load_ds/es/fs/gs(sel): false when the selector faulted; the register is null then. */
.irp reg, ds, es, fs, gs
FUNCTION load_\reg
    movl $1, %eax
    TRY load_\reg\()_fault, movl %edi, %\reg
    ret
load_\reg\()_fault:
    xorl %eax, %eax
    movl %eax, %\reg
    ret
.endr

/* bool xrstor_safe(area, mask): false when the image was refused (REG-3). */
FUNCTION xrstor_safe
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
    TRY return_false, xrstor64 (%rdi)
    movl $1, %eax
    ret

/* bool fxrstor_safe(area) */
FUNCTION fxrstor_safe
    TRY return_false, fxrstor64 (%rdi)
    movl $1, %eax
    ret

/* bool extable_probe(void): faults on purpose; true when the recovery was taken. */
FUNCTION extable_probe
    xorl %eax, %eax
    TRY return_true, ud2
    ret
return_true:
    movl $1, %eax
    ret
