/* SPDX-License-Identifier: MIT */
/*
 * pv/cpuid.c: what a PV guest is told (EMU-9; contract 3.6), over CPUs made up for the purpose.
 *
 * Sabotage: leave out hide(): full_sweep fails. Add BIT(3) to F1_EDX: hidden_features fails. Let
 * APIC through for everyone: what_a_guest_needs fails. Drop the comparison with the hardware's
 * maximum: a_cpu_with_few_leaves fails. Look up leaf 0xd, or subleaf 1, too: looked_up fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/pvcpu.h"

#include <tenue/pv.h>

static bool intel;
static uint32_t max_leaf = 0x20;
static uint32_t max_extended = 0x80000021;

static uint32_t extended_state_bytes(void)
{
    const uint64_t beyond_sse = hal_xcr0_supported >> 2;

    return beyond_sse ? 576 + 256 * (64 - (uint32_t)__builtin_clzll(beyond_sse)) : 576;
}

/* A CPU that has everything, and answers every leaf with ones. */
static void everything(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    memset(r, 0xff, 16);
    if (leaf == 0) {
        r[0] = max_leaf;
        memcpy(&r[1], intel ? "GenuntelineI" : "AuthcAMDenti", 12);
    } else if (leaf == 0x80000000) {
        r[0] = max_extended;
    } else if (leaf == 0x80000008) {
        r[0] = 0x3934; /* 57 linear, 52 physical */
    } else if (leaf == 0xd && subleaf == 0) {
        r[1] = extended_state_bytes(); /* for all that is enabled: everything */
    } else if (leaf == 0xd && subleaf >= 2) {
        r[0] = 256;
        r[1] = 576 + 256 * (subleaf - 2);
    }
}

static bool is_listed(uint32_t leaf)
{
    return leaf <= 2 || leaf == 4 || leaf == 7 || leaf == 0xd ||
           (leaf >= 0x40000000 && leaf <= 0x40000006) ||
           (leaf >= 0x80000000 && leaf <= 0x80000008) || leaf == 0x80000021;
}

static bool is_zero(const uint32_t r[4])
{
    return (r[0] | r[1] | r[2] | r[3]) == 0;
}

static void full_sweep(void)
{
    uint32_t random = 1, r[4];

    pv_begin(5);
    fake_metal.cpuid = everything;
    pv_cpuid_prepare();
    for (unsigned i = 0; i < 1u << 20; i++) {
        random = random * 1664525 + 1013904223;
        for (unsigned k = 0; k < 2; k++) {
            const uint32_t leaf = k ? random : i < 0x40000 ? i : (i & 0x3ffff) | (i >> 18) << 30;

            memset(r, 0xaa, sizeof(r));
            pv_cpuid(pvv, leaf, random >> 8 & 63, r);
            if (!is_listed(leaf) && !is_zero(r))
                CU_FAIL("a leaf that is not listed says something");
        }
    }
    pv_end();
}

/* What a PV kernel must not see, from a CPU that has all of it. */
static void hidden_features(void)
{
    static const struct {
        uint32_t leaf, reg, bits;
    } hidden[] = {
        {1, 3, 1u << 1 | 1u << 3 | 1u << 12 | 1u << 13 | 1u << 17 | 1u << 21 | 1u << 29 | 1u << 31},
        {1, 2,
         1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 15 | 1u << 17 |
             1u << 21 | 1u << 24},
        /* fsgsbase sgx smep invpcid mpx pt smap pqm */
        {7, 1, 1u << 0 | 1u << 2 | 1u << 7 | 1u << 10 | 1u << 14 | 1u << 25 | 1u << 20 | 1u << 12},
        /* umip pku ospke shstk la57 rdpid */
        {7, 2, 1u << 2 | 1u << 3 | 1u << 4 | 1u << 7 | 1u << 16 | 1u << 22},
        {7, 3,
         1u << 20 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29 | 1u << 31}, /* ibt, spec. MSRs */
        {0x80000001, 3, 1u << 1 | 1u << 3 | 1u << 12 | 1u << 13 | 1u << 17 | 1u << 26},
        {0x80000001, 2, 1u << 2 | 1u << 3 | 1u << 10 | 1u << 12 | 1u << 29},
        {0x80000007, 3, ~(1u << 8)},
    };
    uint32_t r[4];

    for (unsigned control = 0; control < 2; control++)
        for (unsigned vendor = 0; vendor < 2; vendor++) {
            intel = vendor;
            pv_begin(control ? 0 : 5);
            fake_metal.cpuid = everything;
            pv_cpuid_prepare();
            hal_xcr0_supported = 0xe7;
            pv_cpuid_prepare();
            for (unsigned i = 0; i < ARRAY_LEN(hidden); i++) {
                pv_cpuid(pvv, hidden[i].leaf, 0, r);
                CU_ASSERT_EQUAL(r[hidden[i].reg] & hidden[i].bits, 0);
            }
            for (unsigned sub = 1; sub < 8; sub++) {
                pv_cpuid(pvv, 7, sub, r);
                CU_ASSERT_TRUE(is_zero(r));
            }
            pv_cpuid(pvv, 0x80000008, 0, r);
            CU_ASSERT_EQUAL(r[0], 48 << 8 | 52);
            CU_ASSERT_EQUAL(r[1] | r[2] | r[3], 0);
            pv_end();
        }
    intel = false;
}

static void what_a_guest_needs(void)
{
    uint32_t r[4];

    for (unsigned how = 0; how < 4; how++) {
        const bool control = how & 1;

        intel = how & 2;
        pv_begin(control ? 0 : 5);
        fake_metal.cpuid = everything;
        pv_cpuid_prepare();
        pv_cpuid(pvv, 1, 0, r);
        CU_ASSERT_TRUE(r[3] & 1u << 6);                     /* pae */
        CU_ASSERT_TRUE(r[2] & 1u << 13 && r[2] & 1u << 31); /* cx16, hypervisor */
        CU_ASSERT_EQUAL(!(r[3] & 1u << 9), !control);       /* apic */
        CU_ASSERT_EQUAL(!(r[3] & 1u << 22), !control);      /* acpi */
        CU_ASSERT_EQUAL(!(r[3] & 1u << 11), !intel);        /* sep */
        CU_ASSERT_EQUAL(r[1] >> 24, 0);
        CU_ASSERT_EQUAL(r[1] >> 16 & 0xff, pvg.d->max_vcpus);
        pv_cpuid(pvv, 0x80000001, 0, r);
        CU_ASSERT_EQUAL(r[3] & (1u << 11 | 1u << 20 | 1u << 29), 1u << 11 | 1u << 20 | 1u << 29);
        pv_end();
    }
    intel = false;
    pv_begin(5);
    fake_metal.cpuid = everything;
    pv_cpuid_prepare();
    pv_cpuid(pvg.d->vcpus[1], 1, 0, r);
    CU_ASSERT_EQUAL(r[1] >> 24, 2);
    pv_end();
}

/* XSAVE and what depends on it appear together or not at all, sizes as what we switch. */
static void extended_state(void)
{
    static const uint64_t xcr0[] = {0, 1, 3, 7, 0xe7};
    static const uint32_t size[] = {0, 0, 576, 832, 576 + 256 * 6};
    uint32_t r[4];

    pv_begin(5);
    fake_metal.cpuid = everything;
    pv_cpuid_prepare();
    for (unsigned i = 0; i < ARRAY_LEN(xcr0); i++) {
        const bool xsave = xcr0[i] & 2, avx = xcr0[i] & 4, avx512 = xcr0[i] & 0x80;

        hal_xcr0_supported = xcr0[i];
        pv_cpuid_prepare();
        pv_cpuid(pvv, 1, 0, r);
        CU_ASSERT_EQUAL(r[2] >> 26 & 3, xsave ? 3 : 0);
        CU_ASSERT_EQUAL(r[2] >> 28 & 3, avx ? 3 : 0);
        CU_ASSERT_EQUAL(r[2] >> 12 & 1, avx);
        pv_cpuid(pvv, 7, 0, r);
        CU_ASSERT_EQUAL(r[1] >> 5 & 1, avx);
        CU_ASSERT_EQUAL(r[1] >> 16 & 1, avx512);
        CU_ASSERT_EQUAL(r[2] >> 9 & 1, avx);
        pv_cpuid(pvv, 0xd, 0, r);
        CU_ASSERT_EQUAL(r[0], xcr0[i]);
        CU_ASSERT_EQUAL(r[2], size[i]);
        pv_cpuid(pvv, 0xd, 1, r);
        CU_ASSERT_EQUAL(r[0], 7);
        CU_ASSERT_EQUAL(r[1] | r[2] | r[3], 0);
        for (unsigned sub = 2; sub < 70; sub++) {
            pv_cpuid(pvv, 0xd, sub, r);
            CU_ASSERT_EQUAL(is_zero(r), sub >= 63 || !(xcr0[i] >> sub & 1));
        }
    }
    pv_end();
}

static void hypervisor_leaves(void)
{
    uint32_t r[4];

    pv_begin(5);
    fake_metal.cpuid = everything;
    pv_cpuid_prepare();
    pv_cpuid(pvv, 0x40000000, 0, r);
    CU_ASSERT_EQUAL(r[0], 0x40000006);
    CU_ASSERT_EQUAL(memcmp(&r[1], "XenVMMXenVMM", 12), 0);
    pv_cpuid(pvv, 0x40000001, 0, r);
    CU_ASSERT_EQUAL(r[0], 4 << 16 | 17);
    pv_cpuid(pvv, 0x40000002, 0, r);
    CU_ASSERT_EQUAL(r[0], 1);
    CU_ASSERT_EQUAL(r[1], 0x40000000);
    pv_cpuid(pvv, 0x40000004, 0, r);
    CU_ASSERT_TRUE(is_zero(r)); /* no upcall vector, no APIC of ours */
    pv_cpuid(pvv, 0x40000005, 0, r);
    CU_ASSERT_TRUE(r[1] > 0 && r[1] <= 44);
    pv_cpuid(pvv, 0x40000006, 0, r);
    CU_ASSERT_EQUAL(memcmp(&r[1], "Tenue\0\0\0\0\0\0\0", 12), 0);
    for (uint32_t base = 0x40000100; base < 0x40010000; base += 0x100) {
        pv_cpuid(pvv, base, 0, r);
        CU_ASSERT_TRUE(is_zero(r));
    }
    pv_end();
}

static void a_cpu_with_few_leaves(void)
{
    uint32_t r[4];

    pv_begin(5);
    fake_metal.cpuid = everything;
    pv_cpuid_prepare();
    max_leaf = 5;
    pv_cpuid_prepare();
    pv_cpuid(pvv, 0, 0, r);
    CU_ASSERT_EQUAL(r[0], 5);
    for (uint32_t leaf = 6; leaf < 0x20; leaf++) {
        pv_cpuid(pvv, leaf, 0, r);
        CU_ASSERT_TRUE(is_zero(r));
    }
    max_leaf = 0x20;
    pv_cpuid_prepare();
    pv_cpuid(pvv, 0, 0, r);
    CU_ASSERT_EQUAL(r[0], 0xd);
    pv_cpuid(pvv, 0x80000000, 0, r);
    CU_ASSERT_EQUAL(r[0], 0x80000021);
    max_extended = 0x80000008;
    for (unsigned clears = 0; clears < 2; clears++) { /* what the CPU does counts, not its leaf */
        hal_null_clears_base = clears;
        pv_cpuid_prepare();
        pv_cpuid(pvv, 0x80000000, 0, r);
        CU_ASSERT_EQUAL(r[0], clears ? 0x80000021 : 0x80000008);
        pv_cpuid(pvv, 0x80000021, 0, r);
        CU_ASSERT_EQUAL(r[0], clears << 6);
        CU_ASSERT_EQUAL(r[1] | r[2] | r[3], 0);
        pv_cpuid(pvv, 0x80000009, 0, r);
        CU_ASSERT_TRUE(is_zero(r));
    }
    max_extended = 0x80000004;
    pv_cpuid_prepare();
    pv_cpuid(pvv, 0x80000004, 0, r);
    CU_ASSERT_FALSE(is_zero(r));
    pv_cpuid(pvv, 0x80000005, 0, r);
    CU_ASSERT_TRUE(is_zero(r));
    max_extended = 0x80000021;
    fake_metal.cpuid = NULL;
    pv_cpuid_prepare();
    pv_cpuid(pvv, 0x80000001, 0, r);
    CU_ASSERT_TRUE(is_zero(r));
    pv_end();
}

/* What is looked up is what would be computed, but for what a vcpu has of its own, and follows the
 * CPU no longer than until it is prepared. */
static void looked_up(void)
{
    uint32_t want[4], got[4];

    for (unsigned how = 0; how < 8; how++) {
        const bool control = how & 1;
        const struct vcpu *v;

        intel = how & 2;
        max_leaf = how & 4 ? 5 : 0x20;
        pv_begin(control ? 0 : 5);
        fake_metal.cpuid = everything;
        hal_xcr0_supported = 0xe7;
        pv_cpuid_prepare();
        for (unsigned n = 0; n < 256 * 8; n++) {
            const uint32_t leaf = n >> 3, subleaf = n & 7;

            v = pvg.d->vcpus[control ? 0 : leaf & 1];
            for (uint32_t kind = 0; kind < 4; kind++) {
                pv_cpuid_compute(kind << 30 | leaf, subleaf, want);
                if ((kind << 30 | leaf) == 1) {
                    want[1] |= pvg.d->max_vcpus << 16 | v->id * 2 << 24;
                    want[3] &= control ? ~0u : ~(1u << 9 | 1u << 22);
                }
                pv_cpuid(pvg.d->vcpus[v->id], kind << 30 | leaf, subleaf, got);
                if (memcmp(want, got, sizeof(want)) != 0)
                    CU_FAIL("a leaf is not what it would be computed to");
            }
        }
        fake_metal.cpuid = NULL;
        pv_cpuid(pvv, 4, 0, got);
        CU_ASSERT_EQUAL(got[2], ~0u);
        pv_end();
    }
    max_leaf = 0x20;
    intel = false;
}

void suite_cpuid(void);
void suite_cpuid(void)
{
    CU_pSuite s = CU_add_suite("cpuid", NULL, NULL);

    CU_add_test(s, "EMU-9: unlisted leaves are zero", full_sweep);
    CU_add_test(s, "EMU-9: hidden features", hidden_features);
    CU_add_test(s, "what a PV kernel needs", what_a_guest_needs);
    CU_add_test(s, "extended state as we switch it", extended_state);
    CU_add_test(s, "hypervisor leaves", hypervisor_leaves);
    CU_add_test(s, "a CPU with few leaves", a_cpu_with_few_leaves);
    CU_add_test(s, "looked up is as computed", looked_up);
}
