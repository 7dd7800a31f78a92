/* SPDX-License-Identifier: MIT */
/*
 * I/O APICs: one redirection entry per GSI. Only the hypervisor writes them; the control domain
 * reads a few registers through hal_ioapic_read().
 *
 * Lock: ioapic_lock, for the index register and the entries.
 */
#include <tenue/hal.h>

#include "machine.h"

#define REG_VERSION 1
#define REG_ARB 2
#define REG_ENTRY(pin) (0x10 + 2 * (pin))

static struct spinlock ioapic_lock = SPINLOCK_INIT(RANK_IRQ);
static struct ioapic *const ioapics = acpi.ioapics;

static uint32_t reg_read(const struct ioapic *io, uint32_t reg)
{
    io->mmio[0] = reg;
    return io->mmio[4];
}

static void reg_write(const struct ioapic *io, uint32_t reg, uint32_t v)
{
    io->mmio[0] = reg;
    io->mmio[4] = v;
}

unsigned ioapic_init(void)
{
    unsigned gsis = 0;

    for (unsigned i = 0; i < acpi.ioapic_count; i++) {
        struct ioapic *io = &ioapics[i];

        io->mmio = map_device(io->addr, 0x20, MAP_UC);
        io->pins = (reg_read(io, REG_VERSION) >> 16 & 0xff) + 1;
        for (unsigned pin = 0; pin < io->pins; pin++) {
            reg_write(io, REG_ENTRY(pin), IOAPIC_MASKED);
            reg_write(io, REG_ENTRY(pin) + 1, 0);
        }
        gsis = MAX(gsis, io->gsi_base + io->pins);
    }
    return gsis;
}

static const struct ioapic *ioapic_of(unsigned gsi, unsigned *pin)
{
    for (unsigned i = 0; i < acpi.ioapic_count; i++) {
        *pin = gsi - ioapics[i].gsi_base;
        if (gsi >= ioapics[i].gsi_base && *pin < ioapics[i].pins)
            return &ioapics[i];
    }
    return NULL;
}

void ioapic_route(unsigned gsi, uint32_t entry)
{
    unsigned pin;
    const struct ioapic *io = ioapic_of(gsi, &pin);

    if (io == NULL)
        return;
    spin_lock(&ioapic_lock);
    reg_write(io, REG_ENTRY(pin), IOAPIC_MASKED);
    reg_write(io, REG_ENTRY(pin) + 1, this_pcpu()->apic_id << 24);
    reg_write(io, REG_ENTRY(pin), entry);
    spin_unlock(&ioapic_lock);
}

void ioapic_mask(unsigned gsi, bool masked)
{
    unsigned pin;
    const struct ioapic *io = ioapic_of(gsi, &pin);
    uint32_t v;

    if (io == NULL)
        return;
    spin_lock(&ioapic_lock);
    v = reg_read(io, REG_ENTRY(pin));
    reg_write(io, REG_ENTRY(pin), masked ? v | IOAPIC_MASKED : v & ~IOAPIC_MASKED);
    spin_unlock(&ioapic_lock);
}

int hal_ioapic_read(uint64_t physbase, uint32_t reg, uint32_t *value)
{
    for (unsigned i = 0; i < acpi.ioapic_count; i++) {
        if (ioapics[i].addr != physbase)
            continue;
        if (reg > REG_ARB)
            return -XEN_EINVAL;
        spin_lock(&ioapic_lock);
        *value = reg_read(&ioapics[i], reg);
        spin_unlock(&ioapic_lock);
        return 0;
    }
    return -XEN_EINVAL;
}
