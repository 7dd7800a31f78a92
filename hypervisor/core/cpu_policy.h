/* SPDX-License-Identifier: MIT */
/* CPUID as the lists of leaves that domctl and sysctl exchange (public header arch-x86/xen.h). */
#ifndef TENUE_CORE_CPU_POLICY_H
#define TENUE_CORE_CPU_POLICY_H

#include <tenue/abi.h>
#include <tenue/guestmem.h>

struct vcpu;

/* What tools make room for: all leaves and subleaves the format can carry, and some MSRs. */
#define CPU_POLICY_LEAVES_MAX 256u
#define CPU_POLICY_MSRS_MAX 16u

/*
 * Write what v sees (NULL: what the hardware says) to an array with room for *nr leaves; *nr
 * becomes the number written. -XEN_ENOBUFS when there is not enough room.
 */
int cpu_policy_write(struct vcpu *v, guest_va leaves, uint32_t *nr) must_check;

#endif
