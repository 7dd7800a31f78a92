/* SPDX-License-Identifier: MIT */
/*
 * Contract: a kernel stack that begins just above the hypervisor's range: the frame of an exception
 * would reach into it. The domain ends, and nothing of the hypervisor is written.
 *
 * Invariants: ENT-5, HC-10.
 * Advisories: 215.
 * A failure means: a guest overwrites the end of the hypervisor's address space.
 * Sabotage: leave the stack where it was: the exception is recorded and the guest survives.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 crash=dom(ain ?)?0.*crash");

void guest_test(void)
{
    /* The first page above the hypervisor's slots is ours to map. */
    check_eq(front_map(HYPERVISOR_VIRT_END, front_va_to_mfn(front_page_alloc()), PTE_KERN), 0);
    check_eq(front_try_write((void *)HYPERVISOR_VIRT_END, 1), FAULT_NONE);
    __asm__ volatile("mov %%rsp, %%rbx\n"
                     "mov %0, %%rsp\n"
                     "771: ud2\n"
                     "772: mov %%rbx, %%rsp\n" FRONT_EXTABLE("771b", "772b")
                     :
                     : "r"(HYPERVISOR_VIRT_END + 24)
                     : "rbx", "memory");
}
