/* SPDX-License-Identifier: MIT */
/*
 * Contract: mapping grants, here from the domain to itself. A map installs the page where it was
 * asked to (an address, or the machine address of an entry), marks the grant in use in the
 * granter's table, and gives a handle; the unmap of that handle, with the same place, undoes
 * exactly this, once. Each element of a batch has its own status and a bad one stops nobody.
 *
 * Invariants: GT-1, GT-3, GT-4, GT-6, GT-7, HC-7.
 * A failure means: backends cannot reach their guests' pages, or a page stays reachable after
 * its owner took it back.
 * Sabotage: let front_grant_access() ignore `readonly`: the refusal of a writable map fails.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000000000UL
#define IN_USE (GTF_reading | GTF_writing)

static u64 *page;

static s16 map(struct gnttab_map_grant_ref *op, int ref, u64 host, u32 flags)
{
    *op = (struct gnttab_map_grant_ref){
        .host_addr = host, .flags = flags, .ref = (grant_ref_t)ref, .dom = 0};
    op->status = 99;
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, op, 1), 0);
    return op->status;
}

static s16 unmap(u64 host, u64 bus, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = host, .dev_bus_addr = bus, .handle = handle};

    op.status = 99;
    check_eq(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static u16 in_use(int ref)
{
    return READ_ONCE(front_grant_entry(ref)->flags) & IN_USE;
}

static u64 window_pte(u64 va)
{
    return *front_pt_entry(front_root_mfn(), va, 1);
}

static void by_address(void)
{
    struct gnttab_map_grant_ref op, again;
    int ref = front_grant_access(0, front_va_to_mfn(page), false);

    check_eq(map(&op, ref, WINDOW, GNTMAP_host_map), GNTST_okay);
    check_eq(op.dev_bus_addr, front_va_to_mfn(page) << 12);
    check_eq(in_use(ref), IN_USE);
    check_eq(READ_ONCE(*(u64 *)WINDOW), 0x60d);
    check_eq(front_try_write((void *)WINDOW, 0x60e), FAULT_NONE);
    check_eq(page[0], 0x60e);
    page[0] = 0x60d;
    check_eq(front_grant_end(ref), -XEN_EBUSY);
    /* Once more, read-only, elsewhere: in use until the last of them is gone. */
    check_eq(map(&again, ref, WINDOW + 4096, GNTMAP_host_map | GNTMAP_readonly), GNTST_okay);
    check(again.handle != op.handle, "two maps, one handle %x", op.handle);
    check_eq(front_try_write((void *)(WINDOW + 4096), 1), PF(3));
    check_eq(unmap(WINDOW, 0, op.handle), GNTST_okay);
    check_eq(window_pte(WINDOW), 0);
    check_eq(in_use(ref), GTF_reading);
    check_eq(unmap(WINDOW, 0, op.handle), GNTST_bad_handle);
    check_eq(unmap(WINDOW + 4096, 0, again.handle), GNTST_okay);
    check_eq(in_use(ref), 0);
    check_eq(front_try_read((void *)(WINDOW + 4096), NULL), PF(0));
    check_eq(front_grant_end(ref), 0);
}

static void by_entry(void)
{
    struct gnttab_map_grant_ref op;
    int ref = front_grant_access(0, front_va_to_mfn(page), false);
    u64 entry = front_entry_maddr(front_pt_entry(front_root_mfn(), WINDOW, 1));
    u32 flags = GNTMAP_host_map | GNTMAP_application_map | GNTMAP_contains_pte;

    check_eq(map(&op, ref, entry, flags | 1u << _GNTMAP_guest_avail0), GNTST_okay);
    check(window_pte(WINDOW) & PTE_U && window_pte(WINDOW) & 1UL << 9, "entry %lx",
          window_pte(WINDOW));
    check_eq(READ_ONCE(*(u64 *)WINDOW), 0x60d);
    /* Unmapping somewhere else is refused and changes nothing. */
    check(unmap(entry + 8, 0, op.handle) < 0, "unmap at another entry");
    check_eq(READ_ONCE(*(u64 *)WINDOW), 0x60d);
    check_eq(in_use(ref), IN_USE);
    check_eq(unmap(entry, 0, op.handle), GNTST_okay);
    check_eq(window_pte(WINDOW), 0);
    check(map(&op, ref, entry + 4, flags) < 0, "an entry at +4");
    check(map(&op, ref, front_va_to_mfn(page) << 12, flags) < 0, "an entry in a data page");
    check_eq(in_use(ref), 0);
    check_eq(front_grant_end(ref), 0);
}

static void device_only(void)
{
    struct gnttab_map_grant_ref op;
    int ref = front_grant_access(0, front_va_to_mfn(page), false);

    check_eq(map(&op, ref, 0, GNTMAP_device_map), GNTST_okay);
    check_eq(op.dev_bus_addr, front_va_to_mfn(page) << 12);
    check_eq(in_use(ref), IN_USE);
    check_eq(unmap(0, op.dev_bus_addr, op.handle), GNTST_okay);
    check_eq(in_use(ref), 0);
    check_eq(front_grant_end(ref), 0);
}

static void refusals(void)
{
    struct gnttab_map_grant_ref op;
    int ro = front_grant_access(0, front_va_to_mfn(page), true);
    int other = front_grant_access(5, front_va_to_mfn(page), false);
    int beyond = front_grant_access(0, 1UL << 31, false);

    check_eq(map(&op, ro, WINDOW, GNTMAP_host_map), GNTST_general_error);
    check_eq(in_use(ro), 0);
    check_eq(map(&op, ro, WINDOW, GNTMAP_host_map | GNTMAP_readonly), GNTST_okay);
    check_eq(in_use(ro), GTF_reading);
    check_eq(unmap(WINDOW, 0, op.handle), GNTST_okay);
    check(map(&op, other, WINDOW, GNTMAP_host_map) < 0, "a grant for domain 5");
    check(map(&op, beyond, WINDOW, GNTMAP_host_map) < 0, "a grant of a frame beyond the machine");
    check(map(&op, 300, WINDOW, GNTMAP_host_map) < 0, "an empty entry");
    check_eq(map(&op, 1 << 20, WINDOW, GNTMAP_host_map), GNTST_bad_gntref);
    check_eq(map(&op, -1, WINDOW, GNTMAP_host_map), GNTST_bad_gntref);
    check(map(&op, ro, WINDOW, 0) < 0, "neither host nor device map");
    check(map(&op, ro, HYPERVISOR_VIRT_START, GNTMAP_host_map | GNTMAP_readonly) < 0,
          "a map over the hypervisor");
    check(map(&op, ro, 0x0000200000000000UL, GNTMAP_host_map | GNTMAP_readonly) < 0,
          "a map where no L1 is");
    check_eq(unmap(WINDOW, 0, ~0U), GNTST_bad_handle);
    check_eq(unmap(WINDOW, 0, 12345), GNTST_bad_handle);
    op = (struct gnttab_map_grant_ref){.flags = GNTMAP_host_map, .dom = 77, .host_addr = WINDOW};
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    check_eq(op.status, GNTST_bad_domain);
    check(!in_use(ro) && !in_use(other) && !in_use(beyond));
    check_eq(window_pte(WINDOW), 0);
}

static void batch(void)
{
    struct gnttab_map_grant_ref ops[3] = {{0}};
    int ref = front_grant_access(0, front_va_to_mfn(page), false);

    for (unsigned i = 0; i < 3; i++) {
        ops[i].host_addr = WINDOW + i * 4096;
        ops[i].flags = GNTMAP_host_map;
        ops[i].ref = i == 1 ? 1 << 20 : (grant_ref_t)ref;
        ops[i].dom = 0; /* a map names the granter by number */
        ops[i].status = 99;
    }
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, ops, 3), 0);
    check_eq(ops[0].status, GNTST_okay);
    check_eq(ops[1].status, GNTST_bad_gntref);
    check_eq(ops[2].status, GNTST_okay);
    check_eq(READ_ONCE(*(u64 *)(WINDOW + 2 * 4096)), 0x60d);
    check_eq(unmap(WINDOW, 0, ops[0].handle), GNTST_okay);
    check_eq(unmap(WINDOW + 2 * 4096, 0, ops[2].handle), GNTST_okay);
    check_eq(front_grant_end(ref), 0);
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, ops, 0), 0);
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, 0x8000000000000000UL, 1), -XEN_EFAULT);
}

void guest_test(void)
{
    page = front_page_alloc();
    page[0] = 0x60d;
    check_eq(front_grant_init(), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0); /* makes the tables */
    check_eq(front_unmap(WINDOW), 0);
    by_address();
    by_entry();
    device_only();
    refusals();
    batch();
}
