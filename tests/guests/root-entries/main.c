/* SPDX-License-Identifier: MIT */
/*
 * Contract: an entry of a root that is loaded on another CPU. Put there, that CPU may use it as
 * soon as the call returns, without any flush; taken away, it is gone once the guest flushed. Run
 * with page-table isolation, where guests run on copies of their roots.
 *
 * Invariants: MM-4, MM-18, SPEC-1.
 * A failure means: a vCPU faults for ever on memory that is mapped, or keeps what was unmapped.
 * Sabotage: drop hal_root_changed() from table_write() in pv/mmu.c: neither CPU sees the new entry.
 * Drop isolation_copy_root() from load_isolated(): the domain dies of the first thing it does.
 */
#include "guest.h"

GUEST_RUN("vcpus=2 append=xpti=on");

#define WINDOW 0x0000300000000000UL
#define SECOND 1000000000UL
#define ROUNDS 20

static volatile u64 hits, misses;
static u64 *page;

static void reader(void)
{
    u64 v;

    for (;;)
        if (front_try_read((void *)WINDOW, &v) == FAULT_NONE && v == 0x7e0)
            hits++;
        else
            misses++;
}

static bool reader_sees(bool there)
{
    volatile u64 *which = there ? &hits : &misses;

    /* The first may have begun before. */
    return front_wait(which, *which + 2, SECOND);
}

static void other_cpu(volatile u64 *e, u64 entry)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        check_eq(front_set_entry(e, 0), 0);
        check_eq(front_mmuext1(MMUEXT_TLB_FLUSH_ALL, 0), 0);
        if (!check(reader_sees(false), "round %u: taken away and flushed, yet there", i))
            return;
        check_eq(front_set_entry(e, entry), 0);
        if (!check(reader_sees(true), "round %u: put there, not seen", i))
            return;
    }
}

static void this_cpu(volatile u64 *e, u64 entry)
{
    u64 v = 0;

    check_eq(front_set_entry(e, 0), 0);
    check_eq(front_mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    check(front_try_read((void *)WINDOW, &v) != FAULT_NONE, "taken away and flushed, yet there");
    check_eq(front_set_entry(e, entry), 0);
    check_eq(front_try_read((void *)WINDOW, &v), FAULT_NONE);
    check_eq(v, 0x7e0);
}

void guest_test(void)
{
    volatile u64 *e;
    u64 entry;

    page = front_page_alloc();
    *page = 0x7e0;
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0);
    e = front_pt_entry(front_root_mfn(), WINDOW, 4);
    entry = *e;
    this_cpu(e, entry);
    check_eq(front_vcpu_start(1, reader), 0);
    if (check(reader_sees(true), "the second vCPU does not start"))
        other_cpu(e, entry);
}
