/* SPDX-License-Identifier: MIT */
/*
 * Contract: privileged instructions of the guest kernel. A short list is emulated: control
 * register reads and writes that PV kernels make, MSRs on the published list, port I/O once the
 * virtual IOPL allows it, xsetbv, wbinvd; cli, sti and popf change nothing the guest can see.
 * Everything else is #GP, and none of it depends on what the guest left in its registers.
 *
 * Invariants: EMU-2, EMU-4, EMU-7, EMU-8, ENT-3, ENT-11, REG-3.
 * A failure means: a stock kernel dies at boot, or a guest can reach privileged state.
 * Sabotage: set_iopl to 0 instead of 1 in iopl(): cli faults.
 */
#include "guest.h"

#include <xen/physdev.h>

GUEST_RUN("vcpus=1");

static void msrs(void)
{
    static const u32 unknown[] = {0x12345678, 0x40000000, 0x40000200, 0xc0002000, 0xffffffff};
    u64 v = 0, again;

    check_eq(guest_read_msr(0xc0000080, &v), FAULT_NONE); /* EFER */
    check((v & 0xd01) == 0xd01, "EFER %lx", v);
    check(!(v & 1UL << 12), "SVME in EFER %lx", v);
    check_eq(guest_write_msr(0xc0000080, v), FAULT_NONE);
    check_eq(guest_read_msr(0x277, &v), FAULT_NONE); /* PAT: write-back first */
    check((v & 7) == 6, "PAT %lx", v);
    check_eq(guest_read_msr(0x1b, &v), FAULT_NONE); /* APIC_BASE */
    check((v & 0xfffff000UL) == 0xfee00000UL, "APIC_BASE %lx", v);
    /* Bases: written by MSR, seen by MSR. */
    check_eq(guest_write_msr(0xc0000100, 0x1234567000UL), FAULT_NONE);
    check_eq(guest_read_msr(0xc0000100, &v), FAULT_NONE);
    check_eq(v, 0x1234567000UL);
    check_eq(guest_write_msr(0xc0000101, (u64)&again), FAULT_NONE);
    check_eq(guest_read_msr(0xc0000101, &v), FAULT_NONE);
    check_eq(v, (u64)&again);
    again = 0x5a5a;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
    check_eq(v, 0x5a5a);
    check_eq(guest_write_msr(0xc0000102, 0x7777000UL), FAULT_NONE);
    check_eq(guest_read_msr(0xc0000102, &v), FAULT_NONE);
    check_eq(v, 0x7777000UL);
    check_eq(guest_write_msr(0xc0000100, 0x8000000000000000UL), GP(0));
    check_eq(guest_write_msr(0xc0000101, 0x0000800000000000UL), GP(0));
    check_eq(guest_write_msr(0xc0000102, 0xffff7fffffffffffUL), GP(0));
    check_eq(guest_write_msr(0xc0000101, 0), FAULT_NONE);
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(unknown); i++)
        check(guest_write_msr(unknown[i], 0) == GP(0), "wrmsr %x: %lx", unknown[i],
              guest_write_msr(unknown[i], 0));
}

static void control(void)
{
    u64 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0;

    check_eq(FAULT("mov %%cr0, %0", : "=r"(cr0)), FAULT_NONE);
    check((cr0 & 0x80010001) == 0x80010001, "CR0 %lx", cr0);
    check_eq(FAULT("mov %%cr4, %0", : "=r"(cr4)), FAULT_NONE);
    check(cr4 & 0x20, "CR4 %lx", cr4);
    check_eq(FAULT("mov %0, %%cr4", : : "r"(cr4)), FAULT_NONE);
    check_eq(FAULT("mov %%cr3, %0", : "=r"(cr3)), FAULT_NONE);
    check_eq(cr3, xen_pfn_to_cr3(front_root_mfn()));
    check_eq(front_try_read((void *)0x1234567000UL, NULL), PF(0));
    check_eq(FAULT("mov %%cr2, %0", : "=r"(cr2)), FAULT_NONE);
    check_eq(cr2, 0x1234567000UL);
    /* TS by CR0: the next FPU instruction is #NM. */
    check_eq(FAULT("mov %0, %%cr0", : : "r"(cr0 | 8)), FAULT_NONE);
    check_eq(FAULT("fnop", :), NM());
    check_eq(FAULT("clts", :), FAULT_NONE);
    check_eq(FAULT("fnop", :), FAULT_NONE);
    check_eq(FAULT("mov %0, %%cr0", : : "r"(cr0 & ~1UL)), GP(0));
}

static void flags(void)
{
    u64 f;

    front_irq_enable();
    check_eq(FAULT("pushf; pop %0", : "=r"(f)), FAULT_NONE);
    check((f & 0x3200) == 0x200, "rflags %lx", f);
    __asm__ volatile("push $0x3002; popf" ::: "memory", "cc"); /* IF off, IOPL 3 */
    check((front_rflags() & 0x3200) == 0x200, "after popf: rflags %lx", front_rflags());
    check(front_irq_enabled());
}

static void iopl(void)
{
    physdev_set_iopl_t op = {.iopl = 0};
    u8 v = 0;

    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &op), 0);
    check_eq(FAULT("cli", :), GP(0));
    op.iopl = 4;
    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &op), -XEN_EINVAL);
    op.iopl = 1;
    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &op), 0);
    check_eq(FAULT("cli", :), FAULT_NONE);
    check(front_irq_enabled());
    check_eq(FAULT("sti", :), FAULT_NONE);
    check_eq(FAULT("inb $0x80, %0", : "=a"(v)), FAULT_NONE);
    check_eq(FAULT("outb %0, $0x80", : : "a"(v)), FAULT_NONE);
    /* The hypervisor's own serial port is not the guest's. */
    v = 0;
    check_eq(FAULT("inb %1, %0", : "=a"(v) : "d"((u16)0x3fd)), FAULT_NONE);
    check_eq(v, 0xff);
    /* String forms go to memory through the guest's own mappings. */
    {
        u8 buf[4] = {0};
        void *to = buf;
        u64 fault;

        check_eq(FAULT("insb", : "+D"(to) : "d"((u16)0x3fd) : "memory"), FAULT_NONE);
        check(buf[0] == 0xff && to == buf + 1, "insb: %x", buf[0]);
        to = (void *)front_si->pt_base;
        fault = FAULT("insb", : "+D"(to) : "d"((u16)0x3fd) : "memory");
        check((fault & ~1UL) == PF(2), "insb to a page table: %lx", fault);
        check_eq(to, front_si->pt_base);
    }
    op.iopl = 0;
    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &op), 0);
}

static void others(void)
{
    char mem[16] = "";
    u32 lo = 0, hi = 0;
    u64 cr4 = 0;

    check_eq(FAULT("wbinvd", :), FAULT_NONE);
    check_eq(FAULT("hlt", :), GP(0));
    check_eq(FAULT("lgdt %0", : : "m"(mem)), GP(0));
    check_eq(FAULT("lidt %0", : : "m"(mem)), GP(0));
    check_eq(FAULT("ltr %0", : : "m"(mem)), GP(0));
    check_eq(FAULT("lldt %0", : : "m"(mem)), GP(0));
    check_eq(FAULT("invd", :), GP(0));
    check_eq(FAULT("swapgs", :), GP(0));
    check_eq(FAULT("sysretq", :), GP(0));
    check_eq(FAULT("mov %0, %%dr0", : : "r"(0UL)), FAULT_NONE);
    check_eq(FAULT("mov %0, %%cr8", : : "r"(0UL)), GP(0));
    if (!(front_cpuid(1, 0).ecx & 1u << 27))
        return;
    check_eq(FAULT("mov %%cr4, %0", : "=r"(cr4)), FAULT_NONE);
    check_eq(FAULT("mov %0, %%cr4", : : "r"(cr4 | 1UL << 18)), FAULT_NONE); /* OSXSAVE */
    check_eq(FAULT("xgetbv", : "=a"(lo), "=d"(hi) : "c"(0)), FAULT_NONE);
    check_eq(FAULT("xsetbv", : : "a"(lo), "d"(hi), "c"(0)), FAULT_NONE);
    check_eq(FAULT("xsetbv", : : "a"(0), "d"(0), "c"(0)), GP(0));
    check_eq(FAULT("xsetbv", : : "a"(lo), "d"(0x80000000), "c"(0)), GP(0));
    check_eq(FAULT("xsetbv", : : "a"(lo), "d"(hi), "c"(7)), GP(0));
}

void guest_test(void)
{
    msrs();
    control();
    flags();
    iopl();
    others();
}
