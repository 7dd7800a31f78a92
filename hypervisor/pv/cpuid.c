/* SPDX-License-Identifier: MIT */
/*
 * What the forced-emulation CPUID answers: a policy table over the hardware's leaves (EMU-9).
 * A leaf that is not listed is zero; a feature bit passes only when the mask here has it and the
 * CPU does. Hidden on purpose: what PV cannot give (paging tricks, SMEP/SMAP, PCID, VMX/SVM, ...)
 * and FSGSBASE, whose presence costs a guest one trapped RDMSR per context switch.
 * Hypervisor leaves: arch-x86/cpuid.h, base 0x40000000.
 */
#include <tenue/account.h>

#include "state.h"

#define LEAF_MAX 0xdu
#define LEAF_EXT_MAX 0x80000008u
#define XEN_BASE 0x40000000u
#define XEN_VERSION_EAX (4u << 16 | 17u)
/* Ours: "Tenue" in ebx ecx, extension interface version in eax. */
#define TENUE_LEAF (XEN_BASE + 6)
#define MADDR_BITS_REPORTED_MAX 44u /* above it Linux asks for grant tables v2, which we lack */

#define BIT(n) (1u << (n))

/* 1.edx: fpu de tsc msr pae mce cx8 mca cmov pat clflush mmx fxsr sse sse2 ss ht */
#define F1_EDX                                                                                     \
    (BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(14) | BIT(15) | BIT(16) |  \
     BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(27) | BIT(28))
#define F1_EDX_SEP BIT(11) /* 32-bit sysenter: Intel only */
#define F1_EDX_APIC BIT(9) /* control domain, which parses the MADT */
#define F1_EDX_ACPI BIT(22)
/* 1.ecx: sse3 pclmul ssse3 fma cx16 sse4.1 sse4.2 movbe popcnt aes f16c rdrand, xsave avx below */
#define F1_ECX                                                                                     \
    (BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(30))
#define F1_ECX_XSAVE BIT(26)
#define F1_ECX_OSXSAVE BIT(27)
#define F1_ECX_AVX (BIT(28) | BIT(12) | BIT(29)) /* avx fma f16c */
#define F1_ECX_HYPERVISOR BIT(31)
/* 7.ebx: bmi1 bmi2 erms rdseed adx clflushopt clwb sha; avx2 and AVX-512 below */
#define F7_EBX (BIT(3) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(23) | BIT(24) | BIT(29))
#define F7_EBX_AVX BIT(5)
#define F7_EBX_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31))
#define F7_ECX_AVX (BIT(8) | BIT(9) | BIT(10)) /* gfni vaes vpclmulqdq */
#define F7_ECX_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define F7_EDX BIT(4) /* fsrm */
/* 80000001: ecx lahf abm sse4a misalignsse prefetchw; edx syscall nx mmxext rdtscp lm */
#define FE1_ECX (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define FE1_EDX (BIT(11) | BIT(20) | BIT(22) | BIT(25) | BIT(27) | BIT(29) | BIT(30) | BIT(31))
#define FE1_EDX_AMD_COPY (F1_EDX & 0x0183f3ffu) /* AMD repeats leaf 1 here */
#define FE7_EDX BIT(8)                          /* invariant TSC */

#define LINEAR_BITS 48u

static bool vendor_is_intel(void)
{
    uint32_t r[4];

    hal_cpuid(0, 0, r);
    return r[1] == 0x756e6547u; /* "Genu" */
}

static void leaf_1(const struct vcpu *v, uint32_t r[4])
{
    uint32_t ecx = F1_ECX, edx = F1_EDX;
    uint64_t xcr0 = hal_xcr0_supported();

    if (vendor_is_intel())
        edx |= F1_EDX_SEP;
    if (v->domain->is_control)
        edx |= F1_EDX_APIC | F1_EDX_ACPI;
    if (xcr0 & XCR0_SSE)
        ecx |= F1_ECX_XSAVE;
    if (xcr0 & XCR0_AVX)
        ecx |= F1_ECX_AVX;
    r[1] = (r[1] & 0xffff) | v->domain->max_vcpus << 16 | v->id * 2 << 24;
    r[2] &= ecx;
    if (r[2] & F1_ECX_XSAVE)
        r[2] |= F1_ECX_OSXSAVE; /* ours is always on: a guest sees both or neither */
    r[2] |= F1_ECX_HYPERVISOR;
    r[3] &= edx;
}

static void leaf_7(uint32_t subleaf, uint32_t r[4])
{
    uint64_t xcr0 = hal_xcr0_supported();
    uint32_t ebx = F7_EBX, ecx = 0;

    if (subleaf != 0) {
        __builtin_memset(r, 0, 4 * sizeof(*r));
        return;
    }
    if (xcr0 & XCR0_AVX) {
        ebx |= F7_EBX_AVX;
        ecx |= F7_ECX_AVX;
    }
    if ((xcr0 & XCR0_AVX512) == XCR0_AVX512) {
        ebx |= F7_EBX_AVX512;
        ecx |= F7_ECX_AVX512;
    }
    r[0] = 0;
    r[1] &= ebx;
    r[2] &= ecx;
    r[3] &= F7_EDX;
}

/* Bytes that all the states we switch take, in the standard format. */
static uint32_t xsave_size(uint64_t xcr0)
{
    uint32_t size = 512 + 64; /* x87 and SSE, header */

    for (unsigned i = 2; i < 63; i++) {
        uint32_t state[4];

        if (!(xcr0 & 1ull << i))
            continue;
        hal_cpuid(0xd, i, state);
        size = MAX(size, state[0] + state[1]);
    }
    return size;
}

static void leaf_xsave(uint32_t subleaf, uint32_t r[4])
{
    uint64_t xcr0 = hal_xcr0_supported();

    if (subleaf == 0) {
        r[0] &= (uint32_t)xcr0;
        r[2] = xcr0 & XCR0_SSE ? xsave_size(xcr0) : 0;
        r[3] &= (uint32_t)(xcr0 >> 32);
    } else if (subleaf == 1) {
        r[0] &= 7; /* xsaveopt xsavec xgetbv1; no supervisor states */
        r[1] = r[2] = r[3] = 0;
    } else if (subleaf >= 63 || !(xcr0 & 1ull << subleaf)) {
        __builtin_memset(r, 0, 4 * sizeof(*r));
    }
}

static void leaf_xen_time(uint32_t subleaf, uint32_t r[4])
{
    struct hal_time t;

    hal_time_params(&t);
    switch (subleaf) {
    case 0:
        r[1] = 2; /* native: never trapped */
        r[2] = hal_tsc_khz();
        break;
    case 1:
        r[2] = t.tsc_to_system_mul;
        r[3] = (uint32_t)(int32_t)t.tsc_shift;
        break;
    case 2:
        r[0] = hal_tsc_khz();
        break;
    }
}

static void put_text(uint32_t *r, const char *twelve)
{
    __builtin_memcpy(r, twelve, 12);
}

static void leaf_hypervisor(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    switch (leaf - XEN_BASE) {
    case 0:
        r[0] = TENUE_LEAF;
        put_text(&r[1], "XenVMMXenVMM");
        break;
    case 1:
        r[0] = XEN_VERSION_EAX;
        break;
    case 2:
        r[0] = 1;        /* hypercall pages */
        r[1] = XEN_BASE; /* the MSR that places one */
        r[2] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case 3:
        leaf_xen_time(subleaf, r);
        break;
    case 5:
        r[1] = MIN(hal_maddr_bits(), MADDR_BITS_REPORTED_MAX);
        break;
    case 6:
        r[0] = TENUE_OP_VERSION;
        put_text(&r[1], "Tenue\0\0\0\0\0\0\0");
        break;
    }
}

static void leaf_native(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    switch (leaf) {
    case 0:
        r[0] = MIN(r[0], LEAF_MAX);
        break;
    case 1:
        leaf_1(v, r);
        break;
    case 2: /* cache descriptors and geometry: no policy in them */
    case 4:
    case 0x80000002 ... 0x80000006: /* brand, caches */
        break;
    case 7:
        leaf_7(subleaf, r);
        break;
    case 0xd:
        leaf_xsave(subleaf, r);
        break;
    case 0x80000000:
        r[0] = MIN(r[0], LEAF_EXT_MAX);
        break;
    case 0x80000001:
        r[2] &= FE1_ECX;
        r[3] &= FE1_EDX | (vendor_is_intel() ? 0 : FE1_EDX_AMD_COPY);
        break;
    case 0x80000007:
        r[0] = r[1] = r[2] = 0;
        r[3] &= FE7_EDX;
        break;
    case 0x80000008:
        r[0] = (r[0] & 0xff) | MIN(r[0] >> 8 & 0xff, LINEAR_BITS) << 8;
        r[1] = r[2] = r[3] = 0;
        break;
    default:
        __builtin_memset(r, 0, 4 * sizeof(*r));
    }
}

static uint32_t hardware_max(uint32_t first)
{
    uint32_t r[4];

    hal_cpuid(first, 0, r);
    return r[0];
}

void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const uint32_t first = leaf & 0x80000000;

    __builtin_memset(out, 0, 4 * sizeof(*out));
    if (leaf >= XEN_BASE && leaf <= TENUE_LEAF) {
        leaf_hypervisor(leaf, subleaf, out);
        return;
    }
    /* Above its own maximum a CPU answers with some other leaf. */
    if (leaf <= (first ? LEAF_EXT_MAX : LEAF_MAX) && leaf <= hardware_max(first)) {
        hal_cpuid(leaf, subleaf, out);
        leaf_native(v, leaf, subleaf, out);
    }
}
