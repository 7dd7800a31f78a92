/* SPDX-License-Identifier: MIT */
/* Lab 10: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <lab.h>

void my_sleep_until(u64 ns);
int my_poll(const evtchn_port_t *ports, unsigned n, u64 timeout_ns);

struct times {
    u64 ran, waited, slept;
};
int my_times(unsigned vcpu, struct times *times);

void my_lock(u32 *lock);
void my_unlock(u32 *lock);

/* The time is front_time_ns(). This vcpu's VIRQ_TIMER is bound, and its handler does nothing. */

#endif
