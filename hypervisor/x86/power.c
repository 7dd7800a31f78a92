/* SPDX-License-Identifier: MIT */
/*
 * The end: halt, reboot, ACPI power-off; and which ports and frames are ours for as long as we run.
 */
#include <tenue/hal.h>

#include "asm.h"
#include "machine.h"

#define SLEEP_S5 5u
#define PM1_SLP_EN 0x2000u
#define KBD_STATUS 0x64
#define KBD_RESET 0xfe
#define FIRST_MIB_FRAMES 0x100u
#define MILLISECOND (1000 * 1000ull)

noreturn_fn void hal_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" ::: "memory");
}

void spin_ns(ns_t ns)
{
    const ns_t end = hal_now() + ns;

    while (hal_now() < end)
        cpu_relax();
}

/* The ways in order of politeness; the last one cannot fail. */
noreturn_fn void hal_reboot(void)
{
    const struct table_register no_idt = {0, 0};

    if (acpi.reset_port != 0) {
        outb(acpi.reset_port, acpi.reset_value);
        spin_ns(10 * MILLISECOND);
    }
    outb(0xcf9, 0x02);
    outb(0xcf9, 0x06);
    spin_ns(10 * MILLISECOND);
    for (unsigned i = 0; i < 100000 && (inb(KBD_STATUS) & 2); i++)
        cpu_relax();
    outb(KBD_STATUS, KBD_RESET);
    spin_ns(50 * MILLISECOND);
    __asm__ volatile("lidt %0; int3" ::"m"(no_idt));
    hal_halt();
}

int hal_acpi_sleep(uint32_t sleep_state, uint32_t pm1a, uint32_t pm1b)
{
    if (sleep_state != SLEEP_S5 || acpi.pm1a_port == 0)
        return -XEN_EOPNOTSUPP;
    for (uint32_t enable = 0; enable <= PM1_SLP_EN; enable += PM1_SLP_EN) {
        outw(acpi.pm1a_port, (uint16_t)((pm1a & ~PM1_SLP_EN) | enable));
        if (acpi.pm1b_port != 0)
            outw(acpi.pm1b_port, (uint16_t)((pm1b & ~PM1_SLP_EN) | enable));
    }
    spin_ns(100 * MILLISECOND);
    return -XEN_EIO; /* still here */
}

uint32_t hal_port_in(uint16_t port, unsigned bytes)
{
    return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

void hal_port_out(uint16_t port, unsigned bytes, uint32_t value)
{
    if (bytes == 1)
        outb(port, (uint8_t)value);
    else if (bytes == 2)
        outw(port, (uint16_t)value);
    else
        outl(port, value);
}

/* Interrupt controllers, the timer chip, our console. */
bool hal_port_is_ours(uint16_t port)
{
    return (port & ~1u) == 0x20 || (port & ~1u) == 0xa0 || (port & ~3u) == 0x40 || port == 0x61 ||
           serial_owns_port(port);
}

/* Asked for frames that are no domain's: interrupt controllers, and RAM that we keep. The first MiB
 * is firmware's, and the control domain may look into it. */
bool hal_mmio_is_ours(mfn_t m)
{
    uint64_t ma = mfn_to_maddr(m).a;

    if (ma == (acpi.lapic_addr & PAGE_MASK))
        return true;
    for (unsigned i = 0; i < acpi.ioapic_count; i++)
        if (ma == (acpi.ioapics[i].addr & PAGE_MASK))
            return true;
    if (m.n < FIRST_MIB_FRAMES)
        return false;
    for (unsigned i = 0; i < boot_info.e820_count; i++) {
        const struct e820_region *r = &boot_info.e820[i];

        if (r->type == E820_RAM && ma + PAGE_SIZE > r->addr && ma < r->addr + r->size)
            return true;
    }
    return false;
}
