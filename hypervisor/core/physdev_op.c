/* SPDX-License-Identifier: MIT */
/*
 * PHYSDEVOP_*: the control domain's interrupt lines, and every guest's virtual IOPL (public header
 * physdev.h). pirq n is GSI n; MSI and MSI-X get numbers of their own, one vector a call (a block
 * of several is refused, whereupon Linux asks for one). With the option msi=off they answer
 * -ENOSYS, on which Linux uses the pin (contract 2.7). PCI devices are accepted without effect, as
 * we drive none.
 */
#include <tenue/hypercall.h>
#include <tenue/options.h>
#include <tenue/pirq.h>
#include <tenue/vcpu.h>

#include "msi.h"

#define MSIX_ENTRY_MAX 2047u

static long op_set_iopl(guest_va arg)
{
    struct physdev_set_iopl op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (op.iopl > 3)
        return -XEN_EINVAL;
    current_vcpu()->pv.iopl = (uint8_t)op.iopl;
    return 0;
}

static long op_set_iobitmap(guest_va arg)
{
    struct physdev_set_iobitmap op;
    struct vcpu *v = current_vcpu();
    uint64_t bitmap;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    bitmap = guest_va_of(op.bitmap).va;
    if (op.nr_ports > 65536 || !guest_range_ok(guest_va_make(bitmap), (op.nr_ports + 7) / 8))
        return -XEN_EINVAL;
    v->pv.iobmp_va = bitmap;
    v->pv.iobmp_limit = bitmap ? op.nr_ports : 0;
    return 0;
}

static long op_eoi(struct domain *d, guest_va arg)
{
    struct physdev_eoi op;
    int rc = guest_read_obj(&op, arg);

    return rc ? rc : pirq_eoi(d, op.irq);
}

static long op_irq_status_query(struct domain *d, guest_va arg)
{
    struct physdev_irq_status_query op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (!pirq_is_valid(d, op.irq))
        return -XEN_EINVAL;
    op.flags = pirq_needs_eoi(d, op.irq) ? XENIRQSTAT_needs_eoi : 0;
    return guest_write_obj(arg, &op);
}

static long op_apic_read(guest_va arg)
{
    struct physdev_apic op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    rc = hal_ioapic_read(op.apic_physbase, op.reg, &op.value);
    return rc ? rc : guest_write_obj(arg, &op);
}

/* The number is ignored by its users; it must only be plausible. */
static long op_alloc_irq_vector(struct domain *d, guest_va arg)
{
    struct physdev_irq op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (!pirq_is_valid(d, op.irq))
        return -XEN_EINVAL;
    op.vector = op.irq;
    return guest_write_obj(arg, &op);
}

static int map_gsi(const struct domain *d, struct physdev_map_pirq *op)
{
    if (op->index < 0 || !pirq_is_gsi(d, (uint32_t)op->index))
        return -XEN_EINVAL;
    if (op->pirq >= 0 && op->pirq != op->index)
        return -XEN_EINVAL;
    op->pirq = op->index;
    return 0;
}

/* The kinds differ in what entry_nr and the upper half of bus mean. */
static int msi_request_of(const struct physdev_map_pirq *op, struct msi_request *r)
{
    uint32_t bus = (uint32_t)op->bus, entry = (uint32_t)op->entry_nr;

    switch (op->type) {
    case MAP_PIRQ_TYPE_MULTI_MSI:
        if (entry != 1)
            return entry == 0 ? -XEN_EINVAL : -XEN_EOPNOTSUPP;
        entry = 0;
        break;
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
        break;
    default:
        return -XEN_EINVAL;
    }
    if (op->type != MAP_PIRQ_TYPE_MSI && bus >> 16)
        return -XEN_ENODEV; /* ports reach segment 0 only */
    if (bus > 0xff || (uint32_t)op->devfn > 0xff || entry > MSIX_ENTRY_MAX || op->index >= 0 ||
        op->pirq >= 0)
        return -XEN_EINVAL;
    *r = (struct msi_request){
        .bdf = (uint16_t)(bus << 8 | (uint32_t)op->devfn),
        .x = op->table_base != 0,
        .entry = (uint16_t)entry,
        .table_base = op->table_base,
    };
    return 0;
}

static int map_msi(struct domain *d, struct physdev_map_pirq *op)
{
    struct msi_request r;
    uint32_t pirq;
    int rc;

    if (!options.msi)
        return -XEN_ENOSYS;
    rc = msi_request_of(op, &r);
    if (rc == 0)
        rc = pirq_map_msi(d, &r, &pirq);
    if (rc == 0)
        op->pirq = (int)pirq;
    return rc;
}

static long op_map_pirq(struct domain *d, guest_va arg)
{
    struct physdev_map_pirq op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (op.domid != DOMID_SELF && op.domid != d->domid)
        return -XEN_EOPNOTSUPP;
    if (op.type == MAP_PIRQ_TYPE_GSI)
        rc = map_gsi(d, &op);
    else
        rc = map_msi(d, &op);
    return rc ? rc : guest_write_obj(arg, &op);
}

static long op_unmap_pirq(struct domain *d, guest_va arg)
{
    struct physdev_unmap_pirq op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (op.domid != DOMID_SELF && op.domid != d->domid)
        return -XEN_EOPNOTSUPP;
    return op.pirq >= 0 ? pirq_unmap(d, (uint32_t)op.pirq) : -XEN_EINVAL;
}

static long op_restore_msi(struct domain *d, guest_va arg)
{
    struct physdev_restore_msi op;
    int rc = guest_read_obj(&op, arg);

    if (rc == 0)
        pirq_restore_msi(d, (uint16_t)(op.bus << 8 | op.devfn));
    return rc;
}

static long op_restore_msi_ext(struct domain *d, guest_va arg)
{
    struct physdev_pci_device op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (op.seg)
        return -XEN_ENODEV;
    pirq_restore_msi(d, (uint16_t)(op.bus << 8 | op.devfn));
    return 0;
}

static long op_setup_gsi(struct domain *d, guest_va arg)
{
    struct physdev_setup_gsi op;
    int rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (op.gsi < 0 || op.triggering > 1 || op.polarity > 1)
        return -XEN_EINVAL;
    return pirq_setup(d, (uint32_t)op.gsi, op.triggering, op.polarity);
}

static long control_op(struct domain *d, uint32_t cmd, guest_va arg)
{
    switch (cmd) {
    case PHYSDEVOP_eoi:
        return op_eoi(d, arg);
    case PHYSDEVOP_irq_status_query:
        return op_irq_status_query(d, arg);
    case PHYSDEVOP_apic_read:
        return op_apic_read(arg);
    case PHYSDEVOP_alloc_irq_vector:
        return op_alloc_irq_vector(d, arg);
    case PHYSDEVOP_map_pirq:
        return op_map_pirq(d, arg);
    case PHYSDEVOP_unmap_pirq:
        return op_unmap_pirq(d, arg);
    case PHYSDEVOP_setup_gsi:
        return op_setup_gsi(d, arg);
    case PHYSDEVOP_restore_msi:
        return op_restore_msi(d, arg);
    case PHYSDEVOP_restore_msi_ext:
        return op_restore_msi_ext(d, arg);
    case PHYSDEVOP_prepare_msix: /* for devices given to guests, which ours are not */
    case PHYSDEVOP_release_msix:
    case PHYSDEVOP_manage_pci_add:
    case PHYSDEVOP_manage_pci_remove:
    case PHYSDEVOP_pci_device_add:
    case PHYSDEVOP_pci_device_remove:
    case PHYSDEVOP_pci_mmcfg_reserved:
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

static long physdev_op(uint32_t cmd, guest_va arg)
{
    struct domain *d = current_domain();

    switch (cmd) {
    case PHYSDEVOP_set_iopl:
        return op_set_iopl(arg);
    case PHYSDEVOP_set_iobitmap:
        return op_set_iobitmap(arg);
    case PHYSDEVOP_pirq_eoi_gmfn_v1:
    case PHYSDEVOP_pirq_eoi_gmfn_v2:
        return -XEN_ENOSYS;
    default:
        return d->is_control ? control_op(d, cmd, arg) : -XEN_EPERM;
    }
}

long hc_physdev_op(uint64_t cmd, uint64_t arg)
{
    return physdev_op((uint32_t)cmd, guest_va_make(arg));
}

/* The old form carries the command in the structure, and offers only what its union holds. */
long hc_physdev_op_compat(uint64_t arg)
{
    uint32_t cmd;
    int rc = guest_read_obj(&cmd, guest_va_make(arg));

    if (rc)
        return rc;
    switch (cmd) {
    case PHYSDEVOP_irq_status_query:
    case PHYSDEVOP_set_iopl:
    case PHYSDEVOP_set_iobitmap:
    case PHYSDEVOP_apic_read:
    case PHYSDEVOP_alloc_irq_vector:
        return physdev_op(cmd, guest_va_make(arg + offsetof(struct physdev_op, u)));
    default:
        return -XEN_ENOSYS;
    }
}
