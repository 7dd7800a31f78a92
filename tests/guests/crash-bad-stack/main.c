/* SPDX-License-Identifier: MIT */
/*
 * Contract: an exception taken while the guest kernel's stack cannot hold its frame ends the
 * domain with a message, and not the hypervisor: the frame is written with the guest's own rights.
 *
 * Invariants: ENT-5, HC-10.
 * A failure means: a guest makes the hypervisor write where the guest could not, or hangs it.
 * Sabotage: leave the stack page writable: the exception is recorded and the guest survives.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 crash=dom(ain ?)?0.*crash");

void guest_test(void)
{
    char *stack = front_page_alloc();

    check_eq(front_page_ro(stack), 0);
    __asm__ volatile("mov %%rsp, %%rbx\n"
                     "lea 4096(%0), %%rsp\n"
                     "771: ud2\n"
                     "772: mov %%rbx, %%rsp\n" FRONT_EXTABLE("771b", "772b")
                     :
                     : "r"(stack)
                     : "rbx", "memory");
}
