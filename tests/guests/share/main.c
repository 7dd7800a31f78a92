/* SPDX-License-Identifier: MIT */
/*
 * Contract: none of its own: a guest that works all the time and says how much it got done, for
 * tests of shares of CPU time. A unit of work is always the same instructions. The first time it
 * looks at the clock in a second of system time, which all guests have in common, it prints the
 * units done until then, and how long it ran, waited for a CPU, and slept, as the hypervisor says.
 */
#include "guest.h"

#define ROUNDS 5000
#define SECOND 1000000000ull

static struct vcpu_runstate_info state;

static void work(void)
{
    for (u32 i = ROUNDS; i; i--)
        __asm__ volatile("");
}

static void say(u64 second, u64 units)
{
    check_eq(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &state), 0);
    front_printf("second %lu units %lu ran %lu waited %lu slept %lu\n", second, units,
                 state.time[RUNSTATE_running], state.time[RUNSTATE_runnable],
                 state.time[RUNSTATE_blocked]);
}

void guest_test(void)
{
    u64 said = 0;

    for (u64 units = 0;; units++) {
        u64 second = front_time_ns() / SECOND;

        if (second != said)
            say(second, units);
        said = second;
        work();
    }
}
