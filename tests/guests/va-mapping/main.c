/* SPDX-License-Identifier: MIT */
/*
 * Contract: update_va_mapping changes the last-level entry of an address in the current tables,
 * with the flush its flags ask for: none, the whole TLB, or the one page; locally, everywhere, or
 * on the vCPUs of a bitmap. An address without an L1 table, an address that is the hypervisor's,
 * or a frame that may not be mapped is refused and changes nothing.
 *
 * Invariants: MM-6, MM-9, MM-14, HC-1.
 * A failure means: stale translations after a kernel changed its map, or a map changed elsewhere.
 * Sabotage: pass UVMF_NONE in the first remap(): the stale page is read.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000000000UL

static u64 *a, *b;

static long uvm(u64 va, u64 pte, u64 flags)
{
    return hc_update_va_mapping(va, pte, flags);
}

static u64 pte_of(const void *page, u64 flags)
{
    return front_pte(front_va_to_mfn(page), flags);
}

static void remap(const char *what, u64 flags)
{
    volatile u64 *w = (u64 *)WINDOW;

    check_eq(uvm(WINDOW, pte_of(a, PTE_KERN), UVMF_TLB_FLUSH | UVMF_ALL), 0);
    check_eq(*w, 0xa);
    check(uvm(WINDOW, pte_of(b, PTE_KERN), flags) == 0, "%s is refused", what);
    check(*w == 0xb, "%s: the old page is still read", what);
    check_eq(uvm(WINDOW, pte_of(b, PTE_KERN & ~PTE_RW), flags), 0);
    check(front_try_write((void *)w, 0xb) == PF(3), "%s: still writable", what);
    check_eq(uvm(WINDOW, 0, flags), 0);
    check(front_try_read((void *)w, NULL) == PF(0), "%s: still mapped", what);
}

static void flags(void)
{
    u64 map = 1; /* vCPU 0 */

    remap("INVLPG local", UVMF_INVLPG);
    remap("INVLPG all", UVMF_INVLPG | UVMF_ALL);
    remap("TLB_FLUSH local", UVMF_TLB_FLUSH);
    remap("TLB_FLUSH all", UVMF_TLB_FLUSH | UVMF_ALL);
    remap("INVLPG bitmap", UVMF_INVLPG | (u64)&map);
    remap("TLB_FLUSH bitmap", UVMF_TLB_FLUSH | (u64)&map);
    /* No flush asked for: a new mapping of an absent page is visible all the same. */
    check_eq(uvm(WINDOW, pte_of(a, PTE_KERN), UVMF_NONE), 0);
    check_eq(*(volatile u64 *)WINDOW, 0xa);
}

static void refused(const char *what, u64 va, u64 pte)
{
    long rc = uvm(va, pte, UVMF_INVLPG);

    check(rc < 0, "%s: answers %ld", what, rc);
}

static void refusals(void)
{
    u64 fine = pte_of(a, PTE_KERN);
    u64 l1 = *front_pt_entry(front_root_mfn(), WINDOW, 2) & PTE_ADDR;

    refused("no L4 entry", 0x0000200000000000UL, fine);
    refused("no L2 entry", WINDOW + (1UL << 21), fine);
    refused("no L3 entry", WINDOW + (1UL << 30), fine);
    refused("the machine map", HYPERVISOR_VIRT_START, fine);
    refused("the machine map, unmap", HYPERVISOR_VIRT_START, 0);
    refused("the end of the hypervisor's range", HYPERVISOR_VIRT_END - 4096, fine);
    refused("non-canonical", 0x0000800000000000UL, fine);
    refused("non-canonical, upper", 0x8000000000000000UL, fine);
    refused("reserved bits", WINDOW, fine | 1UL << 51);
    refused("frame beyond the machine", WINDOW, front_pte(1UL << 39, PTE_KERN));
    refused("its own L1, writable", WINDOW, l1 | PTE_KERN);
    check_eq(*(volatile u64 *)WINDOW, 0xa);
    check_eq(front_fault_take(), FAULT_NONE);
    /* A bitmap that cannot be read is a fault of the caller's. */
    check_eq(uvm(WINDOW, fine, UVMF_INVLPG | 0x0000300000000000UL), -XEN_EFAULT);
}

/* The offset within the page is ignored. */
static void offsets(void)
{
    check_eq(uvm(WINDOW + 0x123, pte_of(b, PTE_KERN), UVMF_INVLPG), 0);
    check_eq(*(volatile u64 *)WINDOW, 0xb);
}

/* A frame mapped many times over and let go again: the count comes back to nothing. */
static void counts(void)
{
    for (unsigned i = 0; i < 200; i++)
        check_eq(uvm(WINDOW + i * 4096, pte_of(a, PTE_KERN), UVMF_NONE), 0);
    check(front_page_ro(a) == 0);
    check(front_mmuext1(MMUEXT_PIN_L1_TABLE, front_va_to_mfn(a)) < 0, "200 writable mappings left");
    for (unsigned i = 0; i < 200; i++)
        check_eq(uvm(WINDOW + i * 4096, 0, UVMF_NONE), 0);
    front_mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0);
    front_page_rw(a);
    a[0] = 0;
    check_eq(front_page_ro(a), 0);
    check_eq(front_mmuext1(MMUEXT_PIN_L1_TABLE, front_va_to_mfn(a)), 0);
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(a)), 0);
}

void guest_test(void)
{
    a = front_page_alloc();
    b = front_page_alloc();
    *a = 0xa;
    *b = 0xb;
    check_eq(front_map(WINDOW, front_va_to_mfn(a), PTE_KERN), 0);
    flags();
    refusals();
    offsets();
    counts();
}
