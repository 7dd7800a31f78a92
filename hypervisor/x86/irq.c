/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: who gets a vector. GSIs belong to the control domain unless a device is ours (the
 * serial port); the rest are the local APIC's.
 *
 * A level GSI is masked at the I/O APIC when it arrives and acknowledged at once, so that it does
 * not hold up others while the control domain looks after the device; hal_gsi_eoi() unmasks it. An
 * edge GSI is acknowledged and delivered. At most one interrupt is handled per entry (IRQ-3).
 *
 * Lock: irq_lock, over the table of GSIs. Taken in interrupts and calls alike, interrupts off.
 */
#include <tenue/account.h>
#include <tenue/entrypoints.h>
#include <tenue/vcpu.h>

#include "asm.h"
#include "machine.h"

#define GSI_MAX (VEC_GSI_LAST - VEC_GSI_FIRST) /* one vector is skipped: int 0x80 */
#define NOBODY 0xffffu
#define IS_MSI 0x8000u /* in irq_of_vector: a pirq, not a GSI */
#define MSI_ADDRESS 0xfee00000u
#define MSI_APIC_ID_MAX 0xfeu

struct gsi {
    void (*ours)(void); /* [irq_lock] our handler, NULL: the control domain's */
    uint8_t vector;     /* [irq_lock] 0: never set up */
    bool level, active_low;
    bool masked;     /* [irq_lock] asked for by its owner */
    bool in_service; /* [irq_lock] level, taken, not yet ended */
};

static struct spinlock irq_lock = SPINLOCK_INIT(RANK_IRQ);
static struct gsi gsis[GSI_MAX];
static uint16_t irq_of_vector[256];
static uint8_t next_vector = VEC_GSI_FIRST;

/* entry.S. */
void irq_dispatch(struct cpu_user_regs *regs);

unsigned hal_gsi_count(void)
{
    return MIN(ioapic_gsis(), GSI_MAX);
}

static bool vector_taken(unsigned vector)
{
    return irq_of_vector[vector] != NOBODY;
}

static uint8_t vector_new(unsigned gsi)
{
    uint8_t v;

    while (next_vector == VEC_INT80 || (next_vector <= VEC_GSI_LAST && vector_taken(next_vector)))
        next_vector++;
    if (next_vector > VEC_GSI_LAST)
        return 0;
    v = next_vector++;
    irq_of_vector[v] = (uint16_t)gsi;
    return v;
}

/* Program gsi; true when it has a vector. Lock held. */
static bool gsi_program(unsigned gsi, bool level, bool active_low, bool masked)
{
    struct gsi *g = &gsis[gsi];

    if (g->vector == 0)
        g->vector = vector_new(gsi);
    if (g->vector == 0)
        return false;
    g->level = level;
    g->active_low = active_low;
    g->masked = masked;
    g->in_service = false;
    return true;
}

int hal_gsi_setup(unsigned gsi, bool level, bool active_low)
{
    struct gsi *g;
    int rc = 0;

    if (gsi >= hal_gsi_count())
        return -XEN_EINVAL;
    g = &gsis[gsi];
    spin_lock(&irq_lock);
    if (g->ours != NULL)
        rc = -XEN_EEXIST;
    else if (g->vector != 0 && g->level == level && g->active_low == active_low)
        rc = 0; /* as it is: leave the mask alone */
    else if (!gsi_program(gsi, level, active_low, true))
        rc = -XEN_ENOSPC;
    else
        rc = 1;
    spin_unlock(&irq_lock);
    if (rc == 1) {
        ioapic_route(gsi, g->vector, level, active_low, true);
        rc = 0;
    }
    return rc;
}

static void set_masked(unsigned gsi, bool masked)
{
    struct gsi *g;
    bool hw;

    if (gsi >= hal_gsi_count())
        return;
    g = &gsis[gsi];
    spin_lock(&irq_lock);
    g->masked = masked;
    hw = masked || g->in_service;
    hw |= g->ours != NULL || g->vector == 0;
    spin_unlock(&irq_lock);
    if (g->ours == NULL)
        ioapic_mask(gsi, hw);
}

void hal_gsi_unmask(unsigned gsi)
{
    set_masked(gsi, false);
}

void hal_gsi_mask(unsigned gsi)
{
    set_masked(gsi, true);
}

void hal_gsi_eoi(unsigned gsi)
{
    struct gsi *g;
    bool unmask;

    if (gsi >= hal_gsi_count())
        return;
    g = &gsis[gsi];
    spin_lock(&irq_lock);
    unmask = g->in_service && !g->masked;
    g->in_service = false;
    spin_unlock(&irq_lock);
    if (unmask)
        ioapic_mask(gsi, false);
}

/* Messages have their vectors from the top, GSIs from the bottom; one vector for all CPUs. */
int hal_msi_route(unsigned pirq, uint64_t *address, uint32_t *data)
{
    const uint32_t here = this_pcpu()->apic_id;
    const uint32_t apic_id = here <= MSI_APIC_ID_MAX ? here : pcpu_of(0)->apic_id;
    unsigned v = VEC_GSI_LAST;

    spin_lock(&irq_lock);
    while (v >= VEC_GSI_FIRST && (v == VEC_INT80 || vector_taken(v)))
        v--;
    if (v >= VEC_GSI_FIRST)
        irq_of_vector[v] = (uint16_t)(IS_MSI | pirq);
    spin_unlock(&irq_lock);
    if (v < VEC_GSI_FIRST)
        return -XEN_ENOSPC;
    *address = MSI_ADDRESS | apic_id << 12; /* to that CPU, physical, fixed */
    *data = v;                              /* edge */
    return 0;
}

void hal_msi_unroute(unsigned pirq)
{
    spin_lock(&irq_lock);
    for (unsigned v = VEC_GSI_FIRST; v <= VEC_GSI_LAST; v++)
        if (irq_of_vector[v] == (IS_MSI | pirq))
            irq_of_vector[v] = NOBODY;
    spin_unlock(&irq_lock);
}

unsigned irq_isa_to_gsi(uint8_t irq, bool *level, bool *active_low)
{
    *level = false;
    *active_low = false;
    for (unsigned i = 0; i < acpi.override_count; i++) {
        if (acpi.overrides[i].irq == irq) {
            *level = acpi.overrides[i].level;
            *active_low = acpi.overrides[i].active_low;
            return acpi.overrides[i].gsi;
        }
    }
    return irq;
}

void irq_claim_isa(uint8_t irq, void (*fn)(void))
{
    bool level, active_low, ok;
    unsigned gsi = irq_isa_to_gsi(irq, &level, &active_low);

    if (gsi >= hal_gsi_count())
        return;
    spin_lock(&irq_lock);
    ok = gsi_program(gsi, level, active_low, false);
    if (ok)
        gsis[gsi].ours = fn;
    spin_unlock(&irq_lock);
    if (ok)
        ioapic_route(gsi, gsis[gsi].vector, level, active_low, false);
}

static void gsi_interrupt(unsigned gsi)
{
    struct gsi *g = &gsis[gsi];

    if (g->ours != NULL) {
        g->ours();
        apic_eoi();
        return;
    }
    if (g->level) {
        spin_lock(&irq_lock);
        g->in_service = true;
        spin_unlock(&irq_lock);
        ioapic_mask(gsi, true);
    }
    apic_eoi();
    pirq_interrupt(gsi);
}

static void device_interrupt(uint8_t vector, uint16_t irq)
{
    if (irq == NOBODY) { /* an APIC error, or a vector withdrawn in flight */
        if (vector >= VEC_GSI_FIRST)
            apic_eoi();
    } else if (irq & IS_MSI) {
        apic_eoi();
        pirq_interrupt(irq & ~IS_MSI);
    } else {
        gsi_interrupt(irq);
    }
}

static unsigned interrupt_part(uint8_t vector)
{
    switch (vector) {
    case VEC_TIMER:
        return TENUE_PART_TIMER;
    case VEC_SOFTIRQ:
    case VEC_FLUSH:
    case VEC_UNLOAD:
        return TENUE_PART_IPI;
    default:
        return TENUE_PART_DEVICE;
    }
}

void irq_dispatch(struct cpu_user_regs *regs)
{
    uint8_t vector = (uint8_t)regs->entry_vector;

    if (unlikely(watch_on) && (regs->cs & 3))
        account_enter(interrupt_part(vector));
    switch (vector) {
    case VEC_TIMER:
        apic_eoi();
        softirq_raise(SOFTIRQ_TIMER);
        break;
    case VEC_SOFTIRQ: /* the exit path looks for softirqs */
        apic_eoi();
        break;
    case VEC_FLUSH:
        apic_eoi();
        tlb_answer_requests();
        break;
    case VEC_UNLOAD:
        apic_eoi();
        unload_answer_request();
        break;
    case VEC_SPURIOUS:
        break;
    default:
        device_interrupt(vector, READ_ONCE(irq_of_vector[vector]));
        break;
    }
}

/* The 8259s: moved off the exception vectors, all lines masked. */
static void pic_disable(void)
{
    outb(0x20, 0x11);
    outb(0xa0, 0x11);
    outb(0x21, VEC_PIC);
    outb(0xa1, VEC_PIC + 8);
    outb(0x21, 0x04);
    outb(0xa1, 0x02);
    outb(0x21, 0x01);
    outb(0xa1, 0x01);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

void irq_init(void)
{
    for (unsigned v = 0; v < 256; v++)
        irq_of_vector[v] = NOBODY;
    pic_disable();
    ioapic_init();
}
