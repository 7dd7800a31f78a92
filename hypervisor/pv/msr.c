/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers as a PV guest sees them: default deny, one table (EMU-8). A read or
 * write that is not listed raises #GP in the guest. Nothing here writes hardware except segment
 * bases and TSC_AUX of the running vcpu.
 */
#include <tenue/assert.h>
#include <tenue/pv.h>

#include "state.h"

#define MSR_XEN_HYPERCALL_PAGE 0x40000000u /* where CPUID says */
#define APIC_BASE_ADDRESS 0xfee00000ull
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_BSP (1ull << 8)
#define EFER_GUEST 0xd01ull /* SCE LME LMA NXE */

/* Read as 0, writes ignored: performance and machine-check registers that kernels touch freely. */
static bool is_ignored(uint32_t msr)
{
    switch (msr) {
    case MSR_MCG_CAP ... MSR_MCG_CTL:
    case MSR_MC0_CTL ... MSR_MC31_MISC:
    case 0xc0010000 ... 0xc0010007: /* AMD performance counters */
    case 0xc0010015:                /* HWCR */
    case 0xc0010055:                /* interrupt pending message */
    case 0xc0010058:                /* MMIO configuration base */
    case 0xc0011029:                /* DE_CFG */
    case 0x186 ... 0x189:           /* Intel event selects */
    case 0xc1 ... 0xc4:
    case 0x38d ... 0x38f:
    case 0x198 ... 0x199:
    case 0x1a0: /* MISC_ENABLE */
    case 0x1b0:
    case 0xce: /* PLATFORM_INFO */
    case 0x3a: /* FEATURE_CONTROL: not locked, nothing enabled */
        return true;
    default:
        return false;
    }
}

/* FS base, GS base and the other GS base have neighbouring numbers, in the order of hal_segbase. */
static bool is_segbase(uint32_t msr)
{
    return msr - MSR_FS_BASE <= HAL_GS_BASE_INACTIVE;
}

/* Registers that always have the one value. */
static bool constant_of(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_EFER:
        *value = EFER_GUEST;
        return true;
    case MSR_PAT:
        *value = HAL_PAT;
        return true;
    case MSR_APIC_BASE:
        *value = APIC_BASE_ADDRESS | APIC_BASE_ENABLE | (v->id == 0 ? APIC_BASE_BSP : 0);
        return true;
    default:
        return false;
    }
}

bool pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if (is_segbase(msr)) {
        *value = hal_segbase_read((enum hal_segbase)(msr - MSR_FS_BASE));
        return true;
    }
    if (constant_of(v, msr, value))
        return true;
    *value = msr == MSR_TSC_AUX ? v->pv.tsc_aux : msr == MSR_TSC ? hal_rdtsc() : 0;
    if (msr == MSR_UCODE_REV)
        return hal_rdmsr_safe(msr, value);
    return msr == MSR_TSC_AUX || msr == MSR_TSC || is_ignored(msr);
}

static bool write_hypercall_page(struct domain *d, uint64_t value)
{
    mfn_t m = maddr_to_mfn(maddr_make(value));

    if (value & ~PAGE_MASK || page_get_and_type(m, d, PGT_WRITABLE) != 0)
        return false;
    pv_fill_hypercall_page(mfn_to_ptr(m));
    BUG_ON(page_put_and_type(m) != 0);
    return true;
}

bool pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t constant;

    if (is_segbase(msr)) {
        if (!pv_canonical(value))
            return false;
        hal_segbase_write((enum hal_segbase)(msr - MSR_FS_BASE), value);
        return true;
    }
    if (constant_of(v, msr, &constant))
        return value == constant;
    switch (msr) {
    case MSR_UCODE_REV:
        return true;
    case MSR_TSC_AUX:
        if (value >> 32 || !hal_wrmsr_safe(msr, value))
            return false;
        v->pv.tsc_aux = value;
        return true;
    case MSR_XEN_HYPERCALL_PAGE:
        return write_hypercall_page(v->domain, value);
    default:
        return is_ignored(msr);
    }
}
