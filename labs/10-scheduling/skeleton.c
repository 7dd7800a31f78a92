/* SPDX-License-Identifier: MIT */
/* Lab 10, scheduling. Copy this file to mine.c and fill it in; README.md has the steps. */
#include "task.h"

/* Step 1. Returns when front_time_ns() has come to `ns`, and gives the processor away until then.
 */
void my_sleep_until(u64 ns)
{
    (void)ns; /* your code here */
}

/* Step 2. Waits until one of these ports, all masked, is pending, and takes its event: which one,
 * or -XEN_ETIMEDOUT when `timeout_ns` have passed. */
int my_poll(const evtchn_port_t *ports, unsigned n, u64 timeout_ns)
{
    (void)ports, (void)n, (void)timeout_ns;
    return -XEN_ENOSYS; /* your code here */
}

/* Step 3. For how long a vcpu has run; waited for a processor; wanted none. 0 or -XEN_E*. */
int my_times(unsigned vcpu, struct times *times)
{
    (void)vcpu;
    *times = (struct times){0};
    return -XEN_ENOSYS; /* your code here */
}

/* Step 4. A lock of two vcpus, which may have to share one processor. 0: free. */
void my_lock(u32 *lock)
{
    (void)lock; /* your code here */
}

void my_unlock(u32 *lock)
{
    (void)lock; /* your code here */
}
