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
#define APIC_BASE 0xfee00800ull            /* enabled, where it always is */
#define APIC_BASE_BSP 0x100ull
#define EFER_GUEST 0xd01ull /* SCE LME LMA NXE */

enum whose { ANY, INTEL, OTHERS };      /* a register has one rule */
enum writes { REFUSED, SAME, IGNORED }; /* SAME: of the value below */

/* What reads as a value and the hardware's bits `pass`, as on Xen 4.17 but for what nobody asks for
 * and machine checks: there are no banks. */
static const struct rule {
    uint32_t first, last;
    enum whose whose;
    enum writes writes;
    uint64_t value, pass;
} rules[] = {
    /* Microcode is asked for by writing 0 first. No LFENCE but one that waits (DE_CFG). */
    {MSR_EFER, MSR_EFER, ANY, SAME, EFER_GUEST, 0},
    {MSR_PAT, MSR_PAT, ANY, REFUSED, HAL_PAT, 0},
    {MSR_UCODE_REV, MSR_UCODE_REV, ANY, SAME, 0, ~0ull},
    {MSR_APIC_BASE, MSR_APIC_BASE, ANY, REFUSED, APIC_BASE, 0},
    {0x1a0, 0x1a0, ANY, IGNORED, 0x801800, 1}, /* MISC_ENABLE: fast strings, no traces or samples */
    {0xc0011029, 0xc0011029, OTHERS, IGNORED, 2, 0},
    /* FEATURE_CONTROL is locked, with nothing enabled. PLATFORM_ID and _INFO, CPUID faulting. */
    {0x3a, 0x3a, INTEL, REFUSED, 1, 0},
    {0x17, 0x17, INTEL, REFUSED, 0, 0},
    {0xce, 0xce, ANY, REFUSED, 0, 0},
    {0x140, 0x140, ANY, SAME, 0, 0},
    /* Machine checks: the last one's address, banks, interrupts of corrected ones. */
    {0x0, 0x1, ANY, REFUSED, 0, 0},
    {MSR_MCG_CAP, MSR_MCG_CTL, ANY, IGNORED, 0, 0},
    {MSR_MC0_CTL, MSR_MC31_MISC, ANY, IGNORED, 0, 0},
    {0x280, 0x29f, ANY, IGNORED, 0, 0},
    /* Counters of events. */
    {0xc1, 0xc8, INTEL, IGNORED, 0, 0},
    {0x186, 0x189, INTEL, IGNORED, 0, 0},
    {0x38d, 0x390, INTEL, IGNORED, 0, 0},
    {0xc0010000, 0xc0010007, OTHERS, IGNORED, 0, 0},
    {0xc0010200, 0xc001020b, OTHERS, IGNORED, 0, 0},
    /* Frequency. */
    {0x198, 0x199, INTEL, IGNORED, 0, 0},
    {0xc0010061, 0xc001006b, OTHERS, IGNORED, 0, 0},
    /* AMD's SYSCFG, HWCR, ranges and tops of memory. */
    {0xc0010010, 0xc0010010, OTHERS, REFUSED, 0, 0},
    {0xc0010015, 0xc0010015, OTHERS, IGNORED, 0, 0},
    {0xc0010016, 0xc001001a, OTHERS, REFUSED, 0, 0}};

static bool find_rule(struct vcpu *v, uint32_t msr, struct rule *rule)
{
    uint32_t r[4];
    unsigned i = 0;

    pv_cpuid(v, 0, 0, r);
    const enum whose others = r[1] == 0x756e6547u /* "Genu" */ ? OTHERS : INTEL;
    while (i < ARRAY_LEN(rules) && (msr < rules[i].first || msr > rules[i].last))
        i++;
    if (i == ARRAY_LEN(rules) || rules[i].whose == others)
        return false;
    *rule = rules[i];
    rule->value |= msr == MSR_APIC_BASE && v->id == 0 ? APIC_BASE_BSP : 0;
    return true;
}

/* FS base, GS base and the other GS base have neighbouring numbers, in the order of hal_segbase. */
static bool is_segbase(uint32_t msr)
{
    return msr - MSR_FS_BASE <= HAL_GS_BASE_INACTIVE;
}

bool pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    struct rule rule;

    if (is_segbase(msr)) {
        *value = hal_segbase_read((enum hal_segbase)(msr - MSR_FS_BASE));
        return true;
    }
    *value = msr == MSR_TSC_AUX ? v->pv.tsc_aux : msr == MSR_TSC ? hal_rdtsc() : 0;
    if (msr == MSR_TSC_AUX || msr == MSR_TSC)
        return true;
    if (!find_rule(v, msr, &rule) || (rule.pass != 0 && !hal_rdmsr_safe(msr, value)))
        return false;
    *value = (*value & rule.pass) | rule.value;
    return true;
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
    struct rule rule;

    if (is_segbase(msr)) {
        if (!pv_canonical(value))
            return false;
        hal_segbase_write((enum hal_segbase)(msr - MSR_FS_BASE), value);
        return true;
    }
    switch (msr) {
    case MSR_TSC_AUX:
        if (value >> 32 || !hal_wrmsr_safe(msr, value))
            return false;
        v->pv.tsc_aux = value;
        return true;
    case MSR_XEN_HYPERCALL_PAGE:
        return write_hypercall_page(v->domain, value);
    }
    return find_rule(v, msr, &rule) &&
           (rule.writes == IGNORED || (rule.writes == SAME && value == rule.value));
}
