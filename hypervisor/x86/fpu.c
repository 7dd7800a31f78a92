/* SPDX-License-Identifier: MIT */
/*
 * Vector and floating-point state, switched eagerly and whole (REG-1): XSAVE of every component
 * that we let guests enable, whatever their XCR0 says at the moment, since a component keeps its
 * contents while disabled. FXSAVE where there is no XSAVE.
 *
 * Offered: x87, SSE, AVX, AVX-512. Not switched, hence never enabled: MPX, PKRU, AMX.
 */
#include <tenue/assert.h>
#include <tenue/vcpu.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"

#define FCW_INIT 0x037f
#define MXCSR_INIT 0x1f80

#define AREA_SIZE 3072u

/* What only the metal knows of a vcpu: one page, the FPU image in it. */
struct hal_vcpu {
    uint8_t fpu[AREA_SIZE] __attribute__((aligned(64))); /* XSAVE standard format, or FXSAVE */
};
STATIC_ASSERT(hal_vcpu_fits_a_page, sizeof(struct hal_vcpu) <= PAGE_SIZE);

/* From copy.S. */
bool xrstor_safe(void *area, uint64_t mask);
bool fxrstor_safe(void *area);

uint64_t hal_xcr0_supported;

void xcr0_load(struct pcpu *c, uint64_t v)
{
    if (!cpu_features.xsave || c->xcr0 == v)
        return;
    c->xcr0 = v;
    xsetbv0(v);
}

void fpu_init(struct pcpu *c)
{
    uint32_t r[4];

    if (!cpu_features.xsave)
        return;
    hal_cpuid(0xd, 0, r);
    hal_xcr0_supported = r[0] & (XCR0_X87 | XCR0_SSE | XCR0_AVX);
    if ((hal_xcr0_supported & XCR0_AVX) && (r[0] & XCR0_AVX512) == XCR0_AVX512)
        hal_xcr0_supported |= XCR0_AVX512;
    xcr0_load(c, hal_xcr0_supported);
    hal_cpuid(0xd, 0, r);
    BUG_ON(r[1] > AREA_SIZE);
}

void hal_vcpu_init(struct hal_vcpu *h)
{
    uint16_t fcw = FCW_INIT;
    uint32_t mxcsr = MXCSR_INIT;

    memset(h->fpu, 0, sizeof(h->fpu));
    memcpy(h->fpu, &fcw, sizeof(fcw));
    memcpy(h->fpu + 24, &mxcsr, sizeof(mxcsr));
}

void fpu_save(struct pcpu *c, struct hal_vcpu *h)
{
    uint32_t lo = (uint32_t)hal_xcr0_supported, hi = (uint32_t)(hal_xcr0_supported >> 32);

    hal_set_ts(false);
    xcr0_load(c, hal_xcr0_supported);
    if (cpu_features.xsaveopt)
        __asm__ volatile("xsaveopt64 %0" : "+m"(h->fpu) : "a"(lo), "d"(hi) : "memory");
    else if (cpu_features.xsave)
        __asm__ volatile("xsave64 %0" : "+m"(h->fpu) : "a"(lo), "d"(hi) : "memory");
    else
        __asm__ volatile("fxsave64 %0" : "=m"(h->fpu)::"memory");
}

/* x87 pointers that this CPU's restore leaves alone get a value of ours (REG-2). */
static void clear_x87_pointers(void)
{
    static const int32_t zero;

    __asm__ volatile("fnclex; emms; fildl %0" ::"m"(zero));
}

static bool restore(struct hal_vcpu *h)
{
    return cpu_features.xsave ? xrstor_safe(h->fpu, hal_xcr0_supported) : fxrstor_safe(h->fpu);
}

void fpu_load(struct pcpu *c, struct hal_vcpu *h, uint64_t xcr0)
{
    hal_set_ts(false);
    xcr0_load(c, hal_xcr0_supported);
    if (cpu_features.fx_leaks_pointers)
        clear_x87_pointers();
    if (!restore(h)) { /* an image that the CPU refuses: nothing of it, and no other's */
        hal_vcpu_init(h);
        BUG_ON(!restore(h));
    }
    if (xcr0 != 0)
        xcr0_load(c, xcr0);
}

bool hal_xsetbv(uint64_t xcr0)
{
    if (!cpu_features.xsave || (xcr0 & ~hal_xcr0_supported) || !(xcr0 & XCR0_X87))
        return false;
    if ((xcr0 & XCR0_AVX) && !(xcr0 & XCR0_SSE))
        return false;
    if ((xcr0 & XCR0_AVX512) && ((xcr0 & XCR0_AVX512) != XCR0_AVX512 || !(xcr0 & XCR0_AVX)))
        return false;
    xcr0_load(this_pcpu(), xcr0);
    return true;
}
