/* SPDX-License-Identifier: MIT */
/*
 * Contract: exceptions raised in user mode enter the guest kernel at the stack that stack_switch
 * registered, with CS at RPL 3, error codes that say "user", and CR2 in vcpu_info. The kernel's
 * stack pointer and the hypervisor's map are safe from user code; leaf entries need no U bit to
 * be usable in ring 3.
 *
 * Invariants: ENT-3, ENT-5, ENT-13, MM-17.
 * A failure means: a guest kernel cannot tell its own faults from its processes', or takes a
 * process's fault on the process's stack.
 * Sabotage: let front_page_ro() leave PTE_RW set: "write to read-only" survives.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static char *page;
static u64 kernel_sp;

static u64 u_read(u64 va)
{
    return READ_ONCE(*(u64 *)va);
}
static u64 u_write(u64 va)
{
    WRITE_ONCE(*(u64 *)va, 7);
    return 7;
}
static u64 u_jump(u64 va)
{
    ((void (*)(void))va)();
    return 0;
}
static u64 u_divide(u64 by)
{
    u32 q = 1;

    __asm__ volatile("xor %%edx, %%edx; divl %1" : "+a"(q) : "r"((u32)by) : "edx");
    return q;
}
#define USER_INSN(name, insn)                                                                      \
    static u64 name(u64 arg)                                                                       \
    {                                                                                              \
        __asm__ volatile(insn : : "D"(arg) : "rax", "rcx", "rdx", "memory");                       \
        return 0;                                                                                  \
    }
USER_INSN(u_ud2, "ud2")
USER_INSN(u_hlt, "hlt")
USER_INSN(u_cli, "cli")
USER_INSN(u_out, "mov $0x80, %%edx; out %%al, %%dx")
USER_INSN(u_int3, "int3")
USER_INSN(u_int4, "int $4")
USER_INSN(u_int80, "int $0x80")
USER_INSN(u_int20, "int $0x20")
USER_INSN(u_rdmsr, "mov $0xc0000080, %%ecx; rdmsr")
USER_INSN(u_cr3, "mov %%cr3, %%rax")
USER_INSN(u_lgdt, "lgdt (%%rdi)")
USER_INSN(u_swapgs, "swapgs")
USER_INSN(u_invlpg, "invlpg (%%rdi)")

static void expect(const char *what, u64 (*fn)(u64), u64 arg, u64 fault)
{
    struct front_user_result r = front_user_run(fn, arg);
    struct front_regs *g = &r.regs;

    if (!check(r.faulted && r.fault == fault, "%s: fault %lx, wanted %lx", what, r.fault, fault))
        return;
    check((g->cs & 0xffff) == FLAT_USER_CS, "%s: cs %lx", what, g->cs);
    check(g->ss == FLAT_USER_SS, "%s: ss %lx", what, g->ss);
    check((g->rflags & 0x3200) == 0x200, "%s: rflags %lx", what, g->rflags);
    if (FAULT_VECTOR(fault) == 14)
        check(front_fault_cr2() == arg, "%s: cr2 %lx, wanted %lx", what, front_fault_cr2(), arg);
}

static bool note_stack(struct front_regs *regs)
{
    kernel_sp = (u64)(regs + 1);
    return false;
}

static void memory(void)
{
    u64 va = (u64)page;

    check_eq(front_user_run(u_read, va).faulted, false);
    check_eq(front_user_run(u_write, va).value, 7);
    front_page_ro(page);
    expect("write to read-only", u_write, va, PF(7));
    hc_update_va_mapping(va, 0, UVMF_INVLPG);
    expect("read of absent", u_read, va, PF(4));
    expect("write to absent", u_write, va, PF(6));
    front_page_set(page, PTE_KERN | PTE_NX);
    expect("fetch from no-execute", u_jump, va, PF(0x15));
    /* No U bit: the hypervisor supplies what ring 3 needs. */
    front_page_set(page, PTE_P | PTE_RW | PTE_A | PTE_D);
    check_eq(front_user_run(u_write, va).value, 7);
    front_page_rw(page);
}

/* The error code of a fault on the hypervisor's range says present or not as its map has it. */
static void hypervisor_range(void)
{
    struct front_user_result r = front_user_run(u_read, 0xffff87fffffff000UL);

    check(r.faulted && FAULT_VECTOR(r.fault) == 14 && (FAULT_ERROR(r.fault) & ~1U) == 4,
          "hypervisor range: %lx", r.fault);
    r = front_user_run(u_write, HYPERVISOR_VIRT_START);
    check(r.faulted && FAULT_VECTOR(r.fault) == 14, "write to the machine map: %lx", r.fault);
}

static void privileged(void)
{
    expect("#UD", u_ud2, 0, UD());
    expect("#DE", u_divide, 0, DE());
    check_eq(front_user_run(u_divide, 1).value, 1);
    expect("hlt", u_hlt, 0, GP(0));
    expect("cli", u_cli, 0, GP(0));
    expect("out", u_out, 0, GP(0));
    expect("rdmsr", u_rdmsr, 0, GP(0));
    expect("mov from cr3", u_cr3, 0, GP(0));
    expect("lgdt", u_lgdt, (u64)page, GP(0));
    expect("swapgs", u_swapgs, 0, GP(0));
    expect("invlpg", u_invlpg, (u64)page, GP(0));
}

static void software(void)
{
    struct front_user_result r;

    expect("int3", u_int3, 0, FAULT_MAKE(3, 0));
    expect("int 4", u_int4, 0, FAULT_MAKE(4, 0));
    expect("int 0x80", u_int80, 0, FAULT_MAKE(0x80, 0));
    r = front_user_run(u_int20, 0);
    /* See traps: the emulator's 16n+2. */
    check(r.fault == GP(0x102) || (guest_on_xen() && r.fault == GP(0x202)), "int 0x20: %lx",
          r.fault);
}

void guest_test(void)
{
    char *top = front_page_alloc();

    page = front_page_alloc();
    check_eq(front_user_root_init(), 0);
    memory();
    hypervisor_range();
    privileged();
    software();
    front_trap_set(6, note_stack);
    check_eq(hc_stack_switch(FLAT_KERNEL_SS, top + 4096), 0);
    expect("#UD on another stack", u_ud2, 0, UD());
    check_eq(kernel_sp, top + 4096);
    /* An unaligned kernel stack is aligned down, like any other. */
    check_eq(hc_stack_switch(FLAT_KERNEL_SS, top + 4096 - 24), 0);
    expect("#UD on an odd stack", u_ud2, 0, UD());
    check_eq(kernel_sp, top + 4096 - 32);
    front_trap_vcpu_init();
}
