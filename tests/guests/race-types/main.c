/* SPDX-License-Identifier: MIT */
/*
 * Contract: two vCPUs do what they can to the same few pages at once - pin and unpin at every
 * level, link into tables, map writable, store through the write emulation, load as a root or a
 * GDT, grant, give back. Every call comes back, no page is a table and writable, and when both
 * have stopped and everything is undone each page is plain memory again.
 *
 * Invariants: MM-1, MM-2, MM-8, MM-18, MM-22, MM-23, GT-4, HC-13.
 * Advisories: 37, 45, 58, 74, 242, 264, 290, 299, 310, 402.
 * A failure means: a race of two vCPUs makes a table writable, or leaves a page that nobody can
 * free: a domain that does not die.
 * Sabotage: in pv/pagetype.c drop a type reference by a plain store in put_type_once(): pages stay
 * tables. Take the test of T_LOCKED out of put_last(): the audit finds counts that differ.
 */
#include "guest.h"

GUEST_RUN("vcpus=2 append=guest_loglvl=none timeout=40");

#define WINDOW 0x0000100000000000UL
#define PAGES 4u
#define RUN_NS 1500000000UL

static const unsigned pin_cmd[5] = {0, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                    MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE};
static u64 *pages[PAGES];
static u64 mfns[PAGES], table_maddr;
static int refs[PAGES];
static volatile u64 stop, ended;
static u64 count[2], rights[2];

static u64 random(u64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void map_and_unmap_grant(unsigned p, u64 va)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = va, .flags = GNTMAP_host_map, .ref = (grant_ref_t)refs[p]};
    struct gnttab_unmap_grant_ref u = {.host_addr = va};

    if (hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1) || m.status)
        return;
    u.handle = m.handle;
    hc_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1);
}

/* One act of mischief; slots of the window are this vCPU's own, the pages are everybody's. */
static void act(u64 r, unsigned who)
{
    unsigned p = r >> 8 & 3, q = r >> 10 & 3, level = 1 + (r >> 12 & 3);
    u64 slot = table_maddr + 8 * (8 * who + p), va = WINDOW + 4096 * (8 * who + p);
    u64 link = mfns[q] << 12 | PTE_TABLE | (r >> 14 & 1 ? PTE_NX : 0);
    xen_pfn_t frame = mfns[p];

    switch (r & 15) {
    case 0 ... 2:
        front_mmuext1(pin_cmd[level], mfns[p]);
        break;
    case 3 ... 5:
        front_mmuext1(MMUEXT_UNPIN_TABLE, mfns[p]);
        break;
    case 6:
    case 7:
        rights[who] += front_set_pte(slot, front_pte(mfns[p], PTE_KERN), 0) == 0;
        break;
    case 8:
        front_set_pte(slot, 0, 0);
        break;
    case 9:
        front_set_pte(mfns[p] << 12 | (r >> 20 & 7) << 3, link, 0);
        break;
    case 10:
        front_set_pte(mfns[p] << 12 | (r >> 20 & 7) << 3, 0, 0);
        break;
    case 11:
        front_try_write(&pages[p][r >> 20 & 7], r >> 24 & 1 ? 0 : mfns[q] << 12 | PTE_P | PTE_U);
        break;
    case 12:
        if (hc_set_gdt(&frame, 512) == 0)
            hc_set_gdt(0, 0);
        break;
    case 13:
        map_and_unmap_grant(p, va);
        break;
    case 14:
        front_try_write((void *)va, r >> 24 & 1 ? 0 : link); /* where a mapping was given */
        break;
    default:
        front_mmuext1(MMUEXT_NEW_USER_BASEPTR, r >> 24 & 1 ? mfns[p] : 0);
        break;
    }
}

static void mischief(unsigned who, u64 seed)
{
    while (!stop) {
        act(random(&seed), who);
        count[who]++;
    }
}

static void second(void)
{
    mischief(1, 0x9e3779b97f4a7c15UL);
    front_mmuext1(MMUEXT_NEW_USER_BASEPTR, 0);
    hc_set_gdt(0, 0);
    ended = 1;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

static void first(void)
{
    u64 seed = 0xd1b54a32d192ed03UL, end = front_time_ns() + RUN_NS;

    while (front_time_ns() < end) {
        for (unsigned i = 0; i < 200; i++)
            act(random(&seed), 0);
        count[0] += 200;
    }
    stop = 1;
}

/* Undone in an order that works whatever refers to what: mappings, pins and links, until quiet. */
static void undo(void)
{
    front_mmuext1(MMUEXT_NEW_USER_BASEPTR, 0);
    hc_set_gdt(0, 0);
    for (unsigned i = 0; i < 16; i++)
        front_set_pte(table_maddr + 8 * i, 0, 0);
    for (unsigned turn = 0; turn < 8; turn++) {
        for (unsigned p = 0; p < PAGES; p++) {
            front_mmuext1(MMUEXT_UNPIN_TABLE, mfns[p]);
            for (unsigned s = 0; s < 8; s++)
                front_set_pte(mfns[p] << 12 | s << 3, 0, 0);
        }
    }
}

void guest_test(void)
{
    void *some = front_page_alloc();

    check_eq(front_grant_init(), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(some), PTE_KERN), 0);
    check_eq(front_unmap(WINDOW), 0);
    table_maddr = front_entry_maddr(front_pt_entry(front_root_mfn(), WINDOW, 1));
    check_eq(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    for (unsigned p = 0; p < PAGES; p++) {
        pages[p] = front_table_alloc();
        mfns[p] = front_va_to_mfn(pages[p]);
        refs[p] = front_grant_access(0, mfns[p], false);
    }
    check_eq(front_vcpu_start(1, second), 0);
    first();
    check(front_wait(&ended, 1, 5000000000UL), "the second vCPU does not come back");
    undo();
    for (unsigned p = 0; p < PAGES; p++) {
        check(front_page_rw(pages[p]) == 0, "page %u is not plain memory again", p);
        memset(pages[p], 0, 4096);
        check_eq(front_grant_end(refs[p]), 0);
    }
    check(count[0] > 100 && count[1] > 100, "%lu and %lu acts", count[0], count[1]);
    check(rights[0] + rights[1] > 0, "%lu writable mappings", rights[0] + rights[1]);
    front_printf("%lu and %lu acts\n", count[0], count[1]);
}
