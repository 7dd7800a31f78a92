/* SPDX-License-Identifier: MIT */
/*
 * Contract: two vCPUs that take turns on one processor see nothing of each other: floating-point
 * and vector registers with their pointers, control words, debug registers, segment bases,
 * TSC_AUX, the task-switched flag, I/O privilege, the LDT.
 *
 * Invariants: REG-1, REG-2, REG-4, ENT-7, EMU-2, MM-24.
 * Advisories: 52, 165, 171, 172, 190, 220, 444.
 * A failure means: what one process or guest computes with can be read in another.
 * Sabotage: let fpu_load() (x86/fpu.c) load nothing: vectors() fails. Let debug_off()
 * (x86/context.c) return at once: a watchpoint fires in the other.
 */
#include "guest.h"

#include <xen/physdev.h>

GUEST_RUN("vcpus=1 append=dom0_max_vcpus=2");

#define SECOND 1000000000UL
#define TURNS 200u

static u8 image[2][512] __attribute__((aligned(64))), after[2][512] __attribute__((aligned(64)));
static volatile u64 turns[2], hits[2], watched, ended;
static u64 cells[2][2];
static u64 *ldt[2];

static bool on_db(struct front_regs *regs)
{
    (void)regs;
    hits[front_vcpu_id()]++;
    hc_set_debugreg(6, 0);
    return true;
}

/* Every register of the legacy image is this vCPU's own pattern, its pointers too. */
static void fill(unsigned who)
{
    u8 *i = image[who];

    memset(i, who ? 0x5a : 0xa5, 512);
    *(u16 *)i = who ? 0x37f : 0x27f;          /* control word */
    *(u16 *)(i + 2) = 0;                      /* status */
    *(u16 *)(i + 4) = 0xff;                   /* tags: all in use */
    *(u16 *)(i + 6) = who ? 0x111 : 0x222;    /* last opcode */
    *(u32 *)(i + 24) = who ? 0x1f80 : 0x7f80; /* MXCSR: rounding differs */
    *(u32 *)(i + 28) = 0xffff;
    memset(i + 416, 0, 96);
    for (unsigned st = 0; st < 8; st++)
        memset(i + 32 + 16 * st + 10, 0, 6); /* reserved */
}

static void take_turns(unsigned who, unsigned n)
{
    u64 other = turns[!who], end = front_time_ns() + SECOND;

    turns[who]++;
    for (unsigned i = 0; i < n || (turns[!who] == other && !ended); i++) {
        hc_sched_op(SCHEDOP_yield, 0);
        if (front_time_ns() > end)
            break;
    }
}

static void vectors(unsigned who)
{
    const u8 *a = after[who], *i = image[who];
    u64 fip, fdp;

    __asm__ volatile("fxrstor64 %0" : : "m"(image[who]));
    take_turns(who, 2);
    __asm__ volatile("fxsave64 %0" : "=m"(after[who]));
    check(!memcmp(a + 32, i + 32, 384), "vCPU %u: vector registers are another's", who);
    check(*(u32 *)(a + 24) == *(const u32 *)(i + 24), "vCPU %u: MXCSR %x", who, *(u32 *)(a + 24));
    check(*(u16 *)a == *(const u16 *)i, "vCPU %u: control word %x", who, *(u16 *)a);
    fip = *(u64 *)(a + 8);
    fdp = *(u64 *)(a + 16);
    check((fip == 0 || fip == *(const u64 *)(i + 8)) && (fdp == 0 || fdp == *(const u64 *)(i + 16)),
          "vCPU %u: x87 pointers %lx %lx", who, fip, fdp);
}

static void registers(unsigned who)
{
    u64 fs, gs, aux = 0;

    for (unsigned r = 0; r < 3; r++)
        hc_set_debugreg(r, 0x1000 * (r + 1) + who * 0x100);
    hc_set_debugreg(3, &watched);
    hc_set_debugreg(7, who ? 0x400 : 0x480 | 0xdUL << 28); /* vCPU 0 watches, vCPU 1 writes */
    hc_set_segment_base(SEGBASE_FS, &cells[who][0]);
    hc_set_segment_base(SEGBASE_GS_KERNEL, &cells[who][1]);
    guest_write_msr(0xc0000103, who + 70);
    take_turns(who, 2);
    watched++;
    take_turns(who, 1);
    for (unsigned r = 0; r < 3; r++)
        check_eq(hc_get_debugreg(r), 0x1000 * (r + 1) + who * 0x100);
    __asm__ volatile("mov %%fs:0, %0\n mov %%gs:0, %1" : "=r"(fs), "=r"(gs));
    check(fs == cells[who][0] && gs == cells[who][1], "vCPU %u: bases lead to %lx %lx", who, fs,
          gs);
    guest_read_msr(0xc0000103, &aux);
    check(aux == who + 70 || aux == 0, "vCPU %u: TSC_AUX %lx", who, aux);
    hc_set_debugreg(7, 0);
}

/* vCPU 1 has TS, I/O privilege and an LDT; vCPU 0 has none of them. */
static void privileges(unsigned who)
{
    physdev_set_iopl_t iopl = {.iopl = who};
    struct mmuext_op op = {
        .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (u64)ldt[who], .arg2.nr_ents = who ? 512 : 0};
    u64 fault;

    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    hc_fpu_taskswitch(who);
    take_turns(who, 2);
    fault = FAULT("fnop", );
    check(fault == (who ? NM() : FAULT_NONE), "vCPU %u: fnop gives %lx", who, fault);
    fault = FAULT("cli", );
    check(fault == (who ? FAULT_NONE : GP(0)), "vCPU %u: cli gives %lx", who, fault);
    fault = FAULT("mov %0, %%es", : : "r"(8 | 4 | 3));
    check((fault == FAULT_NONE) == (who == 1), "vCPU %u: the LDT's selector gives %lx", who, fault);
    __asm__ volatile("mov %0, %%es" : : "r"(0));
    hc_fpu_taskswitch(0);
}

static void work(unsigned who)
{
    for (unsigned i = 0; i < TURNS; i++) {
        vectors(who);
        registers(who);
        privileges(who);
    }
}

static void second(void)
{
    work(1);
    ended = 1;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

void guest_test(void)
{
    front_trap_set(1, on_db);
    for (unsigned who = 0; who < 2; who++) {
        fill(who);
        cells[who][0] = 0xf5 + who;
        cells[who][1] = 0x65 + who;
        ldt[who] = front_page_alloc();
        ldt[who][1] = 0x00cff3000000ffffUL;
        check_eq(front_page_ro(ldt[who]), 0);
    }
    check_eq(front_vcpu_start(1, second), 0);
    work(0);
    ended = 1;
    check(hits[0] >= TURNS, "%lu of its own", hits[0]);
    check(hits[1] == 0, "%lu debug traps of the other vCPU's", hits[1]);
    check(turns[1] > TURNS, "vCPU 1 had %lu turns", turns[1]);
}
