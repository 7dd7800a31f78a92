/* SPDX-License-Identifier: MIT */
/*
 * Contract: every pointer a hypercall takes is checked: an argument that lies in the hypervisor's
 * range, at the edges of the canonical hole, wraps around, or is simply not mapped makes the call
 * fail with -EFAULT; an argument on read-only memory that would be written does too, and nothing
 * is written. The guest and the hypervisor survive all of it.
 *
 * Invariants: HC-1, HC-3, HC-10.
 * A failure means: a guest reads or writes the hypervisor's memory through a hypercall.
 * Sabotage: add a good pointer (a page of bss) to `bad`: calls succeed, one ends the guest.
 * Leave prepare_msix out of the table in core/physdev_op.c: -ENOSYS.
 */
#include "guest.h"

#include <xen/callback.h>
#include <xen/physdev.h>

GUEST_RUN("vcpus=1");

static const struct call {
    const char *name;
    unsigned nr;
    unsigned pointer; /* which argument is the pointer, from 0 */
    u64 args[5];
} calls[] = {
    {"set_trap_table", __HYPERVISOR_set_trap_table, 0, {0}},
    {"mmu_update", __HYPERVISOR_mmu_update, 0, {0, 1, 0, DOMID_SELF}},
    {"set_gdt", __HYPERVISOR_set_gdt, 0, {0, 512}},
    {"memory_op decrease", __HYPERVISOR_memory_op, 1, {XENMEM_decrease_reservation}},
    {"memory_op populate", __HYPERVISOR_memory_op, 1, {XENMEM_populate_physmap}},
    {"memory_op exchange", __HYPERVISOR_memory_op, 1, {XENMEM_exchange}},
    {"memory_op machphys_mapping", __HYPERVISOR_memory_op, 1, {XENMEM_machphys_mapping}},
    {"memory_op machine_memory_map", __HYPERVISOR_memory_op, 1, {XENMEM_machine_memory_map}},
    {"multicall", __HYPERVISOR_multicall, 0, {0, 1}},
    {"xen_version extraversion", __HYPERVISOR_xen_version, 1, {XENVER_extraversion}},
    {"xen_version capabilities", __HYPERVISOR_xen_version, 1, {XENVER_capabilities}},
    {"xen_version features", __HYPERVISOR_xen_version, 1, {XENVER_get_features}},
    {"console_io write", __HYPERVISOR_console_io, 2, {CONSOLEIO_write, 64}},
    {"grant map", __HYPERVISOR_grant_table_op, 1, {GNTTABOP_map_grant_ref, 0, 1}},
    {"grant unmap", __HYPERVISOR_grant_table_op, 1, {GNTTABOP_unmap_grant_ref, 0, 1}},
    {"grant copy", __HYPERVISOR_grant_table_op, 1, {GNTTABOP_copy, 0, 1}},
    {"grant query", __HYPERVISOR_grant_table_op, 1, {GNTTABOP_query_size, 0, 1}},
    {"vcpu_op runstate", __HYPERVISOR_vcpu_op, 2, {VCPUOP_get_runstate_info, 0}},
    {"vcpu_op register_info", __HYPERVISOR_vcpu_op, 2, {VCPUOP_register_vcpu_info, 0}},
    {"vcpu_op initialise", __HYPERVISOR_vcpu_op, 2, {VCPUOP_initialise, 0}},
    {"vcpu_op singleshot", __HYPERVISOR_vcpu_op, 2, {VCPUOP_set_singleshot_timer, 0}},
    {"mmuext_op", __HYPERVISOR_mmuext_op, 0, {0, 1, 0, DOMID_SELF}},
    {"sched_op poll", __HYPERVISOR_sched_op, 1, {SCHEDOP_poll}},
    {"sched_op shutdown", __HYPERVISOR_sched_op, 1, {SCHEDOP_shutdown}},
    {"callback_op", __HYPERVISOR_callback_op, 1, {CALLBACKOP_register}},
    {"evtchn send", __HYPERVISOR_event_channel_op, 1, {EVTCHNOP_send}},
    {"evtchn bind_virq", __HYPERVISOR_event_channel_op, 1, {EVTCHNOP_bind_virq}},
    {"evtchn status", __HYPERVISOR_event_channel_op, 1, {EVTCHNOP_status}},
    {"physdev set_iopl", __HYPERVISOR_physdev_op, 1, {PHYSDEVOP_set_iopl}},
    {"physdev manage_pci_add", __HYPERVISOR_physdev_op, 1, {PHYSDEVOP_manage_pci_add}},
    {"physdev manage_pci_remove", __HYPERVISOR_physdev_op, 1, {PHYSDEVOP_manage_pci_remove}},
    {"physdev mmcfg_reserved", __HYPERVISOR_physdev_op, 1, {PHYSDEVOP_pci_mmcfg_reserved}},
    {"physdev pci_device_add", __HYPERVISOR_physdev_op, 1, {PHYSDEVOP_pci_device_add}},
    {"physdev pci_device_remove", __HYPERVISOR_physdev_op, 1, {PHYSDEVOP_pci_device_remove}},
    {"physdev prepare_msix", __HYPERVISOR_physdev_op, 1, {PHYSDEVOP_prepare_msix}},
    {"physdev release_msix", __HYPERVISOR_physdev_op, 1, {PHYSDEVOP_release_msix}},
    {"platform_op", __HYPERVISOR_platform_op, 0, {0}},
    {"sysctl", __HYPERVISOR_sysctl, 0, {0}},
    {"domctl", __HYPERVISOR_domctl, 0, {0}},
};

static const u64 bad[] = {
    HYPERVISOR_VIRT_START + 0x40000000000, /* inside the hypervisor's range */
    HYPERVISOR_VIRT_END - 4096,            /* its last page */
    HYPERVISOR_VIRT_START - 1,             /* the hole, just below it */
    0x00007ffffffffffcUL,                  /* across the lower edge of the hole */
    0x0000800000000000UL,                  /* the first byte of the hole */
    0x8000000000000000UL,                  /* far inside it */
    0xffff7ffffffffff8UL,                  /* across the upper edge */
    0xfffffffffffffffcUL,                  /* wraps around */
    0x0000300000000000UL,                  /* canonical, ours, and not mapped */
};

static bool counts(const struct call *c)
{
    return c->nr == __HYPERVISOR_memory_op &&
           (c->args[0] == XENMEM_decrease_reservation || c->args[0] == XENMEM_populate_physmap);
}

static void sweep(void)
{
    for (unsigned c = 0; c < FRONT_ARRAY_SIZE(calls); c++) {
        for (unsigned b = 0; b < FRONT_ARRAY_SIZE(bad); b++) {
            u64 a[5];
            long rc;

            memcpy(a, calls[c].args, sizeof(a));
            a[calls[c].pointer] = bad[b];
            rc = front_hypercall(calls[c].nr, a[0], a[1], a[2], a[3], a[4]);
            /* Calls that count answer "none" for a list they cannot read. */
            check(rc == -XEN_EFAULT || (rc == 0 && counts(&calls[c])), "%s at %lx: %ld",
                  calls[c].name, bad[b], rc);
        }
    }
}

/* No pointer: where that has no meaning of its own, address 0 is one like any other. */
static void null(void)
{
    check_eq(hc_vcpu_op(VCPUOP_initialise, 0, 0), -XEN_EFAULT);
    check_eq(hc_physdev_op(PHYSDEVOP_pci_device_add, 0), -XEN_EFAULT);
}

/* Output to memory that the guest itself could not write. */
static void read_only(void)
{
    static u64 page[512] FRONT_PAGE_ALIGNED;
    struct xen_machphys_mapping *m = (void *)page;

    memset(page, 0xa5, sizeof(page));
    front_page_ro(page);
    check_eq(hc_memory_op(XENMEM_machphys_mapping, m), -XEN_EFAULT);
    check_eq(hc_xen_version(XENVER_capabilities, page), -XEN_EFAULT);
    check_eq(hc_vcpu_op(VCPUOP_get_runstate_info, 0, page), -XEN_EFAULT);
    for (unsigned i = 0; i < 512; i++) {
        if (!check(page[i] == 0xa5a5a5a5a5a5a5a5UL, "word %u was written", i))
            break;
    }
    check_eq(hc_xen_version(XENVER_capabilities, front_si->pt_base), -XEN_EFAULT);
    check_eq(hc_xen_version(XENVER_capabilities, HYPERVISOR_VIRT_START), -XEN_EFAULT);
    front_page_rw(page);
    check_eq(hc_xen_version(XENVER_capabilities, page), 0);
}

/* One byte short: the argument ends where memory does. */
static void edges(void)
{
    u64 window = 0x0000100000000000UL;
    void *page = front_page_alloc();
    evtchn_send_t send = {.port = 4000};

    front_map(window, front_va_to_mfn(page), PTE_KERN);
    memcpy((void *)(window + 4096 - sizeof(send)), &send, sizeof(send));
    check_eq(hc_event_channel_op(EVTCHNOP_send, window + 4096 - sizeof(send)), -XEN_EINVAL);
    check_eq(hc_event_channel_op(EVTCHNOP_send, window + 4096 - sizeof(send) + 1), -XEN_EFAULT);
    check_eq(hc_event_channel_op(EVTCHNOP_send, window - 1), -XEN_EFAULT);
    check_eq(hc_xen_version(XENVER_extraversion, window + 4096 - XEN_EXTRAVERSION_LEN), 0);
    check_eq(hc_xen_version(XENVER_extraversion, window + 4097 - XEN_EXTRAVERSION_LEN),
             -XEN_EFAULT);
}

/* Vcpus to flush on, named where there is nothing to read: not a fault, but no such vcpus. */
static void no_vcpus(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_MULTI};

    for (unsigned b = 0; b < FRONT_ARRAY_SIZE(bad); b++) {
        op.arg2.vcpumask.p = (const void *)(bad[b] & ~7UL);
        check(hc_mmuext_op(&op, 1, 0, DOMID_SELF) == -XEN_EINVAL, "vcpus at %lx", bad[b]);
    }
}

void guest_test(void)
{
    sweep();
    null();
    no_vcpus();
    read_only();
    edges();
}
