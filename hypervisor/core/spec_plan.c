/* SPDX-License-Identifier: MIT */
/*
 * From a processor's faults and the boot options to what is done (spec.h). A mitigation is wanted
 * because of an issue, unless an option refuses it; one that the processor has no means for is
 * never on. An issue counts as mitigated only when all that it takes is on.
 */
#include <tenue/spec.h>

#define I(issue) (1u << ISSUE_##issue)
#define STALE_BUFFERS (I(MDS) | I(TAA) | I(MMIO) | I(RFDS) | I(TSA))

struct spec_plan spec_plan;

static bool is_amd(const struct spec_cpu *c)
{
    return c->vendor == SPEC_AMD || c->vendor == SPEC_HYGON;
}

static bool has_spec_ctrl(const struct spec_cpu *c)
{
    return is_amd(c) ? c->ext8_ebx & (EXT8_EBX_IBRS | EXT8_EBX_STIBP | EXT8_EBX_SSBD)
                     : c->leaf7_edx & (CPUID7_EDX_IBRS | CPUID7_EDX_STIBP | CPUID7_EDX_SSBD);
}

/* VERW clears what leaks here, rather than only what it was defined for. */
static bool verw_clears(const struct spec_cpu *c)
{
    return (c->leaf7_edx & CPUID7_EDX_MD_CLEAR) || (c->ext21_eax & EXT21_EAX_VERW_CLEAR) ||
           (c->arch_caps & (CAPS_FB_CLEAR | CAPS_RFDS_CLEAR));
}

/* What the processor can do: instructions always, bits of MSRs when they are enumerated. */
static uint32_t means(const struct spec_cpu *c)
{
    uint32_t can = SPEC_PTI | SPEC_RSB | SPEC_BHB_ENTRY | SPEC_VERW | SPEC_DIV | SPEC_L1TF_PTE;

    if (is_amd(c)) {
        can |= c->ext8_ebx & EXT8_EBX_IBRS ? SPEC_IBRS : 0;
        can |= c->ext8_ebx & EXT8_EBX_IBPB ? SPEC_IBPB | SPEC_IBPB_ENTRY : 0;
        can |= c->ext8_ebx & EXT8_EBX_STIBP ? SPEC_STIBP : 0;
        can |= c->ext8_ebx & EXT8_EBX_SSBD ? SPEC_SSBD : 0;
        can |= c->ext21_eax & EXT21_EAX_AUTO_IBRS ? SPEC_EIBRS : 0;
        can |= c->family == 0x17 ? SPEC_ZENBLEED_FIX : 0;
        can |= c->family == 0x16 ? SPEC_E793_FIX : 0;
    } else {
        can |= c->leaf7_edx & CPUID7_EDX_IBRS ? SPEC_IBRS | SPEC_IBPB | SPEC_IBPB_ENTRY : 0;
        can |= c->leaf7_edx & CPUID7_EDX_STIBP ? SPEC_STIBP : 0;
        can |= c->leaf7_edx & CPUID7_EDX_SSBD ? SPEC_SSBD : 0;
        can |= c->arch_caps & CAPS_EIBRS ? SPEC_EIBRS : 0;
        can |= c->leaf7_2_edx & CPUID7_2_EDX_BHI_CTRL ? SPEC_BHI_DIS : 0;
        can |= c->leaf7_edx & CPUID7_EDX_SRBDS_CTRL ? SPEC_SRB_LOCK : 0;
        can |= c->arch_caps & CAPS_GDS_CTRL ? SPEC_GDS_MIT : 0;
    }
    return can | (c->smt ? SPEC_SMT_OFF : 0);
}

/* What mitigates an issue on c: any one of these. 0: nothing that we have. */
static uint32_t cures(const struct spec_cpu *c, unsigned issue)
{
    static const uint32_t usual[SPEC_ISSUES] = {
        [ISSUE_MELTDOWN] = SPEC_PTI,
        [ISSUE_SPECTRE_V2] = SPEC_IBPB, /* and more: protects_branches() */
        [ISSUE_BHI] = SPEC_BHI_DIS | SPEC_BHB_ENTRY,
        [ISSUE_SSB] = SPEC_SSBD,
        [ISSUE_L1TF] = SPEC_L1TF_PTE,
        [ISSUE_SRBDS] = SPEC_SRB_LOCK,
        [ISSUE_GDS] = SPEC_GDS_MIT,
        [ISSUE_ZENBLEED] = SPEC_ZENBLEED_FIX,
        [ISSUE_DIV] = SPEC_DIV,
        [ISSUE_SIBLINGS] = SPEC_SMT_OFF,
        [ISSUE_E793] = SPEC_E793_FIX,
    }; /* not ITS, for which returns would need thunks too; nor E121 */

    if (issue == ISSUE_RETBLEED)
        return is_amd(c) ? SPEC_IBPB_ENTRY : SPEC_IBRS;
    if (issue == ISSUE_SRSO) /* Zen 1, 2: harmless without siblings */
        return c->family == 0x19 ? SPEC_IBPB_ENTRY : SPEC_SMT_OFF;
    if (STALE_BUFFERS >> issue & 1)
        return verw_clears(c) ? SPEC_VERW : 0;
    return usual[issue];
}

static uint32_t wanted(const struct spec_cpu *c, uint32_t issues, uint32_t can)
{
    uint32_t want = 0;

    if (issues & I(SPECTRE_V2))
        want |= SPEC_RSB | SPEC_EIBRS | (c->smt ? SPEC_STIBP : 0);
    issues &= ~I(SSB); /* costs much: only for who asks */
    if (!(c->ext21_eax & EXT21_EAX_IBPB_BRTYPE))
        issues &= ~I(SRSO); /* the barrier does not reach it */
    for (unsigned i = 0; i < SPEC_ISSUES; i++)
        want |= issues >> i & 1 ? cures(c, i) : 0;
    return can & SPEC_BHI_DIS ? want & ~SPEC_BHB_ENTRY : want;
}

static enum spec_thunk choose_thunk(const struct spec_options *o, uint32_t issues, uint32_t on)
{
    if (o->thunk >= 0)
        return (enum spec_thunk)o->thunk;
    if (!(issues & I(SPECTRE_V2)) || on & (SPEC_IBRS | SPEC_EIBRS))
        return THUNK_JMP;
    return THUNK_RETPOLINE;
}

/* Our own indirect branches, too. */
static bool protects_branches(const struct spec_plan *p)
{
    return p->on & (SPEC_IBRS | SPEC_EIBRS) || p->thunk != THUNK_JMP;
}

static bool mitigates(const struct spec_cpu *c, const struct spec_plan *p, unsigned issue)
{
    return p->on & cures(c, issue) && (issue != ISSUE_SPECTRE_V2 || protects_branches(p));
}

/* issues: those that hang on it. */
static void add_msr(struct spec_plan *p, uint32_t msr, uint64_t clear, uint64_t set,
                    uint32_t issues)
{
    p->msr[p->msrs++] = (struct spec_msr){.msr = msr, .clear = clear, .set = set, .issues = issues};
}

static void plan_msrs(const struct spec_cpu *c, struct spec_plan *p)
{
    const uint64_t ours = SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD | SPEC_CTRL_BHI_DIS_S;
    uint64_t mcu = 0;

    p->spec_ctrl |= p->on & SPEC_EIBRS && !is_amd(c) ? SPEC_CTRL_IBRS : 0;
    p->spec_ctrl |= p->on & SPEC_STIBP ? SPEC_CTRL_STIBP : 0;
    p->spec_ctrl |= p->on & SPEC_SSBD ? SPEC_CTRL_SSBD : 0;
    p->spec_ctrl |= p->on & SPEC_BHI_DIS ? SPEC_CTRL_BHI_DIS_S : 0;
    if (has_spec_ctrl(c))
        add_msr(p, MSR_SPEC_CTRL, ours, p->spec_ctrl | (p->on & SPEC_IBRS ? SPEC_CTRL_IBRS : 0),
                I(SPECTRE_V2) | I(BHI) | I(SSB) | I(RETBLEED));
    if (is_amd(c) && p->on & SPEC_EIBRS)
        add_msr(p, MSR_AMD_EFER, 0, EFER_AIBRSE, I(SPECTRE_V2));
    mcu |= p->on & SPEC_SRB_LOCK ? MCU_OPT_RNGDS_MITG_DIS : 0;
    mcu |= p->on & SPEC_GDS_MIT ? MCU_OPT_GDS_MITG_DIS : 0;
    if (mcu)
        add_msr(p, MSR_MCU_OPT_CTRL, mcu, 0, I(SRBDS) | I(GDS));
    if (p->on & SPEC_E793_FIX)
        add_msr(p, MSR_AMD_LS_CFG, 0, LS_CFG_E793, I(E793));
    if (p->on & SPEC_ZENBLEED_FIX)
        add_msr(p, MSR_AMD_DE_CFG, 0, DE_CFG_ZENBLEED, I(ZENBLEED));
    /* LFENCE waits for what came before it: always so on K8, by a bit on later families. */
    if (is_amd(c) && c->family >= 0x10 && c->family != 0x11 &&
        !(c->ext21_eax & EXT21_EAX_LFENCE_SERIAL))
        add_msr(p, MSR_AMD_DE_CFG, 0, DE_CFG_LFENCE_SERIAL, I(ZENBLEED));
}

void spec_decide(const struct spec_cpu *c, const struct spec_options *o, struct spec_plan *p)
{
    const uint32_t can = means(c);

    *p = (struct spec_plan){.issues = spec_issues(c)};
    p->on = ((wanted(c, p->issues, can) & ~o->off) | o->on) & can;
    if (p->on & SPEC_EIBRS)
        p->on &= ~SPEC_IBRS; /* the same bit, set for good */
    p->thunk = choose_thunk(o, p->issues, p->on);
    plan_msrs(c, p);
    for (unsigned i = 0; i < SPEC_ISSUES; i++)
        if (p->issues >> i & 1 && !mitigates(c, p, i))
            p->open |= 1u << i;
}
