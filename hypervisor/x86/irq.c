/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: who gets a vector. GSIs belong to the control domain unless a device is ours (the
 * serial port); the rest are the local APIC's.
 *
 * A level GSI is masked at the I/O APIC when it arrives and acknowledged at once, so that it does
 * not hold up others while the control domain looks after the device; GSI_END unmasks it. An
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
    uint32_t mode;      /* [irq_lock] IOAPIC_LEVEL, IOAPIC_ACTIVE_LOW */
    uint8_t vector;     /* [irq_lock] 0: never set up */
    bool masked;        /* [irq_lock] asked for by its owner */
    bool in_service;    /* [irq_lock] level, taken, not yet ended */
};

static struct spinlock irq_lock = SPINLOCK_INIT(RANK_IRQ);
static struct gsi gsis[GSI_MAX];
static uint16_t irq_of_vector[256];
unsigned hal_gsi_count;

/* entry.S. */
void irq_dispatch(struct cpu_user_regs *regs);

/* A free vector for irq, looked for from one end on; 0: there is none. Lock held. */
static uint8_t vector_new(unsigned from, int step, unsigned irq)
{
    for (unsigned v = from; v >= VEC_GSI_FIRST && v <= VEC_GSI_LAST; v += (unsigned)step) {
        if (v != VEC_INT80 && irq_of_vector[v] == NOBODY) {
            irq_of_vector[v] = (uint16_t)irq;
            return (uint8_t)v;
        }
    }
    return 0;
}

/* Give gsi a vector and its mode, masked unless it is to be ours. */
static int gsi_setup(unsigned gsi, uint32_t mode, void (*ours)(void))
{
    const bool masked = ours == NULL;
    bool changed = false;
    struct gsi *g;
    int rc = 0;

    if (gsi >= hal_gsi_count)
        return -XEN_EINVAL;
    g = &gsis[gsi];
    spin_lock(&irq_lock);
    if (g->ours != NULL) {
        rc = -XEN_EEXIST;
    } else if (ours != NULL || g->vector == 0 || g->mode != mode) { /* else leave the mask alone */
        if (g->vector == 0)
            g->vector = vector_new(VEC_GSI_FIRST, 1, gsi);
        changed = g->vector != 0;
        rc = changed ? 0 : -XEN_ENOSPC;
        if (changed)
            *g = (struct gsi){ours, mode, g->vector, .masked = masked};
    }
    spin_unlock(&irq_lock);
    if (changed)
        ioapic_route(gsi, g->vector | mode | (masked ? IOAPIC_MASKED : 0));
    return rc;
}

int hal_gsi_setup(unsigned gsi, bool level, bool active_low)
{
    return gsi_setup(gsi, (level ? IOAPIC_LEVEL : 0) | (active_low ? IOAPIC_ACTIVE_LOW : 0), NULL);
}

/* What its owner wants of it, and the I/O APIC's mask accordingly. */
void hal_gsi_change(unsigned gsi, enum hal_gsi_change change)
{
    struct gsi *g;
    bool idle, masked;

    if (gsi >= hal_gsi_count)
        return;
    g = &gsis[gsi];
    spin_lock(&irq_lock);
    idle = g->ours != NULL || (change == GSI_END && !g->in_service);
    if (change == GSI_END)
        g->in_service = false;
    else
        g->masked = change == GSI_MASK;
    masked = g->masked || g->in_service || g->vector == 0;
    spin_unlock(&irq_lock);
    if (!idle)
        ioapic_mask(gsi, masked);
}

/* Messages have their vectors from the top, GSIs from the bottom; one vector for all CPUs. */
int hal_msi_route(unsigned pirq, uint64_t *address, uint32_t *data)
{
    const uint32_t here = this_pcpu()->apic_id;
    const uint32_t apic_id = here <= MSI_APIC_ID_MAX ? here : pcpu_of(0)->apic_id;
    uint8_t v;

    spin_lock(&irq_lock);
    v = vector_new(VEC_GSI_LAST, -1, IS_MSI | pirq);
    spin_unlock(&irq_lock);
    if (v == 0)
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

static unsigned gsi_of_isa(uint8_t irq, uint32_t *mode)
{
    *mode = 0;
    for (unsigned i = 0; i < acpi.override_count; i++) {
        if (acpi.overrides[i].irq == irq) {
            *mode = acpi.overrides[i].mode;
            return acpi.overrides[i].gsi;
        }
    }
    return irq;
}

void irq_claim_isa(uint8_t irq, void (*fn)(void))
{
    uint32_t mode;
    const unsigned gsi = gsi_of_isa(irq, &mode);

    (void)gsi_setup(gsi, mode, fn);
}

static void gsi_interrupt(unsigned gsi)
{
    struct gsi *g = &gsis[gsi];

    if (g->ours != NULL) {
        g->ours();
        apic_eoi();
        return;
    }
    if (g->mode & IOAPIC_LEVEL) {
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
    if (vector == VEC_TIMER)
        return TENUE_PART_TIMER;
    return vector >= VEC_FLUSH && vector <= VEC_UNLOAD ? TENUE_PART_IPI : TENUE_PART_DEVICE;
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
    static const struct {
        uint8_t port, value;
    } writes[] = {
        {0x20, 0x11}, {0xa0, 0x11}, {0x21, VEC_PIC}, {0xa1, VEC_PIC + 8}, {0x21, 0x04},
        {0xa1, 0x02}, {0x21, 0x01}, {0xa1, 0x01},    {0x21, 0xff},        {0xa1, 0xff},
    };

    for (unsigned i = 0; i < ARRAY_LEN(writes); i++)
        outb(writes[i].port, writes[i].value);
}

void irq_init(void)
{
    for (unsigned v = 0; v < 256; v++)
        irq_of_vector[v] = NOBODY;
    pic_disable();
    hal_gsi_count = MIN(ioapic_init(), GSI_MAX);
}
