/* SPDX-License-Identifier: MIT */
/*
 * Contract: what another vCPU still has in its TLB writes nothing that is no longer a writable
 * page. The first vCPU takes a page away from a second one that keeps writing to it - by any entry
 * of its translation, without asking for a flush - and at once makes the page a table,
 * a descriptor page, a page of a grant that ended, or gives it back: it stays as it was.
 *
 * Invariants: MM-4, MM-5, MM-6, MM-11, MM-12, GT-5.
 * Advisories: 217, 241, 286, 346, 401.
 * A failure means: a guest with two vCPUs writes its own page tables.
 * Sabotage: drop the call of heap_flush_stale() from claim_idle() in pv/pagetype.c, or that of
 * hal_tlb_flush() from grant_op.c: the writer gets through.
 */
#include "guest.h"

GUEST_RUN("vcpus=2 append=guest_loglvl=none");

#define WINDOW 0x0000100000000000UL
#define SECOND 1000000000UL
/* What the writer leaves: an entry that would map the first frame of the machine, writable. */
#define POISON (PTE_P | PTE_RW | PTE_U)

static volatile u64 writes, hits, running;
static u64 *page;

static void writer(void)
{
    for (;;) {
        if (!running) {
            hc_sched_op(SCHEDOP_yield, 0);
            continue;
        }
        if (front_try_write((void *)(WINDOW + 8), POISON) == FAULT_NONE)
            hits++;
        writes++;
    }
}

static void let_write(u64 rounds)
{
    check(front_wait(&writes, writes + rounds, SECOND), "the second vCPU does not get on");
}

/* The writer has the page in its TLB. */
static bool arm(void)
{
    u64 before = hits;

    check_eq(front_page_rw(page), 0);
    memset(page, 0, 4096);
    check_eq(front_page_ro(page), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0);
    running = 1;
    front_wait(&hits, before + 2, SECOND);
    return check(hits >= before + 2, "the second vCPU cannot write");
}

/* Nothing asks for a flush here: whoever needs it has to see to it. */
static u64 take_away(int level)
{
    volatile u64 *e = front_pt_entry(front_root_mfn(), WINDOW, level);
    u64 old = *e;

    check_eq(front_set_entry(e, 0), 0);
    return old;
}

static void put_back(int level, u64 old)
{
    check_eq(front_set_entry(front_pt_entry(front_root_mfn(), WINDOW, level), old), 0);
    check_eq(front_unmap(WINDOW), 0);
    check_eq(front_mmuext1(MMUEXT_TLB_FLUSH_ALL, 0), 0);
    running = 0;
}

/* The poison may be in it by then, and is a good entry of the control domain's. */
static void as_table(int entry_level)
{
    u64 old;

    if (!arm())
        return;
    old = take_away(entry_level);
    if (check_eq(front_mmuext1(MMUEXT_PIN_L1_TABLE, front_va_to_mfn(page)), 0)) {
        check_eq(front_set_entry(&page[1], 0), 0);
        let_write(30);
        check(page[1] == 0, "L%d entry cleared: a table was written, now %lx", entry_level,
              page[1]);
        check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(page)), 0);
    }
    put_back(entry_level, old);
}

static void as_descriptors(void)
{
    xen_pfn_t frame = front_va_to_mfn(page);
    u64 old;

    if (!arm())
        return;
    old = take_away(1);
    check_eq(hc_set_gdt(&frame, 512), 0);
    check_eq(hc_update_descriptor((frame << 12) + 8, 0), 0);
    let_write(30);
    check(page[1] == 0, "a GDT was written: %lx", page[1]);
    check_eq(hc_set_gdt(0, 0), 0);
    put_back(1, old);
}

static void as_grant(void)
{
    struct gnttab_map_grant_ref map = {.host_addr = WINDOW, .flags = GNTMAP_host_map, .dom = 0};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = WINDOW};
    int ref = front_grant_access(0, front_va_to_mfn(page), false);
    u64 before, *alias = (u64 *)(WINDOW + 4096);

    check_eq(front_map((u64)alias, front_va_to_mfn(page), PTE_KERN), 0);
    map.ref = (grant_ref_t)ref;
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, &map, 1), 0);
    check_eq(map.status, GNTST_okay);
    before = hits;
    running = 1;
    front_wait(&hits, before + 2, SECOND);
    unmap.handle = map.handle;
    check_eq(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    check_eq(unmap.status, GNTST_okay);
    /* Gone from every TLB when the call returns, whatever becomes of the page. */
    alias[1] = 0;
    let_write(30);
    check(alias[1] == 0, "written through a grant that ended: %lx", alias[1]);
    running = 0;
    check_eq(front_grant_end(ref), 0);
    check_eq(front_unmap((u64)alias), 0);
}

/* Given back and taken again, it may come at once: zero, and out of the old mapping's reach. */
static void given_back(void)
{
    u64 pfn = front_spare_pfn();
    xen_pfn_t frame = front_p2m[pfn], fresh = pfn;
    struct xen_memory_reservation res = {.nr_extents = 1, .domid = DOMID_SELF};
    u64 before = hits, got = 1, *at = (u64 *)(WINDOW + 8192);
    volatile u64 *e;

    check_eq(front_map(WINDOW, frame, PTE_KERN), 0);
    running = 1;
    front_wait(&hits, before + 2, SECOND);
    e = front_pt_entry(front_root_mfn(), WINDOW, 1);
    check_eq(front_set_entry(e, 0), 0);
    set_xen_guest_handle(res.extent_start, &frame);
    check_eq(hc_memory_op(XENMEM_decrease_reservation, &res), 1);
    set_xen_guest_handle(res.extent_start, &fresh);
    check_eq(hc_memory_op(XENMEM_populate_physmap, &res), 1);
    front_p2m[pfn] = fresh;
    check_eq(front_map((u64)at, fresh, PTE_KERN), 0);
    check_eq(front_try_read(&at[1], &got), FAULT_NONE);
    /* Xen spares a living domain the cleaning of its own pages. */
    check(got == 0 || guest_on_xen(), "a new page holds %lx", got);
    at[1] = 0;
    let_write(30);
    check(at[1] == 0, "a new page was written through an old mapping: %lx", at[1]);
    check_eq(front_unmap((u64)at), 0);
    running = 0;
}

void guest_test(void)
{
    page = front_page_alloc();
    check_eq(front_grant_init(), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0);
    check_eq(front_unmap(WINDOW), 0);
    check_eq(front_page_ro(page), 0);
    check_eq(front_vcpu_start(1, writer), 0);
    for (int turn = 0; turn < 6; turn++) {
        for (int level = 1; level <= 4; level++)
            as_table(level);
        as_descriptors();
        as_grant();
        given_back();
    }
}
