/* SPDX-License-Identifier: MIT */
/*
 * Contract: sched_op apart from block and poll (timer): yield comes back, unknown operations are
 * -ENOSYS, bad pointers -EFAULT, a bad shutdown reason ends nobody, and the watchdog barks only
 * when told to; a shutdown with reason reboot resets the machine (the emulator's end proves it).
 *
 * Invariants: HC-8, HC-1, LC-2.
 * A failure means: a guest stops where it should go on, or cannot stop at all.
 * Sabotage: yield instead of shutting down in front_shutdown(): the time runs out.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static void watchdog(void)
{
    sched_watchdog_t op = {.id = 0, .timeout = 10};
    long id = hc_sched_op(SCHEDOP_watchdog, &op);

    if (id == -XEN_ENOSYS)
        return;
    check(id > 0, "a new watchdog: %ld", id);
    op.id = (u32)id;
    check_eq(hc_sched_op(SCHEDOP_watchdog, &op), 0); /* postponed */
    op.timeout = 0;
    check_eq(hc_sched_op(SCHEDOP_watchdog, &op), 0); /* off */
    op.id = 77;
    check(hc_sched_op(SCHEDOP_watchdog, &op) < 0, "watchdog 77");
}

void guest_test(void)
{
    u64 before = front_time_ns();
    struct sched_remote_shutdown remote = {.domain_id = 77, .reason = SHUTDOWN_poweroff};

    for (unsigned i = 0; i < 1000; i++)
        check_eq(hc_sched_op(SCHEDOP_yield, 0), 0);
    check(front_time_ns() > before);
    check_eq(hc_sched_op(99, 0), -XEN_ENOSYS);
    check_eq(hc_sched_op(~0UL, 0), -XEN_ENOSYS);
    check_eq(hc_sched_op(SCHEDOP_shutdown, 0x8000000000000000UL), -XEN_EFAULT);
    check_eq(hc_sched_op(SCHEDOP_poll, 0x8000000000000000UL), -XEN_EFAULT);
    check_eq(hc_sched_op(SCHEDOP_remote_shutdown, &remote), -XEN_ESRCH);
    watchdog();
}
