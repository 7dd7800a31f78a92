/* SPDX-License-Identifier: MIT */
/*
 * Contract: pinning. A pin validates a table and everything below it and holds one reference of
 * its own, beside those of the tables above; only an explicit unpin drops it, and a table loses
 * its type only when nothing refers to it any more. A table that cannot be validated is left as
 * it was, wherever its bad entry stands, and can be mended and pinned. A loaded root survives its
 * own unpin.
 *
 * Invariants: MM-1, MM-2, MM-8, MM-9, MM-18, MM-22.
 * A failure means: a page table can become writable while the processor uses it, or table pages
 * are never given back to the kernel.
 * Sabotage: let front_page_ro() leave PTE_RW set: no table can be pinned.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000000000UL

static const unsigned pin_cmd[5] = {0, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                    MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE};
static void *data;

static int pin(int level, const void *table)
{
    return front_mmuext1(pin_cmd[level], front_va_to_mfn(table));
}

static int unpin(const void *table)
{
    return front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(table));
}

/* A table page is ours to write again exactly when it has no table type left. */
static bool is_free(void *table)
{
    if (front_page_rw(table))
        return false;
    check_eq(front_page_ro(table), 0);
    return true;
}

static void fill(u64 *table, unsigned slot, u64 value)
{
    check_eq(front_page_rw(table), 0);
    table[slot] = value;
    check_eq(front_page_ro(table), 0);
}

static u64 table_entry(const void *table)
{
    return front_pte(front_va_to_mfn(table), PTE_TABLE);
}

static void simple(void)
{
    u64 *t = front_page_alloc();

    for (int level = 1; level <= 4; level++) {
        check_eq(front_page_rw(t), 0);
        check(pin(level, t) == -XEN_EINVAL, "L%d pin of a writable page: %d", level, pin(level, t));
        check_eq(front_page_ro(t), 0);
        check_eq(unpin(t), -XEN_EINVAL);
        check_eq(pin(level, t), 0);
        check(pin(level, t) == -XEN_EINVAL, "L%d pinned twice", level);
        check(pin(level == 4 ? 1 : level + 1, t) == -XEN_EINVAL, "L%d pinned as another", level);
        check(front_page_rw(t) < 0, "L%d mapped writable", level);
        /* Stores to an L1 may be emulated (pt-emulation); above it they fault. */
        if (level > 1)
            check_eq(front_try_write(t, 0), PF(3));
        check_eq(unpin(t), 0);
        check_eq(unpin(t), -XEN_EINVAL);
        check(is_free(t), "L%d after unpin", level);
    }
    check(front_mmuext1(MMUEXT_PIN_L1_TABLE, 1UL << 39) < 0, "pin of a frame beyond the machine");
    check(front_mmuext1(MMUEXT_UNPIN_TABLE, 1UL << 39) < 0, "unpin beyond the machine");
}

/* L1 pinned and referenced by a pinned L2: each holder keeps it a table. */
static void nesting(void)
{
    u64 *l1 = front_table_alloc(), *l2 = front_table_alloc();

    fill(l2, 7, table_entry(l1));
    check_eq(pin(1, l1), 0);
    check_eq(pin(2, l2), 0);
    check_eq(unpin(l1), 0);
    check(!is_free(l1), "the L2 above no longer holds its L1");
    check_eq(pin(1, l1), 0); /* a pin can be taken on a table in use */
    check_eq(unpin(l2), 0);
    check(is_free(l2), "L2 after unpin");
    check(!is_free(l1), "the pin on the L1 was dropped with the L2");
    check_eq(unpin(l1), 0);
    check(is_free(l1), "L1 after its last holder");
    /* One L1 in two L2s, as Linux has it. */
    check_eq(pin(2, l2), 0);
    check_eq(front_set_entry(&l2[9], table_entry(l1)), 0);
    check_eq(front_set_entry(&l2[7], 0), 0);
    check(!is_free(l1), "one of two references was enough");
    check_eq(front_set_entry(&l2[9], 0), 0);
    check(is_free(l1), "L1 after its second reference");
    check_eq(unpin(l2), 0);
}

static void bad_entries(void)
{
    static const unsigned slots[] = {0, 1, 255, 511};
    u64 *good = front_table_alloc(), *t = front_table_alloc();

    for (int level = 1; level <= 4; level++) {
        u64 fine = level == 1 ? front_pte(front_va_to_mfn(data), PTE_KERN) : 0;

        for (unsigned i = 0; i < FRONT_ARRAY_SIZE(slots); i++) {
            unsigned slot = slots[i];

            /* Level 1: a writable mapping of the table itself; above: a page that is no table. */
            for (unsigned s = 0; s < 512; s++)
                fill(t, s, fine);
            fill(t, slot, level == 1 ? front_pte(front_va_to_mfn(t), PTE_KERN) : table_entry(data));
            check(pin(level, t) < 0, "L%d, bad entry at %u is accepted", level, slot);
            check(is_free(t), "L%d, bad entry at %u: still a table", level, slot);
            fill(t, slot, fine);
            check(pin(level, t) == 0, "L%d, entry %u mended", level, slot);
            check_eq(unpin(t), 0);
        }
    }
    /* What was validated before the bad entry was found is let go again. */
    for (unsigned s = 0; s < 512; s++)
        fill(t, s, 0);
    fill(t, 3, table_entry(good));
    fill(t, 400, table_entry(data));
    check_eq(pin(2, t), -XEN_EINVAL);
    check(is_free(good), "an L1 stays typed after its L2 failed");
    check_eq(front_try_write(data, 1), FAULT_NONE);
}

/* A root of our own: pin, load, drop the builder's pin, run, go back. */
static void roots(void)
{
    u64 *old = (u64 *)front_si->pt_base, *mine = front_page_alloc();

    for (unsigned s = 0; s < 512; s++)
        mine[s] = s >= 256 && s < 272 ? 0xdeadUL << 12 | 1 : old[s];
    check_eq(front_page_ro(mine), 0);
    check_eq(pin(4, mine), 0);
    /* The hypervisor's slots hold its own entries, whatever stood there. */
    for (unsigned s = 256; s < 272; s++)
        check((mine[s] & PTE_ADDR) != 0xdead000, "slot %u is %lx", s, mine[s]);
    check_eq(front_mmuext1(MMUEXT_NEW_BASEPTR, front_va_to_mfn(mine)), 0);
    check_eq(front_mfn_to_pfn(front_va_to_mfn(data)), front_va_to_pfn(data));
    check_eq(unpin(old), 0);
    check(is_free(old), "the builder's root after unpin");
    check_eq(pin(4, old), 0);
    check_eq(unpin(mine), 0); /* loaded: goes on living */
    check(!is_free(mine), "a loaded root became writable");
    check_eq(front_try_write(data, 2), FAULT_NONE);
    check_eq(front_mmuext1(MMUEXT_NEW_BASEPTR, front_va_to_mfn(old)), 0);
    check(is_free(mine), "an unpinned, unloaded root");
    /* An unpinned root may be loaded: loading validates it. */
    check_eq(front_mmuext1(MMUEXT_NEW_BASEPTR, front_va_to_mfn(mine)), 0);
    check_eq(front_mmuext1(MMUEXT_NEW_BASEPTR, front_va_to_mfn(old)), 0);
    check(is_free(mine), "a root that was loaded without a pin");
    check(front_mmuext1(MMUEXT_NEW_BASEPTR, front_va_to_mfn(data)) < 0, "data loaded as root");
    check(front_mmuext1(MMUEXT_NEW_BASEPTR, 1UL << 39) < 0, "a root beyond the machine");
    check_eq(front_try_write(data, 3), FAULT_NONE);
}

void guest_test(void)
{
    data = front_page_alloc();
    simple();
    nesting();
    bad_entries();
    roots();
}
