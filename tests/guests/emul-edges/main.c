/* SPDX-License-Identifier: MIT */
/*
 * Contract: emulated instructions at their edges. Every prefix with every privileged opcode, the
 * instruction ending at the end of a page, of the lower half, or continuing in a page that is not
 * there; rewritten by another vCPU while it is fetched; string I/O to and from every bad address;
 * a single step over each. The instruction is done, or faults in the guest; it never does a little
 * of it, and interrupts stay on.
 *
 * Invariants: EMU-1, EMU-2, EMU-3, EMU-4, EMU-5, EMU-7, EMU-10, ENT-3.
 * Advisories: 67, 123, 186, 195, 200, 202, 204, 239.
 * A failure means: a guest kernel turns interrupts off, reads the hypervisor's stack, or faults it.
 * Sabotage: take the test of TF out of insn_skip() in pv/insn.c: the steps go missing. Let
 * exit_restore (x86/entry.S) return by IRET where TF is set: the one over a hypercall comes late.
 */
#include "guest.h"

#include <xen/physdev.h>

GUEST_RUN("vcpus=2 append=guest_loglvl=none timeout=180");

#define WINDOW 0x0000100000000000UL
#define ALONE (WINDOW + 0x10000) /* a page of data between absent ones */
#define EDGE 0x00007ffffffff000UL
#define TF 0x100UL
#define PORT 0x80 /* harmless: the diagnostic port */

static u64 resume_at __attribute__((used));
#define resume_rip (*(volatile u64 *)&resume_at)
static volatile u64 last_vector, last_error, last_rip, steps, step_rip, step_from, bad_flags;
static volatile u64 stop, ended, flips;
static u8 *code, *data;

/* Whatever happens in the window of code ends the attempt. */
static bool on_trap(struct front_regs *regs)
{
    u64 rip = regs->rip;

    if (front_regs_user(regs) || rip < WINDOW || rip > EDGE + 4096 || !resume_rip)
        return false;
    bad_flags += (front_rflags() & 0x7300) != 0x200;
    last_vector = regs->vector;
    last_error = regs->error;
    last_rip = rip;
    regs->rip = resume_rip;
    regs->rflags &= ~0x40500UL;
    resume_rip = 0;
    return true;
}

static bool on_step(struct front_regs *regs)
{
    hc_set_debugreg(6, 0);
    if (regs->rip == step_from)
        return true; /* the jump to the instruction */
    steps++;
    step_rip = regs->rip;
    hc_set_debugreg(7, 0); /* some of what is tried here sets it */
    regs->rflags &= ~TF;
    on_trap(regs);
    return true;
}

/* The stack while strange instructions run, some of which write near it. */
static u8 scratch[16384] __attribute__((used, aligned(16)));

/* Jump to `at` with registers that point to harmless things; comes back by way of a trap. */
static void run(u64 at, u64 rax, u64 rcx, u64 memory, u64 flags)
{
    static u64 saved_rsp;
    u64 port = PORT, source = memory;
    register u64 r8 __asm__("r8") = at;
    register u64 r9 __asm__("r9") = flags;

    __asm__ volatile("push %%rbp\n"
                     "push %%rbx\n"
                     "lea 1f(%%rip), %%rbx\n"
                     "mov %%rbx, resume_at(%%rip)\n"
                     "mov %%rsp, %[saved]\n"
                     "lea scratch+12288(%%rip), %%rsp\n"
                     "mov %%rdi, %%rbx\n"
                     "mov %%rdi, %%rbp\n"
                     "xor %%r10d, %%r10d\n"
                     "xor %%r11d, %%r11d\n"
                     "xor %%r12d, %%r12d\n"
                     "xor %%r13d, %%r13d\n"
                     "xor %%r14d, %%r14d\n"
                     "xor %%r15d, %%r15d\n"
                     "push %%r9\n"
                     "popfq\n"
                     "jmp *%%r8\n"
                     "1: mov %[saved], %%rsp\n"
                     "cld\n"
                     "pop %%rbx\n"
                     "pop %%rbp\n"
                     : [saved] "+m"(saved_rsp), "+a"(rax), "+c"(rcx), "+D"(memory), "+S"(source),
                       "+d"(port), "+r"(r8), "+r"(r9)
                     :
                     : "memory", "cc", "r10", "r11", "r12", "r13", "r14", "r15");
}

/* Would it load the stack pointer, on which the next trap is reported? */
static bool loads_rsp(u8 second, u8 modrm)
{
    static const u8 groups[] = {0x00, 0x01, 0x20, 0x21, 0xc7};

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(groups); i++) {
        if (second == groups[i] && modrm >= 0xc0 && (modrm & 7) == 4)
            return true;
    }
    return second == 0x20 || second == 0x21 ? (modrm & 7) == 4 : false;
}

static void place(u8 *end, const u8 *insn, unsigned len)
{
    memset(code, 0xcc, 4096);
    memcpy(end - len, insn, len);
}

enum { MODRM, ONE, TWO, IMM };
static const u8 opcodes[][3] = {
    {0x0f, 0x00, MODRM}, {0x0f, 0x01, MODRM}, {0x0f, 0x20, MODRM}, {0x0f, 0x21, MODRM},
    {0x0f, 0xc7, MODRM}, {0x0f, 0x06, TWO},   {0x0f, 0x08, TWO},   {0x0f, 0x09, TWO},
    {0x0f, 0x30, TWO},   {0x0f, 0x32, TWO},   {0x0f, 0x33, TWO},   {0x0f, 0xa2, TWO},
    {0x0f, 0x05, TWO},   {0x0f, 0x34, TWO},   {0x0f, 0x35, TWO},   {0xf4, 0, ONE},
    {0xfa, 0, ONE},      {0xfb, 0, ONE},      {0xec, 0, ONE},      {0xed, 0, ONE},
    {0xee, 0, ONE},      {0xef, 0, ONE},      {0x6c, 0, ONE},      {0x6d, 0, ONE},
    {0x6e, 0, ONE},      {0x6f, 0, ONE},      {0xe4, 0, IMM},      {0xe5, 0, IMM},
    {0xe6, 0, IMM},
};

/* Up to two prefixes, an opcode, any modrm or a harmless port; at every distance from an absent
 * page. */
static void all_forms(unsigned turn)
{
    static const u8 prefixes[] = {0,    0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x64,
                                  0x65, 0x40, 0x41, 0x44, 0x48, 0x4f, 0x26, 0x36};
    u64 n = 0;

    for (unsigned o = 0; o < FRONT_ARRAY_SIZE(opcodes); o++) {
        for (unsigned p = turn; p < 256; p += 7) {
            const u8 kind = opcodes[o][2];

            for (unsigned m = turn; m < 256; m += kind == MODRM ? 3 + (p & 15) * 4 : 256, n++) {
                u8 insn[8];
                unsigned len = 0;

                if (kind == MODRM && loads_rsp(opcodes[o][1], (u8)m))
                    continue;
                for (unsigned i = 0; i < 2; i++) {
                    if (prefixes[p >> (4 * i) & 15])
                        insn[len++] = prefixes[p >> (4 * i) & 15];
                }
                insn[len++] = opcodes[o][0];
                if (kind == MODRM || kind == TWO)
                    insn[len++] = opcodes[o][1];
                if (kind == MODRM || kind == IMM)
                    insn[len++] = kind == IMM ? PORT : (u8)m;
                place(code + 4096 - n % 7, insn, len);
                run(WINDOW + 4096 - n % 7 - len, 0x1b, 1, (u64)data, 0x202);
            }
        }
    }
    check(bad_flags == 0, "%lu traps with bad flags", bad_flags);
    /* What may have been set on the way. */
    hc_fpu_taskswitch(0);
    for (unsigned i = 0; i < 8; i++)
        hc_set_debugreg(i, 0);
    hc_set_segment_base(SEGBASE_FS, 0);
}

/* The rest of the instruction is on a page that is absent: that is a fault, here or there. */
static void across_pages(void)
{
    static const u8 cr0[] = {0x0f, 0x20, 0xc0};

    for (unsigned have = 1; have < 3; have++) {
        memset(code, 0xcc, 4096);
        memcpy(code + 4096 - have, cr0, have);
        run(WINDOW + 4096 - have, 0x1b, 0, (u64)data, 0x202);
        check(last_vector == 14 || last_vector == 13, "%u bytes there: vector %lu at %lx", have,
              last_vector, last_rip);
        check_eq(last_rip, WINDOW + 4096 - have);
    }
    /* The last bytes below the hole: done or not, the next instruction is not canonical. */
    check_eq(front_map(EDGE, front_va_to_mfn(code), PTE_KERN & ~PTE_RW), 0);
    place(code + 4096, cr0, 3);
    run(EDGE + 4093, 0x1b, 0, (u64)data, 0x202);
    check(last_vector == 13 && (last_rip == EDGE + 4096 || last_rip == EDGE + 4093),
          "at the hole: vector %lu at %lx", last_vector, last_rip);
    check_eq(front_unmap(EDGE), 0);
}

static void single_steps(void)
{
    static const struct {
        u8 insn[8], len;
        u64 rcx;
    } ops[] = {
        {{0x0f, 0x20, 0xc0}, 3, 0},                      /* mov %cr0, %rax */
        {{0x0f, 0x06}, 2, 0},                            /* clts */
        {{0x0f, 0x09}, 2, 0},                            /* wbinvd */
        {{0x0f, 0x32}, 2, 0x1b},                         /* rdmsr */
        {{0xec}, 1, 0},                                  /* in */
        {{0xee}, 1, 0},                                  /* out */
        {{0xfb}, 1, 0},                                  /* sti */
        {{0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2}, 7, 0}, /* forced cpuid */
        {{0x0f, 0x05}, 2, 0},                            /* hypercall 63: there is none */
    };

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(ops); i++) {
        steps = 0;
        place(code + 64, ops[i].insn, ops[i].len);
        step_from = WINDOW + 64 - ops[i].len;
        run(step_from, 63, ops[i].rcx, (u64)data, 0x302);
        step_from = 0;
        if (i >= 4 && i <= 6 && guest_on_xen())
            continue; /* takes no step over what I/O privilege allows */
        check(steps == 1 && step_rip == WINDOW + 64, "operation %u: %lu steps, at %lx, vector %lu",
              i, steps, step_rip, last_vector);
    }
}

static void string_io(void)
{
    static const u8 forms[][3] = {{0x6c, 0, 1},    {0x6d, 0, 1},    {0x6e, 0, 1},
                                  {0x6f, 0, 1},    {0xf3, 0x6d, 2}, {0xf3, 0x6f, 2},
                                  {0x64, 0x6f, 2}, {0x65, 0x6e, 2}};
    u64 bad[] = {HYPERVISOR_VIRT_START,
                 HYPERVISOR_VIRT_END - 2,
                 0x0000800000000000UL,
                 0x00007fffffffffffUL,
                 0xffff7ffffffffffeUL,
                 ~0UL - 1,
                 0,
                 0x7000,
                 front_si->pt_base,
                 MACH2PHYS_VIRT_START};
    u64 before = *(u64 *)front_si->pt_base;

    for (unsigned f = 0; f < FRONT_ARRAY_SIZE(forms); f++) {
        for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
            bool out = (forms[f][forms[f][2] - 1] & 0xfe) == 0x6e;

            place(code + 64, forms[f], forms[f][2]);
            last_vector = 99;
            run(WINDOW + 64 - forms[f][2], 0, 3, bad[i], 0x202);
            check((out && bad[i] >= HYPERVISOR_VIRT_START) || last_vector != 3 ||
                      (out && bad[i] == front_si->pt_base),
                  "form %u with %lx is done", f, bad[i]);
            check(last_vector == 13 || last_vector == 14 || last_vector == 12 || out,
                  "form %u with %lx: vector %lu", f, bad[i], last_vector);
        }
        /* Half on a page that is there. */
        place(code + 64, forms[f], forms[f][2]);
        run(WINDOW + 64 - forms[f][2], 0, 2, ALONE + 4095, 0x202);
        run(WINDOW + 64 - forms[f][2], 0, 1UL << 40, ALONE + 4092, 0x602);
    }
    check_eq(*(u64 *)front_si->pt_base, before);
}

/* The other vCPU rewrites the instruction for as long as this one executes it (202). */
static void flipper(void)
{
    static const u8 others[] = {0xec, 0xf4, 0xfa, 0x9d, 0xcf, 0xee, 0x90, 0xfb};

    while (!stop) {
        WRITE_ONCE(code[32], others[flips++ & 7]);
        __asm__ volatile("pause");
    }
    ended = 1;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

static void rewritten(void)
{
    u64 end, runs = 0;

    memset(code, 0xcc, 4096);
    stop = 0;
    check_eq(front_vcpu_start(1, flipper), 0);
    end = front_time_ns() + 300000000UL;
    while (front_time_ns() < end) {
        run(WINDOW + 32, 0, 0, (u64)data, 0x202);
        runs++;
        if ((front_rflags() & 0x3200) != 0x200)
            break;
    }
    stop = 1;
    check(front_wait(&ended, 1, 1000000000UL), "the second vCPU does not end");
    check((front_rflags() & 0x3200) == 0x200, "rflags %lx after %lu", front_rflags(), runs);
    check(bad_flags == 0, "%lu traps with bad flags", bad_flags);
    check(flips > 100 && runs > 100, "%lu flips, %lu runs", flips, runs);
}

void guest_test(void)
{
    physdev_set_iopl_t iopl = {.iopl = 1};

    code = front_page_alloc();
    front_page_alloc(); /* what is written a little off `data` lands here or behind */
    data = front_page_alloc();
    front_page_alloc();
    check_eq(front_map(WINDOW, front_va_to_mfn(code), PTE_KERN & ~PTE_RW), 0);
    check_eq(front_map(ALONE, front_va_to_mfn(data), PTE_KERN), 0);
    for (unsigned v = 0; v < 32; v++)
        front_trap_set(v, on_trap);
    front_trap_set(1, on_step);
    across_pages();
    all_forms(0);
    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    across_pages();
    all_forms(3);
    single_steps();
    string_io();
    rewritten();
    for (unsigned v = 0; v < 32; v++)
        front_trap_set(v, NULL);
    check_eq(FAULT("ud2", :), UD());
}
