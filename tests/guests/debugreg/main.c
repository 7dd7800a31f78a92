/* SPDX-License-Identifier: MIT */
/*
 * Contract: debug registers, by hypercall and by mov. Breakpoints on the guest's own addresses
 * fire as #DB with DR6 saying which; addresses of the hypervisor and reserved or general-detect
 * bits are refused or dropped; a watchpoint on data the hypervisor reads for a hypercall harms
 * nobody.
 *
 * Invariants: ENT-7, REG-4, ENT-2.
 * A failure means: debuggers in guests do not work, or a guest stops the hypervisor with one.
 * Sabotage: leave the enable bit out of DR7 in watch() (0x400): nothing fires.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static volatile u64 hits, last_dr6;
/* The hypervisor writes text here, over the watched word. */
static u64 buf[XEN_EXTRAVERSION_LEN / 8];
#define watched buf[0]

static bool on_db(struct front_regs *regs)
{
    hits++;
    last_dr6 = (u64)hc_get_debugreg(6);
    hc_set_debugreg(6, 0);
    regs->rflags |= 1UL << 16; /* RF: do not fire again at the same instruction */
    return true;
}

/* Bare, since a recorder of calls reads what the hypervisor wrote. */
static long extraversion_to(void *to)
{
    long rc = __HYPERVISOR_xen_version;

    __asm__ volatile("syscall"
                     : "+a"(rc)
                     : "D"(XENVER_extraversion), "S"(to)
                     : "rcx", "r11", "memory");
    return rc;
}

static void registers(void)
{
    for (unsigned i = 0; i < 4; i++) {
        check_eq(hc_set_debugreg(i, 0x1000 * (i + 1)), 0);
        check_eq(hc_get_debugreg(i), 0x1000 * (i + 1));
    }
    check_eq(hc_set_debugreg(0, HYPERVISOR_VIRT_START + 0x40000000000), -XEN_EPERM);
    check_eq(hc_get_debugreg(0), 0x1000);
    check(hc_set_debugreg(0, 0x0000800000000000UL) < 0, "a breakpoint that is not canonical");
    check(hc_set_debugreg(8, 0) < 0, "debug register 8");
    check_eq(hc_set_debugreg(6, 1UL << 32), -XEN_EINVAL);
    check_eq(hc_set_debugreg(7, 1UL << 32), -XEN_EINVAL);
    check(hc_get_debugreg(8) < 0, "read of debug register 8: %ld", hc_get_debugreg(8));
    check(hc_set_debugreg(7, 1UL << 13 | 1) < 0 || !(hc_get_debugreg(7) & 1 << 13),
          "general detect is on");
    check(hc_set_debugreg(7, 2UL << 16 | 1) < 0 || !(hc_get_debugreg(7) >> 16 & 3),
          "an I/O breakpoint without CR4.DE");
    check_eq(hc_set_debugreg(7, 0), 0);
    for (unsigned i = 0; i < 4; i++)
        check_eq(hc_set_debugreg(i, 0), 0);
}

static void watch(void)
{
    check_eq(hc_set_debugreg(0, &watched), 0);
    check_eq(hc_set_debugreg(6, 0), 0);
    check_eq(hc_set_debugreg(7, 0x402 | 0xdUL << 16), 0); /* global, 4 bytes, write */
    hits = 0;
    WRITE_ONCE(watched, 1);
    check_eq(hits, 1);
    check_eq(last_dr6 & 0xf, 1);
    READ_ONCE(watched);
    check_eq(hits, 1);
    /* The hypervisor reads and writes watched memory on our behalf. */
    check_eq(hc_set_debugreg(7, 0x402 | 0xfUL << 16), 0); /* reads too */
    check_eq(extraversion_to(buf), 0);
    check(hits <= 3, "%lu traps for one copy by the hypervisor", hits);
    check_eq(hc_set_debugreg(7, 0), 0);
    hits = 0;
    WRITE_ONCE(watched, 2);
    check_eq(hits, 0);
}

static void execute(void)
{
    hits = 0;
    __asm__ volatile("lea 1f(%%rip), %%rsi\n"
                     "xor %%edi, %%edi\n"
                     "mov %0, %%eax\n"
                     "syscall\n" /* DR0 = 1f */
                     "mov $7, %%edi\n"
                     "mov $0x402, %%esi\n"
                     "mov %0, %%eax\n"
                     "syscall\n" /* DR7: global, execute */
                     "1: nop\n"
                     :
                     : "i"(__HYPERVISOR_set_debugreg)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r11", "memory");
    check_eq(hits, 1);
    hc_set_debugreg(7, 0);
}

void guest_test(void)
{
    front_trap_set(1, on_db);
    registers();
    watch();
    execute();
}
