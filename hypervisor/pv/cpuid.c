/* SPDX-License-Identifier: MIT */
/*
 * What the forced-emulation CPUID answers: a policy table over the hardware's leaves (EMU-9).
 * A leaf that is not listed is zero; a feature bit passes only when a row here has it and the
 * CPU does, or was seen to do. Hidden on purpose: what PV cannot give (paging tricks, SMEP/SMAP,
 * PCID, VMX/SVM, ...) and FSGSBASE, whose presence costs a guest one trapped RDMSR per context
 * switch (a guest that sets CR4.FSGSBASE nevertheless has it). Hypervisor leaves: arch-x86/cpuid.h,
 * base 0x40000000.
 *
 * Answers that are the same for as long as the machine runs are made once (pv_cpuid_prepare) and
 * looked up: executing CPUID is slow, and where we are a guest ourselves very much so.
 */
#include <tenue/account.h>
#include <tenue/pv.h>

#include "state.h"

#define LEAF_MAX 0xdu
#define LEAF_EXT_MAX 0x80000021u
#define XEN_BASE 0x40000000u
#define XEN_VERSION_EAX (4u << 16 | 17u)
/* Ours: "Tenue" in ebx ecx, extension interface version in eax. */
#define TENUE_LEAF (XEN_BASE + 6)
#define MADDR_BITS_REPORTED_MAX 44u /* above it Linux asks for grant tables v2, which we lack */
#define LINEAR_BITS 48u

#define BIT(n) (1u << (n))
/* 1.edx: fpu de tsc msr pae mce cx8 mca cmov pat clflush mmx fxsr sse sse2 ss ht */
#define F1_EDX                                                                                     \
    (BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(14) | BIT(15) | BIT(16) |  \
     BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(27) | BIT(28))
/* 1.ecx: sse3 pclmul ssse3 cx16 sse4.1 sse4.2 movbe popcnt aes rdrand */
#define F1_ECX                                                                                     \
    (BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(30))
#define F1_ECX_XSAVE BIT(26)
#define F1_ECX_OSXSAVE BIT(27)
#define F1_ECX_HYPERVISOR BIT(31)
#define F1_EDX_CONTROL (BIT(9) | BIT(22)) /* apic acpi: for who parses the MADT */
/* 7.ebx: bmi1 bmi2 erms rdseed adx clflushopt clwb sha */
#define F7_EBX (BIT(3) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(23) | BIT(24) | BIT(29))
#define F7_EBX_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31))
#define F7_ECX_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
/* 80000001: ecx lahf abm sse4a misalignsse prefetchw; edx syscall nx mmxext rdtscp lm */
#define FE1_ECX (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define FE1_EDX (BIT(11) | BIT(20) | BIT(22) | BIT(25) | BIT(27) | BIT(29) | BIT(30) | BIT(31))
#define FE21_EAX_NULL_CLEARS_BASE BIT(6)
#define FE1_EDX_AMD_COPY (F1_EDX & 0x0183f3ffu) /* AMD repeats leaf 1 here */
#define ALL ~0u, ~0u, ~0u, ~0u

static uint32_t xsave_bytes; /* what all the states we switch take, in the standard format */

enum condition { ALWAYS, INTEL, NOT_INTEL, XSAVE, AVX, AVX512 };

/* What of eax to edx passes in leaves first to last, where the condition holds. */
static const struct {
    uint32_t first, last;
    enum condition where;
    uint32_t pass[4];
} shown[] = {
    {0, 0, ALWAYS, {ALL}},
    {1, 1, ALWAYS, {~0u, 0xffff, F1_ECX, F1_EDX | F1_EDX_CONTROL}},
    {1, 1, INTEL, {0, 0, 0, BIT(11)}}, /* 32-bit sysenter */
    {1, 1, XSAVE, {0, 0, F1_ECX_XSAVE, 0}},
    {1, 1, AVX, {0, 0, BIT(28) | BIT(12) | BIT(29), 0}}, /* avx fma f16c */
    {2, 2, ALWAYS, {ALL}},                               /* caches */
    {4, 4, ALWAYS, {ALL}},
    {7, 7, ALWAYS, {0, F7_EBX, 0, BIT(4)}},                 /* fsrm */
    {7, 7, AVX, {0, BIT(5), BIT(8) | BIT(9) | BIT(10), 0}}, /* avx2; gfni vaes vpclmulqdq */
    {7, 7, AVX512, {0, F7_EBX_AVX512, F7_ECX_AVX512, 0}},
    {0xd, 0xd, ALWAYS, {ALL}},
    {0x80000000, 0x80000000, ALWAYS, {ALL}},
    {0x80000001, 0x80000001, ALWAYS, {~0u, ~0u, FE1_ECX, FE1_EDX}},
    {0x80000001, 0x80000001, NOT_INTEL, {0, 0, 0, FE1_EDX_AMD_COPY}},
    {0x80000002, 0x80000006, ALWAYS, {ALL}},             /* brand, caches */
    {0x80000007, 0x80000007, ALWAYS, {0, 0, 0, BIT(8)}}, /* invariant TSC */
    {0x80000008, 0x80000008, ALWAYS, {0xffff, 0, 0, 0}},
};

static uint32_t conditions(void)
{
    const uint64_t xcr0 = hal_xcr0_supported;
    uint32_t r[4], hold = BIT(ALWAYS);

    hal_cpuid(0, 0, r);
    hold |= r[1] == 0x756e6547u /* "Genu" */ ? BIT(INTEL) : BIT(NOT_INTEL);
    hold |= xcr0 & XCR0_SSE ? BIT(XSAVE) : 0;
    hold |= xcr0 & XCR0_AVX ? BIT(AVX) : 0;
    return hold | ((xcr0 & XCR0_AVX512) == XCR0_AVX512 ? BIT(AVX512) : 0);
}

/* Take from the hardware's answer what is not to be shown. */
static void hide(uint32_t leaf, uint32_t r[4])
{
    const uint32_t hold = conditions();
    uint32_t pass[4] = {0};

    for (unsigned i = 0; i < ARRAY_LEN(shown); i++)
        if (leaf >= shown[i].first && leaf <= shown[i].last && hold & BIT(shown[i].where))
            for (unsigned reg = 0; reg < 4; reg++)
                pass[reg] |= shown[i].pass[reg];
    for (unsigned reg = 0; reg < 4; reg++)
        r[reg] &= pass[reg];
}

static void leaf_xsave(uint32_t subleaf, uint32_t r[4])
{
    uint64_t xcr0 = hal_xcr0_supported;

    if (subleaf == 0) {
        r[0] &= (uint32_t)xcr0;
        r[2] = xsave_bytes;
        r[3] &= (uint32_t)(xcr0 >> 32);
    } else if (subleaf == 1) {
        r[0] &= 7; /* xsaveopt xsavec xgetbv1; no supervisor states */
        r[1] = r[2] = r[3] = 0;
    } else if (subleaf >= 63 || !(xcr0 & 1ull << subleaf)) {
        __builtin_memset(r, 0, 4 * sizeof(*r));
    }
}

/* The standard ones and our own; the time leaf's subleaves 1 and 2 as if they came behind. */
static void leaf_hypervisor(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    const uint32_t khz = hal_tsc_khz, bits = MIN(hal_maddr_bits, MADDR_BITS_REPORTED_MAX);
    struct vcpu_time_info t;

    hal_time_params(&t);
    const uint32_t leaves[][4] = {
        {TENUE_LEAF, XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX},
        {XEN_VERSION_EAX},
        {1, XEN_BASE, XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD}, /* hypercall pages, by that MSR */
        {0, 2, khz},                                              /* native: never trapped */
        {0},
        {0, bits},
        {TENUE_OP_VERSION, 0x756e6554, 0x65}, /* "Tenue" */
        {0, 0, t.tsc_to_system_mul, (uint32_t)(int32_t)t.tsc_shift},
        {khz},
    };
    uint32_t i = leaf - XEN_BASE;

    if (i == 3 && subleaf != 0)
        i = subleaf <= 2 ? 6 + subleaf : 4;
    __builtin_memcpy(r, leaves[i], sizeof(leaves[i]));
}

/* The hardware's answer, less what is hidden, with what is ours to say. */
static void leaf_native(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    hal_cpuid(leaf, subleaf, r);
    hide(leaf, r);
    switch (leaf) {
    case 0:
    case 0x80000000:
        r[0] = leaf && hal_null_clears_base ? LEAF_EXT_MAX
                                            : MIN(r[0], leaf ? LEAF_EXT_MAX : LEAF_MAX);
        break;
    case LEAF_EXT_MAX: /* from Zen 3 on CPUs say it themselves; earlier ones' leaves end before */
        r[0] = hal_null_clears_base ? FE21_EAX_NULL_CLEARS_BASE : 0;
        break;
    case 1:
        if (r[2] & F1_ECX_XSAVE)
            r[2] |= F1_ECX_OSXSAVE; /* ours is always on: a guest sees both or neither */
        r[2] |= F1_ECX_HYPERVISOR;
        break;
    case 7:
        if (subleaf != 0)
            __builtin_memset(r, 0, 4 * sizeof(*r));
        break;
    case 0xd:
        leaf_xsave(subleaf, r);
        break;
    case 0x80000008:
        r[0] = (r[0] & 0xff) | MIN(r[0] >> 8, LINEAR_BITS) << 8;
        break;
    }
}

void pv_cpuid_compute(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    const uint32_t first = leaf & 0x80000000;
    uint32_t top[4];

    __builtin_memset(r, 0, 4 * sizeof(*r));
    if (leaf >= XEN_BASE && leaf <= TENUE_LEAF) {
        leaf_hypervisor(leaf, subleaf, r);
    } else if (leaf <= (first ? LEAF_EXT_MAX : LEAF_MAX)) {
        hal_cpuid(first, 0, top);
        /* Above its own maximum a CPU answers with some other leaf. */
        if (leaf <= top[0] || leaf == LEAF_EXT_MAX)
            leaf_native(leaf, subleaf, r);
    }
}

/* By a leaf's lower bits, then its two upper ones: subleaf 0. Not 0xd, which tells of XCR0. */
#define PREPARED (4 * LEAF_MAX)
static uint32_t prepared[64][4];
STATIC_ASSERT(prepared_suffice, PREPARED <= ARRAY_LEN(prepared));

void pv_cpuid_prepare(void)
{
    uint32_t r[4];

    hal_cpuid(0xd, 0, r);
    xsave_bytes = hal_xcr0_supported & XCR0_SSE ? r[1] : 0; /* all are on while no vcpu runs */
    for (uint32_t i = 0; i < PREPARED; i++)
        pv_cpuid_compute(i << 30 | i >> 2, 0, prepared[i]);
}

void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    uint32_t i = leaf << 2 | leaf >> 30;

    if (unlikely(i >= PREPARED || (subleaf != 0 && leaf != 1))) {
        pv_cpuid_compute(leaf, subleaf, out);
        return;
    }
    __asm__("" : "+r"(i)); /* whatever the compiler knows of it, clamp it under speculation */
    __builtin_memcpy(out, prepared[i % ARRAY_LEN(prepared)], 4 * sizeof(*out));
    if (leaf == 1) {
        out[1] |= v->domain->max_vcpus << 16 | v->id * 2 << 24;
        if (!v->domain->is_control)
            out[3] &= ~F1_EDX_CONTROL;
    }
}
