/* SPDX-License-Identifier: MIT */
/*
 * Contract: the control domain maps what is not RAM by its machine frame, with ordinary entries:
 * firmware's read-only memory, device memory, holes. The interrupt controllers are not for it.
 *
 * Invariants: MM-15, MM-14.
 * A failure means: no drivers in the control domain, or a guest that programs the APICs.
 * Sabotage: map frame 0xef instead of 0xff: no jump is there.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000000000UL

static int map(u64 mfn, u64 flags)
{
    return front_map(WINDOW, mfn, flags);
}

static volatile u64 *entry(void)
{
    return front_pt_entry(front_root_mfn(), WINDOW, 1);
}

void guest_test(void)
{
    u64 value = 0;

    check_eq(front_map(WINDOW, front_va_to_mfn(front_page_alloc()), PTE_KERN), 0);
    /* The reset vector's far jump, last paragraph below 1 MiB. */
    check_eq(map(0xff, PTE_P | PTE_U), 0);
    check_eq(front_try_read((void *)(WINDOW + 0xff0), &value), FAULT_NONE);
    check((value & 0xff) == 0xea, "at ffff0: %lx", value);
    /* A frame of PCI space where nothing answers, uncached and writable. */
    check_eq(map(0xe0000, PTE_KERN | PTE_PCD | PTE_PWT), 0);
    check_eq(front_try_read((void *)WINDOW, &value), FAULT_NONE);
    check_eq(front_unmap(WINDOW), 0);
    check(map(0xfee00, PTE_KERN | PTE_PCD) < 0, "the local APIC");
    /* Refused, or granted without the right to write. */
    check(map(0xfec00, PTE_KERN | PTE_PCD) < 0 || !(*entry() & PTE_RW), "the I/O APIC, writable");
    /* MMIO is no page table and no descriptor page. */
    check(front_mmuext1(MMUEXT_PIN_L1_TABLE, 0xe0000) < 0, "device memory pinned as a table");
    check(front_mmuext1(MMUEXT_NEW_USER_BASEPTR, 0xe0000) < 0, "device memory as a root");
}
