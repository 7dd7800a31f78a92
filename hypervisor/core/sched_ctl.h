/* SPDX-License-Identifier: MIT */
/* What the control domain may ask of the scheduler: called by domctl.c and sysctl.c. */
#ifndef TENUE_CORE_SCHED_CTL_H
#define TENUE_CORE_SCHED_CTL_H

#include <tenue/abi.h>

struct domain;

uint32_t sched_public_id(void); /* XEN_SCHEDULER_* */
int sched_domctl(struct domain *d, struct xen_domctl_scheduler_op *op) must_check;
int sched_sysctl(struct xen_sysctl_scheduler_op *op) must_check;
int sched_set_vcpu_affinity(struct domain *d, struct xen_domctl_vcpuaffinity *op) must_check;
int sched_get_vcpu_affinity(struct domain *d, struct xen_domctl_vcpuaffinity *op) must_check;

#endif
