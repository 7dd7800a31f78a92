/* SPDX-License-Identifier: MIT */
/*
 * MSI and MSI-X for the control domain (ADR 0043): address and data of the message, and the mask
 * bit, are written here; enabling stays the driver's. Nothing else of PCI is known to us.
 *
 * What the device says about itself is taken as data: lists end, sizes bound the entry, and a table
 * is written only where there is no RAM and nothing of ours, and where the caller believes it too
 * (IRQ-2). The domain that owns the devices may move their BARs afterwards: it harms what it owns.
 *
 * Lock: the control domain's evtchn lock, held around every call but msi_is_mapped().
 */
#include "msi.h"

#include <tenue/assert.h>
#include <tenue/hal.h>

#define PCI_COMMAND 0x04u
#define PCI_STATUS 0x06u
#define PCI_BAR0 0x10u
#define PCI_CAPABILITIES 0x34u
#define COMMAND_MEMORY 2u
#define STATUS_CAPABILITIES 0x10u
#define BAR_IO 1u
#define BAR_64 4u
#define BAR_TYPE 6u
#define CAP_MSI 0x05u
#define CAP_MSIX 0x11u
#define CAPS_MAX 48u

#define MSI_ENABLE 1u
#define MSI_MULTIPLE 0x70u
#define MSI_64 0x80u
#define MSI_MASKABLE 0x100u
#define MSIX_SIZE 0x7ffu
#define MSIX_ENTRY_BYTES 16u

#define FIRST_MIB 0x100000ull

struct msi {
    peeked bool used;
    bool masked;
    struct msi_request r;
    uint8_t cap;
    uint8_t mask_reg;         /* MSI with a mask register: its offset; else 0 */
    volatile uint32_t *entry; /* MSI-X */
    uint64_t address;
    uint32_t data;
};

static struct msi slots[MSI_SLOTS];

static struct msi *slot_of(uint32_t pirq)
{
    return &slots[index_nospec(MAX_PIRQS - 1 - pirq, MSI_SLOTS)];
}

static uint32_t pci_read(uint16_t bdf, unsigned reg, unsigned bytes)
{
    return hal_pci_in(1u << 31 | (uint32_t)bdf << 8 | (reg & 0xfcu), reg & 3, bytes);
}

static void pci_write(uint16_t bdf, unsigned reg, unsigned bytes, uint32_t value)
{
    hal_pci_out(1u << 31 | (uint32_t)bdf << 8 | (reg & 0xfcu), reg & 3, bytes, value);
}

/* The offset of a capability in configuration space, 0 when the device has none or is not there. */
static uint8_t find_capability(uint16_t bdf, uint8_t id)
{
    unsigned at;

    if (pci_read(bdf, 0, 4) == ~0u || !(pci_read(bdf, PCI_STATUS, 2) & STATUS_CAPABILITIES))
        return 0;
    at = pci_read(bdf, PCI_CAPABILITIES, 1) & 0xfcu;
    for (unsigned i = 0; i < CAPS_MAX && at >= 0x40; i++) {
        if (pci_read(bdf, at, 1) == id)
            return (uint8_t)at;
        at = pci_read(bdf, at + 1, 1) & 0xfcu;
    }
    return 0;
}

static uint64_t bar_address(uint16_t bdf, unsigned bar)
{
    const uint32_t lo = pci_read(bdf, PCI_BAR0 + 4 * bar, 4);
    uint64_t address = lo & ~0xfu;

    if (lo & BAR_IO || ((lo & BAR_TYPE) == BAR_64 && bar == 5))
        return 0;
    if ((lo & BAR_TYPE) == BAR_64)
        address |= (uint64_t)pci_read(bdf, PCI_BAR0 + 4 * bar + 4, 4) << 32;
    return address;
}

static bool may_be_table(uint64_t address)
{
    return address >= FIRST_MIB && !(address >> hal_maddr_bits) &&
           (address & ~PAGE_MASK) <= PAGE_SIZE - MSIX_ENTRY_BYTES && !(address & 3) &&
           !hal_mmio_is_ours(maddr_to_mfn(maddr_make(address)));
}

static int locate_entry(struct msi *m)
{
    const uint16_t bdf = m->r.bdf;
    uint32_t table;
    uint64_t base, address;
    volatile uint8_t *page;

    if (m->r.entry > (pci_read(bdf, m->cap + 2u, 2) & MSIX_SIZE))
        return -XEN_EINVAL;
    if (!(pci_read(bdf, PCI_COMMAND, 2) & COMMAND_MEMORY))
        return -XEN_ENXIO;
    table = pci_read(bdf, m->cap + 4u, 4);
    if ((table & 7) > 5)
        return -XEN_EINVAL;
    base = bar_address(bdf, table & 7);
    address = base + (table & ~7u) + m->r.entry * MSIX_ENTRY_BYTES;
    if (!base || base != m->r.table_base || address < base || !may_be_table(address))
        return -XEN_EINVAL;
    page = hal_device_page(maddr_to_mfn(maddr_make(address)));
    if (!page)
        return -XEN_ENOSPC;
    m->entry = (volatile uint32_t *)(page + (address & ~PAGE_MASK));
    return 0;
}

static int locate(struct msi *m)
{
    uint32_t control;

    m->cap = find_capability(m->r.bdf, m->r.x ? CAP_MSIX : CAP_MSI);
    if (!m->cap)
        return -XEN_ENODEV;
    if (m->r.x)
        return locate_entry(m);
    if (m->r.entry)
        return -XEN_EINVAL;
    control = pci_read(m->r.bdf, m->cap + 2u, 2);
    if (control & MSI_MASKABLE)
        m->mask_reg = (uint8_t)(m->cap + (control & MSI_64 ? 0x10 : 0xc));
    return 0;
}

static void write_mask(const struct msi *m)
{
    if (m->r.x)
        m->entry[3] = m->masked;
    else if (m->mask_reg)
        pci_write(m->r.bdf, m->mask_reg, 4, m->masked);
}

static void write_msi(const struct msi *m)
{
    const uint32_t control = pci_read(m->r.bdf, m->cap + 2u, 2);

    pci_write(m->r.bdf, m->cap + 2u, 2, control & ~(MSI_ENABLE | MSI_MULTIPLE));
    pci_write(m->r.bdf, m->cap + 4u, 4, (uint32_t)m->address);
    if (control & MSI_64)
        pci_write(m->r.bdf, m->cap + 8u, 4, (uint32_t)(m->address >> 32));
    pci_write(m->r.bdf, m->cap + (control & MSI_64 ? 0xcu : 8u), 2, m->data);
}

static void program(const struct msi *m)
{
    if (m->r.x) {
        m->entry[3] = 1; /* an entry is changed while it is masked */
        m->entry[0] = (uint32_t)m->address;
        m->entry[1] = (uint32_t)(m->address >> 32);
        m->entry[2] = m->data;
    } else {
        write_msi(m);
    }
    write_mask(m);
}

int msi_map(const struct msi_request *r, uint32_t *pirq)
{
    struct msi m = {.masked = true, .r = *r}, *slot = NULL;
    int rc;

    for (struct msi *s = slots; s < slots + MSI_SLOTS; s++) {
        if (!s->used)
            slot = slot ? slot : s;
        else if (s->r.bdf == r->bdf && (s->r.x != r->x || s->r.entry == r->entry))
            return -XEN_EEXIST;
    }
    if (!slot)
        return -XEN_ENOSPC;
    *pirq = MAX_PIRQS - 1 - (uint32_t)(slot - slots);
    rc = locate(&m);
    if (rc == 0)
        rc = hal_msi_route(*pirq, &m.address, &m.data);
    if (rc)
        return rc;
    program(&m);
    *slot = m;
    slot->used = true;
    return 0;
}

bool msi_is_mapped(uint32_t pirq)
{
    return pirq >= MSI_FIRST && pirq < MAX_PIRQS && slot_of(pirq)->used;
}

void msi_mask(uint32_t pirq, bool masked)
{
    slot_of(pirq)->masked = masked;
    write_mask(slot_of(pirq));
}

/* Without a mask the device may still send: nobody listens (irq.c). */
void msi_unmap(uint32_t pirq)
{
    msi_mask(pirq, true);
    hal_msi_unroute(pirq);
    slot_of(pirq)->used = false;
}

void msi_restore(uint16_t bdf)
{
    for (unsigned i = 0; i < MSI_SLOTS; i++)
        if (slots[i].used && slots[i].r.bdf == bdf)
            program(&slots[i]);
}
