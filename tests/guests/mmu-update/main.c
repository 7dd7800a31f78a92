/* SPDX-License-Identifier: MIT */
/*
 * Contract: mmu_update. The level of an update follows from the type of the page that holds the
 * entry, at all four levels; a batch stops at its first failure and reports how many were done;
 * command 2 keeps the hardware's accessed and dirty bits; frames that are not the caller's, table
 * pages mapped writable, superpages and the hypervisor's own slots are refused and change nothing.
 *
 * Invariants: MM-1, MM-3, MM-9, MM-14, MM-17, HC-7.
 * A failure means: either a guest can reach memory that is not its own, or a correct kernel's
 * page-table edits are lost or miscounted.
 * Sabotage: use `(cmd & 0)` for cmd in the SDK's front_set_pte(): accessed_dirty() fails.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000000000UL

static u64 *page, *other;

static volatile u64 *entry(int level)
{
    return front_pt_entry(front_root_mfn(), WINDOW, level);
}

static u64 read_window(u64 *value)
{
    return front_try_read((void *)WINDOW, value);
}

static void all_levels(void)
{
    u64 got;

    page[0] = 0x1234;
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0);
    check_eq(read_window(&got), FAULT_NONE);
    check_eq(got, 0x1234);
    for (int level = 1; level <= 4; level++) {
        volatile u64 *e = entry(level);
        u64 old = *e;

        check_eq(front_set_entry(e, 0), 0);
        check_eq(front_mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
        check_eq(read_window(NULL), PF(0));
        check_eq(front_fault_cr2(), WINDOW);
        check_eq(front_set_entry(e, old), 0);
        check_eq(read_window(&got), FAULT_NONE);
        check_eq(got, 0x1234);
    }
}

static void batches(void)
{
    u64 good = front_pte(front_va_to_mfn(other), PTE_KERN), slot = front_entry_maddr(entry(1));
    mmu_update_t req[4] = {
        {.ptr = slot + 8, .val = good},
        {.ptr = slot + 16, .val = good},
        {.ptr = slot + 24, .val = good | 1UL << 51},
        {.ptr = slot + 32, .val = good},
    };
    u32 done = 99;

    check(hc_mmu_update(req, 4, &done, DOMID_SELF) < 0);
    check_eq(done, 2);
    check((entry(1)[1] & PTE_ADDR) == (good & PTE_ADDR) && (entry(1)[2] & PTE_ADDR));
    check(!entry(1)[3] && !entry(1)[4], "%lx %lx", entry(1)[3], entry(1)[4]);
    req[2].val = good;
    check_eq(hc_mmu_update(req, 4, &done, DOMID_SELF), 0);
    check_eq(done, 4);
    for (unsigned i = 0; i < 4; i++)
        req[i].val = 0;
    check_eq(hc_mmu_update(req, 4, 0, DOMID_SELF), 0); /* the count may be left out */
    done = 99;
    check_eq(hc_mmu_update(req, 0, &done, DOMID_SELF), 0);
    check_eq(done, 0);
    check_eq(hc_mmu_update((void *)0x8000000000000000UL, 1, &done, DOMID_SELF), -XEN_EFAULT);
    check_eq(hc_mmu_update(req, 1, &done, 1), -XEN_ESRCH);
}

static void accessed_dirty(void)
{
    u64 plain = front_pte(front_va_to_mfn(page), PTE_P | PTE_RW | PTE_U);
    u64 maddr = front_entry_maddr(entry(1));

    check_eq(front_set_pte(maddr, plain, MMU_NORMAL_PT_UPDATE), 0);
    check_eq(front_mmuext_va(MMUEXT_INVLPG_LOCAL, WINDOW, 0), 0);
    check_eq(*entry(1) & (PTE_A | PTE_D), 0);
    WRITE_ONCE(*(u64 *)WINDOW, 1);
    check_eq(*entry(1) & (PTE_A | PTE_D), PTE_A | PTE_D);
    check_eq(front_set_pte(maddr, plain & ~PTE_RW, MMU_PT_UPDATE_PRESERVE_AD), 0);
    check_eq(*entry(1) & (PTE_A | PTE_D | PTE_RW), PTE_A | PTE_D);
    check_eq(front_set_pte(maddr, plain & ~PTE_RW, MMU_NORMAL_PT_UPDATE), 0);
    check_eq(*entry(1) & (PTE_A | PTE_D | PTE_RW), 0);
    check_eq(front_set_pte(maddr, plain | PTE_A | PTE_D, MMU_PT_UPDATE_NO_TRANSLATE), 0);
    check_eq(*entry(1) & (PTE_A | PTE_D | PTE_RW), PTE_A | PTE_D | PTE_RW);
}

static void refused(const char *what, volatile u64 *e, u64 val)
{
    u64 old = *e;
    int rc = front_set_entry(e, val);

    check(rc < 0, "%s: answers %d", what, rc);
    check(*e == old, "%s: entry changed from %lx to %lx", what, old, *e);
}

static void refusals(void)
{
    u64 l1 = *entry(2) & PTE_ADDR, self = front_pte(front_va_to_mfn(other), PTE_TABLE);
    u64 beyond = front_pte(front_nr_pages + (1UL << 39), PTE_KERN);

    refused("L1: reserved address bit", entry(1), *entry(1) | 1UL << 51);
    refused("L1: frame beyond the machine", entry(1), beyond);
    refused("L2: frame beyond the machine", entry(2), beyond);
    refused("L1: table mapped writable", entry(1), l1 | PTE_KERN);
    check_eq(front_set_entry(entry(1), l1 | (PTE_KERN & ~PTE_RW)), 0);
    check_eq(front_set_entry(entry(1), 0), 0);
    for (int level = 2; level <= 3; level++)
        refused("superpage", entry(level), *entry(level) | PTE_PS);
    refused("L4: page size bit", entry(4), *entry(4) | PTE_PS);
    refused("L2: a page that is mapped writable", entry(2), self);
    refused("L3: a page that is mapped writable", entry(3), self);
    refused("L4: a page that is mapped writable", entry(4), self);
    refused("L3: an L1 table", entry(3), l1 | PTE_TABLE);
    refused("L4: an L1 table", entry(4), l1 | PTE_TABLE);
    refused("L2: an L2 table", entry(2), (*entry(3) & PTE_ADDR) | PTE_TABLE);
}

static void hypervisor_slots(void)
{
    volatile u64 *root = (u64 *)front_si->pt_base;
    u64 l3 = *entry(4);
    u64 before = root[256];

    for (unsigned slot = 256; slot < 272; slot++)
        check(front_set_entry(&root[slot], 0) == -XEN_EINVAL &&
                  front_set_entry(&root[slot], l3) == -XEN_EINVAL,
              "slot %u of the root can be written", slot);
    check_eq(root[256], before);
    /* Their neighbours are the guest's. */
    check_eq(front_set_entry(&root[255], l3), 0);
    check_eq(front_set_entry(&root[272], l3), 0);
    check_eq(front_set_entry(&root[255], 0), 0);
    check_eq(front_set_entry(&root[272], 0), 0);
}

/* ptr must name an entry: no offset inside one, no frame that is not ours. */
static void pointers(void)
{
    u64 slot = front_entry_maddr(entry(1));
    u64 val = front_pte(front_va_to_mfn(other), PTE_KERN);

    check(front_set_pte(slot + 4, val, 0) < 0, "an entry at +4");
    check(front_set_pte(1UL << 51, val, 0) < 0, "an entry in a frame beyond the machine");
    check(front_set_pte(~0UL << 3, val, 0) < 0, "an entry at the end of everything");
}

void guest_test(void)
{
    page = front_page_alloc();
    other = front_page_alloc();
    all_levels();
    batches();
    accessed_dirty();
    refusals();
    hypervisor_slots();
    pointers();
}
