/* SPDX-License-Identifier: MIT */
/*
 * Contract: from its first instruction to its first line on the console a guest of the SDK's needs
 * fewer than 200,000 instructions, the hypervisor's own on its behalf among them.
 *
 * A failure means: starting became dear, for every guest there is (a table cleared byte by byte, a
 * map walked page by page).
 * Sabotage: take all pages of the pool, one by one, in front_memory_init().
 */
#include "guest.h"

GUEST_RUN("vcpus=1 icount ours");

#define BOUND 200000

void guest_test(void)
{
    u64 took;

    front_printf("the first line\n");
    took = front_rdtsc() - front_boot_regs.tsc;
    check(took < BOUND, "%lu instructions to the first line", took);
    front_printf("first-line: %lu instructions\n", took);
}
