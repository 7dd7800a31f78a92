/* SPDX-License-Identifier: MIT */
/*
 * I/O ports. Who may: guest kernel with virtual IOPL >= 1, user with IOPL 3 or a clear bit in its
 * bitmap. What happens: the control domain reaches the hardware, except what is ours; any
 * other domain has no ports at all and reads ones, so that its probes find nothing.
 *
 * The PCI configuration address is latched per domain, because ours and its accesses may
 * interleave.
 */

#include "state.h"

#define PORT_PIT_CHANNEL2 0x42u
#define PORT_PCI_ADDRESS 0xcf8u
#define PORT_PCI_DATA 0xcfcu

/* The bitmap is in the guest kernel's address space, which its user roots lack. */
static bool read_bitmap(struct vcpu *v, uint16_t port, uint8_t bits[2])
{
    guest_va at = guest_va_make(v->pv.iobmp_va + port / 8);
    bool ok;

    if (!v->pv.kernel_mode)
        hal_switch_root(v->pv.root_kernel);
    ok = guest_read(bits, at, 2) == 0;
    if (!v->pv.kernel_mode)
        hal_switch_root(v->pv.root_user);
    return ok;
}

bool pv_port_allowed(struct vcpu *v, uint16_t port, unsigned bytes)
{
    uint8_t bits[2];

    if (pv_iopl_ok(v))
        return true;
    if (v->pv.iobmp_va == 0 || (uint32_t)port + bytes > v->pv.iobmp_limit)
        return false;
    if (!read_bitmap(v, port, bits))
        return false;
    return ((bits[0] | bits[1] << 8) >> port % 8 & ((1u << bytes) - 1)) == 0;
}

static bool is_ours(uint16_t port, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        if (hal_port_is_ours((uint16_t)(port + i)))
            return true;
    return false;
}

uint32_t pv_port_in(struct domain *d, uint16_t port, unsigned bytes)
{
    if (port == PORT_PIT_CHANNEL2 && bytes == 1)
        return 0; /* two reads that agree end a guest's calibration loop at once */
    if (!d->is_control || is_ours(port, bytes))
        return ~0u >> (32 - 8 * bytes);
    if (port == PORT_PCI_ADDRESS && bytes == 4)
        return d->pv.pci_cf8;
    if ((port & ~3u) == PORT_PCI_DATA)
        return hal_pci_in(d->pv.pci_cf8, port & 3, bytes);
    return hal_port_in(port, bytes);
}

void pv_port_out(struct domain *d, uint16_t port, unsigned bytes, uint32_t value)
{
    if (!d->is_control || is_ours(port, bytes))
        return;
    if (port == PORT_PCI_ADDRESS && bytes == 4) {
        d->pv.pci_cf8 = value;
        return;
    }
    if ((port & ~3u) == PORT_PCI_DATA)
        hal_pci_out(d->pv.pci_cf8, port & 3, bytes, value);
    else
        hal_port_out(port, bytes, value);
}
