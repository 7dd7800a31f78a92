/* SPDX-License-Identifier: MIT */
/* Contract: the operations of memory_op, one example each (example.h). Invariants: MM-20. */
#include "example.h"

#include <xen/domctl.h>

#define EXAMPLE_NUMBER(name) XENMEM_##name

static xen_pfn_t frame;

EXAMPLE(current_reservation)
{
    domid_t who = DOMID_SELF;

    check_eq(hc_memory_op(XENMEM_current_reservation, &who), front_nr_pages);
}

EXAMPLE(maximum_reservation)
{
    domid_t who = DOMID_SELF;

    check(hc_memory_op(XENMEM_maximum_reservation, &who) >= (long)front_nr_pages);
}

EXAMPLE(maximum_gpfn)
{
    domid_t who = DOMID_SELF;

    front_shared->arch.max_pfn = front_nr_pages;
    check_eq(hc_memory_op(XENMEM_maximum_gpfn, &who), front_nr_pages - 1);
}

EXAMPLE(maximum_ram_page)
{
    check(hc_memory_op(XENMEM_maximum_ram_page, 0) > 0);
}

EXAMPLE(decrease_reservation)
{
    struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};

    frame = front_p2m[front_spare_pfn()]; /* mapped nowhere */
    set_xen_guest_handle(op.extent_start, &frame);
    check_eq(hc_memory_op(XENMEM_decrease_reservation, &op), 1);
}

EXAMPLE(populate_physmap)
{
    xen_pfn_t entry = front_nr_pages - 1; /* for this page number */
    struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};

    set_xen_guest_handle(op.extent_start, &entry);
    check_eq(hc_memory_op(XENMEM_populate_physmap, &op), 1);
    frame = entry;
    check_eq(front_mfn_to_pfn(frame), front_nr_pages - 1);
}

EXAMPLE(exchange)
{
    xen_pfn_t out = front_nr_pages - 1;
    struct xen_memory_exchange op = {
        .in = {.nr_extents = 1, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .domid = DOMID_SELF, .mem_flags = XENMEMF_address_bits(32)},
    };

    set_xen_guest_handle(op.in.extent_start, &frame);
    set_xen_guest_handle(op.out.extent_start, &out);
    check_eq(hc_memory_op(XENMEM_exchange, &op), 0);
    check_eq(op.nr_exchanged, 1);
    frame = out;
}

EXAMPLE(increase_reservation)
{
    struct xen_memory_reservation give = {.nr_extents = 1, .domid = DOMID_SELF}, op = give;

    set_xen_guest_handle(give.extent_start, &frame);
    check_eq(hc_memory_op(XENMEM_decrease_reservation, &give), 1);
    set_xen_guest_handle(op.extent_start, &frame);
    check_eq(hc_memory_op(XENMEM_increase_reservation, &op), 1);
}

EXAMPLE(machine_memory_map)
{
    static struct {
        u64 addr, size;
        u32 type;
    } __attribute__((packed)) entries[64];
    struct xen_memory_map op = {.nr_entries = FRONT_ARRAY_SIZE(entries)};

    set_xen_guest_handle(op.buffer, entries);
    check_eq(hc_memory_op(XENMEM_machine_memory_map, &op), 0);
    check(op.nr_entries > 1);
}

EXAMPLE(set_memory_map)
{
    static struct {
        u64 addr, size;
        u32 type;
    } __attribute__((packed)) entry = {0, 64 << 20, 1};
    struct xen_foreign_memory_map op = {.domid = DOMID_SELF, .map.nr_entries = 1};

    set_xen_guest_handle(op.map.buffer, &entry);
    check_eq(hc_memory_op(XENMEM_set_memory_map, &op), 0);
}

EXAMPLE(memory_map)
{
    static struct {
        u64 addr, size;
        u32 type;
    } __attribute__((packed)) entries[2];
    struct xen_memory_map op = {.nr_entries = FRONT_ARRAY_SIZE(entries)};

    set_xen_guest_handle(op.buffer, entries);
    check_eq(hc_memory_op(XENMEM_memory_map, &op), 0);
    check_eq(op.nr_entries, 1);
    check_eq(entries[0].size, 64 << 20);
}

EXAMPLE(machphys_mapping)
{
    struct xen_machphys_mapping op;

    check_eq(hc_memory_op(XENMEM_machphys_mapping, &op), 0);
    check_eq(op.v_start, MACH2PHYS_VIRT_START);
}

EXAMPLE(get_sharing_freed_pages)
{
    check_eq(hc_memory_op(XENMEM_get_sharing_freed_pages, 0), 0);
}

EXAMPLE(get_sharing_shared_pages)
{
    check_eq(hc_memory_op(XENMEM_get_sharing_shared_pages, 0), 0);
}

static domid_t new_domain(void)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_createdomain,
                            .interface_version = XEN_DOMCTL_INTERFACE_VERSION};

    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = ~0u;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = 1;
    check_eq(hc_domctl(&op), 0);
    op.cmd = XEN_DOMCTL_max_mem;
    op.u.max_mem.max_memkb = 64;
    check_eq(hc_domctl(&op), 0);
    return op.domain;
}

static domid_t guest;

EXAMPLE(claim_pages)
{
    struct xen_memory_reservation op = {.nr_extents = 16};

    op.domid = guest = new_domain();
    check_eq(hc_memory_op(XENMEM_claim_pages, &op), 0);
    op.nr_extents = 0;
    check_eq(hc_memory_op(XENMEM_claim_pages, &op), 0);
}

EXAMPLE(acquire_resource)
{
    xen_pfn_t frames[1] = {0};
    struct xen_mem_acquire_resource op = {.domid = guest,
                                          .type = XENMEM_resource_grant_table,
                                          .id = XENMEM_resource_grant_table_id_shared,
                                          .nr_frames = 1};

    set_xen_guest_handle(op.frame_list, frames);
    check_eq(hc_memory_op(XENMEM_acquire_resource, &op), 0);
    check(frames[0]);
}

EXAMPLES(LISTED(current_reservation), LISTED(maximum_reservation), LISTED(maximum_gpfn),
         LISTED(maximum_ram_page), LISTED(decrease_reservation), LISTED(populate_physmap),
         LISTED(exchange), LISTED(increase_reservation), LISTED(machine_memory_map),
         LISTED(set_memory_map), LISTED(memory_map), LISTED(machphys_mapping),
         LISTED(get_sharing_freed_pages), LISTED(get_sharing_shared_pages), LISTED(claim_pages),
         LISTED(acquire_resource));
