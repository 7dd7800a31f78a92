/* SPDX-License-Identifier: MIT */
/*
 * Contract: an exception without a registered handler ends the domain, with a message on the
 * hypervisor's console, and not the hypervisor.
 *
 * Invariants: HC-10, ENT-5.
 * A failure means: a guest that misses a handler hangs silently, runs on, or takes the machine.
 * Sabotage: do not clear the trap table: the fault is recorded and the guest ends with a verdict.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 crash=dom(ain ?)?0.*crash");

void guest_test(void)
{
    hc_set_trap_table(0);
    check_eq(FAULT("ud2", :), UD());
}
