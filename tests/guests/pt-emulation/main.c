/* SPDX-License-Identifier: MIT */
/*
 * Contract: with the writable_pagetables assist on, a store from kernel mode to a read-only mapped
 * L1 table is validated and carried out as mmu_update would, whatever instruction made it: mov of
 * 8, 4, 2 or 1 bytes, xchg, cmpxchg, locked and/or/btr. An entry that mmu_update would refuse, a
 * store to a higher table or to any other read-only page, and any store from user mode is the
 * guest's own page fault.
 *
 * Invariants: EMU-1, EMU-5, EMU-6, MM-3, MM-19, MM-23.
 * A failure means: fork, mprotect or reclaim in a stock kernel dies or loses bits.
 * Sabotage: drop the INVLPG from seen_through(): the page of the old entry is read.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000005000UL

static u64 *a, *b;
static volatile u64 *slot;

static u64 seen_through(void)
{
    u64 v = 0;

    front_mmuext_va(MMUEXT_INVLPG_LOCAL, WINDOW, 0);
    return front_try_read((void *)WINDOW, &v) == FAULT_NONE ? v : 0;
}

static void stores(void)
{
    u64 to_a = front_pte(front_va_to_mfn(a), PTE_P | PTE_RW | PTE_U);
    u64 to_b = front_pte(front_va_to_mfn(b), PTE_P | PTE_RW | PTE_U), old;
    bool carry = false;

    check_eq(FAULT("mov %1, %0", : "=m"(*slot) : "r"(to_a)), FAULT_NONE);
    check_eq(seen_through(), 0xa);
    old = to_b;
    check_eq(FAULT("xchg %1, %0", : "+m"(*slot), "+r"(old)), FAULT_NONE);
    check_eq(old & PTE_ADDR, to_a & PTE_ADDR);
    check(old & PTE_A, "xchg returned %lx without the hardware's accessed bit", old);
    check_eq(seen_through(), 0xb);
    /* Write-protect as fork does: one byte, locked and not. */
    check_eq(FAULT("lock andb $0xfd, %0", : "+m"(*slot)), FAULT_NONE);
    check_eq(*slot & PTE_RW, 0);
    front_mmuext_va(MMUEXT_INVLPG_LOCAL, WINDOW, 0);
    check_eq(front_try_write((void *)WINDOW, 1), PF(3));
    check_eq(FAULT("orb $2, %0", : "+m"(*slot)), FAULT_NONE);
    check_eq(*slot & PTE_RW, PTE_RW);
    /* Age it. */
    seen_through();
    check(*slot & PTE_A, "%lx", *slot);
    check_eq(FAULT("lock btrq $5, %0", : "+m"(*slot), "=@ccc"(carry)), FAULT_NONE);
    check(carry, "btr did not see the accessed bit");
    check_eq(*slot & PTE_A, 0);
    old = *slot;
    check_eq(FAULT("lock cmpxchg %2, %0", : "+m"(*slot), "+a"(old) : "r"(to_a)), FAULT_NONE);
    check_eq(seen_through(), 0xa);
    old = 0x123;
    check_eq(FAULT("lock cmpxchg %2, %0", : "+m"(*slot), "+a"(old) : "r"(to_b)), FAULT_NONE);
    check_eq(old & PTE_ADDR, to_a & PTE_ADDR); /* no match: no change, the old value back */
    check_eq(seen_through(), 0xa);
    check_eq(FAULT("movl $0, %0", : "=m"(*(volatile u32 *)slot)), FAULT_NONE);
    check_eq(FAULT("movq $0, %0", : "=m"(*slot)), FAULT_NONE);
    check_eq(*slot, 0);
    check_eq(seen_through(), 0);
}

/* The same instruction with its memory operand formed every way. */
static void addressing(void)
{
    u64 to_a = front_pte(front_va_to_mfn(a), PTE_KERN), base = (u64)slot - 0x18, index = 3;

    check_eq(FAULT("mov %0, 0x18(%1)", : : "r"(to_a), "r"(base) : "memory"), FAULT_NONE);
    check_eq(seen_through(), 0xa);
    check_eq(FAULT("movq $0, (%0,%1,8)", : : "r"(base), "r"(index) : "memory"), FAULT_NONE);
    check_eq(seen_through(), 0);
    check_eq(FAULT("mov %0, (%1)", : : "r"(to_a), "r"(slot) : "memory"), FAULT_NONE);
    check_eq(seen_through(), 0xa);
    check_eq(FAULT("mov %0, (%1)", : : "r"(0UL), "r"(slot) : "memory"), FAULT_NONE);
}

static void refusals(void)
{
    u64 l1 = *front_pt_entry(front_root_mfn(), WINDOW, 2) & PTE_ADDR;
    volatile u64 *l2e = front_pt_entry(front_root_mfn(), WINDOW, 2);
    u64 old = *l2e, fault;
    char *ro = front_page_alloc();

    fault = FAULT("mov %1, %0", : "=m"(*slot) : "r"(l1 | PTE_KERN));
    check_eq(fault, PF(3));
    check_eq(front_fault_cr2(), (u64)slot);
    check_eq(*slot, 0);
    fault = FAULT("mov %1, %0", : "=m"(*slot) : "r"(front_pte(1UL << 39, PTE_KERN)));
    check_eq(fault, PF(3));
    check_eq(*slot, 0);
    check_eq(front_try_write(l2e, 0), PF(3));
    check_eq(*l2e, old);
    front_page_ro(ro);
    check_eq(front_try_write(ro, 0), PF(3));
}

static u64 u_store(u64 va)
{
    WRITE_ONCE(*(u64 *)va, 0);
    return 1;
}

static void user_mode(void)
{
    struct front_user_result r;

    check_eq(front_user_root_init(), 0);
    r = front_user_run(u_store, (u64)slot);
    check(r.faulted && r.fault == PF(7), "user store to an L1: fault %lx", r.fault);
}

void guest_test(void)
{
    a = front_page_alloc();
    b = front_page_alloc();
    *a = 0xa;
    *b = 0xb;
    check_eq(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(a), 0), 0);
    slot = front_pt_entry(front_root_mfn(), WINDOW, 1);
    check_eq(front_set_entry(slot, 0), 0);
    stores();
    addressing();
    refusals();
    user_mode();
}
