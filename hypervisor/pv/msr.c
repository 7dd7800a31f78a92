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
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
    case MSR_MCG_CTL:
    case MSR_MC0_CTL ... MSR_MC31_MISC:
    case 0xc0010000 ... 0xc0010007: /* AMD performance counters */
    case 0xc0010015:                /* HWCR */
    case 0xc0010055:                /* interrupt pending message */
    case 0xc0010058:                /* MMIO configuration base */
    case 0xc0011029:                /* DE_CFG */
    case 0x186 ... 0x189:           /* Intel event selects */
    case 0xc1 ... 0xc4:
    case 0x38d ... 0x38f:
    case 0x198:
    case 0x199:
    case 0x1a0: /* MISC_ENABLE */
    case 0x1b0:
    case 0xce: /* PLATFORM_INFO */
    case 0x3a: /* FEATURE_CONTROL: not locked, nothing enabled */
        return true;
    default:
        return false;
    }
}

static int segbase_of(uint32_t msr)
{
    switch (msr) {
    case MSR_FS_BASE:
        return HAL_FS_BASE;
    case MSR_GS_BASE:
        return HAL_GS_BASE;
    case MSR_KERNEL_GS_BASE:
        return HAL_GS_BASE_INACTIVE;
    default:
        return -1;
    }
}

static uint64_t apic_base(const struct vcpu *v)
{
    return APIC_BASE_ADDRESS | APIC_BASE_ENABLE | (v->id == 0 ? APIC_BASE_BSP : 0);
}

bool pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    int base = segbase_of(msr);

    if (base >= 0) {
        *value = hal_segbase_read((enum hal_segbase)base);
        return true;
    }
    *value = 0;
    switch (msr) {
    case MSR_EFER:
        *value = EFER_GUEST;
        return true;
    case MSR_PAT:
        *value = hal_pat();
        return true;
    case MSR_APIC_BASE:
        *value = apic_base(v);
        return true;
    case MSR_UCODE_REV:
        return hal_rdmsr_safe(msr, value);
    case MSR_TSC_AUX:
        *value = v->pv.tsc_aux;
        return true;
    default:
        return is_ignored(msr);
    }
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
    int base = segbase_of(msr);

    if (base >= 0) {
        if (!pv_canonical(value))
            return false;
        hal_segbase_write((enum hal_segbase)base, value);
        return true;
    }
    switch (msr) {
    case MSR_EFER:
        return value == EFER_GUEST;
    case MSR_PAT:
        return value == hal_pat();
    case MSR_APIC_BASE:
        return value == apic_base(v);
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
