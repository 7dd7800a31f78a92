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

union physdev_arg {
    struct physdev_irq_status_query irq_status_query;
    struct physdev_set_iopl set_iopl;
    struct physdev_set_iobitmap set_iobitmap;
    struct physdev_apic apic;
    struct physdev_irq irq;
    struct physdev_eoi eoi;
    struct physdev_map_pirq map_pirq;
    struct physdev_unmap_pirq unmap_pirq;
    struct physdev_setup_gsi setup_gsi;
    struct physdev_restore_msi restore_msi;
    struct physdev_pci_device device;
    struct physdev_manage_pci manage;
    struct physdev_pci_mmcfg_reserved mmcfg;
    struct physdev_pci_device_add add;
};

/* The structure of each: its length; is it written back, for all guests, in the old form's union.
 */
static const struct physdev_desc {
    uint8_t size;
    bool told, any, old;
} descs[] = {
    [PHYSDEVOP_set_iopl] = {sizeof(struct physdev_set_iopl), .any = true, .old = true},
    [PHYSDEVOP_set_iobitmap] = {sizeof(struct physdev_set_iobitmap), .any = true, .old = true},
    [PHYSDEVOP_irq_status_query] = {sizeof(struct physdev_irq_status_query), .told = true,
                                    .old = true},
    [PHYSDEVOP_apic_read] = {sizeof(struct physdev_apic), .told = true, .old = true},
    [PHYSDEVOP_alloc_irq_vector] = {sizeof(struct physdev_irq), .told = true, .old = true},
    [PHYSDEVOP_eoi] = {sizeof(struct physdev_eoi)},
    [PHYSDEVOP_map_pirq] = {sizeof(struct physdev_map_pirq), .told = true},
    [PHYSDEVOP_unmap_pirq] = {sizeof(struct physdev_unmap_pirq)},
    [PHYSDEVOP_setup_gsi] = {sizeof(struct physdev_setup_gsi)},
    [PHYSDEVOP_restore_msi] = {sizeof(struct physdev_restore_msi)},
    [PHYSDEVOP_restore_msi_ext] = {sizeof(struct physdev_pci_device)},
    [PHYSDEVOP_manage_pci_add] = {sizeof(struct physdev_manage_pci)},
    [PHYSDEVOP_manage_pci_remove] = {sizeof(struct physdev_manage_pci)},
    [PHYSDEVOP_pci_mmcfg_reserved] = {sizeof(struct physdev_pci_mmcfg_reserved)},
    [PHYSDEVOP_pci_device_add] = {sizeof(struct physdev_pci_device_add)},
    [PHYSDEVOP_pci_device_remove] = {sizeof(struct physdev_pci_device)},
    [PHYSDEVOP_prepare_msix] = {sizeof(struct physdev_pci_device)},
    [PHYSDEVOP_release_msix] = {sizeof(struct physdev_pci_device)},
};

static int set_iobitmap(struct vcpu *v, const struct physdev_set_iobitmap *op)
{
    const guest_va bitmap = guest_va_of(op->bitmap);

    if (op->nr_ports > 65536 || !guest_range_ok(bitmap, (op->nr_ports + 7) / 8))
        return -XEN_EINVAL;
    v->pv.iobmp_va = bitmap.va;
    v->pv.iobmp_limit = bitmap.va ? op->nr_ports : 0;
    return 0;
}

static int map_gsi(const struct domain *d, struct physdev_map_pirq *op)
{
    if (op->index < 0 || !pirq_is_gsi(d, (uint32_t)op->index) ||
        (op->pirq >= 0 && op->pirq != op->index))
        return -XEN_EINVAL;
    op->pirq = op->index;
    return 0;
}

/* The kinds differ in what entry_nr and the upper half of bus mean. */
static int map_msi(struct physdev_map_pirq *op)
{
    uint32_t bus = (uint32_t)op->bus, entry = (uint32_t)op->entry_nr, pirq;
    struct msi_request r;
    int rc;

    if (!options.msi)
        return -XEN_ENOSYS;
    if (op->type == MAP_PIRQ_TYPE_MULTI_MSI) {
        if (entry != 1)
            return entry == 0 ? -XEN_EINVAL : -XEN_EOPNOTSUPP;
        entry = 0;
    } else if (op->type != MAP_PIRQ_TYPE_MSI && op->type != MAP_PIRQ_TYPE_MSI_SEG) {
        return -XEN_EINVAL;
    }
    if (op->type != MAP_PIRQ_TYPE_MSI && bus >> 16)
        return -XEN_ENODEV; /* ports reach segment 0 only */
    if (bus > 0xff || (uint32_t)op->devfn > 0xff || entry > MSIX_ENTRY_MAX || op->index >= 0 ||
        op->pirq >= 0)
        return -XEN_EINVAL;
    r = (struct msi_request){
        .bdf = (uint16_t)(bus << 8 | (uint32_t)op->devfn),
        .x = op->table_base != 0,
        .entry = (uint16_t)entry,
        .table_base = op->table_base,
    };
    rc = msi_map(&r, &pirq);
    if (rc == 0)
        op->pirq = (int)pirq;
    return rc;
}

static bool names_other(const struct domain *d, domid_t domid)
{
    return domid != DOMID_SELF && domid != d->domid;
}

static int restore_msi(unsigned seg, unsigned bus, unsigned devfn)
{
    if (seg)
        return -XEN_ENODEV;
    msi_restore((uint16_t)(bus << 8 | devfn));
    return 0;
}

/* The control domain's, but for the first two. d's evtchn lock is held. */
static int run(struct domain *d, uint32_t cmd, union physdev_arg *a)
{
    switch (cmd) {
    case PHYSDEVOP_set_iopl:
        if (a->set_iopl.iopl > 3)
            return -XEN_EINVAL;
        current_vcpu()->pv.iopl = (uint8_t)a->set_iopl.iopl;
        return 0;
    case PHYSDEVOP_set_iobitmap:
        return set_iobitmap(current_vcpu(), &a->set_iobitmap);
    case PHYSDEVOP_eoi:
        return pirq_eoi(d, a->eoi.irq);
    case PHYSDEVOP_irq_status_query:
        if (!pirq_is_valid(d, a->irq_status_query.irq))
            return -XEN_EINVAL;
        a->irq_status_query.flags = pirq_needs_eoi(a->irq_status_query.irq) ? XENIRQSTAT_needs_eoi
                                                                            : 0;
        return 0;
    case PHYSDEVOP_apic_read:
        return hal_ioapic_read(a->apic.apic_physbase, a->apic.reg, &a->apic.value);
    case PHYSDEVOP_alloc_irq_vector: /* its users ignore the number, which must only be plausible */
        a->irq.vector = a->irq.irq;
        return 0;
    case PHYSDEVOP_map_pirq:
        if (names_other(d, a->map_pirq.domid))
            return -XEN_EOPNOTSUPP;
        return a->map_pirq.type == MAP_PIRQ_TYPE_GSI ? map_gsi(d, &a->map_pirq)
                                                     : map_msi(&a->map_pirq);
    case PHYSDEVOP_unmap_pirq:
        if (names_other(d, a->unmap_pirq.domid))
            return -XEN_EOPNOTSUPP;
        return a->unmap_pirq.pirq >= 0 ? pirq_unmap(d, (uint32_t)a->unmap_pirq.pirq) : -XEN_EINVAL;
    case PHYSDEVOP_setup_gsi:
        if (a->setup_gsi.gsi < 0 || a->setup_gsi.triggering > 1 || a->setup_gsi.polarity > 1)
            return -XEN_EINVAL;
        return pirq_setup(d, (uint32_t)a->setup_gsi.gsi, a->setup_gsi.triggering,
                          a->setup_gsi.polarity);
    case PHYSDEVOP_restore_msi:
        return restore_msi(0, a->restore_msi.bus, a->restore_msi.devfn);
    case PHYSDEVOP_restore_msi_ext:
        return restore_msi(a->device.seg, a->device.bus, a->device.devfn);
    default:
        return 0; /* without effect: PCI devices are not given to guests, nor driven by us */
    }
}

static long absent_op(const struct domain *d, uint32_t cmd)
{
    if (!d->is_control && cmd != PHYSDEVOP_pirq_eoi_gmfn_v1 && cmd != PHYSDEVOP_pirq_eoi_gmfn_v2)
        return -XEN_EPERM;
    return -XEN_ENOSYS;
}

static long physdev_op(uint32_t cmd, guest_va arg)
{
    const struct physdev_desc *desc = &descs[index_nospec(cmd, ARRAY_LEN(descs))];
    struct domain *d = current_domain();
    union physdev_arg a;
    int rc;

    if (cmd >= ARRAY_LEN(descs) || desc->size == 0)
        return absent_op(d, cmd);
    if (!desc->any && !d->is_control)
        return -XEN_EPERM;
    if (guest_read(&a, arg, desc->size))
        return -XEN_EFAULT;
    spin_lock(&d->evtchn.lock);
    rc = run(d, cmd, &a);
    spin_unlock(&d->evtchn.lock);
    return rc == 0 && desc->told ? guest_write(arg, &a, desc->size) : rc;
}

long hc_physdev_op(uint32_t cmd, uint64_t arg)
{
    return physdev_op(cmd, guest_va_make(arg));
}

/* The old form carries the command in the structure, and offers only what its union holds. */
long hc_physdev_op_compat(uint64_t arg)
{
    uint32_t cmd;

    if (guest_read_obj(&cmd, guest_va_make(arg)))
        return -XEN_EFAULT;
    if (cmd >= ARRAY_LEN(descs) || !descs[index_nospec(cmd, ARRAY_LEN(descs))].old)
        return -XEN_ENOSYS;
    return physdev_op(cmd, guest_va_make(arg + offsetof(struct physdev_op, u)));
}
