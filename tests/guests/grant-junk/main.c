/* SPDX-License-Identifier: MIT */
/*
 * Contract: grants under a mapper and a granter that lie. Every combination of map flags either
 * fails or is undone by its own unmap, once, in parts or whole; an unmap with the wrong handle,
 * address, or an entry that was edited meanwhile changes nothing; every value of a grant entry is
 * refused unless it permits access; handles and references run out without harm.
 *
 * Invariants: GT-1, GT-2, GT-4, GT-6, GT-7, GT-8, GT-9, GT-14, GT-15, MM-19, HC-6, HC-8.
 * Advisories: 18, 24, 50, 218, 224, 226, 227, 228, 230, 234, 255, 380, 394.
 * A failure means: a page stays reachable after its grant ended, or is freed while mapped.
 * Sabotage: let is_mapping() in pv/grant_pte.c ignore PTE_RW: an edited entry is unmapped. Take
 * PTE_NX out of GRANT_PTE_BITS there: what is mapped can be executed.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=guest_loglvl=none timeout=40");

#define WINDOW 0x0000100000000000UL
#define IN_USE (GTF_reading | GTF_writing)
#define LIMIT 3000

static u64 *page, entry_maddr, bus;
static int ref;

static int map(u64 host, u32 flags, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = host, .flags = flags, .ref = (grant_ref_t)ref, .status = 99};

    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    *handle = op.handle;
    return op.status;
}

static int unmap(u64 host, u64 dev, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = host, .dev_bus_addr = dev, .handle = handle, .status = 99};

    check_eq(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static u16 in_use(void)
{
    return READ_ONCE(front_grant_entry(ref)->flags) & IN_USE;
}

static u64 window(void)
{
    return *front_pt_entry(front_root_mfn(), WINDOW, 1);
}

static void wrong_unmaps(u32 flags, u64 host, grant_handle_t handle)
{
    static const grant_handle_t wrong[] = {1, 2, 255, 0x7fffffff, 0x80000000};
    u16 before = in_use();
    u64 pte = window();

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(wrong); i++)
        check(unmap(host, 0, handle ^ wrong[i]) < 0, "flags %x: handle ^ %x", flags, wrong[i]);
    if (flags & GNTMAP_host_map) {
        check(unmap(host + 8 * 4096, 0, handle) < 0, "flags %x: another address", flags);
        check(unmap(HYPERVISOR_VIRT_START, 0, handle) < 0, "flags %x: the hypervisor's", flags);
        check(unmap(0x0000800000000000UL, 0, handle) < 0, "flags %x: not canonical", flags);
    }
    if (flags & GNTMAP_device_map)
        check(unmap(0, bus + 4096, handle) < 0, "flags %x: another bus address", flags);
    check(in_use() == before, "flags %x: %x in use became %x", flags, before, in_use());
    check(window() == pte, "flags %x: the entry changed", flags);
}

/* All flags there are and some that are not; undone whole, or the two parts one after the other. */
static void all_flags(void)
{
    unsigned mapped = 0;

    for (u32 flags = 0; flags < 0x100; flags++) {
        for (unsigned parts = 0; parts < 2; parts++) {
            u64 host = flags & GNTMAP_contains_pte ? entry_maddr : WINDOW;
            bool h = flags & GNTMAP_host_map, d = flags & GNTMAP_device_map;
            grant_handle_t handle;
            int status = map(host, flags, &handle);

            if (status) {
                check(status < 0, "flags %x: %d", flags, status);
                check(!in_use() && !window(), "flags %x: refused, yet in use", flags);
                continue;
            }
            mapped++;
            check(h || d, "flags %x: neither host nor device", flags);
            check(h == !!window(), "flags %x: entry %lx", flags, window());
            check(h == (window() >> 63), "flags %x: executable, entry %lx", flags, window());
            wrong_unmaps(flags, host, handle);
            if (h && d && parts) {
                check_eq(unmap(host, 0, handle), GNTST_okay);
                check(in_use() & GTF_reading, "flags %x: the device's part went too", flags);
                unmap(host, 0, handle);
                check(in_use() & GTF_reading, "flags %x: the host's part went twice", flags);
                check_eq(unmap(0, bus, handle), GNTST_okay);
            } else {
                check_eq(unmap(h ? host : 0, d ? bus : 0, handle), GNTST_okay);
            }
            check(!in_use() && !window(), "flags %x: still in use after unmap", flags);
            check(unmap(h ? host : 0, d ? bus : 0, handle) < 0, "flags %x: unmapped twice", flags);
        }
    }
    check(mapped > 40, "only %u combinations", mapped);
}

/* The slot no longer says what the handle does. */
static void edited_entries(void)
{
    u64 *other = front_page_alloc();
    grant_handle_t handle;
    u64 was, edits[4];

    check_eq(map(WINDOW, GNTMAP_host_map, &handle), GNTST_okay);
    was = window();
    edits[0] = 0;
    edits[1] = was & ~PTE_RW;
    edits[2] = front_pte(front_va_to_mfn(other), PTE_KERN);
    edits[3] = was & ~PTE_P;
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(edits); i++) {
        if (front_set_pte(entry_maddr, edits[i], 0))
            continue;
        check(unmap(WINDOW, 0, handle) < 0, "edit %u is unmapped", i);
        check_eq(in_use(), IN_USE);
        check_eq(front_set_pte(entry_maddr, was, 0), 0);
    }
    check_eq(unmap(WINDOW, 0, handle), GNTST_okay);
    check(!in_use() && !window());
}

static void bad_slots(void)
{
    u64 l2 = front_entry_maddr(front_pt_entry(front_root_mfn(), WINDOW, 2));
    const u32 pte = GNTMAP_host_map | GNTMAP_contains_pte;
    const u64 slots[] = {l2 + 8, l2 & ~4095UL, bus, 0, 8, ~7UL, 1UL << 51, 0xfee00000};
    grant_handle_t handle;

    for (unsigned i = 1; i < 8; i++)
        check(map(entry_maddr + i, pte, &handle) < 0, "an entry at +%u", i);
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(slots); i++)
        check(map(slots[i], pte, &handle) < 0, "an entry at %lx", slots[i]);
    check(map(0x0000800000000000UL, GNTMAP_host_map, &handle) < 0, "not canonical");
    check(map(~4095UL, GNTMAP_host_map, &handle) < 0 || unmap(~4095UL, 0, handle) == 0, "the end");
    check(!in_use() && !window());
}

/* What the granter can write: only "permit access" to this domain is a grant. */
static void entry_values(void)
{
    grant_entry_v1_t *e = front_grant_entry(ref);
    unsigned good = 0;

    for (u32 flags = 0; flags < 0x10000; flags += (flags & 0x7ff) == 0x7ff ? 0x1801 : 1) {
        grant_handle_t handle;
        int status;

        e->flags = (u16)flags;
        status = map(WINDOW, GNTMAP_host_map | GNTMAP_readonly, &handle);
        if (status == GNTST_okay) {
            good++;
            check((flags & GTF_type_mask) == GTF_permit_access, "entry %x is mapped", flags);
            check_eq(unmap(WINDOW, 0, handle), GNTST_okay);
        }
        check(!window(), "entry %x: left mapped", flags);
    }
    check(good > 0, "none is a grant");
    e->flags = GTF_permit_access;
}

/* 4096 handles of one page, device only; then of a reference past every limit. */
static void exhaustion(void)
{
    static grant_handle_t handles[LIMIT];
    static int refs[LIMIT / 100];
    int keep = ref;
    unsigned n = 0;

    for (unsigned r = 0; r < LIMIT / 100; r++) {
        refs[r] = ref = front_grant_access(0, front_va_to_mfn(page), false);
        for (unsigned i = 0; i < 100; i++, n++) {
            if (map(0, GNTMAP_device_map, &handles[n])) {
                check(n > 100, "only %u handles", n);
                goto full;
            }
        }
    }
full:
    for (unsigned i = n; i-- > 0;)
        check_eq(unmap(0, bus, handles[i]), GNTST_okay);
    for (unsigned i = 0; i < n; i += 97)
        check(unmap(0, bus, handles[i]) < 0, "handle %u is released twice", i);
    /* One reference as often as it can be counted. */
    for (n = 0; n < LIMIT && !map(0, GNTMAP_device_map, &handles[n]); n++)
        ;
    for (unsigned i = 0; i < n; i++)
        check_eq(unmap(0, bus, handles[i]), GNTST_okay);
    check_eq(in_use(), 0);
    for (unsigned r = 0; r < LIMIT / 100 && refs[r]; r++)
        check_eq(front_grant_end(refs[r]), 0);
    ref = keep;
}

static void other_operations(void)
{
    static const u64 counts[] = {1, 255, 4096, 0x7fffffff, 0x80000000, 0xffffffff};
    static u64 room[64];

    for (u64 cmd = 0; cmd < 14; cmd++) {
        for (unsigned i = 0; i < FRONT_ARRAY_SIZE(counts); i++) {
            memset(room, 0xff, sizeof(room));
            /* The array ends, at the latest, where the image does. */
            front_hypercall(__HYPERVISOR_grant_table_op, cmd, (u64)room, counts[i] & 1, 0, 0);
            front_hypercall(__HYPERVISOR_grant_table_op, cmd, HYPERVISOR_VIRT_START - 4096,
                            counts[i], 0, 0);
            front_hypercall(__HYPERVISOR_grant_table_op, cmd, ~0UL - 100, counts[i], 0, 0);
        }
    }
    check(hc_grant_table_op(GNTTABOP_transfer, room, 1) < 0 || room[1] != 0 || guest_on_xen(),
          "a transfer");
    check(!in_use() && !window());
}

static int replace(u64 host, u64 new_addr, grant_handle_t handle)
{
    struct gnttab_unmap_and_replace op = {
        .host_addr = host, .new_addr = new_addr, .handle = handle, .status = 99};
    long rc = hc_grant_table_op(GNTTABOP_unmap_and_replace, &op, 1);

    return rc ? (int)rc : op.status;
}

/* unmap_and_replace moves the entry of new_addr into the slot: that one has to be the caller's too.
 */
static void replacements(void)
{
    static const u64 bad[] = {HYPERVISOR_VIRT_START, 0x0000800000000000UL, ~4095UL,
                              0x0000200000000000UL};
    u64 *other = front_page_alloc(), there = WINDOW + 4096, got = 0;
    grant_handle_t handle;

    *other = 0x07e5;
    check_eq(front_map(there, front_va_to_mfn(other), PTE_KERN), 0);
    check_eq(map(WINDOW, GNTMAP_host_map, &handle), GNTST_okay);
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++)
        check(replace(WINDOW, bad[i], handle) < 0, "replaced by %lx", bad[i]);
    /* Xen fails too, but has emptied the other entry by then. */
    if (!guest_on_xen())
        check(replace(WINDOW + 8 * 4096, there, handle) < 0, "another slot");
    check_eq(in_use(), IN_USE);
    check_eq(replace(WINDOW, there, handle), GNTST_okay);
    check(front_try_read((void *)WINDOW, &got) == FAULT_NONE && got == 0x07e5, "%lx %lx", got,
          window());
    check_eq(*front_pt_entry(front_root_mfn(), there, 1), 0);
    check_eq(in_use(), 0);
    check_eq(front_unmap(WINDOW), 0);
    check_eq(map(WINDOW, GNTMAP_host_map, &handle), GNTST_okay);
    check_eq(replace(WINDOW, 0, handle), GNTST_okay); /* by nothing */
    check(!in_use() && !window());
}

void guest_test(void)
{
    page = front_page_alloc();
    check_eq(front_grant_init(), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0); /* makes the tables */
    check_eq(front_unmap(WINDOW), 0);
    bus = front_va_to_mfn(page) << 12;
    ref = front_grant_access(0, front_va_to_mfn(page), false);
    entry_maddr = front_entry_maddr(front_pt_entry(front_root_mfn(), WINDOW, 1));
    all_flags();
    edited_entries();
    bad_slots();
    replacements();
    entry_values();
    exhaustion();
    other_operations();
    check_eq(front_grant_end(ref), 0);
}
