/* SPDX-License-Identifier: MIT */
/* Between softirq.c and the scheduler's idle loop; everybody else uses percpu.h. */
#ifndef TENUE_CORE_SOFTIRQ_H
#define TENUE_CORE_SOFTIRQ_H

#include <tenue/percpu.h>

/* Clear a pending bit of this CPU; true when it was set. */
bool softirq_take(enum softirq which);
/* Do all that is pending on this CPU except choosing a vcpu. */
void softirq_run_but_sched(void);

#endif
