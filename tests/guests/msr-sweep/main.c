/* SPDX-License-Identifier: MIT */
/*
 * Contract: model-specific registers are refused unless listed. Over all the ranges that
 * processors use, a read faults or gives a value that is no address of the hypervisor's and the
 * same for every reader; a write of anything faults or changes nothing but the registers that are
 * the guest's own: afterwards system calls, exceptions and memory work as before. User code reads
 * none.
 *
 * Invariants: EMU-2, EMU-8, ENT-2, ENT-12, REG-4.
 * Advisories: 193, 333, 351, 431.
 * A failure means: a guest reads host secrets, or redirects the hypervisor's own entry points.
 * Sabotage: in pv/msr.c let find_rule() take the last rule for what is not listed: the secrets are
 * read.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=guest_loglvl=none");

static const struct {
    u32 from, to;
} ranges[] = {
    {0, 0x2000},
    {0x40000000, 0x40001000},
    {0x80860000, 0x80860100},
    {0xc0000000, 0xc0001000},
    {0xc0010000, 0xc0012000},
    {0xfffffff0, 0xffffffff},
};

/* Never readable: entry points, stacks and system state of the hypervisor. */
static const u32 secrets[] = {0x174,      0x175,      0x176,      0x1d9,      0x1dd,
                              0x1de,      0x600,      0xc0000081, 0xc0000082, 0xc0000083,
                              0xc0000084, 0xc0010117, 0xc0011024};

static u64 u_rdmsr(u64 index)
{
    u32 lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"((u32)index));
    return lo | (u64)hi << 32;
}

static bool is_hypervisors(u64 v)
{
    return v >= HYPERVISOR_VIRT_START && v < HYPERVISOR_VIRT_END;
}

static bool changes_alone(u32 index)
{
    return index == 0x10 || index == 0xe7 || index == 0xe8; /* TSC, MPERF, APERF */
}

static void still_alive(u32 index)
{
    check(FAULT("ud2", :) == UD(), "after wrmsr %x: no #UD", index);
    check(hc_xen_version(XENVER_version, 0) == (4 << 16 | 17), "after wrmsr %x: version", index);
    check((front_rflags() & 0x3200) == 0x200, "after wrmsr %x: flags %lx", index, front_rflags());
}

static void leaks(u32 index, u64 *readable)
{
    u64 v = 0xbeef0000deadUL, again = 0, fault = guest_read_msr(index, &v);

    if (fault != FAULT_NONE) {
        check(fault == GP(0), "rdmsr %x: %lx", index, fault);
        check(v == 0xbeef0000deadUL, "rdmsr %x faults and leaves %lx", index, v);
        return;
    }
    ++*readable;
    check(!is_hypervisors(v), "rdmsr %x gives %lx", index, v);
    guest_read_msr(index, &again);
    check(again == v || changes_alone(index), "rdmsr %x gives %lx, then %lx", index, v, again);
}

static void writes(u32 index, u64 *writable)
{
    static const u64 values[] = {~0UL, 1, HYPERVISOR_VIRT_START, 0x0000800000000000UL, 0};
    u64 old = 0;
    bool readable = guest_read_msr(index, &old) == FAULT_NONE;

    /* The hypercall page is written where it is told to, and told again is fine. */
    if (index == 0x40000000)
        return;
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(values); i++) {
        u64 fault = guest_write_msr(index, values[i]), now = 0;

        check(fault == FAULT_NONE || fault == GP(0), "wrmsr %x: %lx", index, fault);
        *writable += fault == FAULT_NONE;
        if (fault != FAULT_NONE || !readable)
            continue;
        guest_read_msr(index, &now);
        check(!is_hypervisors(now) || now == values[i], "wrmsr %x: holds %lx", index, now);
    }
    if (readable)
        guest_write_msr(index, old);
}

void guest_test(void)
{
    u64 readable = 0, writable = 0, v = 0;

    check_eq(front_user_root_init(), 0);
    for (unsigned r = 0; r < FRONT_ARRAY_SIZE(ranges); r++) {
        for (u32 i = ranges[r].from; i != ranges[r].to; i++) {
            leaks(i, &readable);
            if (i % 16 == 0)
                check(front_user_run(u_rdmsr, i).fault == GP(0), "user rdmsr %x", i);
        }
    }
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(secrets); i++)
        check(guest_read_msr(secrets[i], &v) == GP(0), "rdmsr %x gives %lx", secrets[i], v);
    for (unsigned r = 0; r < FRONT_ARRAY_SIZE(ranges); r++) {
        for (u32 i = ranges[r].from; i != ranges[r].to; i++) {
            writes(i, &writable);
            if (i % 64 == 0)
                still_alive(i);
        }
    }
    still_alive(0);
    check_eq(front_user_run(u_rdmsr, 0x1b).fault, GP(0));
    check(readable > 3 && writable > 3, "%lu readable, %lu values written", readable, writable);
}
