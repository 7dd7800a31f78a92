/* SPDX-License-Identifier: MIT */
/*
 * Contract: going to user mode without a user root ends the domain, not the hypervisor.
 *
 * Invariants: ENT-15, HC-10.
 * A failure means: user code runs on the kernel's tables.
 * Sabotage: call front_user_root_init() first: the guest survives and says so.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 crash=dom(ain ?)?0.*crash");

static u64 nothing(u64 arg)
{
    return arg;
}

void guest_test(void)
{
    check_eq(front_mmuext1(MMUEXT_NEW_USER_BASEPTR, 0), 0);
    front_user_run(nothing, 0);
}
