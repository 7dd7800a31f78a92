/* SPDX-License-Identifier: MIT */
/*
 * pv/msr.c: default deny (EMU-8). The list below is the published one: a change there must be made
 * here, too.
 *
 * Sabotage: return true in the default case of pv_rdmsr(): default_deny fails. Accept SVME in EFER:
 * writes_that_change_nothing fails. Store TSC_AUX before the CPU took it: tsc_aux fails. Forget the
 * page's low bits: hypercall_page fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/pvcpu.h"

#include <tenue/pv.h>

/* Takes all writes; reads only; has a test of its own. */
enum kind { DENIED, IGNORED, CONSTANT, OWN };
enum { ANY, INTEL, OTHERS };

static bool intel; /* the fake machine's processors are */

static void cpuid_vendor(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)subleaf;
    memset(out, 0, 4 * sizeof(*out));
    if (leaf == 0)
        memcpy(&out[1], intel ? "GenuntelineI" : "AuthcAMDenti", 12);
}

static enum kind listed(uint32_t msr, uint64_t *value)
{
    static const struct {
        uint32_t first, last;
        int whose;
        enum kind kind;
        uint64_t value;
    } list[] = {
        {0x0, 0x1, ANY, CONSTANT, 0},
        {0x17, 0x17, INTEL, CONSTANT, 0},
        {0x3a, 0x3a, INTEL, CONSTANT, 1},
        {0xc1, 0xc8, INTEL, IGNORED, 0},
        {0xce, 0xce, ANY, CONSTANT, 0},
        {0x140, 0x140, ANY, CONSTANT, 0},
        {0x179, 0x17b, ANY, IGNORED, 0},
        {0x186, 0x189, INTEL, IGNORED, 0},
        {0x198, 0x199, INTEL, IGNORED, 0},
        {0x280, 0x29f, ANY, IGNORED, 0},
        {0x38d, 0x390, INTEL, IGNORED, 0},
        {0x400, 0x47f, ANY, IGNORED, 0},
        {0xc0010000, 0xc0010007, OTHERS, IGNORED, 0},
        {0xc0010010, 0xc0010010, OTHERS, CONSTANT, 0},
        {0xc0010015, 0xc0010015, OTHERS, IGNORED, 0},
        {0xc0010016, 0xc001001a, OTHERS, CONSTANT, 0},
        {0xc0010061, 0xc001006b, OTHERS, IGNORED, 0},
        {0xc0010200, 0xc001020b, OTHERS, IGNORED, 0},
        {0xc0011029, 0xc0011029, OTHERS, IGNORED, 2},
    };
    static const uint32_t own[] = {0x10,       0x1b,       0x8b,       0x1a0,
                                   0x277,      0xc0000080, 0xc0000100, 0xc0000101,
                                   0xc0000102, 0xc0000103, 0x40000000};

    for (unsigned i = 0; i < ARRAY_LEN(own); i++)
        if (msr == own[i])
            return OWN;
    for (unsigned i = 0; i < ARRAY_LEN(list); i++) {
        if (msr < list[i].first || msr > list[i].last || list[i].whose == (intel ? OTHERS : INTEL))
            continue;
        *value = list[i].value;
        return list[i].kind;
    }
    return DENIED;
}

static void check(uint32_t msr)
{
    uint64_t value = ~0ull, wanted = 0;
    const enum kind kind = listed(msr, &wanted);

    if (kind == OWN)
        return;
    if (pv_rdmsr(pvv, msr, &value) != (kind != DENIED) || value != wanted)
        CU_FAIL("a read that is not on the list");
    if (pv_wrmsr(pvv, msr, 0x1234) != (kind == IGNORED))
        CU_FAIL("a write that is not on the list");
}

static void default_deny_of(bool of_intel)
{
    uint32_t random = 1;

    pv_begin(5);
    intel = of_intel;
    fake_metal.cpuid = cpuid_vendor;
    pv_cpuid_prepare();
    fake_metal.msrs_exist = true;
    for (uint32_t base = 0; base < 4; base++) /* wherever MSRs are known to be */
        for (uint32_t i = 0; i < 0x20000; i++)
            check((uint32_t[]){0, 0x40000000, 0xc0000000, 0xfffe0000}[base] + i);
    for (uint64_t i = 0; i < 1u << 21; i++) { /* and everywhere else, sampled */
        random = random * 1664525 + 1013904223;
        check(random);
    }
    CU_ASSERT_EQUAL(fake_metal.msr_reads + fake_metal.msr_writes, 0);
    fake_metal.cpuid = NULL;
    pv_cpuid_prepare();
    pv_end();
}

static void default_deny(void)
{
    default_deny_of(true);
    default_deny_of(false);
}

static void segment_bases(void)
{
    static const enum hal_segbase base[] = {HAL_FS_BASE, HAL_GS_BASE, HAL_GS_BASE_INACTIVE};
    uint64_t value;

    pv_begin(5);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(pv_wrmsr(pvv, 0xc0000100 + i, 0xffff888000001000ull + i));
        CU_ASSERT_EQUAL(hal_segbase_read(base[i]), 0xffff888000001000ull + i);
        CU_ASSERT_TRUE(pv_rdmsr(pvv, 0xc0000100 + i, &value));
        CU_ASSERT_EQUAL(value, 0xffff888000001000ull + i);
        CU_ASSERT_FALSE(pv_wrmsr(pvv, 0xc0000100 + i, 0x800000000000ull));
        CU_ASSERT_FALSE(pv_wrmsr(pvv, 0xc0000100 + i, 0xffff7fffffffffffull));
        CU_ASSERT_EQUAL(hal_segbase_read(base[i]), 0xffff888000001000ull + i);
    }
    pv_end();
}

/* Registers whose value is ours: at most that value is taken. */
static void writes_that_change_nothing(void)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
        bool taken;
    } fixed[] = {{0xc0000080, 0xd01, true}, {0x277, HAL_PAT, false}, {0x1b, 0xfee00900, false}};

    pv_begin(5);
    for (unsigned i = 0; i < ARRAY_LEN(fixed); i++) {
        uint64_t value = 0;

        CU_ASSERT_TRUE(pv_rdmsr(pvv, fixed[i].msr, &value));
        CU_ASSERT_EQUAL(value, fixed[i].value);
        CU_ASSERT_EQUAL(pv_wrmsr(pvv, fixed[i].msr, value), fixed[i].taken);
        for (unsigned bit = 0; bit < 64; bit++)
            CU_ASSERT_FALSE(pv_wrmsr(pvv, fixed[i].msr, value ^ 1ull << bit));
    }
    {
        uint64_t value = 0;

        CU_ASSERT_TRUE(pv_rdmsr(pvg.d->vcpus[1], 0x1b, &value));
        CU_ASSERT_EQUAL(value, 0xfee00800); /* not the boot CPU */
    }
    CU_ASSERT_EQUAL(fake_metal.msr_writes, 0);
    pv_end();
}

static void tsc_aux(void)
{
    uint64_t value;

    pv_begin(5);
    CU_ASSERT_FALSE(pv_wrmsr(pvv, 0xc0000103, 5)); /* a CPU without it */
    CU_ASSERT_EQUAL(pvv->pv.tsc_aux, 0);
    fake_metal.msrs_exist = true;
    CU_ASSERT_FALSE(pv_wrmsr(pvv, 0xc0000103, 1ull << 32));
    CU_ASSERT_TRUE(pv_wrmsr(pvv, 0xc0000103, 0xffffffff));
    CU_ASSERT_TRUE(pv_rdmsr(pvv, 0xc0000103, &value));
    CU_ASSERT_EQUAL(value, 0xffffffff);
    CU_ASSERT_TRUE(pv_rdmsr(pvv, 0x8b, &value));
    CU_ASSERT_TRUE(pv_wrmsr(pvv, 0x8b, 0));
    CU_ASSERT_FALSE(pv_wrmsr(pvv, 0x8b, 1));
    CU_ASSERT_TRUE(pv_rdmsr(pvv, 0x1a0, &value));
    CU_ASSERT_EQUAL(value & ~1ull, 0x801800);
    CU_ASSERT_TRUE(pv_wrmsr(pvv, 0x1a0, 1));
    CU_ASSERT_EQUAL(fake_metal.msr_writes,
                    2); /* neither patch level nor MISC_ENABLE is passed on */
    pv_end();
}

static void hypercall_page(void)
{
    pv_begin(5);
    CU_ASSERT_TRUE(pv_wrmsr(pvv, 0x40000000, guest_maddr(&pvg, PV_DATA)));
    CU_ASSERT_EQUAL((uint8_t)guest_ptr(&pvg, PV_DATA)[0], 0x51);
    CU_ASSERT_FALSE(pv_wrmsr(pvv, 0x40000000, guest_maddr(&pvg, PV_DATA) | 1));
    CU_ASSERT_FALSE(pv_wrmsr(pvv, 0x40000000, guest_maddr(&pvg, pvg.l1)));
    CU_ASSERT_FALSE(pv_wrmsr(pvv, 0x40000000, mfn_to_maddr(ptr_to_mfn(pvv->pv.traps)).a));
    CU_ASSERT_FALSE(pv_wrmsr(pvv, 0x40000000, PAGE_MASK));
    {
        uint64_t value;

        CU_ASSERT_FALSE(pv_rdmsr(pvv, 0x40000000, &value));
    }
    pv_end();
}

void suite_msr(void);
void suite_msr(void)
{
    CU_pSuite s = CU_add_suite("msr", NULL, NULL);

    CU_add_test(s, "EMU-8: default deny", default_deny);
    CU_add_test(s, "EMU-5: segment bases are canonical", segment_bases);
    CU_add_test(s, "EMU-8: fixed registers keep their value", writes_that_change_nothing);
    CU_add_test(s, "TSC_AUX and the patch level", tsc_aux);
    CU_add_test(s, "MM-13: a hypercall page only in one's own memory", hypercall_page);
}
