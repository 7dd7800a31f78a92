/* SPDX-License-Identifier: MIT */
/* Lab 10, scheduling: a solution. */
#include "task.h"

void my_sleep_until(u64 ns)
{
    front_irq_disable();
    /* Any event ends a sleep; and the time may have come before it began. */
    while (front_time_ns() < ns) {
        hc_set_timer_op(ns);
        hc_sched_op(SCHEDOP_block, 0);
        front_irq_disable();
    }
    front_irq_enable();
}

int my_poll(const evtchn_port_t *ports, unsigned n, u64 timeout_ns)
{
    u64 end = front_time_ns() + timeout_ns;
    sched_poll_t poll = {.nr_ports = n, .timeout = end};

    set_xen_guest_handle(poll.ports, (evtchn_port_t *)ports);
    for (;;) {
        for (unsigned i = 0; i < n; i++) {
            if (front_evtchn_take(ports[i]))
                return (int)i;
        }
        if (front_time_ns() >= end)
            return -XEN_ETIMEDOUT;
        /* Also ended by an event for somebody else. */
        hc_sched_op(SCHEDOP_poll, &poll);
    }
}

int my_times(unsigned vcpu, struct times *times)
{
    struct vcpu_runstate_info info;
    long rc = hc_vcpu_op(VCPUOP_get_runstate_info, vcpu, &info);

    if (rc)
        return (int)rc;
    times->ran = info.time[RUNSTATE_running];
    times->waited = info.time[RUNSTATE_runnable];
    times->slept = info.time[RUNSTATE_blocked] + info.time[RUNSTATE_offline];
    return 0;
}

void my_lock(u32 *lock)
{
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) {
        /* Who holds it may be waiting for this very processor. */
        hc_sched_op(SCHEDOP_yield, 0);
    }
}

void my_unlock(u32 *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}
