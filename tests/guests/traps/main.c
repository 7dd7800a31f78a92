/* SPDX-License-Identifier: MIT */
/*
 * Contract: exceptions raised in guest kernel mode are forwarded to the registered handler with
 * the frame rcx, r11, [error,] rip, cs, rflags, rsp, ss on the current stack, aligned down to 16;
 * CS shows RPL 0 and the saved event mask in its byte 4; RFLAGS.IF is the inverse of that mask;
 * all other registers are live. `int n` works where the trap table's DPL allows it and is #GP
 * otherwise. Events are masked on entry exactly when the table entry says so.
 *
 * Invariants: ENT-3, ENT-5, ENT-13, MM-6 (the #PF error code is the guest's view of its mode).
 * A failure means: a kernel's exception handlers return to the wrong place, or believe that the
 * kernel's own faults came from user mode.
 * Sabotage: in frontends/x86/entry.S swap the two pops of front_trap_stubs: rcx/r11 checks fail.
 * In pv/trap.c take VEC_BP out of may_raise(): int3 with an entry of privilege 0 is #GP.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static struct front_regs seen;
static u64 frame_end, count;
/* Written by RAISE, in assembly. */
static volatile u64 resume __attribute__((used)), at __attribute__((used)),
    sp __attribute__((used));
static u8 mask_inside;
static char *page;
static const u32 zero;

static bool capture(struct front_regs *regs)
{
    seen = *regs;
    frame_end = (u64)(regs + 1);
    mask_inside = front_vcpu_info(0)->evtchn_upcall_mask;
    count++;
    regs->rflags &= ~0x100UL;
    if (resume)
        regs->rip = resume;
    return true;
}

/* Raise with known rcx, r11 and r12..r15 and with RSP off its alignment. */
#define RAISE(insn, ...)                                                                           \
    ({                                                                                             \
        count = 0;                                                                                 \
        __asm__ volatile("lea 771f(%%rip), %%r15; mov %%r15, at(%%rip)\n"                          \
                         "lea 772f(%%rip), %%r15; mov %%r15, resume(%%rip)\n"                      \
                         "push %%rbp; sub $8, %%rsp; mov %%rsp, sp(%%rip)\n"                       \
                         "mov $0x0c0c, %%rcx; mov $0x1111, %%r11; mov $0x1212, %%r12\n"            \
                         "mov $0x1313, %%r13; mov $0x1414, %%r14; mov $0x1515, %%r15\n"            \
                         "771: " insn "\n772: add $8, %%rsp; pop %%rbp\n"                          \
                         :                                                                         \
                         : __VA_ARGS__                                                             \
                         : "rax", "rcx", "rdx", "r11", "r12", "r13", "r14", "r15", "memory",       \
                           "cc");                                                                  \
    })

/* `after`: bytes from the instruction to the RIP that the frame must hold (0 for a fault). */
static void expect(const char *what, unsigned vector, u32 error, u64 after)
{
    bool masked = seen.cs >> 32 & 1;

    if (!check(count == 1 && seen.vector == vector, "%s: %lu traps, last vector %lu", what, count,
               seen.vector))
        return;
    check(seen.error == error, "%s: error code %lx, wanted %x", what, seen.error, error);
    check(seen.rip == at + after, "%s: rip %lx, wanted %lx", what, seen.rip, at + after);
    check((seen.cs & 0xffff) == (FLAT_KERNEL_CS & ~3), "%s: cs %lx", what, seen.cs);
    check(!(seen.cs & 0xfffffffeffff0000), "%s: cs word %lx", what, seen.cs);
    check(seen.ss == FLAT_KERNEL_SS, "%s: ss %lx", what, seen.ss);
    check(seen.rsp == sp, "%s: rsp %lx, wanted %lx", what, seen.rsp, sp);
    check(!(seen.rflags >> 9 & 1) == masked, "%s: rflags %lx, mask %d", what, seen.rflags, masked);
    check(!(seen.rflags & 0x3000), "%s: IOPL in rflags %lx", what, seen.rflags);
    check(seen.rcx == 0x0c0c && seen.r11 == 0x1111, "%s: rcx %lx r11 %lx", what, seen.rcx,
          seen.r11);
    check(seen.r12 == 0x1212 && seen.r13 == 0x1313 && seen.r14 == 0x1414 && seen.r15 == 0x1515,
          "%s: r12 %lx r13 %lx r14 %lx r15 %lx", what, seen.r12, seen.r13, seen.r14, seen.r15);
    check((frame_end & 15) == 0, "%s: the frame ends at %lx", what, frame_end);
    check(sp - frame_end < 16, "%s: the frame ends %ld below the stack", what, sp - frame_end);
}

static void faults(void)
{
    RAISE("divl %0", "m"(zero));
    expect("#DE", 0, 0, 0);
    RAISE("int3");
    expect("#BP", 3, 0, 1);
    RAISE("int $4");
    expect("#OF", 4, 0, 2);
    RAISE("ud2");
    expect("#UD", 6, 0, 0);
    RAISE("hlt");
    expect("#GP hlt", 13, 0, 0);
    RAISE("mov %%rax, (%0)", "b"(0x8000000000000000UL));
    expect("#GP address", 13, 0, 0);
    check_eq(hc_fpu_taskswitch(1), 0);
    RAISE("fnop");
    expect("#NM", 7, 0, 0);
    check_eq(hc_fpu_taskswitch(0), 0);
}

/* Unmasked x87 division by zero: reported at the next waiting instruction. */
static void x87(void)
{
    u16 control = 0x33b;

    __asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
    RAISE("fwait");
    expect("#MF", 16, 0, 0);
    __asm__ volatile("fnclex; fninit");
}

static void page_faults(void)
{
    u64 va = (u64)page;

    front_page_ro(page);
    RAISE("movq $1, (%0)", "b"(page));
    expect("#PF write", 14, 3, 0);
    check_eq(front_vcpu_info(0)->arch.cr2, va);
    hc_update_va_mapping(va, 0, UVMF_INVLPG);
    RAISE("mov 0x123(%0), %%rax", "b"(page));
    expect("#PF read", 14, 0, 0);
    check_eq(front_vcpu_info(0)->arch.cr2, va + 0x123);
    RAISE("movb $1, 0x456(%0)", "b"(page));
    expect("#PF write, absent", 14, 2, 0);
    check_eq(front_vcpu_info(0)->arch.cr2, va + 0x456);
    front_page_set(page, PTE_KERN | PTE_NX);
    /* Jump there: the frame's rip is the page itself. */
    RAISE("jmp *%0", "b"(page));
    at = va;
    expect("#PF fetch", 14, 0x11, 0);
    front_page_rw(page);
    /* The hypervisor's own range is not the guest's to see. */
    RAISE("mov (%0), %%rax", "b"(0xffff87fffffff000UL));
    check(count == 1 && seen.vector == 14 && !(seen.error & 4), "hypervisor range: vector %lu %lx",
          seen.vector, seen.error);
}

static void single_step(void)
{
    check_eq(hc_set_debugreg(6, 0), 0);
    count = 0;
    resume = 0;
    __asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop; nop" ::: "memory", "cc");
    check_eq(count, 1);
    check_eq(seen.vector, 1);
    check(seen.rflags & 0x100, "rflags %lx", seen.rflags);
    check(hc_get_debugreg(6) & 0x4000, "dr6 %lx", hc_get_debugreg(6));
}

static void software(void)
{
    RAISE("int $0x80");
    expect("int 0x80", 0x80, 0, 2);
    RAISE("int $0x20");
    /* This emulator reports a refused `int n` as 16n+2; who decodes n instead answers 8n+2. */
    if (seen.error == 16 * 0x20 + 2 && guest_on_xen())
        seen.error = 8 * 0x20 + 2;
    expect("int 0x20", 13, 8 * 0x20 + 2, 0);
    RAISE("int $13");
    if (seen.error == 16 * 13 + 2 && guest_on_xen())
        seen.error = 8 * 13 + 2;
    expect("int 13", 13, 8 * 13 + 2, 0);
}

/* int3 and into are everybody's, whatever privilege their table entries ask for. */
static void breakpoint_of_ring_0(void)
{
    const struct trap_info privileged[] = {
        {.vector = 3, .cs = FLAT_KERNEL_CS, .address = front_trap_stub(3)},
        {.vector = 4, .cs = FLAT_KERNEL_CS, .address = front_trap_stub(4)},
        {.address = 0},
    };

    check_eq(hc_set_trap_table(privileged), 0);
    RAISE("int3");
    expect("#BP", 3, 0, 1);
    RAISE("int $4");
    expect("#OF", 4, 0, 2);
    front_trap_init();
}

static void event_mask_flag(void)
{
    struct trap_info one[2] = {
        {.vector = 6, .flags = 0, .cs = 0x10, .address = front_trap_stub(6)}};

    front_irq_enable();
    RAISE("ud2");
    check_eq(mask_inside, 1);
    check_eq(seen.cs >> 32, 0);
    expect("#UD, events masked", 6, 0, 0);
    check_eq(hc_set_trap_table(one), 0); /* merges: the other 255 stay */
    RAISE("ud2");
    check_eq(mask_inside, 0);
    expect("#UD, events left on", 6, 0, 0);
    front_irq_disable();
    RAISE("ud2");
    check_eq(mask_inside, 1);
    check_eq(seen.cs >> 32, 1);
    check(!(seen.rflags & 0x200), "rflags %lx", seen.rflags);
    check_eq(front_irq_enabled(), false); /* and iret put it back */
    RAISE("int3");
    expect("#BP after a merge", 3, 0, 1);
}

void guest_test(void)
{
    page = front_page_alloc();
    for (unsigned v = 0; v < 256; v++)
        front_trap_set(v, capture);
    faults();
    x87();
    page_faults();
    single_step();
    software();
    breakpoint_of_ring_0();
    event_mask_flag();
}
