/* SPDX-License-Identifier: MIT */
/* Lab 2, events. Copy this file to mine.c and fill it in; README.md has the steps. */
#include "task.h"

/* Step 1. A channel from this domain to itself: EVTCHNOP_alloc_unbound, EVTCHNOP_bind_interdomain.
 */
int my_channel(evtchn_port_t *near, evtchn_port_t *far)
{
    *near = *far = 0;
    return -XEN_ENOSYS; /* your code here */
}

/* Step 2. Called by the hypervisor, events masked: each event that is pending and not masked goes
 * to lab_handle(), once. What you need is in front_vcpu_info(0) and in front_shared. */
void my_upcall(void)
{
    /* your code here */
}

/* Step 3. From now on this port's events arrive, also one that came while it was masked. */
void my_unmask(evtchn_port_t port)
{
    (void)port; /* your code here */
}

/* Step 4. Sleep until lab_done(). */
void my_wait(void)
{
    /* your code here */
}
