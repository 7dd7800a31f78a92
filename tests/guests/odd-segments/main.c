/* SPDX-License-Identifier: MIT */
/*
 * Contract: descriptors of a guest's making. Of all types, privileges and sizes only code and data
 * of ring 3 come into force, by whichever way they are written; user code on any of them - 16-bit,
 * 32-bit, expand-down, without a limit - faults or calls its own kernel, whose own stack is what it
 * registered; and selectors that no longer mean anything are the guest's own problem.
 *
 * Invariants: MM-24, ENT-8, ENT-3, EMU-3.
 * Advisories: 67, 214, 274, 298.
 * A failure means: a guest makes itself a gate into the hypervisor, or has it fault on a selector.
 * Sabotage: let desc_sanitise() in pv/desc.c accept what is neither code nor data: stored() fails.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=guest_loglvl=none");

#define ABSENT 0x0000123400000000UL
#define LOW 0x0000000000100000UL

static u64 *ldt;

static u64 descriptor(u8 access, u8 flags, u32 base, u32 limit)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 |
           (u64)(limit >> 16 & 0xf) << 48 | (u64)(flags & 0xf) << 52 | (u64)(base >> 24) << 56;
}

static bool harmless(u64 d)
{
    bool present = d >> 47 & 1, segment = d >> 44 & 1;
    unsigned dpl = d >> 45 & 3;

    return !present || (segment && dpl == 3);
}

/* What is accepted as it stands there, written by hypercall. Xen lets gates to ring 3 stand. */
static unsigned stored(void)
{
    u64 at = front_va_to_mfn(ldt) << 12 | 8;
    unsigned accepted = 0;

    for (unsigned access = 0; access < 256; access++) {
        for (u8 flags = 0; flags < 16; flags++) {
            u64 d = descriptor((u8)access, flags, 0x12345678, 0xfffff);

            if (hc_update_descriptor(at, d))
                continue;
            accepted++;
            check(harmless(ldt[1]) || (guest_on_xen() && !(access & 0x10)),
                  "access %02x flags %x is stored as %lx", access, flags, ldt[1]);
        }
    }
    check_eq(hc_update_descriptor(at, 0), 0);
    return accepted;
}

static bool set_ldt(u64 va, unsigned entries)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = va, .arg2.nr_ents = entries};

    return hc_mmuext_op(&op, 1, 0, DOMID_SELF) == 0;
}

/* The same written into a page before it is one of descriptors: it comes into force or it does not,
 * and the descriptor never does at the wrong privilege. */
static void loaded(void)
{
    unsigned in_force = 0;

    for (unsigned access = 0; access < 256; access += 1) {
        u64 fault;

        set_ldt(0, 0);
        check_eq(front_page_rw(ldt), 0);
        ldt[1] = descriptor((u8)access, 0xc, 0, 0xfffff);
        check_eq(front_page_ro(ldt), 0);
        if (!check(set_ldt((u64)ldt, 512), "LDT with access %02x", access))
            continue;
        fault = FAULT("mov %0, %%es", : : "r"(8 | 4 | 3));
        if (fault == FAULT_NONE) {
            in_force++;
            check(harmless(ldt[1]), "access %02x in force as %lx", access, ldt[1]);
            check((access & 0x90) == 0x90, "access %02x loaded", access);
            __asm__ volatile("mov %0, %%es" : : "r"(0));
        }
    }
    check(in_force > 4, "only %u in force", in_force);
    set_ldt(0, 0);
    check_eq(front_page_rw(ldt), 0);
    memset(ldt, 0, 4096);
}

/* Past the limit, in an LDT that is gone, on a page that is not there (298). */
static void missing(void)
{
    static const u16 far[] = {8 * 512 - 8, 8 * 512, 0xfff8, 8, 16};

    check_eq(front_page_ro(ldt), 0);
    for (unsigned n = 0; n < 3; n++) {
        if (n == 1)
            set_ldt((u64)ldt, 1);
        if (n == 2)
            set_ldt(ABSENT, 512); /* nothing is mapped there */
        for (unsigned i = 0; i < FRONT_ARRAY_SIZE(far); i++) {
            u32 value = 0;
            u64 fault = FAULT("mov %0, %%es", : : "r"(far[i] | 7));

            check(fault != FAULT_NONE, "selector %x of LDT %u", far[i] | 7, n);
            /* As an operand of emulated string I/O, and asked about without loading. */
            fault = FAULT("lar %1, %0", : "+r"(value) : "r"((u32)far[i] | 7));
            /* A page fault names the guest's own address, not where the hypervisor has it mapped.
             */
            check(fault == FAULT_NONE || fault == GP(0) ||
                      (FAULT_VECTOR(fault) == 14 && front_fault_cr2() >> 12 << 12 == ABSENT),
                  "lar: %lx at %lx", fault, front_fault_cr2());
        }
    }
    set_ldt(0, 0);
    check_eq(front_page_rw(ldt), 0);
}

/* User code on segments of every size, leaving by several gates. */
static void sizes(void)
{
    static const u8 gates[][4] = {
        {0x0f, 0x0b},       {0xcd, 0x80}, {0x0f, 0x05}, {0xcc}, {0xf4}, {0x8c, 0xd0, 0x0f, 0x0b},
        {0x50, 0x0f, 0x0b}, {0xcf}};
    static const u8 codes[][2] = {{0xfb, 0xc}, {0xfb, 0x8}, {0xfb, 0x0}, {0xfb, 0xa},
                                  {0xff, 0xc}, {0xf9, 0x4}, {0xfb, 0xe}};
    static const u8 stacks[][2] = {{0xf3, 0xc}, {0xf3, 0x8}, {0xf3, 0x0}, {0xf7, 0x4},
                                   {0xf7, 0x0}, {0xf1, 0xc}, {0x73, 0xc}};
    u8 *code = front_page_alloc();
    unsigned faults = 0, n = 0;

    check_eq(front_map(LOW, front_va_to_mfn(code), PTE_KERN), 0);
    for (unsigned c = 0; c < FRONT_ARRAY_SIZE(codes); c++) {
        for (unsigned s = 0; s < FRONT_ARRAY_SIZE(stacks); s++) {
            set_ldt(0, 0);
            check_eq(front_page_rw(ldt), 0);
            ldt[1] = descriptor(codes[c][0], codes[c][1], LOW, 0xfffff);
            ldt[2] = descriptor(stacks[s][0], stacks[s][1], LOW, s & 1 ? 0 : 0xfffff);
            check_eq(front_page_ro(ldt), 0);
            set_ldt((u64)ldt, 512);
            for (unsigned g = 0; g < FRONT_ARRAY_SIZE(gates); g++, n++) {
                struct front_user_result r;
                struct front_regs f;

                memset(code, 0xcc, 64);
                memcpy(code, gates[g], 4);
                front_user_prepare(&f, (u64(*)(u64))0, 0);
                f.cs = 8 | 7;
                f.ss = 16 | 7;
                f.rsp = 0x800 + (g & 1 ? 0xffffffff00000000UL : 0);
                r = front_user_enter(&f);
                faults += r.faulted;
                check(FAULT("ud2", :) == UD(), "after code %u stack %u gate %u", c, s, g);
            }
        }
    }
    check(faults > n / 2, "%u of %u faulted", faults, n);
    set_ldt(0, 0);
    check_eq(front_page_rw(ldt), 0);
    check_eq(front_unmap(LOW), 0);
}

void guest_test(void)
{
    check_eq(front_user_root_init(), 0);
    ldt = front_table_alloc();
    check(stored() > 100, "few descriptors are accepted");
    loaded();
    missing();
    sizes();
    check_eq(front_rflags() & 0x27300 & ~0x200UL, 0);
}
