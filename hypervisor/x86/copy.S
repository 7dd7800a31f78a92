/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault on what a guest gave us, each with its recovery (ENT-12): an
 * .extable row says where to go on when the first address faults. Guest memory is open to us
 * only between STAC and CLAC; both are no-ops that start-up replaces when SMAP is on.
 *
 * C calling convention throughout; only caller-saved registers are used.
 */
#include "access.inc"
#include "desc.h"

.text

/* uint64_t hal_copy_{from,to}_guest(dst, src, bytes): bytes not copied. */
    .balign 16
.globl hal_copy_from_guest, hal_copy_to_guest
hal_copy_from_guest:
hal_copy_to_guest:
    STAC
    cmpq $8, %rdx
    jne 2f
1:  movq (%rsi), %rax
3:  movq %rax, (%rdi)
    xorl %eax, %eax
    CLAC
    ret
2:  movq %rdx, %rcx
    andl $7, %edx
    shrq $3, %rcx
4:  rep movsq
    movl %edx, %ecx
5:  rep movsb
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
    RECOVER 1b, copy_fault_8
    RECOVER 3b, copy_fault_8
    RECOVER 4b, copy_fault_words
    RECOVER 5b, copy_fault_bytes

/* uint64_t hal_clear_guest(dst, bytes): bytes not cleared. */
    .balign 16
.globl hal_clear_guest
hal_clear_guest:
    STAC
    movq %rsi, %rcx
    movl %esi, %edx
    andl $7, %edx
    shrq $3, %rcx
    xorl %eax, %eax
1:  rep stosq
    movl %edx, %ecx
2:  rep stosb
    CLAC
    ret
    RECOVER 1b, copy_fault_words
    RECOVER 2b, copy_fault_bytes

/* bool hal_rdmsr_safe(msr, *value) */
.globl hal_rdmsr_safe
hal_rdmsr_safe:
    movl %edi, %ecx
1:  rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, (%rsi)
    movl $1, %eax
    ret
    RECOVER 1b, return_false

/* bool hal_wrmsr_safe(msr, value) */
.globl hal_wrmsr_safe
hal_wrmsr_safe:
    movl %edi, %ecx
    movq %rsi, %rax
    movq %rsi, %rdx
    shrq $32, %rdx
1:  wrmsr
    movl $1, %eax
    ret
    RECOVER 1b, return_false

return_false:
    xorl %eax, %eax
    ret

/* bool load_ds/es/fs/gs(sel): false when the selector faulted; the register is null then. */
.macro LOAD_SELECTOR reg
.globl load_\reg
load_\reg:
    movl $1, %eax
1:  movl %edi, %\reg
    ret
2:  xorl %eax, %eax
    movl %eax, %\reg
    ret
    RECOVER 1b, 2b
.endm
LOAD_SELECTOR ds
LOAD_SELECTOR es
LOAD_SELECTOR fs
LOAD_SELECTOR gs

/* bool xrstor_safe(area, mask): false when the image was refused (REG-3). */
.globl xrstor_safe
xrstor_safe:
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
1:  xrstor64 (%rdi)
    movl $1, %eax
    ret
    RECOVER 1b, return_false

/* bool fxrstor_safe(area) */
.globl fxrstor_safe
fxrstor_safe:
1:  fxrstor64 (%rdi)
    movl $1, %eax
    ret
    RECOVER 1b, return_false

/* bool extable_probe(void): faults on purpose; true when the recovery was taken. */
.globl extable_probe
extable_probe:
    xorl %eax, %eax
1:  ud2
    ret
2:  movl $1, %eax
    ret
    RECOVER 1b, 2b
