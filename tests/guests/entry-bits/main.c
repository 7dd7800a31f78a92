/* SPDX-License-Identifier: MIT */
/*
 * Contract: whatever single bit or pair of bits a guest flips in a live entry, at each level, by
 * mmu_update or by a store to its own table, an entry that was accepted maps a frame of the
 * guest's own; never a table with the right to write; never a large page; and above the last
 * level a table of the level below.
 *
 * Invariants: MM-3, MM-6, MM-9, MM-14, EMU-6.
 * Advisories: 148, 176, 182, 286.
 * A failure means: some bit lets a guest write its own page tables or another's memory.
 * Sabotage: take PTE_PSE out of PTE_TABLE_FORBIDDEN in pv/pte.h: flips() fails at L4. Take a page
 * with page_get_owned() alone in pte_l1_take(), whatever PTE_RW says: tables are mapped writable.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=guest_loglvl=none timeout=40");

#define WINDOW 0x0000100000000000UL
#define RESERVED (PTE_ADDR & ~((1UL << 46) - 1))

#define RAM_END (256UL << 8) /* of the machine that tests/guests/run starts, in frames */
#define WRITABLE 9
static u8 level_of[1 << 16]; /* of each frame that is a table of ours; or that it is writable */
static u64 accepted, refused;

static bool own(u64 mfn)
{
    u64 pfn;

    if (mfn >= RAM_END)
        return false;
    pfn = front_mfn_to_pfn(mfn);
    return pfn < front_nr_pages && front_p2m[pfn] == mfn;
}

static void note_tables(u64 mfn, int level)
{
    const volatile u64 *t = front_pfn_to_va(front_mfn_to_pfn(mfn));

    level_of[mfn] = (u8)level;
    for (unsigned i = 0; level > 1 && i < 512; i++) {
        bool hypervisors = level == 4 && i >= 256 && i < 272;

        if (t[i] & PTE_P && !hypervisors)
            note_tables((t[i] & PTE_ADDR) >> 12, level - 1);
    }
    for (unsigned i = 0; level == 1 && i < 512; i++) {
        if ((t[i] & (PTE_P | PTE_RW)) == (PTE_P | PTE_RW))
            level_of[(t[i] & PTE_ADDR) >> 12 & 0xffff] = WRITABLE;
    }
}

/* The safety of one accepted entry, whatever was asked for. */
static bool safe(int level, u64 e)
{
    u64 mfn = (e & PTE_ADDR) >> 12;

    if (!(e & PTE_P))
        return true;
    if (e & RESERVED)
        return false;
    if (level == 1 && (mfn >= RAM_END || mfn < 256))
        return true; /* the control domain maps devices and what firmware left */
    if (!own(mfn))
        return false;
    if (level == 1)
        return !(e & PTE_RW && level_of[mfn] && level_of[mfn] != WRITABLE);
    if (e & PTE_PS)
        return false;
    /* A table of the level below; a page of zeros that nothing maps and so becomes one; or the
     * root seen through itself, read-only. */
    return level_of[mfn] == level - 1 || level_of[mfn] == 0 ||
           (level_of[mfn] == level && !(e & PTE_RW));
}

static void flip(int level, volatile u64 *e, u64 bits, bool by_store)
{
    u64 old = *e, now;
    bool ok;

    if (by_store)
        ok = front_try_write(e, old ^ bits) == FAULT_NONE;
    else
        ok = front_set_entry(e, old ^ bits) == 0;
    now = *e;
    accepted += ok;
    refused += !ok;
    if (!ok)
        check(((now ^ old) & ~(PTE_A | PTE_D)) == 0, "L%d %lx ^ %lx refused, is %lx", level, old,
              bits, now);
    else
        check(safe(level, now), "L%d %lx ^ %lx accepted, is %lx, a table of level %u", level, old,
              bits, now, level_of[(now & PTE_ADDR) >> 12 & 0xffff]);
    if (ok)
        check(front_set_entry(e, old) == 0, "L%d: back to %lx", level, old);
}

static void flips(int level, bool by_store)
{
    volatile u64 *e = front_pt_entry(front_root_mfn(), WINDOW, level);

    for (unsigned i = 0; i < 64; i++) {
        for (unsigned j = i; j < 64; j++)
            flip(level, e, 1UL << i | (1UL << j & ~(1UL << i)), by_store);
    }
}

/* All of the low twelve bits and NX at once, over an entry that is present and one that is not. */
static void low_bits(int level)
{
    volatile u64 *e = front_pt_entry(front_root_mfn(), WINDOW, level);
    u64 old = *e;

    for (u64 bits = 0; bits < 0x2000; bits++) {
        u64 val = (old & PTE_ADDR) | (bits & 0xfff) | (bits & 0x1000 ? PTE_NX : 0);
        int rc;

        rc = front_set_entry(e, val);
        check(rc < 0 || safe(level, *e), "L%d %lx accepted", level, val);
        if (bits % 7 == 0)
            front_set_entry(e, 0);
    }
    check_eq(front_set_entry(e, old), 0);
}

/* What the upper entries say now decides, not what a stale translation says (286). */
static void swapped_upper(void)
{
    u64 *a = front_page_alloc(), *b = front_page_alloc();
    u64 *other = front_table_alloc(), got = 0;
    volatile u64 *l2 = front_pt_entry(front_root_mfn(), WINDOW, 2);
    u64 old = *l2;

    *a = 0xa;
    *b = 0xb;
    check_eq(hc_update_va_mapping(WINDOW, front_pte(front_va_to_mfn(a), PTE_KERN), UVMF_INVLPG), 0);
    check_eq(front_try_read((void *)WINDOW, &got), FAULT_NONE);
    check_eq(got, 0xa);
    check_eq(front_set_entry(l2, front_pte(front_va_to_mfn(other), PTE_TABLE)), 0);
    check_eq(hc_update_va_mapping(WINDOW, front_pte(front_va_to_mfn(b), PTE_KERN), UVMF_INVLPG), 0);
    check_eq(other[0] & PTE_ADDR, front_va_to_mfn(b) << 12);
    check_eq(front_set_entry(l2, 0), 0);
    check(hc_update_va_mapping(WINDOW, 0, UVMF_NONE) < 0, "an entry under an absent table");
    check(front_page_rw(other) == 0, "the other L1 stays a table");
    check_eq(front_set_entry(l2, old), 0);
    check_eq(front_try_read((void *)WINDOW, &got), FAULT_NONE);
    check_eq(got, 0xa);
}

void guest_test(void)
{
    void *page = front_page_alloc();
    u64 table;

    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0);
    swapped_upper();
    note_tables(front_root_mfn(), 4);
    for (int level = 4; level >= 1; level--) {
        flips(level, false);
        low_bits(level);
    }
    check_eq(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    flips(1, true);
    /* Once more over a read-only map of the L1 table itself. */
    table = *front_pt_entry(front_root_mfn(), WINDOW, 2) & PTE_ADDR;
    check_eq(hc_update_va_mapping(WINDOW, table | PTE_P | PTE_U, UVMF_INVLPG), 0);
    flips(1, false);
    flips(1, true);
    low_bits(1);
    check(accepted > 1000 && refused > 1000, "%lu accepted, %lu refused", accepted, refused);
}
