/* SPDX-License-Identifier: MIT */
/*
 * Contract: one vCPU of a guest dies of an exception that has no handler while the other pins,
 * maps and unpins page tables without pause. The whole domain ends, at once, whatever the other
 * was in the middle of.
 *
 * Invariants: HC-10, LC-10, MM-21, HC-13.
 * Advisories: 159, 310, 410.
 * A failure means: a dying domain deadlocks with itself, or runs on.
 * Sabotage: let the second vCPU idle instead: the first one reports that it is still there.
 */
#include "guest.h"

GUEST_RUN("vcpus=2 crash=dom(ain ?)?0.*crash");

static volatile u64 busy;

static void second(void)
{
    while (busy < 100)
        __asm__ volatile("pause");
    hc_set_trap_table(0); /* no handlers from here on */
    __asm__ volatile("ud2");
}

void guest_test(void)
{
    u64 *l1 = front_table_alloc(), *l2 = front_table_alloc(), end;

    check_eq(front_vcpu_start(1, second), 0);
    end = front_time_ns() + 15000000000UL;
    while (front_time_ns() < end) {
        front_mmuext1(MMUEXT_PIN_L1_TABLE, front_va_to_mfn(l1));
        front_mmuext1(MMUEXT_PIN_L2_TABLE, front_va_to_mfn(l2));
        front_set_entry(&l2[7], front_pte(front_va_to_mfn(l1), PTE_TABLE));
        front_set_entry(&l1[7], front_pte(front_va_to_mfn((void *)&busy), PTE_KERN));
        front_set_entry(&l2[7], 0);
        front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(l1));
        front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(l2));
        busy++;
    }
    check(false, "still running");
}
