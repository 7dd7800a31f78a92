/* SPDX-License-Identifier: MIT */
/*
 * What labs/step must know of the hypervisor's memory. Never linked: the build reads the listing
 * that the compiler makes of it.
 */
#include "../../hypervisor/core/page_priv.h"
#include "../../hypervisor/pv/state.h"
#include "../../hypervisor/x86/pcpu.h"

#define DEFINE(name, value) __asm__ volatile(".ascii \"->" #name " %0\"" ::"i"((long)(value)))

void step_offsets(void);

void step_offsets(void)
{
    DEFINE(DIRECT_MAP_VIRT, DIRECT_MAP_VIRT);
    DEFINE(CPU_current, offsetof(struct cpu, current));
    DEFINE(VCPU_kernel_mode, offsetof(struct vcpu, pv.kernel_mode));

    DEFINE(PAGE_size, sizeof(struct page));
    DEFINE(PAGE_count, offsetof(struct page, count));
    DEFINE(PAGE_type, offsetof(struct page, type));
    DEFINE(C_REFS_MASK, C_REFS_MASK);
    DEFINE(C_OWNER_SHIFT, C_OWNER_SHIFT);
    DEFINE(C_DOM, C_DOM);
    DEFINE(C_ALLOC, C_ALLOC);
    DEFINE(C_SHARED, C_SHARED);
    DEFINE(C_HV, C_HV);
    DEFINE(C_FREE, C_FREE);
    DEFINE(T_REFS_MASK, T_REFS_MASK);
    DEFINE(T_PINNED, T_PINNED);
    DEFINE(T_VALID, T_VALID);
    DEFINE(T_PARTIAL, T_PARTIAL);
    DEFINE(T_STAMPED, T_STAMPED);
    DEFINE(T_TYPE_SHIFT, T_TYPE_SHIFT);
    DEFINE(TYPE_none, PGT_NONE);
    DEFINE(TYPE_writable, PGT_WRITABLE);
    DEFINE(TYPE_L1, PGT_L1);
    DEFINE(TYPE_L2, PGT_L2);
    DEFINE(TYPE_L3, PGT_L3);
    DEFINE(TYPE_L4, PGT_L4);
    DEFINE(TYPE_descriptors, PGT_DESC);
}
