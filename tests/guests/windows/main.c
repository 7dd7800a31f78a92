/* SPDX-License-Identifier: MIT */
/*
 * Contract: two vCPUs change their descriptor tables at the same time, over and over, and each sees
 * its own: the table that it set last, whatever the other sets, and LDT pages that come in
 * when they are first used. These tables show in the hypervisor's own map, the only part of it that
 * guests' calls change.
 *
 * Invariants: MM-26, MM-24, MM-5.
 * A failure means: a CPU's map is changed by another, or a translation that is out of date is used:
 * segment registers, and so thread-local data and privilege, are somebody else's.
 * Sabotage: in hypervisor/x86/gdt.c leave hal_tlb_flush_local() out of hal_descriptors_changed():
 * every second limit is the former table's; give gdt_load_guest() CPU 0's block there: the machine
 * ends.
 */
#include "guest.h"

GUEST_RUN("vcpus=2 append=guest_loglvl=none timeout=40");

#define ROUNDS 3000u
#define LDT_AT 0x0000100000000000UL
#define SELECTOR(index, ldt) ((u16)((index) << 3 | (ldt) << 2 | 3))

static u64 *pages[2][3]; /* of each vCPU: two for its GDT, one for its LDT */
static volatile u64 ended;
static u64 wrong[2], rounds[2];

/* Data of ring 3 with this limit, in bytes. */
static u64 descriptor(u64 limit)
{
    return 0x0040f20000000000UL | (limit & 0xffff) | (limit & 0xf0000) << 32;
}

static u64 limit_of(u16 selector)
{
    u64 limit = ~0UL;

    __asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"((u64)selector) : "cc");
    return limit;
}

static u64 limit_for(unsigned who, unsigned page, unsigned index)
{
    return 0x1000 * (1 + 3 * who + page) + index;
}

static void prepare(unsigned who)
{
    for (unsigned p = 0; p < 3; p++) {
        pages[who][p] = front_page_alloc();
        for (unsigned i = 1; i < 512; i++)
            pages[who][p][i] = descriptor(limit_for(who, p, i));
    }
    check_eq(front_map(LDT_AT + 4096 * who, front_va_to_mfn(pages[who][2]), PTE_KERN & ~PTE_RW), 0);
    for (unsigned p = 0; p < 3; p++)
        check_eq(front_page_ro(pages[who][p]), 0);
}

static void round_of(unsigned who, unsigned n)
{
    const unsigned page = n & 1, index = 1 + n * 7 % 511;
    xen_pfn_t frame = front_va_to_mfn(pages[who][page]);

    wrong[who] += hc_set_gdt(&frame, 512) != 0;
    wrong[who] += limit_of(SELECTOR(index, 0)) != limit_for(who, page, index);
    if (n % 3)
        return;
    wrong[who] += front_mmuext_va(MMUEXT_SET_LDT, LDT_AT + 4096 * who, 512) != 0;
    wrong[who] += limit_of(SELECTOR(index, 1)) != limit_for(who, 2, index);
    wrong[who] += front_mmuext_va(MMUEXT_SET_LDT, 0, 0) != 0;
    wrong[who] += limit_of(SELECTOR(index, 1)) != ~0UL;
}

static void run(unsigned who)
{
    for (unsigned n = 0; n < ROUNDS; n++, rounds[who]++)
        round_of(who, n);
    hc_set_gdt(0, 0);
}

static void second(void)
{
    run(1);
    ended = 1;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

void guest_test(void)
{
    u64 end;

    prepare(0);
    prepare(1);
    check_eq(front_vcpu_start(1, second), 0);
    run(0);
    end = front_time_ns() + 20000000000UL;
    while (!ended && front_time_ns() < end)
        hc_sched_op(SCHEDOP_yield, 0);
    check(ended, "the second is at round %lu", rounds[1]);
    for (unsigned who = 0; who < 2; who++)
        check(wrong[who] == 0, "vCPU %u: %lu times wrong in %lu rounds", who, wrong[who],
              rounds[who]);
    for (unsigned who = 0; who < 2; who++)
        for (unsigned p = 0; p < 2; p++)
            check_eq(front_page_rw(pages[who][p]), 0);
}
