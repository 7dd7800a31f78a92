/* SPDX-License-Identifier: MIT */
/*
 * The local APIC: end of interrupt, interrupts between CPUs, the one-shot timer. x2APIC when the
 * firmware left it on, else memory mapped. Each CPU touches only its own.
 */

#include "asm.h"
#include "machine.h"

#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_SPURIOUS 0xf0
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INIT 0x380
#define APIC_TIMER_COUNT 0x390
#define APIC_TIMER_DIVIDE 0x3e0

#define LVT_MASKED (1u << 16)
#define LVT_NMI (4u << 8)
#define SPURIOUS_ENABLE (1u << 8)
#define ICR_BUSY (1u << 12)
#define ICR_ASSERT (1u << 14)
#define DIVIDE_BY_1 0xbu
#define APIC_BASE_ENABLE (1u << 11)

static volatile uint32_t *mmio; /* NULL: x2APIC */

static uint32_t apic_read(unsigned reg)
{
    return mmio != NULL ? mmio[reg / 4] : (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
}

static void apic_write(unsigned reg, uint32_t v)
{
    if (mmio != NULL)
        mmio[reg / 4] = v;
    else
        wrmsr(MSR_X2APIC + reg / 16, v);
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_command(uint32_t apic_id, uint32_t command)
{
    command |= ICR_ASSERT;
    if (mmio == NULL) {
        wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    while (apic_read(APIC_ICR) & ICR_BUSY)
        cpu_relax();
    apic_write(APIC_ICR_HIGH, apic_id << 24);
    apic_write(APIC_ICR, command);
}

void apic_send(unsigned cpu, uint8_t vector)
{
    apic_command(pcpu_of(cpu)->apic_id, vector);
}

void apic_timer_set(uint32_t ticks)
{
    apic_write(APIC_TIMER_INIT, ticks);
}

uint32_t apic_timer_count(void)
{
    return apic_read(APIC_TIMER_COUNT);
}

void apic_init(void)
{
    const uint64_t addr = rdmsr(MSR_APIC_BASE) & 0xffffffffff000ull;

    if (addr != 0)
        acpi.lapic_addr = addr;
    if (!cpu_features.x2apic)
        mmio = map_device(acpi.lapic_addr, PAGE_SIZE, MAP_UC);
}

void apic_init_cpu(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_LVT_TIMER, VEC_TIMER); /* one-shot */
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_LVT_ERROR, VEC_APIC_ERROR);
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VEC_SPURIOUS);
    apic_eoi();
    this_pcpu()->apic_id = mmio != NULL ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
}
