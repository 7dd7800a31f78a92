/* SPDX-License-Identifier: MIT */
/* Contract: the operations of physdev_op, one example each (example.h). Invariants: HC-1. */
#include "example.h"

#include <xen/physdev.h>

#define EXAMPLE_NUMBER(name) PHYSDEVOP_##name

EXAMPLE(map_pirq)
{
    struct physdev_map_pirq op = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 12, .pirq = 12};

    check_eq(hc_physdev_op(PHYSDEVOP_map_pirq, &op), 0);
    check_eq(op.pirq, 12);
}

EXAMPLE(setup_gsi)
{
    struct physdev_setup_gsi op = {.gsi = 12, .triggering = 0, .polarity = 0};

    check_eq(hc_physdev_op(PHYSDEVOP_setup_gsi, &op), 0);
}

EXAMPLE(alloc_irq_vector)
{
    struct physdev_irq op = {.irq = 12};

    check_eq(hc_physdev_op(PHYSDEVOP_alloc_irq_vector, &op), 0);
}

EXAMPLE(irq_status_query)
{
    struct physdev_irq_status_query op = {.irq = 12};

    check_eq(hc_physdev_op(PHYSDEVOP_irq_status_query, &op), 0);
}

EXAMPLE(eoi)
{
    struct evtchn_bind_pirq bind = {.pirq = 12};
    struct physdev_eoi op = {.irq = 12};

    check_eq(hc_event_channel_op(EVTCHNOP_bind_pirq, &bind), 0);
    check_eq(hc_physdev_op(PHYSDEVOP_eoi, &op), 0);
    front_evtchn_close(bind.port);
}

EXAMPLE(unmap_pirq)
{
    struct physdev_unmap_pirq op = {.domid = DOMID_SELF, .pirq = 12};

    check_eq(hc_physdev_op(PHYSDEVOP_unmap_pirq, &op), 0);
}

EXAMPLE(set_iopl)
{
    struct physdev_set_iopl op = {.iopl = 1};

    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &op), 0);
}

EXAMPLE(set_iobitmap)
{
    static u8 bitmap[8192]; /* all clear: every port is user mode's */
    struct physdev_set_iobitmap op = {.nr_ports = 65536};

    set_xen_guest_handle(op.bitmap, bitmap);
    check_eq(hc_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
}

EXAMPLE(apic_read)
{
    struct physdev_apic op = {.apic_physbase = 0xfec00000, .reg = 1}; /* its version */

    check_eq(hc_physdev_op(PHYSDEVOP_apic_read, &op), 0);
    check(op.value);
}

EXAMPLE(pci_mmcfg_reserved)
{
    struct physdev_pci_mmcfg_reserved op = {
        .address = 0xb0000000, .end_bus = 255, .flags = XEN_PCI_MMCFG_RESERVED};

    hc_physdev_op(PHYSDEVOP_pci_mmcfg_reserved, &op);
}

EXAMPLE(manage_pci_add)
{
    struct physdev_manage_pci op = {.bus = 0, .devfn = 0};

    check_eq(hc_physdev_op(PHYSDEVOP_manage_pci_add, &op), 0);
}

EXAMPLE(pci_device_add)
{
    struct physdev_pci_device_add op = {.bus = 0, .devfn = 0};

    check_eq(hc_physdev_op(PHYSDEVOP_pci_device_add, &op), 0);
}

EXAMPLE(prepare_msix)
{
    struct physdev_pci_device op = {.bus = 0, .devfn = 0};

    hc_physdev_op(PHYSDEVOP_prepare_msix, &op); /* the machine has no such device */
}

EXAMPLE(release_msix)
{
    struct physdev_pci_device op = {.bus = 0, .devfn = 0};

    hc_physdev_op(PHYSDEVOP_release_msix, &op); /* the machine has no such device */
}

EXAMPLE(restore_msi)
{
    struct physdev_restore_msi op = {.bus = 0, .devfn = 0};

    hc_physdev_op(PHYSDEVOP_restore_msi, &op); /* the machine has no such device */
}

EXAMPLE(restore_msi_ext)
{
    struct physdev_pci_device op = {.bus = 0, .devfn = 0};

    hc_physdev_op(PHYSDEVOP_restore_msi_ext, &op); /* the machine has no such device */
}

EXAMPLE(pci_device_remove)
{
    struct physdev_pci_device op = {.bus = 0, .devfn = 0};

    check_eq(hc_physdev_op(PHYSDEVOP_pci_device_remove, &op), 0);
}

EXAMPLE(manage_pci_remove)
{
    struct physdev_manage_pci op = {.bus = 0, .devfn = 0};

    check_eq(hc_physdev_op(PHYSDEVOP_manage_pci_remove, &op), 0);
}

EXAMPLES(LISTED(map_pirq), LISTED(setup_gsi), LISTED(alloc_irq_vector), LISTED(irq_status_query),
         LISTED(eoi), LISTED(unmap_pirq), LISTED(set_iopl), LISTED(set_iobitmap), LISTED(apic_read),
         LISTED(pci_mmcfg_reserved), LISTED(manage_pci_add), LISTED(pci_device_add),
         LISTED(prepare_msix), LISTED(release_msix), LISTED(restore_msi), LISTED(restore_msi_ext),
         LISTED(pci_device_remove), LISTED(manage_pci_remove));
