/* SPDX-License-Identifier: MIT */
/*
 * core/spec_*.c: what is done about the faults of processors, for one processor of each kind
 * (SPEC-2, SPEC-3, SPEC-4, SPEC-5, SPEC-6, SPEC-8, ENT-14), options, MSRs read back (SPEC-7) and
 * the report. The CPUs are made up from manuals: NOT RUN ON SILICON.
 *
 * Sabotage: take I(MELTDOWN) out of OLD_CORE, or I(ITS) out of Cascade Lake's row: every_kind
 * fails. Let means() give SPEC_IBRS always: without_microcode fails. Ignore o->off in
 * spec_decide(): options_refuse fails. Return true at the end of write_and_look():
 * what_does_not_stick_is_said fails. Drop SPEC_SMT_OFF from cures(): siblings fails. Exchange the
 * operands of CMP in index_nospec(): indices fails.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/options.h>
#include <tenue/spec.h>

#define I(issue) (1u << ISSUE_##issue)
#define UCODE7 (CPUID7_EDX_IBRS | CPUID7_EDX_STIBP | CPUID7_EDX_SSBD | CPUID7_EDX_MD_CLEAR)
#define UCODE7_CAPS (UCODE7 | CPUID7_EDX_ARCH_CAPS)
#define AMD8 (EXT8_EBX_IBPB | EXT8_EBX_IBRS | EXT8_EBX_STIBP | EXT8_EBX_SSBD)
/* What every Intel core until 2018 gets. */
#define OLD (SPEC_PTI | SPEC_IBPB | SPEC_RSB | SPEC_L1TF_PTE | SPEC_VERW)
#define NEW (SPEC_EIBRS | SPEC_IBPB | SPEC_RSB)

static const struct spec_options none = {.thunk = -1};

/* With the microcode of its day, no siblings. What stays open is open by default. */
static const struct kind {
    const char *name;
    struct spec_cpu c;
    uint32_t on;
    enum spec_thunk thunk;
    uint32_t open;
} kinds[] = {
    {"Core 2, which got no microcode",
     {.vendor = SPEC_INTEL, .family = 6, .model = 0x17},
     SPEC_PTI | SPEC_RSB | SPEC_L1TF_PTE,
     THUNK_RETPOLINE,
     I(SPECTRE_V2) | I(SSB) | I(MDS)},
    {"Nehalem",
     {.vendor = SPEC_INTEL, .family = 6, .model = 0x1a, .stepping = 5, .leaf7_edx = UCODE7},
     OLD,
     THUNK_RETPOLINE,
     I(SSB)},
    {"Sandy Bridge",
     {.vendor = SPEC_INTEL, .family = 6, .model = 0x2a, .stepping = 7, .leaf7_edx = UCODE7},
     OLD,
     THUNK_RETPOLINE,
     I(SSB)},
    {"Haswell",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0x3c,
      .stepping = 3,
      .leaf7_ebx = CPUID7_EBX_RTM,
      .leaf7_edx = UCODE7 | CPUID7_EDX_SRBDS_CTRL},
     OLD | SPEC_SRB_LOCK,
     THUNK_RETPOLINE,
     I(SSB)},
    {"Broadwell server",
     {.vendor = SPEC_INTEL, .family = 6, .model = 0x4f, .stepping = 1, .leaf7_edx = UCODE7},
     OLD,
     THUNK_RETPOLINE,
     I(SSB)},
    {"Skylake",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0x5e,
      .stepping = 3,
      .leaf7_edx = UCODE7_CAPS | CPUID7_EDX_SRBDS_CTRL,
      .arch_caps = CAPS_RSBA | CAPS_GDS_CTRL | CAPS_FB_CLEAR},
     OLD | SPEC_IBRS | SPEC_SRB_LOCK | SPEC_GDS_MIT,
     THUNK_JMP,
     I(SSB)},
    {"Skylake server",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0x55,
      .stepping = 4,
      .leaf7_edx = UCODE7_CAPS,
      .arch_caps = CAPS_RSBA | CAPS_GDS_CTRL},
     OLD | SPEC_IBRS | SPEC_GDS_MIT,
     THUNK_JMP,
     I(SSB)},
    {"Cascade Lake",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0x55,
      .stepping = 7,
      .leaf7_ebx = CPUID7_EBX_RTM,
      .leaf7_edx = UCODE7_CAPS,
      .arch_caps = CAPS_RDCL_NO | CAPS_EIBRS | CAPS_MDS_NO | CAPS_GDS_CTRL | CAPS_FB_CLEAR},
     NEW | SPEC_BHB_ENTRY | SPEC_VERW | SPEC_GDS_MIT,
     THUNK_JMP,
     I(SSB) | I(ITS)},
    {"Ice Lake server",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0x6a,
      .stepping = 6,
      .leaf7_edx = UCODE7_CAPS,
      .leaf7_2_edx = CPUID7_2_EDX_BHI_CTRL,
      .arch_caps = CAPS_RDCL_NO | CAPS_EIBRS | CAPS_MDS_NO | CAPS_TAA_NO | CAPS_GDS_CTRL |
                   CAPS_FB_CLEAR},
     NEW | SPEC_BHI_DIS | SPEC_VERW | SPEC_GDS_MIT,
     THUNK_JMP,
     I(SSB) | I(ITS)},
    {"Alder Lake",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0x97,
      .stepping = 2,
      .leaf7_edx = UCODE7_CAPS,
      .leaf7_2_edx = CPUID7_2_EDX_BHI_CTRL,
      .arch_caps = CAPS_RDCL_NO | CAPS_EIBRS | CAPS_MDS_NO | CAPS_RFDS_CLEAR},
     NEW | SPEC_BHI_DIS | SPEC_VERW,
     THUNK_JMP,
     I(SSB)},
    {"Sapphire Rapids",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0x8f,
      .stepping = 8,
      .leaf7_ebx = CPUID7_EBX_RTM,
      .leaf7_edx = UCODE7_CAPS,
      .leaf7_2_edx = CPUID7_2_EDX_BHI_CTRL,
      .arch_caps = CAPS_RDCL_NO | CAPS_EIBRS | CAPS_MDS_NO | CAPS_TAA_NO | CAPS_RFDS_NO},
     NEW | SPEC_BHI_DIS,
     THUNK_JMP,
     I(SSB)},
    {"Bonnell, in order", {.vendor = SPEC_INTEL, .family = 6, .model = 0x1c}, 0, THUNK_JMP, 0},
    {"Silvermont",
     {.vendor = SPEC_INTEL, .family = 6, .model = 0x37, .stepping = 8, .leaf7_edx = UCODE7},
     SPEC_PTI | SPEC_IBPB | SPEC_RSB | SPEC_VERW,
     THUNK_RETPOLINE,
     0},
    {"Goldmont",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0x5c,
      .stepping = 9,
      .leaf7_edx = UCODE7_CAPS & ~CPUID7_EDX_MD_CLEAR,
      .arch_caps = CAPS_RDCL_NO | CAPS_RFDS_CLEAR},
     SPEC_IBPB | SPEC_RSB | SPEC_VERW,
     THUNK_RETPOLINE,
     I(SSB)},
    {"an Intel model of the future that denies everything",
     {.vendor = SPEC_INTEL,
      .family = 6,
      .model = 0xfe,
      .leaf7_edx = UCODE7_CAPS,
      .arch_caps = CAPS_RDCL_NO | CAPS_EIBRS | CAPS_SSB_NO | CAPS_MDS_NO | CAPS_SBDR_SSDP_NO |
                   CAPS_FBSDP_NO | CAPS_PSDP_NO | CAPS_BHI_NO | CAPS_GDS_NO | CAPS_RFDS_NO |
                   CAPS_ITS_NO},
     NEW,
     THUNK_JMP,
     0},
    {"K8 of the first kind",
     {.vendor = SPEC_AMD, .family = 0xf, .model = 5},
     SPEC_RSB,
     THUNK_RETPOLINE,
     I(SPECTRE_V2) | I(E121)},
    {"K10",
     {.vendor = SPEC_AMD, .family = 0x10, .model = 4},
     SPEC_RSB,
     THUNK_RETPOLINE,
     I(SPECTRE_V2)},
    {"Bulldozer",
     {.vendor = SPEC_AMD, .family = 0x15, .model = 2, .ext8_ebx = EXT8_EBX_IBPB},
     SPEC_RSB | SPEC_IBPB | SPEC_IBPB_ENTRY,
     THUNK_RETPOLINE,
     I(SSB)},
    {"Jaguar",
     {.vendor = SPEC_AMD, .family = 0x16, .model = 0},
     SPEC_RSB | SPEC_E793_FIX,
     THUNK_RETPOLINE,
     I(SPECTRE_V2) | I(SSB) | I(RETBLEED)},
    {"Zen 1",
     {.vendor = SPEC_AMD, .family = 0x17, .model = 1, .stepping = 1, .ext8_ebx = EXT8_EBX_IBPB},
     SPEC_RSB | SPEC_IBPB | SPEC_IBPB_ENTRY | SPEC_DIV,
     THUNK_RETPOLINE,
     I(SSB)},
    {"Zen 2",
     {.vendor = SPEC_AMD, .family = 0x17, .model = 0x31, .ext8_ebx = AMD8},
     SPEC_RSB | SPEC_IBPB | SPEC_IBPB_ENTRY | SPEC_ZENBLEED_FIX,
     THUNK_RETPOLINE,
     I(SSB)},
    {"Zen 3",
     {.vendor = SPEC_AMD,
      .family = 0x19,
      .model = 1,
      .ext8_ebx = AMD8 | EXT8_EBX_BTC_NO,
      .ext21_eax = EXT21_EAX_LFENCE_SERIAL | EXT21_EAX_IBPB_BRTYPE | EXT21_EAX_VERW_CLEAR},
     SPEC_RSB | SPEC_IBPB | SPEC_IBPB_ENTRY | SPEC_VERW,
     THUNK_RETPOLINE,
     I(SSB)},
    {"Zen 4",
     {.vendor = SPEC_AMD,
      .family = 0x19,
      .model = 0x11,
      .ext8_ebx = AMD8 | EXT8_EBX_BTC_NO,
      .ext21_eax = EXT21_EAX_LFENCE_SERIAL | EXT21_EAX_AUTO_IBRS},
     NEW,
     THUNK_JMP,
     I(SSB) | I(SRSO) | I(TSA)},
    {"Zen 5",
     {.vendor = SPEC_AMD,
      .family = 0x1a,
      .model = 2,
      .ext8_ebx = AMD8 | EXT8_EBX_BTC_NO | EXT8_EBX_SSB_NO,
      .ext21_eax = EXT21_EAX_LFENCE_SERIAL | EXT21_EAX_AUTO_IBRS | EXT21_EAX_SRSO_NO},
     NEW,
     THUNK_JMP,
     0},
    {"Hygon",
     {.vendor = SPEC_HYGON, .family = 0x18, .model = 0, .ext8_ebx = EXT8_EBX_IBPB},
     SPEC_RSB | SPEC_IBPB | SPEC_IBPB_ENTRY | SPEC_DIV,
     THUNK_RETPOLINE,
     I(SSB) | I(SRSO)},
    {"QEMU's software emulation, which calls itself a K8",
     {.vendor = SPEC_EMULATED, .family = 0xf, .model = 0x6b, .stepping = 1},
     0,
     THUNK_JMP,
     0},
};

static void every_kind(void)
{
    CU_ASSERT_TRUE(ARRAY_LEN(kinds) >= 15);
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct kind *k = &kinds[i];
        struct spec_plan p;

        spec_decide(&k->c, &none, &p);
        if (p.on != k->on || p.thunk != k->thunk || p.open != k->open)
            printf("\n    %s: on %#x not %#x, thunk %d not %d, open %#x not %#x\n", k->name, p.on,
                   k->on, p.thunk, k->thunk, p.open, k->open);
        CU_ASSERT_EQUAL(p.on, k->on);
        CU_ASSERT_EQUAL(p.thunk, k->thunk);
        CU_ASSERT_EQUAL(p.open, k->open);
        CU_ASSERT_EQUAL(p.issues, spec_issues(&k->c));
        CU_ASSERT_EQUAL(p.open & ~p.issues, 0);
    }
}

static const struct spec_cpu *kind(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (strncmp(kinds[i].name, name, strlen(name)) == 0)
            return &kinds[i].c;
    CU_FAIL_FATAL("no such kind");
    return NULL;
}

static const struct spec_msr *msr_of(const struct spec_plan *p, uint32_t msr)
{
    for (unsigned i = 0; i < p->msrs; i++)
        if (p->msr[i].msr == msr)
            return &p->msr[i];
    return NULL;
}

/* The registers that go with the decisions above. */
static void registers(void)
{
    struct spec_plan p;

    spec_decide(kind("Alder Lake"), &none, &p);
    CU_ASSERT_EQUAL_FATAL(p.msrs, 1);
    CU_ASSERT_EQUAL(p.msr[0].set, SPEC_CTRL_IBRS | SPEC_CTRL_BHI_DIS_S);
    CU_ASSERT_EQUAL(p.spec_ctrl, SPEC_CTRL_IBRS | SPEC_CTRL_BHI_DIS_S);
    spec_decide(kind("Skylake"), &none, &p);
    CU_ASSERT_EQUAL(p.spec_ctrl, 0); /* a guest's; the bit is on while we run */
    CU_ASSERT_EQUAL(msr_of(&p, MSR_SPEC_CTRL)->set, SPEC_CTRL_IBRS);
    CU_ASSERT_EQUAL(msr_of(&p, MSR_MCU_OPT_CTRL)->clear,
                    MCU_OPT_RNGDS_MITG_DIS | MCU_OPT_GDS_MITG_DIS);
    CU_ASSERT_EQUAL(msr_of(&p, MSR_MCU_OPT_CTRL)->set, 0);
    spec_decide(kind("Zen 4"), &none, &p);
    CU_ASSERT_EQUAL(msr_of(&p, MSR_AMD_EFER)->set, EFER_AIBRSE);
    CU_ASSERT_EQUAL(msr_of(&p, MSR_SPEC_CTRL)->set, 0);
    CU_ASSERT_PTR_NULL(msr_of(&p, MSR_AMD_DE_CFG));
    spec_decide(kind("Zen 2"), &none, &p);
    CU_ASSERT_EQUAL(msr_of(&p, MSR_AMD_DE_CFG)->set, DE_CFG_ZENBLEED);
    spec_decide(kind("K10"), &none, &p);
    CU_ASSERT_EQUAL(msr_of(&p, MSR_AMD_DE_CFG)->set, DE_CFG_LFENCE_SERIAL);
    spec_decide(kind("Jaguar"), &none, &p);
    CU_ASSERT_EQUAL(msr_of(&p, MSR_AMD_LS_CFG)->set, LS_CFG_E793);
    spec_decide(kind("K8"), &none, &p);
    CU_ASSERT_EQUAL(p.msrs, 0);
    spec_decide(kind("QEMU"), &none, &p);
    CU_ASSERT_EQUAL(p.msrs, 0);
}

static void without_microcode(void)
{
    struct spec_cpu c = *kind("Skylake server");
    struct spec_plan p;

    c.leaf7_edx = 0;
    c.arch_caps = 0;
    spec_decide(&c, &none, &p);
    CU_ASSERT_EQUAL(p.on, SPEC_PTI | SPEC_RSB | SPEC_L1TF_PTE);
    CU_ASSERT_EQUAL(p.thunk, THUNK_RETPOLINE);
    CU_ASSERT_EQUAL(p.msrs, 0);
    CU_ASSERT_EQUAL((p.issues & ~p.open), I(MELTDOWN) | I(L1TF));
}

static void siblings(void)
{
    struct spec_options o = none;
    struct spec_cpu c = *kind("Skylake");
    struct spec_plan p;

    c.smt = true;
    spec_decide(&c, &none, &p);
    CU_ASSERT_TRUE(p.on & SPEC_SMT_OFF);
    CU_ASSERT_TRUE((p.issues & ~p.open) >> ISSUE_SIBLINGS & 1);
    options_parse("smt=on", true);
    o = spec_options;
    spec_decide(&c, &o, &p);
    CU_ASSERT_FALSE(p.on & SPEC_SMT_OFF);
    CU_ASSERT_TRUE(p.open >> ISSUE_SIBLINGS & 1);
    CU_ASSERT_TRUE(p.spec_ctrl & SPEC_CTRL_STIBP);
    c = *kind("Sapphire Rapids");
    c.smt = true;
    spec_decide(&c, &none, &p);
    CU_ASSERT_FALSE(p.on & SPEC_SMT_OFF);
    options_parse("smt=off", true);
    o = spec_options;
    spec_decide(&c, &o, &p);
    CU_ASSERT_TRUE(p.on & SPEC_SMT_OFF);
    c = *kind("Zen 2"); /* harmless alone */
    c.smt = true;
    spec_decide(&c, &none, &p);
    CU_ASSERT_TRUE((p.issues & ~p.open) >> ISSUE_SRSO & 1);
    spec_options = none;
}

static uint32_t on_with(const char *name, const char *option, const char *value)
{
    struct spec_plan p;
    char word[80];

    spec_options = none;
    fake_log_take();
    snprintf(word, sizeof(word), "%s=%s", option, value);
    options_parse(word, true);
    CU_ASSERT_STRING_EQUAL(fake_log_take(), "");
    spec_decide(kind(name), &spec_options, &p);
    spec_options = none;
    return p.on;
}

static void options_refuse(void)
{
    CU_ASSERT_EQUAL(on_with("Nehalem", "xpti", "off"), OLD & ~SPEC_PTI);
    CU_ASSERT_EQUAL(on_with("Nehalem", "xpti", "default"), OLD);
    CU_ASSERT_EQUAL(on_with("Nehalem", "pv-l1tf", "0"), OLD & ~SPEC_L1TF_PTE);
    CU_ASSERT_EQUAL(on_with("Nehalem", "spec-ctrl", "no"), 0);
    CU_ASSERT_EQUAL(on_with("Nehalem", "spec-ctrl", "no-rsb,md-clear=off"),
                    OLD & ~(SPEC_RSB | SPEC_VERW));
    CU_ASSERT_EQUAL(on_with("Nehalem", "spec-ctrl", "no,rsb"), SPEC_RSB);
    CU_ASSERT_EQUAL(on_with("Zen 2", "spec-ctrl", "no-ibpb-entry"),
                    SPEC_RSB | SPEC_IBPB | SPEC_ZENBLEED_FIX);
}

static void options_ask(void)
{
    struct spec_plan p;

    CU_ASSERT_EQUAL(on_with("QEMU", "xpti", "on"), SPEC_PTI);
    CU_ASSERT_EQUAL(on_with("QEMU", "spec-ctrl", "verw,rsb,bhb-entry,div-scrub"),
                    SPEC_VERW | SPEC_RSB | SPEC_BHB_ENTRY | SPEC_DIV);
    /* What the processor has no means for cannot be had. */
    CU_ASSERT_EQUAL(on_with("QEMU", "spec-ctrl", "ibrs,ibpb,ssbd,bhi-dis-s"), 0);
    CU_ASSERT_EQUAL(on_with("Skylake", "spec-ctrl", "ssbd") & SPEC_SSBD, SPEC_SSBD);
    options_parse("spec-ctrl=bti-thunk=lfence,ssbd", true);
    spec_decide(kind("Nehalem"), &spec_options, &p);
    CU_ASSERT_EQUAL(p.thunk, THUNK_LFENCE);
    CU_ASSERT_TRUE((p.issues & ~p.open) >> ISSUE_SSB & 1);
    spec_options = none;
}

static void options_not_understood(void)
{
    const char *log;

    fake_log_take();
    options_parse("xpti=sometimes spec-ctrl=rsb,warp pv-l1tf=x smt=2 spec-ctrl=bti-thunk=soft",
                  true);
    log = fake_log_take();
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "option xpti: \"sometimes\" not understood"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "option spec-ctrl: \"rsb,warp\" not understood"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "option pv-l1tf: \"x\" not understood"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "option smt: \"2\" not understood"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "option spec-ctrl: \"bti-thunk=soft\" not understood"));
    options_parse("spec-ctrl=no,ibpb,bti-thunk=jmp xpti=default pv-l1tf=on smt=off spec-ctrl",
                  true);
    CU_ASSERT_STRING_EQUAL(fake_log_take(), "");
    spec_options = none;
}

/* --- MSRs --- */

static struct {
    uint32_t msr;
    uint64_t value, sticky; /* bits that cannot change */
} regs[4];
static unsigned wrmsrs;

static bool reg_read(uint32_t msr, uint64_t *value)
{
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++)
        if (regs[i].msr == msr) {
            *value = regs[i].value;
            return true;
        }
    return false;
}

static bool reg_write(uint32_t msr, uint64_t value)
{
    wrmsrs++;
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++)
        if (regs[i].msr == msr) {
            regs[i].value = (value & ~regs[i].sticky) | (regs[i].value & regs[i].sticky);
            return true;
        }
    return false;
}

static void apply_begin(void)
{
    memset(regs, 0, sizeof(regs));
    regs[0].msr = MSR_SPEC_CTRL;
    regs[1].msr = MSR_MCU_OPT_CTRL;
    regs[1].value = 0xff;
    fake_metal.rdmsr = reg_read;
    fake_metal.wrmsr = reg_write;
    wrmsrs = 0;
    fake_log_take();
}

static void apply_end(void)
{
    fake_metal.rdmsr = NULL;
    fake_metal.wrmsr = NULL;
}

static void registers_are_written(void)
{
    struct spec_plan p;

    apply_begin();
    spec_decide(kind("Skylake"), &none, &p);
    CU_ASSERT_EQUAL(spec_apply(&p), 0);
    CU_ASSERT_EQUAL(regs[0].value, SPEC_CTRL_IBRS);
    CU_ASSERT_EQUAL(regs[1].value, 0xff & ~(MCU_OPT_RNGDS_MITG_DIS | MCU_OPT_GDS_MITG_DIS));
    CU_ASSERT_EQUAL(wrmsrs, 2);
    CU_ASSERT_STRING_EQUAL(fake_log_take(), "");
    apply_end();
}

static void what_does_not_stick_is_said(void)
{
    struct spec_plan p;
    const char *log;

    apply_begin();
    regs[1].sticky = MCU_OPT_GDS_MITG_DIS; /* locked by firmware */
    spec_decide(kind("Skylake"), &none, &p);
    CU_ASSERT_TRUE((p.issues & ~p.open) >> ISSUE_GDS & 1);
    CU_ASSERT_EQUAL(spec_apply(&p), 1);
    CU_ASSERT_TRUE(p.open >> ISSUE_GDS & 1);
    CU_ASSERT_TRUE((p.issues & ~p.open) >> ISSUE_MELTDOWN & 1);
    log = fake_log_take();
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "MSR 0x123 does not keep"));
    spec_report(kind("Skylake"), &p);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_take(), "NOT mitigated: SSB, SRBDS, GDS"));
    /* One that is not there at all. */
    regs[0].msr = 0;
    spec_decide(kind("Skylake"), &none, &p);
    CU_ASSERT_EQUAL(spec_apply(&p), 2);
    CU_ASSERT_TRUE(p.open >> ISSUE_SPECTRE_V2 & 1);
    CU_ASSERT_TRUE(p.open >> ISSUE_RETBLEED & 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_take(), "MSR 0x48 does not keep"));
    apply_end();
}

static void report_says_all(void)
{
    struct spec_plan p;
    const char *log;

    spec_decide(kind("Cascade"), &none, &p);
    fake_log_take();
    spec_report(kind("Cascade"), &p);
    log = fake_log_take();
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "Intel family 0x6 model 0x55 stepping 7 (Cascade Lake)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "applied: enhanced IBRS, IBPB between domains, RSB"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "mitigated: Spectre v2, BHI, TAA, MMIO, GDS\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "not needed: Meltdown, Retbleed, SRSO, L1TF, MDS, "));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "NOT mitigated: ITS, SSB (docs/speculation.md)\r\n"));
    spec_decide(kind("QEMU"), &none, &p);
    spec_report(kind("QEMU"), &p);
    log = fake_log_take();
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "applied: nothing\r\n"));
    CU_ASSERT_PTR_NULL(strstr(log, "NOT mitigated"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "siblings, erratum 121, erratum 793\r\n")); /* not cut */
}

/* What a guest names is in range, whatever a processor guesses (SPEC-5): no branch decides it. */
static void indices(void)
{
    static const uint64_t sizes[] = {1, 2, 64, 4096, 1ull << 32, 1ull << 63};

    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        CU_ASSERT_EQUAL(index_nospec(sizes[i] - 1, sizes[i]), sizes[i] - 1);
        CU_ASSERT_EQUAL(index_nospec(0, sizes[i]), 0);
        CU_ASSERT_EQUAL(index_nospec(sizes[i], sizes[i]), 0);
        CU_ASSERT_EQUAL(index_nospec(~0ull, sizes[i]), 0);
    }
}

void suite_spec(void);
void suite_spec(void)
{
    CU_pSuite s = CU_add_suite("spec", NULL, NULL);

    CU_add_test(s, "indices", indices);
    CU_add_test(s, "every_kind", every_kind);
    CU_add_test(s, "registers", registers);
    CU_add_test(s, "without_microcode", without_microcode);
    CU_add_test(s, "siblings", siblings);
    CU_add_test(s, "options_refuse", options_refuse);
    CU_add_test(s, "options_ask", options_ask);
    CU_add_test(s, "options_not_understood", options_not_understood);
    CU_add_test(s, "registers_are_written", registers_are_written);
    CU_add_test(s, "what_does_not_stick_is_said", what_does_not_stick_is_said);
    CU_add_test(s, "report_says_all", report_says_all);
}
