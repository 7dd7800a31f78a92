/* SPDX-License-Identifier: MIT */
/*
 * Contract: CPUID. The forced-emulation form (ud2; "xen"; cpuid) works from the first instruction,
 * before any trap table, and in user mode; in front of any other instruction it is a plain #UD.
 * Leaf 0x40000000 carries the signature by which every guest finds out where it is; features a PV
 * guest cannot use are hidden, those it depends on are shown.
 *
 * Invariants: EMU-1, EMU-2, EMU-9.
 * A failure means: stock kernels do not recognise the hypervisor, or try to use what they cannot.
 * Sabotage: spell the prefix "xem" in front_cpuid(): the guest dies before its first check.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static struct front_cpuid early;

void front_early(void)
{
    early = front_cpuid(0x40000000, 0);
}

static bool is_signature(const struct front_cpuid *c)
{
    return c->ebx == 0x566e6558 && c->ecx == 0x65584d4d && c->edx == 0x4d4d566e;
}

static void hypervisor_leaves(void)
{
    struct front_cpuid c;

    check(is_signature(&early), "before any trap table: %x %x %x", early.ebx, early.ecx, early.edx);
    check(early.eax >= 0x40000002 && early.eax < 0x40000100, "max leaf %x", early.eax);
    c = front_cpuid(0x40000001, 0);
    check_eq(c.eax, 4 << 16 | 17);
    c = front_cpuid(0x40000002, 0);
    check(c.eax <= 1, "%u hypercall pages", c.eax);
    if (early.eax >= 0x40000004) {
        c = front_cpuid(0x40000004, 0);
        check(!(c.eax & 0x5f), "HVM features %x on a PV guest", c.eax);
    }
    if (early.eax >= 0x40000005) {
        c = front_cpuid(0x40000005, 0);
        check((c.ebx & 0xff) <= 44, "machine addresses of %u bits", c.ebx & 0xff);
    }
    /* Other hypervisors are looked for at 256-leaf steps; they are not here. */
    for (u32 leaf = 0x40000100; leaf < 0x40010000; leaf += 0x100) {
        c = front_cpuid(leaf, 0);
        if (!check(!is_signature(&c), "signature again at %x", leaf))
            break;
    }
    c = front_cpuid(0x4000ffff, 0);
    check(!is_signature(&c));
}

static void features(void)
{
    struct front_cpuid c1 = front_cpuid(1, 0), e = front_cpuid(0x80000001, 0);
    struct front_cpuid c7 = front_cpuid(7, 0), c0 = front_cpuid(0, 0),
                       big = front_cpuid(0x80000000, 0);

    check(c0.eax >= 7 && big.eax >= 0x80000008, "max leaves %x %x", c0.eax, big.eax);
    check(c1.edx & 1u << 0 && c1.edx & 1u << 4 && c1.edx & 1u << 5 && c1.edx & 1u << 6,
          "FPU TSC MSR PAE");
    check(c1.edx & 1u << 8 && c1.edx & 1u << 15 && c1.edx & 1u << 24 && c1.edx & 1u << 26,
          "CX8 CMOV FXSR SSE2");
    check(c1.ecx & 1u << 13 && c1.ecx & 1u << 31, "CX16, hypervisor: ecx %x", c1.ecx);
    check(!!(c1.ecx & 1u << 26) == !!(c1.ecx & 1u << 27), "XSAVE without OSXSAVE: %x", c1.ecx);
    check(!(c1.ecx & 1u << 3), "MONITOR is shown");
    check(!(c1.ecx & 1u << 5), "VMX is shown");
    check(!(c1.ecx & 1u << 17), "PCID is shown");
    check(!(c1.ecx & 1u << 24), "TSC deadline is shown");
    check(!(c1.edx & 1u << 3), "PSE is shown");
    check(!(c1.edx & 1u << 13), "PGE is shown");
    check(!(c1.edx & 1u << 17), "PSE36 is shown");
    check(e.edx & 1u << 29 && e.edx & 1u << 20 && e.edx & 1u << 11, "LM NX SYSCALL: %x", e.edx);
    check(!(e.edx & 1u << 26), "1 GiB pages are shown");
    check(!(e.ecx & 1u << 2), "SVM is shown");
    check(!(c7.ebx & 1u << 7), "SMEP is shown");
    check(!(c7.ebx & 1u << 10), "INVPCID is shown");
    check(!(c7.ebx & 1u << 20), "SMAP is shown");
    check(!(c7.ecx & 1u << 3), "PKU is shown");
    check(!(c7.ecx & 1u << 16), "five-level paging is shown");
}

static u64 user_cpuid(u64 leaf)
{
    struct front_cpuid c = front_cpuid((u32)leaf, 0);

    return is_signature(&c);
}

static u64 user_prefixed_nop(u64 arg)
{
    __asm__ volatile("ud2; .ascii \"xen\"; nop" ::: "memory");
    return arg;
}

/* Nothing but cpuid may follow the prefix; a prefix cut short is a plain ud2. */
static void other_instructions(void)
{
    struct front_user_result r;

    check_eq(FAULT("ud2; .ascii \"xen\"; rdtsc", : : : "rax", "rdx"), UD());
    check_eq(FAULT("ud2; .ascii \"xen\"; nop", :), UD());
    check_eq(FAULT("ud2; .ascii \"xeN\"; cpuid", : : : "rax", "rbx", "rcx", "rdx"), UD());
    check_eq(FAULT("ud2; .ascii \"xen\"; rep; cpuid", : : : "rax", "rbx", "rcx", "rdx"), UD());
    check_eq(FAULT("ud2", :), UD());
    r = front_user_run(user_cpuid, 0x40000000);
    check(!r.faulted && r.value == 1, "user mode: fault %lx", r.fault);
    r = front_user_run(user_prefixed_nop, 0);
    check(r.faulted && r.fault == UD(), "user mode, nop: fault %lx", r.fault);
}

void guest_test(void)
{
    check_eq(front_user_root_init(), 0);
    hypervisor_leaves();
    features();
    other_instructions();
}
