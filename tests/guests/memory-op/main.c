/* SPDX-License-Identifier: MIT */
/*
 * Contract: memory_op. decrease_reservation gives frames back and counts them; populate_physmap
 * brings new, zeroed ones and enters them in the machine map; exchange swaps single frames for a
 * contiguous block below an address; maps and reservations are told; what is still in use, not
 * the caller's, or out of range is refused or simply not counted.
 *
 * Invariants: MM-5, MM-11, MM-12, MM-16, MM-20, HC-6.
 * A failure means: ballooning and DMA set-up in a stock kernel fail, or a guest sees old data.
 * Sabotage: call check_zero() twice for a frame: it finds what the first call wrote.
 * Let machine_map() (core/memory_op.c) take a null buffer for one: maps().
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000000000UL

static long reservation(unsigned cmd, xen_pfn_t *list, u64 n, u32 order)
{
    struct xen_memory_reservation r = {.nr_extents = n, .extent_order = order, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, list);
    return hc_memory_op(cmd, &r);
}

static bool check_zero(u64 mfn)
{
    u64 *p = (u64 *)WINDOW;

    if (!check(front_map(WINDOW, mfn, PTE_KERN) == 0, "frame %lx cannot be mapped", mfn))
        return false;
    for (unsigned i = 0; i < 512; i++) {
        if (!check(p[i] == 0, "a new frame holds %lx at %u", p[i], i * 8))
            return false;
    }
    p[7] = 0xdeadbeef;
    return check_eq(front_unmap(WINDOW), 0);
}

/* The SDK's spare frames have no mapping, as a balloon's pages have none. */
static void balloon(void)
{
    enum { N = 16 };
    xen_pfn_t pfns[N], list[N], mfn;
    long current = hc_memory_op(XENMEM_current_reservation, &(domid_t){DOMID_SELF});

    check_eq(current, front_nr_pages);
    for (unsigned i = 0; i < N; i++) {
        pfns[i] = front_spare_pfn();
        list[i] = front_p2m[pfns[i]];
    }
    mfn = list[3];
    check_eq(reservation(XENMEM_decrease_reservation, list, N, 0), N);
    check_eq(hc_memory_op(XENMEM_current_reservation, &(domid_t){DOMID_SELF}), current - N);
    check(front_map(WINDOW, mfn, PTE_KERN) < 0, "a frame that was given back can be mapped");
    check_eq(reservation(XENMEM_decrease_reservation, list, N, 0), 0); /* not ours any more */
    memcpy(list, pfns, sizeof(list));
    check_eq(reservation(XENMEM_populate_physmap, list, N, 0), N);
    check_eq(hc_memory_op(XENMEM_current_reservation, &(domid_t){DOMID_SELF}), current);
    for (unsigned i = 0; i < N; i++) {
        check_eq(front_mfn_to_pfn(list[i]), pfns[i]);
        front_p2m[pfns[i]] = list[i];
        if (!check_zero(list[i]))
            break;
    }
}

static void refusals(void)
{
    void *page = front_page_alloc();
    xen_pfn_t list[1];
    u64 pfn = front_spare_pfn();

    list[0] = 1UL << 39;
    check_eq(reservation(XENMEM_decrease_reservation, list, 1, 0), 0);
    list[0] = ~0UL;
    check_eq(reservation(XENMEM_decrease_reservation, list, 1, 0), 0);
    list[0] = pfn;
    check_eq(reservation(XENMEM_populate_physmap, list, 1, 63), 0);
    check_eq(reservation(XENMEM_populate_physmap, list, 1, 30), 0);
    check_eq(reservation(XENMEM_populate_physmap, (void *)0x8000000000000000UL, 1, 0), 0);
    /* Nothing done is the answer to a list that cannot be read, in one form or the other. */
    check(hc_memory_op(XENMEM_populate_physmap, 0x8000000000000000UL) <= 0);
    check_eq(hc_memory_op(63, 0), -XEN_ENOSYS);
    check_eq(hc_memory_op(XENMEM_current_reservation, &(domid_t){77}), -XEN_ESRCH);
    check_eq(front_try_write(page, 1), FAULT_NONE);
}

static void exchange(void)
{
    enum { N = 16 };
    xen_pfn_t in[N], out;
    u64 base = 0;
    struct xen_memory_exchange x = {
        .in = {.nr_extents = N, .extent_order = 0, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .extent_order = 4, .domid = DOMID_SELF},
    };

    for (unsigned i = 0; i < N; i++) {
        u64 pfn = front_spare_pfn();

        in[i] = front_p2m[pfn];
        base = pfn; /* handed out downwards: the last is the lowest */
    }
    out = base;
    x.out.mem_flags = XENMEMF_address_bits(32);
    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, &out);
    check_eq(hc_memory_op(XENMEM_exchange, &x), 0);
    check_eq(x.nr_exchanged, N);
    check((out & (N - 1)) == 0, "the block starts at %lx", out);
    check(out + N <= 1UL << 20, "the block at %lx is above 4 GiB", out);
    for (unsigned i = 0; i < N; i++) {
        check_eq(front_mfn_to_pfn(out + i), base + i);
        front_p2m[base + i] = out + i;
        if (!check_zero(out + i))
            break;
    }
    /* Sizes that do not match, and frames still mapped, fail with nothing exchanged. */
    x.nr_exchanged = 0;
    x.out.extent_order = 3;
    check(hc_memory_op(XENMEM_exchange, &x) < 0, "16 pages for 8");
    check_eq(x.nr_exchanged, 0);
}

static void maps(void)
{
    struct {
        u64 addr, size;
        u32 type;
    } __attribute__((packed)) e820[64];
    struct xen_memory_map m = {.nr_entries = 64};
    u64 ram = 0;
    u32 entries;

    set_xen_guest_handle(m.buffer, e820);
    check_eq(hc_memory_op(XENMEM_machine_memory_map, &m), 0);
    check(m.nr_entries >= 3 && m.nr_entries <= 64, "%u entries", m.nr_entries);
    for (unsigned i = 0; i < m.nr_entries && i < 64; i++) {
        check(i == 0 || e820[i].addr >= e820[i - 1].addr + e820[i - 1].size, "entry %u at %lx", i,
              e820[i].addr);
        ram += e820[i].type == 1 ? e820[i].size : 0;
    }
    check(ram > 128UL << 20, "%lu MiB of RAM", ram >> 20);
    check(hc_memory_op(XENMEM_maximum_ram_page, 0) > 0x8000, "maximum_ram_page");
    entries = m.nr_entries;
    m.nr_entries = 1;
    check_eq(hc_memory_op(XENMEM_machine_memory_map, &m), -XEN_EINVAL);
    set_xen_guest_handle(m.buffer, NULL); /* how many are there? */
    check_eq(hc_memory_op(XENMEM_machine_memory_map, &m), 0);
    check_eq(m.nr_entries, entries);
    check(hc_memory_op(XENMEM_maximum_reservation, &(domid_t){DOMID_SELF}) >= (long)front_nr_pages);
}

void guest_test(void)
{
    xen_pfn_t dummy = front_va_to_mfn(front_page_alloc());

    check_eq(front_map(WINDOW, dummy, PTE_KERN), 0);
    front_unmap(WINDOW);
    balloon();
    refusals();
    exchange();
    maps();
}
