/* SPDX-License-Identifier: MIT */
/*
 * memory_op: reservations, exchange, and what guests and tools ask about memory (public header:
 * memory.h).
 *
 * Operations on extents are restarted with the index of the next extent in the high bits of the
 * command, as the ABI has it (a guest may set them itself: it then starts there). Each extent is
 * checked when it is reached (MM-20); the result is the number of extents done. Other domains than
 * oneself are the control domain's business only. Mechanism: page.c. No locks held across guest
 * copies.
 */
#include <tenue/hypercall.h>
#include <tenue/m2p.h>
#include <tenue/vcpu.h>

#include "memory_priv.h"

#define EXTENT_SHIFT 6 /* command in the bits below, first extent above */
#define ANY_ADDRESS 64u
#define RELEASE_BATCH 64u

/* --- whom --- */

int memory_domain_get(uint16_t domid, struct domain **d)
{
    struct domain *self = current_domain();

    if (domid != DOMID_SELF && domid != self->domid && !self->is_control)
        return -XEN_EPERM;
    *d = domain_get_or_self(domid);
    return *d ? 0 : -XEN_ESRCH;
}

unsigned memory_addr_bits(unsigned mem_flags)
{
    const unsigned bits = XENMEMF_get_address_bits(mem_flags);

    return bits && bits < ANY_ADDRESS ? bits : ANY_ADDRESS;
}

/* --- populate, increase, decrease --- */

struct extents {
    struct domain *d;
    guest_va list;
    unsigned order, addr_bits;
};

static int populate_extent(const struct extents *x, uint64_t i, bool with_pfn)
{
    xen_pfn_t pfn = 0, out;
    mfn_t mfn;

    if (with_pfn && guest_read_elem(&pfn, x->list, i, sizeof(pfn)) != 0)
        return -XEN_EFAULT;
    if (domain_alloc_frames(x->d, x->order, x->addr_bits, &mfn) != 0)
        return -XEN_ENOMEM;
    if (with_pfn)
        m2p_set_block(mfn, pfn, 1ull << x->order);
    out = mfn.n;
    return guest_write_elem(x->list, i, &out, sizeof(out));
}

static int decrease_extent(const struct extents *x, uint64_t i)
{
    xen_pfn_t first;

    if (guest_read_elem(&first, x->list, i, sizeof(first)) != 0)
        return -XEN_EFAULT;
    for (uint64_t k = 0; k < 1ull << x->order; k++) {
        const mfn_t m = mfn_make(first + k);
        uint16_t owner;
        int rc;

        if (!page_get_any(m, &owner))
            return -XEN_EINVAL;
        rc = domain_release_frame(x->d, m);
        if (!rc)
            m2p_clear(m); /* while our reference still keeps the frame from anybody else */
        page_put(m);
        if (rc)
            return rc;
        if (k % RELEASE_BATCH == RELEASE_BATCH - 1)
            hal_take_interrupts();
    }
    return 0;
}

static int one_extent(unsigned cmd, const struct extents *x, uint64_t i)
{
    switch (cmd) {
    case XENMEM_populate_physmap:
        return populate_extent(x, i, true);
    case XENMEM_increase_reservation:
        return populate_extent(x, i, false);
    default:
        return decrease_extent(x, i);
    }
}

static long reservation_op(unsigned cmd, uint64_t start, guest_va arg)
{
    struct xen_memory_reservation op;
    struct extents x;
    uint64_t i;
    int rc;

    if (guest_read_obj(&op, arg) != 0)
        return -XEN_EFAULT;
    if (op.nr_extents > ~0ull >> EXTENT_SHIFT || start > op.nr_extents)
        return (long)start;
    if (op.extent_order > MEMORY_ORDER_MAX)
        return (long)start;
    rc = memory_domain_get(op.domid, &x.d);
    if (rc)
        return rc;
    x.list = guest_va_of(op.extent_start);
    x.order = op.extent_order;
    x.addr_bits = memory_addr_bits(op.mem_flags);
    for (i = start; i < op.nr_extents; i++) {
        if (one_extent(cmd, &x, i) != 0)
            break; /* the count says which one could not be done */
        if (i + 1 < op.nr_extents && hal_preempt_point()) {
            domain_put(x.d);
            return hypercall_restart(__HYPERVISOR_memory_op, cmd | (i + 1) << EXTENT_SHIFT, arg.va,
                                     0, 0, 0);
        }
    }
    domain_put(x.d);
    return (long)i;
}

/* --- questions --- */

static long domid_question(unsigned cmd, guest_va arg)
{
    struct domain *d;
    domid_t domid;
    long answer;
    int rc;

    if (guest_read_obj(&domid, arg) != 0)
        return -XEN_EFAULT;
    rc = memory_domain_get(domid, &d);
    if (rc)
        return rc;
    switch (cmd) {
    case XENMEM_current_reservation:
        answer = READ_ONCE(d->pages.total);
        break;
    case XENMEM_maximum_reservation:
        answer = READ_ONCE(d->pages.max);
        break;
    default: /* XENMEM_maximum_gpfn: as the guest says in its shared page */
        answer = (long)(READ_ONCE(d->shared_info->arch.max_pfn) - 1);
        break;
    }
    domain_put(d);
    return answer;
}

static long machphys_mapping(guest_va arg)
{
    struct xen_machphys_mapping m = {
        .v_start = MACH2PHYS_VIRT_START,
        .v_end = MACH2PHYS_VIRT_START + hal_m2p_entries * sizeof(uint64_t),
        .max_mfn = hal_m2p_entries - 1,
    };

    return guest_write_obj(arg, &m);
}

/* --- memory maps --- */

static long put_map(guest_va arg, struct xen_memory_map *map, const struct e820_region *r,
                    uint32_t count)
{
    const uint32_t room = map->nr_entries;
    const guest_va buffer = guest_va_of(map->buffer);

    map->nr_entries = MIN(room, count);
    for (uint32_t i = 0; i < map->nr_entries; i++) {
        struct {
            uint64_t addr, size;
            uint32_t type;
        } __attribute__((packed)) e = {r[i].addr, r[i].size, r[i].type};

        if (guest_write_elem(buffer, i, &e, sizeof(e)) != 0)
            return -XEN_EFAULT;
    }
    return guest_write_obj(arg, map);
}

static long machine_memory_map(guest_va arg)
{
    struct xen_memory_map map;

    if (!current_domain()->is_control)
        return -XEN_EPERM;
    if (guest_read_obj(&map, arg) != 0)
        return -XEN_EFAULT;
    return put_map(arg, &map, boot_info.e820, boot_info.e820_count);
}

static long memory_map(guest_va arg)
{
    struct domain *d = current_domain();
    struct e820_region copy[MEMORY_MAP_MAX];
    struct xen_memory_map map;
    uint32_t count;

    if (guest_read_obj(&map, arg) != 0)
        return -XEN_EFAULT;
    spin_lock(&d->pages.lock);
    count = MIN(d->memmap.count, MEMORY_MAP_MAX);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = (struct e820_region){d->memmap.entries[i].addr, d->memmap.entries[i].size,
                                       d->memmap.entries[i].type};
    spin_unlock(&d->pages.lock);
    return count ? put_map(arg, &map, copy, count) : -XEN_ENOSYS;
}

static int memmap_install(struct domain *d, guest_va buffer, uint32_t count)
{
    void *entries, *old;
    int rc = 0;

    STATIC_ASSERT(map_fits_a_page, MEMORY_MAP_MAX * sizeof(*d->memmap.entries) <= PAGE_SIZE);
    entries = hv_alloc_page();
    if (!entries)
        return -XEN_ENOMEM;
    if (guest_read(entries, buffer, count * sizeof(*d->memmap.entries)) != 0) {
        hv_free_page(entries);
        return -XEN_EFAULT;
    }
    spin_lock(&d->pages.lock);
    if (domain_is_dying(d)) {
        old = entries;
        rc = -XEN_EINVAL;
    } else {
        old = d->memmap.entries;
        d->memmap.entries = entries;
        d->memmap.count = count;
    }
    spin_unlock(&d->pages.lock);
    hv_free_page(old);
    return rc;
}

static long set_memory_map(guest_va arg)
{
    struct xen_foreign_memory_map op;
    struct domain *d;
    int rc;

    if (!current_domain()->is_control)
        return -XEN_EPERM;
    if (guest_read_obj(&op, arg) != 0)
        return -XEN_EFAULT;
    if (op.map.nr_entries > MEMORY_MAP_MAX)
        return -XEN_EINVAL;
    rc = memory_domain_get(op.domid, &d);
    if (rc)
        return rc;
    rc = memmap_install(d, guest_va_of(op.map.buffer), op.map.nr_entries);
    domain_put(d);
    return rc;
}

/* --- for tools --- */

/* We reserve nothing: the claim succeeds when it would fit now, and 0 gives it up. */
static long claim_pages(guest_va arg)
{
    struct xen_memory_reservation op;
    struct domain *d;
    int rc;

    if (!current_domain()->is_control)
        return -XEN_EPERM;
    if (guest_read_obj(&op, arg) != 0)
        return -XEN_EFAULT;
    if (op.extent_order || !guest_va_is_null(guest_va_of(op.extent_start)) || op.mem_flags)
        return -XEN_EINVAL;
    rc = memory_domain_get(op.domid, &d);
    if (rc)
        return rc;
    if (op.nr_extents > READ_ONCE(d->pages.total) &&
        op.nr_extents - READ_ONCE(d->pages.total) > heap_free_frames())
        rc = -XEN_ENOMEM;
    domain_put(d);
    return rc;
}

static int resource_frames(struct domain *d, const struct xen_mem_acquire_resource *op)
{
    for (uint32_t i = 0; i < op->nr_frames; i++) {
        xen_pfn_t out;
        mfn_t mfn;
        int rc = grant_table_frame(d, (uint32_t)op->frame + i, &mfn);

        if (rc)
            return rc;
        out = mfn.n;
        if (guest_write_elem(guest_va_of(op->frame_list), i, &out, sizeof(out)) != 0)
            return -XEN_EFAULT;
    }
    return 0;
}

static long acquire_resource(guest_va arg)
{
    struct xen_mem_acquire_resource op;
    struct domain *d;
    int rc;

    if (!current_domain()->is_control)
        return -XEN_EPERM;
    if (guest_read_obj(&op, arg) != 0)
        return -XEN_EFAULT;
    if (op.pad)
        return -XEN_EINVAL;
    if (op.type != XENMEM_resource_grant_table || op.id != XENMEM_resource_grant_table_id_shared)
        return -XEN_EOPNOTSUPP; /* no I/O servers, no grant status pages: version 1 only */
    rc = memory_domain_get(op.domid, &d);
    if (rc)
        return rc;
    if (guest_va_is_null(guest_va_of(op.frame_list))) {
        op.nr_frames = d->grant.max_frames;
        rc = guest_write_obj(arg, &op);
    } else if (op.nr_frames > GRANT_FRAMES_MAX || op.frame > GRANT_FRAMES_MAX) {
        rc = -XEN_EINVAL;
    } else {
        rc = resource_frames(d, &op);
    }
    domain_put(d);
    if (rc == -XEN_ERESTART) /* the table grows: what it has by now, it keeps */
        return hypercall_restart(__HYPERVISOR_memory_op, XENMEM_acquire_resource, arg.va, 0, 0, 0);
    return rc;
}

long hc_memory_op(uint64_t cmd, uint64_t arg)
{
    const unsigned op = cmd & ((1u << EXTENT_SHIFT) - 1);
    const uint64_t start = cmd >> EXTENT_SHIFT;
    const guest_va at = guest_va_make(arg);

    switch (op) {
    case XENMEM_populate_physmap:
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
        return reservation_op(op, start, at);
    case XENMEM_exchange:
        return start ? -XEN_ENOSYS : memory_exchange(at);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return start ? -XEN_ENOSYS : domid_question(op, at);
    case XENMEM_maximum_ram_page:
        return start ? -XEN_ENOSYS : (long)frame_count - 1;
    case XENMEM_machphys_mapping:
        return start ? -XEN_ENOSYS : machphys_mapping(at);
    case XENMEM_memory_map:
        return start ? -XEN_ENOSYS : memory_map(at);
    case XENMEM_machine_memory_map:
        return start ? -XEN_ENOSYS : machine_memory_map(at);
    case XENMEM_set_memory_map:
        return start ? -XEN_ENOSYS : set_memory_map(at);
    case XENMEM_claim_pages:
        return start ? -XEN_ENOSYS : claim_pages(at);
    case XENMEM_acquire_resource:
        return start ? -XEN_ENOSYS : acquire_resource(at);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return start ? -XEN_ENOSYS : 0; /* nothing is ever shared between domains */
    default:
        return -XEN_ENOSYS;
    }
}
