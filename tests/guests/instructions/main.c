/* SPDX-License-Identifier: MIT */
/*
 * Contract: what each odd instruction does, in the guest kernel and in its user mode: it runs, or
 * it is this fault with this error code, reported at the instruction (a trap: behind it), with the
 * flags as they were; which model-specific registers there are, with which value, and which take
 * a write. The tables are what Xen 4.17 answers.
 *
 * Invariants: EMU-2, EMU-3, EMU-5, ENT-3, ENT-7, ENT-13.
 * A failure means: a kernel that probes for what it may do is told otherwise than on Xen.
 * Sabotage: in pv/trap_op.c drop the test of the upper half of DR6 and DR7: dr7_64_bits runs; in
 * pv/msr.c give HWCR to Intel's processors: rdmsr c0010015 faults. In pv/emul.c drop the test of
 * CR4_OSXSAVE: xsetbv runs; ask for mod 3 in emulate_mov(): read_cr0_mod faults.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=guest_loglvl=none");

#define NC "mov $0x0001800000000000, %rax\n"
#define HV "mov $0xffff830000000000, %rax\n"
#define CR(n, change) "mov %cr" #n ", %rax\n" change "\n"
#define OK FAULT_NONE
#define BP FAULT_MAKE(3, 0)
#define OF FAULT_MAKE(4, 0)
#define SYS FAULT_MAKE(0x80, 0)
/* Whether hardware or the emulator of the day gets there first. */
#define TRAPS ~0UL

/* setup, which cannot fault where it matters; the instruction; in the kernel; in user mode. */
#define ROWS                                                                                       \
    ROW(sldt, "", "sldt %eax", OK, OK)                                                             \
    ROW(lgdt, "", "lgdt (%rdi)", GP(0), GP(0))                                                     \
    ROW(lidt, "", "lidt (%rdi)", GP(0), GP(0))                                                     \
    ROW(lldt, "", "lldt %ax", GP(0), GP(0))                                                        \
    ROW(ltr, "", "ltr %ax", GP(0), GP(0))                                                          \
    ROW(lmsw, "", "lmsw %ax", GP(0), GP(0))                                                        \
    ROW(clts, "", "clts", OK, GP(0))                                                               \
    ROW(invlpg, "", "invlpg (%rdi)", GP(0), GP(0))                                                 \
    ROW(wbinvd, "", "wbinvd", OK, GP(0))                                                           \
    ROW(wbnoinvd, "", ".byte 0xf3, 0x0f, 0x09", OK, GP(0))                                         \
    ROW(invd, "", "invd", GP(0), GP(0))                                                            \
    ROW(hlt, "", "hlt", GP(0), GP(0))                                                              \
    ROW(rsm, "", ".byte 0x0f, 0xaa", UD(), UD())                                                   \
    ROW(read_cr0, "", "mov %cr0, %rax", OK, GP(0))                                                 \
    ROW(read_cr1, "", ".byte 0x0f, 0x20, 0xc8", GP(0), GP(0))                                      \
    ROW(read_cr0_mod, "", ".byte 0x0f, 0x20, 0", OK, GP(0))                                        \
    ROW(read_cr8, "", "mov %cr8, %rax", GP(0), GP(0))                                              \
    ROW(cr0_em, CR(0, "or $4, %eax"), "mov %rax, %cr0", GP(0), TRAPS)                              \
    ROW(cr0_mp, CR(0, "xor $2, %eax"), "mov %rax, %cr0", GP(0), TRAPS)                             \
    ROW(cr0_wp, CR(0, "btr $16, %rax"), "mov %rax, %cr0", GP(0), TRAPS)                            \
    ROW(cr0_high, CR(0, "bts $32, %rax"), "mov %rax, %cr0", GP(0), TRAPS)                          \
    ROW(cr4_pge, CR(4, "btc $7, %rax"), "mov %rax, %cr4", OK, TRAPS)                               \
    ROW(cr4_zero, "", "mov %rax, %cr4", OK, GP(0))                                                 \
    ROW(cr3_bad, "mov $0x1000, %eax\n", "mov %rax, %cr3", GP(0), GP(0))                            \
    ROW(cr3_flags, CR(3, "or $0x18, %rax"), "mov %rax, %cr3", OK, TRAPS)                           \
    ROW(cr2, "", "mov %rax, %cr2", OK, GP(0))                                                      \
    ROW(cr1, "", ".byte 0x0f, 0x22, 0xc8", GP(0), GP(0))                                           \
    ROW(dr0, "mov $0x1000, %eax\n", "mov %rax, %dr0", OK, GP(0))                                   \
    ROW(dr0_gap, NC, "mov %rax, %dr0", GP(0), GP(0))                                               \
    ROW(dr0_hv, HV, "mov %rax, %dr0", GP(0), GP(0))                                                \
    ROW(dr4, "", ".byte 0x0f, 0x23, 0xe0", OK, GP(0))                                              \
    ROW(dr6_64_bits, "mov $-1, %rax\n", "mov %rax, %dr6", GP(0), GP(0))                            \
    ROW(dr7_64_bits, "bts $33, %rax\n", "mov %rax, %dr7", GP(0), GP(0))                            \
    ROW(dr7_gd, "mov $0x2400, %eax\n", "mov %rax, %dr7", GP(0), GP(0))                             \
    ROW(dr7_io, "mov $0x20002, %eax\n", "mov %rax, %dr7", GP(0), GP(0))                            \
    ROW(dr7_reserved, "mov $0xd800, %eax\n", "mov %rax, %dr7", OK, GP(0))                          \
    ROW(xsetbv, "mov $3, %eax\n", "xsetbv", UD(), TRAPS) /* CR4.OSXSAVE is off */                  \
    ROW(rdpmc, "", "rdpmc", GP(0), GP(0))                                                          \
    ROW(rdtsc, "", "rdtsc", OK, OK)                                                                \
    ROW(rdmsr_tsc, "mov $0x10, %ecx\n", "rdmsr", OK, GP(0))                                        \
    ROW(swapgs, "", "swapgs", GP(0), GP(0))                                                        \
    ROW(sysret, "", "sysretq", GP(0), GP(0))                                                       \
    ROW(int0, "", "int $0", GP(2), GP(2))                                                          \
    ROW(int3, "", "int3", BP, BP)                                                                  \
    ROW(int3_long, "", ".byte 0xcd, 3", BP, BP)                                                    \
    ROW(int4, "", "int $4", OF, OF)                                                                \
    ROW(int80, "", "int $0x80", SYS, SYS)                                                          \
    ROW(into, "", ".byte 0xce", UD(), UD())                                                        \
    ROW(ud1, "", ".byte 0x0f, 0xb9, 0xc0", UD(), UD())                                             \
    ROW(clac, "", "clac", UD(), UD())                                                              \
    ROW(vmcall, "", "vmcall", UD(), UD())                                                          \
    ROW(cli, "", "cli", GP(0), GP(0))                                                              \
    ROW(sti, "", "sti", GP(0), GP(0))                                                              \
    ROW(in, "", "in $0x80, %al", GP(0), GP(0))                                                     \
    ROW(outs, "mov %rdi, %rsi\n", "outsb", GP(0), GP(0))                                           \
    ROW(ins_none, "", "rep insb", OK, OK)                                                          \
    ROW(read_gap, NC, "mov (%rax), %rax", GP(0), GP(0))                                            \
    ROW(jump_null, "", "jmp *%rax", TRAPS, TRAPS)                                                  \
    ROW(read_null, "", "mov (%rax), %rax", PF(0), PF(4))                                           \
    ROW(write_null, "", "mov %rax, (%rax)", PF(2), PF(6))                                          \
    ROW(ds_null, "", "mov %eax, %ds", OK, OK)                                                      \
    ROW(ds_beyond, "mov $0xfff8, %eax\n", "mov %eax, %ds", GP(0xfff8), GP(0xfff8))                 \
    ROW(ds_empty, "mov $0x5000, %eax\n", "mov %eax, %ds", GP(0x5000), GP(0x5000))                  \
    ROW(ds_ldt, "mov $7, %eax\n", "mov %eax, %ds", GP(4), GP(4))                                   \
    ROW(ds_ours, "mov $0xe010, %eax\n", "mov %eax, %ds", GP(0xe010), GP(0xe010))                   \
    ROW(ds_tss, "mov $0xe040, %eax\n", "mov %eax, %ds", GP(0xe040), GP(0xe040))                    \
    ROW(divide, "", "div %ecx", DE(), DE())                                                        \
    ROW(too_long, "",                                                                              \
        ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,"                  \
        "0x66,0x66,0x90",                                                                          \
        GP(0), GP(0))

#define ROW(name, setup, insn, kernel, user)                                                       \
    u64 i_##name(u64 arg);                                                                         \
    extern char at_##name[], end_##name[];                                                         \
    __asm__(".pushsection .text\n"                                                                 \
            "i_" #name ": xor %eax, %eax; xor %ecx, %ecx; xor %edx, %edx\n" setup "at_" #name      \
            ":\n" insn "\n"                                                                        \
            "end_" #name ": ret\n.popsection");
ROWS
#undef ROW

#define ROW(name, setup, insn, kernel, user)                                                       \
    {#name, i_##name, (u64)at_##name, (u64)end_##name, {kernel, user}},
    static const struct {
    const char *name;
    u64 (*fn)(u64 arg);
    u64 at, end, fault[2];
} rows[] = {ROWS};

static u64 page[512];
static u64 resume, stack;
static struct front_regs seen;
static bool trapped;

static bool on_trap(struct front_regs *regs)
{
    if (front_regs_user(regs) || !resume)
        return false;
    seen = *regs;
    trapped = true;
    regs->rip = resume;
    regs->rsp = stack;
    resume = 0;
    return true;
}

static void run_in_kernel(u64 (*fn)(u64 arg))
{
    u64 arg = (u64)page;

    trapped = false;
    __asm__ volatile("push %%rbp; push %%rbx; push %%r12\n"
                     "lea 1f(%%rip), %%rcx; mov %%rcx, %[resume]; mov %%rsp, %[stack]\n"
                     "call *%[fn]\n"
                     "1: pop %%r12; pop %%rbx; pop %%rbp\n"
                     : [resume] "=m"(resume), [stack] "=m"(stack), "+D"(arg)
                     : [fn] "r"(fn)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    resume = 0;
}

static void compare(unsigned i, bool user, bool faulted, const struct front_regs *r)
{
    const u64 want = rows[i].fault[user];
    const char *who = user ? "user" : "kernel";
    u64 got = faulted ? FAULT_MAKE(r->vector, r->error) : FAULT_NONE;

    if (want == TRAPS) {
        check(faulted, "%s, %s: it ran", who, rows[i].name);
        return;
    }
    check(got == want, "%s, %s: %lx", who, rows[i].name, got);
    if (got != want || !faulted)
        return;
    check_eq(r->rip, want == BP || want == OF || want == SYS ? rows[i].end : rows[i].at);
    check((r->rflags & 0x247700) == 0x200, "%s, %s: flags %lx", who, rows[i].name, r->rflags);
}

enum { ANY, INTEL, AMD };
#define NO GP(0)

/* By processor: the fault and value of a read, the faults of writes of 0 and of ones. */
static const struct {
    u32 first, last, whose;
    u64 read, value, write_0, write_ones;
} msrs[] = {
    {0x0, 0x1, ANY, OK, 0, NO, NO},
    {0x17, 0x17, INTEL, OK, 0, NO, NO},
    {0x1b, 0x1b, ANY, OK, 0xfee00900, NO, NO},
    {0x3a, 0x3a, INTEL, OK, 1, NO, NO},
    {0xc1, 0xc8, INTEL, OK, 0, OK, OK},
    {0xce, 0xce, ANY, OK, 0, NO, NO},
    {0xfe, 0xfe, ANY, NO, 0, NO, NO}, /* MTRRs */
    {0x140, 0x140, ANY, OK, 0, OK, NO},
    {0x174, 0x176, ANY, NO, 0, NO, NO}, /* SYSENTER */
    {0x186, 0x189, INTEL, OK, 0, OK, OK},
    {0x199, 0x199, INTEL, OK, 0, OK, OK},
    {0x1a0, 0x1a0, ANY, OK, 0x801801, OK, OK},
    {0x1d9, 0x1d9, ANY, NO, 0, NO, NO}, /* DEBUGCTL */
    {0x200, 0x26f, ANY, NO, 0, NO, NO}, /* MTRRs */
    {0x282, 0x29f, ANY, OK, 0, OK, OK},
    {0x38d, 0x390, INTEL, OK, 0, OK, OK},
    {0x408, 0x47f, ANY, OK, 0, OK, OK},
    {0x480, 0x4ff, ANY, NO, 0, NO, NO}, /* VMX */
    {0x800, 0x83f, ANY, NO, 0, NO, NO}, /* x2APIC */
    {0xc0000081, 0xc0000084, ANY, NO, 0, NO, NO},
    {0xc0010000, 0xc0010007, AMD, OK, 0, OK, OK},
    {0xc0010010, 0xc0010010, AMD, OK, 0, NO, NO},
    {0xc0010011, 0xc0010014, ANY, NO, 0, NO, NO},
    {0xc0010015, 0xc0010015, AMD, OK, 0, OK, OK},
    {0xc0010016, 0xc001001a, AMD, OK, 0, NO, NO},
    {0xc001001b, 0xc001001c, ANY, NO, 0, NO, NO},
    {0xc0010061, 0xc001006b, AMD, OK, 0, OK, OK},
    {0xc0010114, 0xc0010117, ANY, NO, 0, NO, NO}, /* SVM */
    {0xc0010200, 0xc001020b, AMD, OK, 0, OK, OK},
    {0xc0011020, 0xc0011028, ANY, NO, 0, NO, NO},
    {0xc0011029, 0xc0011029, AMD, OK, 2, OK, OK},
};

static void one_msr(unsigned row, u32 msr, bool there)
{
    u64 value = 0, fault = guest_read_msr(msr, &value);

    check(fault == (there ? msrs[row].read : NO), "rdmsr %x: %lx", msr, fault);
    if (fault == OK)
        check(value == msrs[row].value, "rdmsr %x: %lx", msr, value);
    fault = guest_write_msr(msr, 0);
    check(fault == (there ? msrs[row].write_0 : NO), "wrmsr %x, 0: %lx", msr, fault);
    fault = guest_write_msr(msr, ~0UL);
    check(fault == (there ? msrs[row].write_ones : NO), "wrmsr %x, ones: %lx", msr, fault);
}

static void registers(void)
{
    u32 a = 0, b, c = 0, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    const u32 whose = b == 0x756e6547 ? INTEL : AMD; /* "Genu" */
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(msrs); i++)
        for (u32 msr = msrs[i].first; msr <= msrs[i].last; msr++)
            one_msr(i, msr, msrs[i].whose == ANY || msrs[i].whose == whose);
}

static void values(void)
{
    u64 cr4 = 0, a = 0, b = 0;

    check_eq(FAULT("mov %%cr4, %0", : "=r"(cr4)), FAULT_NONE);
    check_eq(cr4 & 0x3006e0, 0x660); /* PAE MCE OSFXSR OSXMMEXCPT */
    __asm__ volatile("rdmsr; shl $32, %%rdx; or %%rdx, %%rax" : "=a"(a) : "c"(0x10) : "rdx");
    b = front_rdtsc();
    check(a && a < b, "time stamp %lx, then %lx", a, b);
}

void guest_test(void)
{
    for (unsigned v = 0; v < 256; v++)
        front_trap_set(v, on_trap);
    check_eq(front_user_root_init(), 0);
    front_irq_enable();
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(rows); i++) {
        struct front_user_result r;

        run_in_kernel(rows[i].fn);
        compare(i, false, trapped, &seen);
        r = front_user_run(rows[i].fn, (u64)page);
        compare(i, true, r.faulted, &r.regs);
    }
    values();
    registers();
}
