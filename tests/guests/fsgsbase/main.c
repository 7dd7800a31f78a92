/* SPDX-License-Identifier: MIT */
/*
 * Contract: where the processor has RDFSBASE and its kin, they work in a vCPU's kernel and user
 * mode while its kernel has set CR4.FSGSBASE, and are #UD in both while it has not. What they load
 * is that vCPU's and that mode's alone, also when another vCPU, which has them off, runs between.
 *
 * Invariants: ENT-11, REG-1, REG-4.
 * Advisories: 293.
 * A failure means: user code changes bases that its kernel relies on, or guests that use the
 * instructions die.
 * Sabotage, each seen: load_state() (x86/context.c) without hal_cr4_changed(): the second vCPU
 * uses them; PV_CR4_GUEST (pv/state.h) without CR4_FSGSBASE: they are #UD though on.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=dom0_max_vcpus=2");

#define FSGSBASE (1UL << 16)
#define TURNS 50u
#define PATIENCE 100000u /* yields */

static u64 words[4] = {0x1111, 0x2222, 0x3333, 0x4444};
static volatile u64 refused, ended;

static u64 cr4(void)
{
    u64 v = 0;

    check_eq(FAULT("mov %%cr4, %0", : "=r"(v)), FAULT_NONE);
    return v;
}

static void set_cr4(u64 v)
{
    check_eq(FAULT("mov %0, %%cr4", : : "r"(v)), FAULT_NONE);
}

static bool processor_has_them(void)
{
    u32 a = 7, b, c = 0, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b & 1;
}

static u64 rdfs(void)
{
    u64 v = 0;

    check_eq(FAULT("rdfsbase %0", : "=r"(v)), FAULT_NONE);
    return v;
}

static u64 rdgs(void)
{
    u64 v = 0;

    check_eq(FAULT("rdgsbase %0", : "=r"(v)), FAULT_NONE);
    return v;
}

static u64 user_swaps(u64 base)
{
    u64 before;

    __asm__ volatile("rdgsbase %0; wrgsbase %1" : "=&r"(before) : "r"(base));
    return before;
}

static u64 user_reads(u64 arg)
{
    (void)arg;
    __asm__ volatile("rdfsbase %0" : "=r"(arg));
    return arg;
}

static void off(void)
{
    u64 v = 0;

    check_eq(cr4() & FSGSBASE, 0);
    check_eq(FAULT("rdfsbase %0", : "=r"(v)), UD());
    check_eq(FAULT("wrgsbase %0", : : "r"(v)), UD());
    check_eq(front_user_run(user_reads, 0).fault, UD());
}

static void on(void)
{
    check_eq(cr4() & FSGSBASE, FSGSBASE);
    check_eq(rdfs(), (u64)&words[0]);
    check_eq(rdgs(), (u64)&words[2]);
    check_eq(front_user_run(user_swaps, (u64)&words[3]).value, (u64)&words[1]);
    check_eq(front_user_run(user_swaps, (u64)&words[1]).value, (u64)&words[3]);
    check_eq(rdgs(), (u64)&words[2]);
}

static void second(void)
{
    u64 v = 0;

    while (!ended) {
        __asm__ volatile(
            "771: rdfsbase %0; jmp 773f\n772: mov $1, %k0\n773:\n" FRONT_EXTABLE("771b", "772b")
            : "+r"(v));
        refused += v == 1;
        hc_sched_op(SCHEDOP_yield, 0);
    }
    for (;;)
        hc_sched_op(SCHEDOP_block, 0);
}

/* Each turn leaves other values, and finds them when it comes back. */
static void in_turns(void)
{
    check_eq(front_vcpu_start(1, second), 0);
    for (unsigned i = 0; i < TURNS; i++) {
        const u64 fs = (u64)&words[i % 4], gs = (u64)&words[(i + 1) % 4];
        const u64 before = refused;

        check_eq(FAULT("wrfsbase %0", : : "r"(fs)), FAULT_NONE);
        check_eq(FAULT("wrgsbase %0", : : "r"(gs)), FAULT_NONE);
        for (unsigned n = 0; refused == before && n < PATIENCE; n++)
            hc_sched_op(SCHEDOP_yield, 0);
        check(refused != before, "the second vCPU, which has them off, is not refused");
        check_eq(rdfs(), fs);
        check_eq(rdgs(), gs);
    }
    ended = 1;
}

void guest_test(void)
{
    if (!processor_has_them())
        return;
    check_eq(front_user_root_init(), 0);
    check_eq(hc_set_segment_base(SEGBASE_FS, &words[0]), 0);
    check_eq(hc_set_segment_base(SEGBASE_GS_USER, &words[1]), 0);
    check_eq(hc_set_segment_base(SEGBASE_GS_KERNEL, &words[2]), 0);
    off();
    set_cr4(cr4() | FSGSBASE);
    on();
    set_cr4(cr4() & ~FSGSBASE);
    off();
    set_cr4(cr4() | FSGSBASE);
    in_turns();
}
