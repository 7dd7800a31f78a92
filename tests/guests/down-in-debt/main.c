/* SPDX-License-Identifier: MIT */
/*
 * Contract: a vCPU that is taken down in the middle of giving up a large tree of page tables, which
 * the hypervisor then owes it to finish, leaves a CPU that sleeps and answers: another vCPU's flush
 * of all translations comes back, each time, and the tree is whole or gone when it is up again.
 *
 * Invariants: IRQ-3, MM-4.
 * A failure means: a guest stops a CPU for good, and with it whoever waits for that CPU.
 * Sabotage: leave SOFTIRQ_TABLES pending in idle() (core/sched.c): the guest is silent until its
 * time is over.
 */
#include "guest.h"

GUEST_RUN("vcpus=2 timeout=60");

#define TABLES 48u
#define SPAN_NS 1500000000UL
#define ENOUGH 20u
#define LIMIT_NS 20000000000UL

static u64 *root, *upper, *middle, *leaf[TABLES];
static volatile u64 stop, ended, trees, wrong;

static u64 *table(void)
{
    u64 *t = front_page_alloc();

    check(t != NULL, "no page for a table");
    return t;
}

static u64 entry_for(const void *page)
{
    return front_pte(front_va_to_mfn(page), PTE_TABLE);
}

/* Filled while they are plain pages; read-only from then on, as tables have to be. */
static void build_tree(void)
{
    u64 *plain = front_page_alloc();

    root = table();
    upper = table();
    middle = table();
    for (unsigned i = 0; i < TABLES; i++) {
        leaf[i] = table();
        for (unsigned e = 0; e < 512; e++)
            leaf[i][e] = front_pte(front_va_to_mfn(plain), PTE_KERN);
        middle[i] = entry_for(leaf[i]);
        check_eq(front_page_ro(leaf[i]), 0);
    }
    upper[0] = entry_for(middle);
    root[0] = entry_for(upper);
    check_eq(front_page_ro(middle), 0);
    check_eq(front_page_ro(upper), 0);
    check_eq(front_page_ro(root), 0);
}

static void use_and_drop(void)
{
    while (!stop) {
        wrong += front_mmuext1(MMUEXT_NEW_USER_BASEPTR, front_va_to_mfn(root)) != 0;
        wrong += front_mmuext1(MMUEXT_NEW_USER_BASEPTR, 0) != 0;
        trees++;
    }
    ended = 1;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

static void wait_us(u64 us)
{
    u64 end = front_time_ns() + us * 1000;

    while (front_time_ns() < end)
        __builtin_ia32_pause();
}

void guest_test(void)
{
    u64 end, limit, downs = 0, random = 0x9e3779b97f4a7c15UL;

    build_tree();
    check_eq(front_vcpu_start(1, use_and_drop), 0);
    limit = front_time_ns() + LIMIT_NS;
    end = front_time_ns() + SPAN_NS;
    while (front_time_ns() < end || (trees < ENOUGH && front_time_ns() < limit)) {
        random = random * 6364136223846793005UL + 1442695040888963407UL;
        wait_us(random >> 33 & 0x7ff);
        check_eq(hc_vcpu_op(VCPUOP_down, 1, 0), 0);
        wait_us(random >> 50 & 0xff);
        check_eq(front_mmuext1(MMUEXT_TLB_FLUSH_ALL, 0), 0);
        check_eq(hc_vcpu_op(VCPUOP_up, 1, 0), 0);
        downs++;
    }
    stop = 1;
    while (!ended && front_time_ns() < limit + LIMIT_NS)
        __builtin_ia32_pause();
    check(ended && trees >= ENOUGH, "%lu trees, %lu times down", trees, downs);
    check_eq(wrong, 0);
    for (unsigned i = 0; i < TABLES; i++)
        check_eq(front_page_rw(leaf[i]), 0);
}
