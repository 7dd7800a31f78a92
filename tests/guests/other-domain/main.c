/* SPDX-License-Identifier: MIT */
/*
 * Contract: another domain, as its maker sees it. Its frames are reached only through its number
 * and only by the control domain; what still maps them keeps them, and the domain, until the last
 * mapping is gone; contradictory orders are errors; ports and grants between the two end with it; a
 * thousand domains made and destroyed leave as much memory as there was, and a number used again
 * starts from nothing.
 *
 * Invariants: LC-2, LC-4, LC-5, LC-8, LC-10, MM-11, MM-12, MM-14, MM-20, MM-21, GT-8, GT-16, EV-6,
 * HC-12.
 * Advisories: 32, 109, 127, 134, 149, 232, 310, 410.
 * A failure means: a domain survives its destruction, or leaks into the next one.
 * Sabotage: do not free the shared page in domain_free() (core/domain.c): memory() shrinks. In
 * pte_l1_take() ask for page_owner() instead of the owner named: a frame is mapped as ours. Accept
 * the caller's own number in mmu_domains_find(): by_its_own_number().
 */
#define __XEN_TOOLS__ 1
#include "guest.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

GUEST_RUN("vcpus=1 append=guest_loglvl=none timeout=40");

#define WINDOW 0x0000100000000000UL
#define SECOND 1000000000UL
#define PAGES 32

static xen_pfn_t frames[PAGES * 4];

static long domctl(struct xen_domctl *op, u32 cmd, domid_t domid)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domid;
    return front_hc1(__HYPERVISOR_domctl, op);
}

static long order(u32 cmd, domid_t domid)
{
    struct xen_domctl op = {.cmd = 0};

    return domctl(&op, cmd, domid);
}

static int create(domid_t domid)
{
    struct xen_domctl op = {.cmd = 0};
    long rc;

    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = ~0U;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = 1;
    rc = domctl(&op, XEN_DOMCTL_createdomain, domid);
    return rc ? (int)rc : op.domain;
}

static long set_limit(domid_t domid, u64 kib)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.max_mem.max_memkb = kib;
    return domctl(&op, XEN_DOMCTL_max_mem, domid);
}

static long populate(domid_t domid, u64 n, unsigned extent_order)
{
    struct xen_memory_reservation r = {
        .nr_extents = n, .domid = domid, .extent_order = extent_order};

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(frames); i++)
        frames[i] = i;
    set_xen_guest_handle(r.extent_start, frames);
    return hc_memory_op(XENMEM_populate_physmap, &r);
}

static u64 memory(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    check_eq(front_hc1(__HYPERVISOR_sysctl, &op), 0);
    return op.u.physinfo.free_pages;
}

static bool is_there(domid_t domid)
{
    struct xen_domctl op = {.cmd = 0};

    return domctl(&op, XEN_DOMCTL_getdomaininfo, domid) == 0 && op.domain == domid;
}

static bool destroy(domid_t domid)
{
    u64 end = front_time_ns() + SECOND;
    long rc;

    do
        rc = order(XEN_DOMCTL_destroydomain, domid);
    while (rc == -XEN_EAGAIN);
    check(rc == 0, "destroy of %u: %ld", domid, rc);
    while (is_there(domid) && front_time_ns() < end)
        hc_sched_op(SCHEDOP_yield, 0);
    return !is_there(domid);
}

static int map_foreign(u64 va, u64 mfn, u64 flags, domid_t owner)
{
    mmu_update_t req = {.ptr = front_entry_maddr(front_pt_entry(front_root_mfn(), va, 1)),
                        .val = front_pte(mfn, flags)};

    return (int)hc_mmu_update(&req, 1, 0, owner);
}

/* Frames: by the right owner only, and not given back while somebody looks at them. */
static void foreign_frames(void)
{
    int d = create(0), other = create(0);
    u64 got = 1, mfn, next;

    if (!check(d > 0 && other > 0 && other != d, "create: %d, %d", d, other))
        return;
    check(populate((domid_t)d, 1, 0) != 1, "memory beyond the maximum");
    check_eq(set_limit((domid_t)d, PAGES * 4), 0);
    check_eq(populate((domid_t)d, PAGES, 0), PAGES);
    mfn = frames[3];
    next = frames[4];
    check(populate((domid_t)d, PAGES * 4, 0) < PAGES, "more than the maximum");
    check(map_foreign(WINDOW, mfn, PTE_KERN, DOMID_SELF) < 0, "as our own");
    check(map_foreign(WINDOW, mfn, PTE_KERN, (domid_t)other) < 0, "as another's");
    check(map_foreign(WINDOW, mfn, PTE_KERN, DOMID_XEN) < 0, "as the hypervisor's");
    check(map_foreign(WINDOW, mfn, PTE_KERN, DOMID_IO) < 0, "as device memory");
    check(map_foreign(WINDOW, front_va_to_mfn(frames), PTE_KERN, (domid_t)d) < 0, "ours as its");
    check(front_mmuext1(MMUEXT_PIN_L1_TABLE, mfn) < 0, "pinned as a table of ours");
    check_eq(map_foreign(WINDOW, mfn, PTE_KERN, (domid_t)d), 0);
    check_eq(front_try_read((void *)WINDOW, &got), FAULT_NONE);
    check(got == 0 || guest_on_xen(), "its memory holds %lx", got);
    *(u64 *)WINDOW = 0x5ec2e7;
    check(!destroy((domid_t)d), "gone while its memory is mapped");
    check_eq(front_try_read((void *)WINDOW, &got), FAULT_NONE);
    check_eq(got, 0x5ec2e7);
    /* Dying, it gains nothing. */
    check(populate((domid_t)d, 1, 0) <= 0, "memory for the dying");
    check(map_foreign(WINDOW + 4096, next, PTE_KERN, (domid_t)d) < 0, "a map of the dying");
    check(front_evtchn_connect((domid_t)d, 1) < 0, "a port of the dying");
    check_eq(front_unmap(WINDOW), 0);
    check(destroy((domid_t)other), "the other stays");
    {
        u64 end = front_time_ns() + SECOND;

        while (is_there((domid_t)d) && front_time_ns() < end)
            hc_sched_op(SCHEDOP_yield, 0);
    }
    check(!is_there((domid_t)d), "stays after the last mapping");
}

static void contradictions(void)
{
    static const domid_t nobody[] = {999,       0x7fef,        DOMID_IO, DOMID_XEN,
                                     DOMID_COW, DOMID_INVALID, 0xffff};
    static const u32 orders[] = {XEN_DOMCTL_destroydomain, XEN_DOMCTL_pausedomain,
                                 XEN_DOMCTL_unpausedomain, XEN_DOMCTL_resumedomain,
                                 XEN_DOMCTL_max_mem,       XEN_DOMCTL_setvcpucontext,
                                 XEN_DOMCTL_getvcpuinfo,   XEN_DOMCTL_max_vcpus};
    int rc;

    for (unsigned o = 0; o < FRONT_ARRAY_SIZE(orders); o++) {
        for (unsigned i = 0; i < FRONT_ARRAY_SIZE(nobody); i++)
            check(order(orders[o], nobody[i]) < 0, "order %u to %x", orders[o], nobody[i]);
    }
    check(order(XEN_DOMCTL_destroydomain, 0) < 0, "destroys itself");
    check_eq(order(XEN_DOMCTL_destroydomain, DOMID_SELF), -XEN_ESRCH); /* no name here */
    check(order(XEN_DOMCTL_pausedomain, 0) < 0, "pauses itself");
    /* A number that nobody can have: another is chosen. */
    rc = create(0x7ff0);
    check(rc != 0x7ff0, "domain 0x7ff0");
    check(rc < 0 || destroy((domid_t)rc), "%d stays", rc);
    for (u32 cmd = 0; cmd < 100; cmd++) {
        /* Zeros, to nobody: errors without exception or effect. */
        if (cmd != XEN_DOMCTL_createdomain && cmd != XEN_DOMCTL_getdomaininfo)
            check(order(cmd, 999) < 0, "domctl %u to nobody", cmd);
    }
}

/* Who means itself says DOMID_SELF where somebody else's frames are meant; a table's owner, which
 * has the upper half, has a number only. Vcpus that were not made differ from those that cannot be.
 */
static void by_its_own_number(void)
{
    struct xen_mem_acquire_resource table = {.domid = 0, .type = XENMEM_resource_grant_table};
    struct mmuext_op flush = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    const u64 entry = front_pte(front_va_to_mfn(frames), PTE_KERN);
    mmu_update_t req = {.ptr = front_entry_maddr(front_pt_entry(front_root_mfn(), WINDOW, 1)),
                        .val = entry};
    int d = create(0);

    check_eq(hc_mmu_update(&req, 1, 0, 0), -XEN_ESRCH);
    check_eq(hc_mmu_update(&req, 1, 0, 1 << 16), -XEN_ESRCH);
    check_eq(hc_mmuext_op(&flush, 1, 0, 0), -XEN_ESRCH);
    check_eq(hc_update_va_mapping_otherdomain(WINDOW, entry, UVMF_NONE, 0), -XEN_ESRCH);
    check_eq(hc_mmu_update(&req, 1, 0, 1 << 16 | DOMID_SELF), 0);
    check_eq(front_unmap(WINDOW), 0);
    check_eq(hc_memory_op(XENMEM_acquire_resource, &table), -XEN_EPERM);

    if (!check(d > 0, "create: %d", d))
        return;
    check_eq(order(XEN_DOMCTL_getvcpuinfo, (domid_t)d), -XEN_ESRCH);
    check_eq(order(XEN_DOMCTL_getvcpuaffinity, (domid_t)d), -XEN_ESRCH);
    check_eq(order(XEN_DOMCTL_getvcpucontext, (domid_t)d), -XEN_EINVAL);
    check(destroy((domid_t)d), "%d stays", d);
}

/* Grants and ports towards a domain that has nothing, and of one that is gone. */
static void strangers(void)
{
    struct gnttab_map_grant_ref op = {.host_addr = WINDOW, .flags = GNTMAP_host_map, .ref = 8};
    int d = create(0), port;
    evtchn_status_t s;

    if (!check(d > 0, "create: %d", d))
        return;
    op.dom = (domid_t)d;
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    check(op.status < 0, "a grant of a domain without any: %d", op.status);
    op.ref = ~0U;
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    check(op.status < 0, "a grant beyond all: %d", op.status);
    port = front_evtchn_alloc((domid_t)d);
    check(port > 0, "a port for it: %d", port);
    check(front_evtchn_connect(0, (evtchn_port_t)port) < 0, "its port bound by us");
    check(front_evtchn_connect((domid_t)d, (evtchn_port_t)port) < 0, "a port it does not have");
    check(destroy((domid_t)d), "stays");
    check_eq(front_evtchn_status((evtchn_port_t)port, &s), 0);
    check_eq(front_evtchn_close((evtchn_port_t)port), 0);
    op.ref = 8;
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    check_eq(op.status, GNTST_bad_domain);
}

/* Made, filled, written, destroyed; the same number again, which must start from zeros. */
static void recycling(void)
{
    u64 before = memory(), end = front_time_ns() + 5 * SECOND;
    unsigned n = 0;

    for (; n < 300 && front_time_ns() < end; n++) {
        u64 got = 1;
        int d = create(50);

        if (!check(d == 50, "create %u: %d", n, d))
            break;
        check_eq(set_limit(50, PAGES * 4), 0);
        check(populate(50, PAGES >> (n & 3), n & 3) == PAGES >> (n & 3), "populate, order %u",
              n & 3);
        check_eq(map_foreign(WINDOW, frames[0], PTE_KERN, 50), 0);
        front_try_read((void *)(WINDOW + 8), &got);
        check(got == 0 || guest_on_xen(), "a new domain's memory holds %lx", got);
        *(u64 *)(WINDOW + 8) = 0x01d;
        check_eq(front_unmap(WINDOW), 0);
        if (!check(destroy(50), "domain 50 stays, time %u", n))
            break;
    }
    check(n > 20, "only %u domains", n);
    check(memory() == before || guest_on_xen(), "%lu pages, were %lu", memory(), before);
}

void guest_test(void)
{
    u64 before;

    check_eq(front_map(WINDOW, front_va_to_mfn(front_page_alloc()), PTE_KERN), 0);
    check_eq(front_unmap(WINDOW), 0);
    strangers(); /* whatever our own domain needs for its first port and handle is taken now */
    before = memory();
    foreign_frames();
    contradictions();
    by_its_own_number();
    strangers();
    recycling();
    check(memory() == before || guest_on_xen(), "%lu pages, were %lu", memory(), before);
}
