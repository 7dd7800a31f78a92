/* SPDX-License-Identifier: MIT */
/*
 * Contract: a page-fault handler that is itself not mapped: each fault raises the next, until the
 * stack has no room for another frame. The domain ends, and the hypervisor recursed nowhere.
 *
 * Invariants: ENT-5, HC-6, HC-10.
 * Advisories: 156, 308.
 * A failure means: a guest keeps a processor for itself, or overflows the hypervisor's stack.
 * Sabotage: register a handler that is mapped: the fault is recorded and the guest survives.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 crash=dom(ain ?)?0.*crash");

void guest_test(void)
{
    static struct trap_info t[2] = {
        {.vector = 14, .cs = FLAT_KERNEL_CS, .address = 0x0000123400000000UL}};

    check_eq(hc_set_trap_table(t), 0);
    front_try_read((void *)0x1000, NULL);
}
