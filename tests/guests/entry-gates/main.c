/* SPDX-License-Identifier: MIT */
/*
 * Contract: every gate, with every flag that user code or a guest kernel can have set when it goes
 * through: syscall, sysenter, int 3, int 0x80, other int n, icebp, faults, all of them also behind
 * a load of SS with a watchpoint on its operand, and at the last bytes below the canonical hole.
 * The guest kernel is entered where it registered, or sees a fault; its own flags are clean; a
 * single step pending over a gate is never taken inside the kernel's entry.
 *
 * Invariants: ENT-1, ENT-3, ENT-4, ENT-6, ENT-7, ENT-13, HC-4, EMU-10.
 * Advisories: 7, 8, 44, 204, 244, 260, 339, 444.
 * A failure means: user code stops the machine, or traps its kernel where no handler is ready.
 * Sabotage: take TF out of the flags that frame_enter() clears in pv/bounce.c: the
 * kernel is stepped in its own entry, and the domain dies.
 */
#include "guest.h"

#include <xen/callback.h>

GUEST_RUN("vcpus=1");

#define TF 0x100UL
#define DIRTY (TF | 0x3000UL | 0x4000UL | 0x10000UL | 0x20000UL | 0x40000UL)
#define EDGE 0x00007ffffffff000UL
#define LOW 0x0000000000100000UL

static const u64 patterns[] = {0x202,  0x302,   0x602,    0x4202,   0x40202,
                               0x3202, 0x10202, 0x200202, 0x244702, 0x247fd7};

static volatile u64 syscalls, int80s, int3s, steps, kernel_steps, dirty_entries;
static u64 ss_cell = FLAT_USER_SS, kernel_ss_cell = FLAT_KERNEL_SS;

/* A gate taken by user code with the flags given; what follows runs with ordinary flags again. */
#define GATE(name, insn)                                                                           \
    static u64 name(u64 flags)                                                                     \
    {                                                                                              \
        __asm__ volatile("push %0\n popfq\n" insn "\n push $0x202\n popfq\n"                       \
                         :                                                                         \
                         : "D"(flags), "S"(&ss_cell)                                               \
                         : "rax", "rbx", "rcx", "rdx", "r11", "memory", "cc");                     \
        return 1;                                                                                  \
    }
#define MOV_SS "movw (%%rsi), %%ss\n"
GATE(u_syscall, "syscall")
GATE(u_int3, "int3")
GATE(u_int3_long, ".byte 0xcd, 3")
GATE(u_int80, "int $0x80")
GATE(u_int4, "int $4")
GATE(u_int1, "int $1")
GATE(u_int2, "int $2")
GATE(u_int8, "int $8")
GATE(u_int18, "int $18")
GATE(u_int82, "int $0x82")
GATE(u_intff, "int $0xff")
GATE(u_icebp, ".byte 0xf1")
GATE(u_ud2, "ud2")
GATE(u_hlt, "hlt")
GATE(u_sysenter, "sysenter")
GATE(u_sysret, "sysretq")
GATE(u_iret, "mov %%rsp, %%rax; push %%rdi; push %%rdi; push %%rdi; iretq")
GATE(u_pf, "mov 0x1000, %%rax")
GATE(u_de, "xor %%ecx, %%ecx; div %%ecx")
GATE(u_ss_syscall, MOV_SS "syscall")
GATE(u_ss_int3, MOV_SS "int3")
GATE(u_ss_int80, MOV_SS "int $0x80")
GATE(u_ss_int82, MOV_SS "int $0x82")
GATE(u_ss_icebp, MOV_SS ".byte 0xf1")
GATE(u_ss_ud2, MOV_SS "ud2")
GATE(u_ss_sysenter, MOV_SS "sysenter")
GATE(u_ss_ss, MOV_SS MOV_SS "syscall")

#define PASSES FAULT_NONE
#define ANY 1UL
#define INT_N 2UL /* a fault; which, on Xen, depends on the emulator's odd error code */
static const struct {
    const char *name;
    u64 (*fn)(u64);
    u64 fault; /* of the whole run: PASSES, ANY, or which */
} gates[] = {
    {"syscall", u_syscall, PASSES},
    {"int3", u_int3, PASSES},
    {"int 3", u_int3_long, PASSES},
    {"int 0x80", u_int80, PASSES},
    {"int 4", u_int4, ANY},
    {"int 1", u_int1, INT_N},
    {"int 2", u_int2, INT_N},
    {"int 8", u_int8, INT_N},
    {"int 18", u_int18, INT_N},
    {"int 0x82", u_int82, INT_N},
    {"int 0xff", u_intff, INT_N},
    {"icebp", u_icebp, ANY},
    {"ud2", u_ud2, UD()},
    {"hlt", u_hlt, GP(0)},
    {"sysenter", u_sysenter, ANY},
    {"sysret", u_sysret, ANY},
    {"iret", u_iret, ANY},
    {"page fault", u_pf, PF(4)},
    {"division", u_de, DE()},
    {"ss, syscall", u_ss_syscall, PASSES},
    {"ss, int3", u_ss_int3, PASSES},
    {"ss, int 0x80", u_ss_int80, PASSES},
    {"ss, int 0x82", u_ss_int82, INT_N},
    {"ss, icebp", u_ss_icebp, ANY},
    {"ss, ud2", u_ss_ud2, UD()},
    {"ss, sysenter", u_ss_sysenter, ANY},
    {"ss, ss, syscall", u_ss_ss, PASSES},
};

static void note_flags(void)
{
    dirty_entries += (front_rflags() & DIRTY) != 0;
}

static bool on_db(struct front_regs *regs)
{
    note_flags();
    steps++;
    kernel_steps += !front_regs_user(regs);
    hc_set_debugreg(6, 0);
    if (regs->rflags & TF)
        regs->rflags &= ~TF;
    return true;
}

static bool on_int3(struct front_regs *regs)
{
    (void)regs;
    note_flags();
    int3s++;
    return true;
}

static bool on_int80(struct front_regs *regs)
{
    (void)regs;
    note_flags();
    int80s++;
    return true;
}

/* What Xen makes of the emulator's error code for int 0x82. */
static bool on_overflow(struct front_regs *regs)
{
    return !front_regs_user(regs) && guest_on_xen();
}

/* Alignment checks come when AC is set and user code is careless; they are ours to ignore. */
static bool on_ac(struct front_regs *regs)
{
    note_flags();
    regs->rflags &= ~0x40000UL;
    return true;
}

static bool on_syscall(struct front_regs *regs)
{
    note_flags();
    syscalls++;
    check(front_regs_user(regs), "a syscall from cs %lx", regs->cs);
    return true;
}

static void user_gates(const char *when)
{
    for (unsigned g = 0; g < FRONT_ARRAY_SIZE(gates); g++) {
        for (unsigned p = 0; p < FRONT_ARRAY_SIZE(patterns); p++) {
            u64 before = syscalls + int80s + int3s + steps;
            struct front_user_result r = front_user_run(gates[g].fn, patterns[p]);

            if (gates[g].fault == PASSES) {
                check(!r.faulted, "%s%s with %lx: %lx at %lx", when, gates[g].name, patterns[p],
                      r.fault, r.regs.rip);
                check(syscalls + int80s + int3s + steps > before, "%s%s with %lx: nobody was asked",
                      when, gates[g].name, patterns[p]);
            } else if (gates[g].fault == INT_N) {
                check(r.faulted, "%s%s with %lx: passes", when, gates[g].name, patterns[p]);
            } else if (gates[g].fault != ANY) {
                check(r.faulted && (r.fault & ~1UL) == (gates[g].fault & ~1UL),
                      "%s%s with %lx: %lx", when, gates[g].name, patterns[p], r.fault);
            }
            check(dirty_entries == 0, "%s%s with %lx: the kernel got dirty flags", when,
                  gates[g].name, patterns[p]);
            dirty_entries = 0;
        }
    }
    check(kernel_steps == 0, "%s%lu single steps in the kernel", when, kernel_steps);
}

/* A debug trap from SS's operand is pending over the gate, or the gate's own address is watched. */
static void watched(void)
{
    check_eq(hc_set_debugreg(0, &ss_cell), 0);
    check_eq(hc_set_debugreg(1, front_trap_stub(FRONT_VEC_SYSCALL)), 0);
    check_eq(hc_set_debugreg(2, &kernel_ss_cell), 0);
    check_eq(hc_set_debugreg(7, 0x403 | 0xfUL << 16 | 3UL << 4 | 0xfUL << 24), 0);
    user_gates("watched: ");
    hc_set_debugreg(7, 0);
}

/* The guest kernel's own gates: hypercalls, faults, int n. */
#define KERNEL(insn, flags)                                                                        \
    __asm__ volatile("push %0\n popfq\n" insn "\n push $0x202\n popfq\n"                           \
                     :                                                                             \
                     : "D"(flags), "S"(&kernel_ss_cell)                                            \
                     : "rax", "rcx", "rdx", "r11", "memory", "cc")
#define TRAP(insn) "771: " insn "\n772:\n" FRONT_EXTABLE("771b", "772b")
#define VERSION "mov $17, %%eax\n mov $0x7f, %%edi\n"

static void kernel_gates(void)
{
    for (unsigned p = 0; p < FRONT_ARRAY_SIZE(patterns); p++) {
        u64 flags = patterns[p];

        KERNEL(VERSION "syscall", flags);
        KERNEL(VERSION MOV_SS "syscall", flags);
        front_fault_clear();
        KERNEL(TRAP("ud2"), flags);
        check(front_fault_take() == UD(), "ud2 with %lx", flags);
        KERNEL(TRAP("int $0x82"), flags);
        check(front_fault_take() != FAULT_NONE || guest_on_xen(), "int 0x82 with %lx", flags);
        KERNEL(MOV_SS TRAP("int $0x82"), flags);
        check(front_fault_take() != FAULT_NONE || guest_on_xen(), "ss, int 0x82 with %lx", flags);
        KERNEL(TRAP("mov 0x1000, %%rax"), flags);
        check(front_fault_take() == PF(0), "a page fault with %lx", flags);
        KERNEL(TRAP("hlt"), flags);
        check(front_fault_take() == GP(0), "hlt with %lx", flags);
        KERNEL("mov %%cr0, %%rax", flags); /* emulated: the step comes behind it */
        KERNEL(TRAP("cli"), flags);
        check(front_fault_take() == GP(0), "cli with %lx", flags);
        KERNEL("int3", flags);
        KERNEL("int $0x80", flags);
        KERNEL(TRAP("sysenter"), flags);
        front_fault_take();
        check(dirty_entries == 0, "kernel gates with %lx: dirty flags", flags);
        dirty_entries = 0;
    }
    check_eq(front_rflags() & DIRTY, 0);
}

static u64 resume_rip;

static bool on_gp_at_edge(struct front_regs *regs)
{
    if (regs->rip != EDGE + 4096 || front_regs_user(regs) || !resume_rip)
        return false;
    regs->rip = resume_rip;
    resume_rip = 0;
    return true;
}

/* `syscall` as the last two bytes below the hole: the address behind it is not canonical. */
static void edge_of_the_hole(void)
{
    u8 *code = front_page_alloc();
    struct front_user_result r;

    code[4094] = 0x0f;
    code[4095] = 0x05;
    check_eq(front_map(EDGE, front_va_to_mfn(code), PTE_KERN), 0);
    for (unsigned p = 0; p < FRONT_ARRAY_SIZE(patterns); p++) {
        struct front_regs f;

        front_user_prepare(&f, (u64(*)(u64))(EDGE + 4094), 0);
        f.rflags = patterns[p];
        r = front_user_enter(&f);
        check(r.faulted && r.regs.rip == EDGE + 4096, "user: %lx at %lx", r.fault, r.regs.rip);
    }
    front_trap_set(13, on_gp_at_edge);
    __asm__ volatile("lea 1f(%%rip), %%rax\n"
                     "mov %%rax, %0\n"
                     "mov $17, %%eax\n" /* xen_version, of nothing */
                     "mov $0x7f, %%edi\n"
                     "jmp *%1\n"
                     "1:\n"
                     : "=m"(resume_rip)
                     : "r"(EDGE + 4094)
                     : "rax", "rcx", "rdi", "r11", "memory");
    check_eq(resume_rip, 0);
    front_trap_set(13, NULL);
    check_eq(front_unmap(EDGE), 0);
}

/* 32-bit user code: its gates, with and without a place to go (8). */
static void compatibility_mode(void)
{
    static const u8 insns[][2] = {{0x0f, 0x05}, {0x0f, 0x34}, {0xcd, 0x80}, {0xcd, 0x82},
                                  {0xf1, 0x90}, {0xcc, 0x90}, {0x0f, 0x0b}, {0xce, 0x90}};
    struct callback_register reg = {.type = CALLBACKTYPE_syscall32, .address = front_trap_stub(6)};
    u8 *code = front_page_alloc();

    check_eq(front_map(LOW, front_va_to_mfn(code), PTE_KERN), 0);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < FRONT_ARRAY_SIZE(insns) * FRONT_ARRAY_SIZE(patterns); i++) {
            struct front_user_result r;
            struct front_regs f;

            memcpy(code, insns[i % 8], 2);
            code[2] = 0x0f;
            code[3] = 0x0b;
            front_user_prepare(&f, (u64(*)(u64))LOW, 0);
            f.cs = FLAT_USER_CS32;
            f.rsp = LOW + 4096;
            f.rflags = patterns[i / 8];
            r = front_user_enter(&f);
            check(r.faulted && r.regs.rip - LOW <= 4, "%02x %02x: %lx at %lx", code[0], code[1],
                  r.fault, r.regs.rip);
            /* One exception was injected, and none is left for the next entry. */
            check_eq(front_user_run(u_syscall, 0x202).faulted, false);
        }
        hc_callback_op(CALLBACKOP_register, &reg);
        reg.type = CALLBACKTYPE_sysenter;
        hc_callback_op(CALLBACKOP_register, &reg);
    }
    check_eq(front_unmap(LOW), 0);
}

void guest_test(void)
{
    check_eq(front_user_root_init(), 0);
    front_trap_set(1, on_db);
    front_trap_set(3, on_int3);
    front_trap_set(4, on_overflow);
    front_trap_set(17, on_ac);
    front_trap_set(0x80, on_int80);
    front_user_set_syscall(on_syscall);
    user_gates("");
    check(steps > 10 && syscalls > 20 && int80s >= 20, "%lu %lu %lu", steps, syscalls, int80s);
    watched();
    kernel_gates();
    edge_of_the_hole();
    compatibility_mode();
    check_eq(front_user_run(u_syscall, 0x202).faulted, false);
}
