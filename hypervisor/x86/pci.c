/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space by its two ports, for the control domain and for our MSI code: a lock
 * keeps address and data together. And pages of devices, mapped once and for ever.
 */
#include <tenue/hal.h>

#include "asm.h"
#include "machine.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define PAGES_MAX 64u

static struct spinlock pci_lock = SPINLOCK_INIT(RANK_IRQ);

static struct {
    mfn_t m;
    volatile void *at;
} pages[PAGES_MAX]; /* [pci_lock] */
static unsigned page_count;

uint32_t hal_pci_in(uint32_t address, unsigned offset, unsigned bytes)
{
    uint32_t value;

    spin_lock(&pci_lock);
    outl(PORT_ADDRESS, address);
    value = hal_port_in((uint16_t)(PORT_DATA + offset), bytes);
    spin_unlock(&pci_lock);
    return value;
}

void hal_pci_out(uint32_t address, unsigned offset, unsigned bytes, uint32_t value)
{
    spin_lock(&pci_lock);
    outl(PORT_ADDRESS, address);
    hal_port_out((uint16_t)(PORT_DATA + offset), bytes, value);
    spin_unlock(&pci_lock);
}

volatile void *hal_device_page(mfn_t m)
{
    unsigned i = 0;

    spin_lock(&pci_lock);
    while (i < page_count && !mfn_eq(pages[i].m, m))
        i++;
    if (i == page_count && i < PAGES_MAX) {
        pages[i].m = m;
        pages[i].at = map_device(mfn_to_maddr(m).a, PAGE_SIZE, MAP_UC);
        page_count++;
    }
    spin_unlock(&pci_lock);
    return i < PAGES_MAX ? pages[i].at : NULL;
}
