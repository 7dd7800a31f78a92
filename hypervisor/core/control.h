/* SPDX-License-Identifier: MIT */
/*
 * What domctl.c and sysctl.c share: CPU sets as these interfaces pass them, bitmaps that carry
 * their length (LC-7), in cpumask.c; CPUID as lists of leaves (public header arch-x86/xen.h), in
 * cpu_policy.c; what may be asked of the scheduler, in sched_ctl.c.
 */
#ifndef TENUE_CORE_CONTROL_H
#define TENUE_CORE_CONTROL_H

#include <tenue/guestmem.h>
#include <tenue/tlb.h>

struct domain;
struct vcpu;

cpumask_t cpumask_online(void);
/* Copy in; bits beyond the CPUs there can be are dropped. */
int cpumask_read(cpumask_t *mask, const struct xenctl_bitmap *map) must_check;
/* Copy out, whole bytes up to the length given, zeros behind our CPUs. */
int cpumask_write(const struct xenctl_bitmap *map, cpumask_t mask) must_check;

/* What tools make room for: all leaves and subleaves the format can carry, and some MSRs. */
#define CPU_POLICY_LEAVES_MAX 256u
#define CPU_POLICY_MSRS_MAX 16u
/*
 * Write what v sees (NULL: what the hardware says) to an array with room for *nr leaves; *nr
 * becomes the number written. -XEN_ENOBUFS when there is not enough room.
 */
int cpu_policy_write(struct vcpu *v, guest_va leaves, uint32_t *nr) must_check;

uint32_t sched_public_id(void); /* XEN_SCHEDULER_* */
int sched_domctl(struct domain *d, struct xen_domctl_scheduler_op *op) must_check;
int sched_sysctl(struct xen_sysctl_scheduler_op *op) must_check;
int sched_set_vcpu_affinity(struct vcpu *v, struct xen_domctl_vcpuaffinity *op) must_check;
int sched_get_vcpu_affinity(const struct vcpu *v, struct xen_domctl_vcpuaffinity *op) must_check;

#endif
