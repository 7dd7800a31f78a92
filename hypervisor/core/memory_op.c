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

#include "lib.h"
#include "memory_priv.h"

#define EXTENT_SHIFT 6 /* command in the bits below, first extent above */
#define RELEASE_BATCH 64u

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
        int rc = domain_release_frame(x->d, mfn_make(first + k));

        if (rc)
            return rc;
        if (k % RELEASE_BATCH == RELEASE_BATCH - 1)
            hal_take_interrupts();
    }
    return 0;
}

static long reservation_op(unsigned cmd, uint64_t start, guest_va arg)
{
    struct xen_memory_reservation op;
    struct extents x;
    uint64_t i;
    int rc;

    if (guest_read_obj(&op, arg) != 0 || op.nr_extents > ~0ull >> EXTENT_SHIFT ||
        start > op.nr_extents || op.extent_order > MEMORY_ORDER_MAX)
        return (long)start;
    rc = domain_get_permitted(op.domid, &x.d);
    if (rc)
        return rc == -XEN_ESRCH ? (long)start : rc;
    x.list = guest_va_of(op.extent_start);
    x.order = op.extent_order;
    x.addr_bits = memory_addr_bits(op.mem_flags);
    for (i = start; i < op.nr_extents; i++) {
        rc = cmd == XENMEM_decrease_reservation
                 ? decrease_extent(&x, i)
                 : populate_extent(&x, i, cmd == XENMEM_populate_physmap);
        if (rc)
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

/* --- memory maps --- */

static int put_map(struct xen_memory_map *map, const struct e820_region *r, uint32_t count)
{
    map->nr_entries = MIN(map->nr_entries, count);
    return guest_write(guest_va_of(map->buffer), r, map->nr_entries * sizeof(*r));
}

static int memory_map(struct domain *d, struct xen_memory_map *map)
{
    struct e820_region copy[MEMORY_MAP_MAX];
    uint32_t count;

    spin_lock(&d->pages.lock);
    count = d->memmap.count;
    if (count)
        memcpy(copy, d->memmap.entries, count * sizeof(copy[0]));
    spin_unlock(&d->pages.lock);
    return count ? put_map(map, copy, count) : -XEN_ENOSYS;
}

static int memmap_install(struct domain *d, const struct xen_memory_map *map)
{
    const uint32_t count = map->nr_entries;
    void *entries, *old;
    int rc = 0;

    STATIC_ASSERT(map_fits_a_page, MEMORY_MAP_MAX * sizeof(*d->memmap.entries) <= PAGE_SIZE);
    if (count > MEMORY_MAP_MAX)
        return -XEN_EINVAL;
    entries = hv_alloc_page();
    if (!entries)
        return -XEN_ENOMEM;
    if (guest_read(entries, guest_va_of(map->buffer), count * sizeof(*d->memmap.entries)) != 0) {
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

/* All of the machine's map, or without a buffer only how long it is. */
static int machine_map(struct xen_memory_map *map)
{
    const bool asks = guest_va_is_null(guest_va_of(map->buffer));

    if (map->nr_entries < boot_info.e820_count && !asks)
        return -XEN_EINVAL;
    map->nr_entries = boot_info.e820_count;
    return asks ? 0 : put_map(map, boot_info.e820, boot_info.e820_count);
}

/* --- for tools --- */

/* We reserve nothing: the claim succeeds when it would fit now, and 0 gives it up. */
static int claim_pages(struct domain *d, const struct xen_memory_reservation *op)
{
    const uint64_t has = READ_ONCE(d->pages.total);

    if (op->extent_order || !guest_va_is_null(guest_va_of(op->extent_start)) || op->mem_flags)
        return -XEN_EINVAL;
    return op->nr_extents > has && op->nr_extents - has > READ_ONCE(heap_free_frames) ? -XEN_ENOMEM
                                                                                      : 0;
}

/* Of what there is for tools to map we have grant tables, of version 1. */
static int acquire_resource(struct domain *d, struct xen_mem_acquire_resource *op)
{
    if (d == current_domain())
        return -XEN_EPERM; /* its own it has by grant_table_op */
    if (op->pad)
        return -XEN_EINVAL;
    if (op->type != XENMEM_resource_grant_table || op->id != XENMEM_resource_grant_table_id_shared)
        return -XEN_EOPNOTSUPP;
    if (guest_va_is_null(guest_va_of(op->frame_list))) {
        op->nr_frames = d->grant.max_frames;
        return 0;
    }
    return grant_table_frames(d, (uint32_t)MIN(op->frame, ~0u), op->nr_frames,
                              guest_va_of(op->frame_list));
}

/* --- operations on a domain, or on the machine --- */

union memory_arg {
    domid_t domid;
    struct xen_memory_map map;
    struct xen_foreign_memory_map foreign_map;
    struct xen_memory_reservation claim;
    struct xen_mem_acquire_resource resource;
};

#define NAMES_NONE 0xff

/* The structure of each: its length, where it names a domain, is it written back; who may ask. */
static const struct memory_desc {
    uint8_t size, domid_at;
    bool told, control;
} descs[] = {
#define OP(cmd, type, domid_at, told, control) [cmd] = {sizeof(type), domid_at, told, control}
#define DOMID(type) offsetof(type, domid)
    OP(XENMEM_current_reservation, domid_t, 0, false, false),
    OP(XENMEM_maximum_reservation, domid_t, 0, false, false),
    OP(XENMEM_maximum_gpfn, domid_t, 0, false, false),
    OP(XENMEM_memory_map, struct xen_memory_map, NAMES_NONE, true, false),
    OP(XENMEM_machine_memory_map, struct xen_memory_map, NAMES_NONE, true, true),
    OP(XENMEM_set_memory_map, struct xen_foreign_memory_map, DOMID(struct xen_foreign_memory_map),
       false, true),
    OP(XENMEM_claim_pages, struct xen_memory_reservation, DOMID(struct xen_memory_reservation),
       false, true),
    OP(XENMEM_acquire_resource, struct xen_mem_acquire_resource,
       DOMID(struct xen_mem_acquire_resource), true, true),
#undef DOMID
#undef OP
};

static long run(unsigned cmd, struct domain *d, union memory_arg *a)
{
    switch (cmd) {
    case XENMEM_current_reservation:
        return READ_ONCE(d->pages.total);
    case XENMEM_maximum_reservation:
        return READ_ONCE(d->pages.max);
    case XENMEM_maximum_gpfn: /* as the guest says in its shared page */
        return (long)((READ_ONCE(d->shared_info->arch.max_pfn) ?: 1) - 1);
    case XENMEM_memory_map:
        return memory_map(d, &a->map);
    case XENMEM_machine_memory_map:
        return machine_map(&a->map);
    case XENMEM_set_memory_map:
        return memmap_install(d, &a->foreign_map.map);
    case XENMEM_claim_pages:
        return claim_pages(d, &a->claim);
    default:
        return acquire_resource(d, &a->resource);
    }
}

static long described_op(unsigned cmd, guest_va at)
{
    const struct memory_desc *desc = &descs[cmd];
    domid_t domid = DOMID_SELF;
    union memory_arg a;
    struct domain *d;
    long rc;

    if (desc->control && !current_domain()->is_control)
        return -XEN_EPERM;
    if (guest_read(&a, at, desc->size))
        return -XEN_EFAULT;
    if (desc->domid_at != NAMES_NONE)
        memcpy(&domid, (const char *)&a + desc->domid_at, sizeof(domid));
    rc = domain_get_permitted(domid, &d);
    if (rc)
        return rc;
    rc = run(cmd, d, &a);
    domain_put(d);
    if (rc == -XEN_ERESTART) /* a grant table grows: what it has by now, it keeps */
        return hypercall_restart(__HYPERVISOR_memory_op, cmd, at.va, 0, 0, 0);
    return rc == 0 && desc->told ? guest_write(at, &a, desc->size) : rc;
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

long hc_memory_op(uint64_t cmd, uint64_t arg)
{
    const unsigned op = cmd & ((1u << EXTENT_SHIFT) - 1);
    const uint64_t start = cmd >> EXTENT_SHIFT;
    const guest_va at = guest_va_make(arg);

    /* Increase is 0, decrease 1. */
    if (start && op > XENMEM_decrease_reservation && op != XENMEM_populate_physmap)
        return -XEN_EINVAL;
    if (op < ARRAY_LEN(descs) && descs[index_nospec(op, ARRAY_LEN(descs))].size)
        return described_op((unsigned)index_nospec(op, ARRAY_LEN(descs)), at);
    switch (op) {
    case XENMEM_populate_physmap:
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
        return reservation_op(op, start, at);
    case XENMEM_exchange:
        return memory_exchange(at);
    case XENMEM_maximum_ram_page:
        return (long)frame_count - 1;
    case XENMEM_machphys_mapping:
        return machphys_mapping(at);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0; /* nothing is ever shared between domains */
    default:
        return -XEN_ENOSYS;
    }
}
