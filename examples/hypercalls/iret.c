/* SPDX-License-Identifier: MIT */
/* Contract: iret (example.h). Invariants: ENT-3. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

static u64 rax;

EXAMPLE(iret)
{
    /* To the next instruction, in kernel mode, events masked. */
    __asm__ volatile(
        "mov %%rsp, %%rcx\n\t"
        "push %[ss]\n\t"
        "push %%rcx\n\t" /* rsp */
        "push $0x2\n\t"  /* rflags */
        "push %[cs]\n\t" /* bits 0-1 clear: kernel mode */
        "lea 1f(%%rip), %%rax\n\t"
        "push %%rax\n\t"   /* rip */
        "push $0\n\t"      /* flags */
        "push $0\n\t"      /* rcx */
        "push $0\n\t"      /* r11 */
        "push $0x600d\n\t" /* rax */
        "mov %[nr], %%eax\n\t"
        "syscall\n"
        "1:"
        : "=&a"(rax)
        : [ss] "i"(FLAT_KERNEL_SS), [cs] "i"(FLAT_KERNEL_CS & ~3), [nr] "i"(__HYPERVISOR_iret)
        : "rcx", "r11", "memory");
    check_eq(rax, 0x600d);
}

EXAMPLES(LISTED(iret));
