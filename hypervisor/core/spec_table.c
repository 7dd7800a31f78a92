/* SPDX-License-Identifier: MIT */
/*
 * Which processor has which fault (spec.h). One row a model, from the vendors' public advisories
 * and lists of affected processors; what the processor says of itself by CPUID or
 * MSR_ARCH_CAPABILITIES goes first. An Intel model that is not listed is taken to have everything
 * that it does not deny.
 */
#include <tenue/spec.h>

#define I(issue) (1u << ISSUE_##issue)
/* Every Intel core of the out-of-order kind before the first repairs. */
#define OLD_CORE (I(MELTDOWN) | I(SPECTRE_V2) | I(SSB) | I(L1TF) | I(MDS))
#define SKYLAKE (OLD_CORE | I(MMIO) | I(RETBLEED) | I(GDS))
#define REPAIRED (I(SPECTRE_V2) | I(SSB) | I(BHI))
#define NEW_ATOM (REPAIRED | I(RFDS))
#define STEPPINGS 0xf

/* Rows of one model go up by stepping. */
static const struct {
    uint8_t model, last_stepping;
    const char *name;
    uint32_t issues;
} intel6[] = {
    {0x0f, STEPPINGS, "Core 2", OLD_CORE},
    {0x16, STEPPINGS, "Core 2", OLD_CORE},
    {0x17, STEPPINGS, "Core 2", OLD_CORE},
    {0x1d, STEPPINGS, "Core 2", OLD_CORE},
    {0x1a, STEPPINGS, "Nehalem", OLD_CORE},
    {0x1e, STEPPINGS, "Nehalem", OLD_CORE},
    {0x1f, STEPPINGS, "Nehalem", OLD_CORE},
    {0x2e, STEPPINGS, "Nehalem", OLD_CORE},
    {0x25, STEPPINGS, "Westmere", OLD_CORE},
    {0x2c, STEPPINGS, "Westmere", OLD_CORE},
    {0x2f, STEPPINGS, "Westmere", OLD_CORE},
    {0x2a, STEPPINGS, "Sandy Bridge", OLD_CORE},
    {0x2d, STEPPINGS, "Sandy Bridge", OLD_CORE},
    {0x3a, STEPPINGS, "Ivy Bridge", OLD_CORE | I(SRBDS)},
    {0x3e, STEPPINGS, "Ivy Bridge", OLD_CORE},
    {0x3c, STEPPINGS, "Haswell", OLD_CORE | I(SRBDS)},
    {0x45, STEPPINGS, "Haswell", OLD_CORE | I(SRBDS)},
    {0x46, STEPPINGS, "Haswell", OLD_CORE | I(SRBDS)},
    {0x3f, STEPPINGS, "Haswell server", OLD_CORE | I(MMIO)},
    {0x3d, STEPPINGS, "Broadwell", OLD_CORE | I(SRBDS)},
    {0x47, STEPPINGS, "Broadwell", OLD_CORE | I(SRBDS)},
    {0x4f, STEPPINGS, "Broadwell server", OLD_CORE | I(MMIO)},
    {0x56, STEPPINGS, "Broadwell server", OLD_CORE | I(MMIO)},
    {0x4e, STEPPINGS, "Skylake", SKYLAKE | I(SRBDS)},
    {0x5e, STEPPINGS, "Skylake", SKYLAKE | I(SRBDS)},
    {0x55, 0x4, "Skylake server", SKYLAKE},
    {0x55, STEPPINGS, "Cascade Lake", SKYLAKE | I(BHI) | I(ITS)},
    {0x8e, 0xb, "Kaby Lake", SKYLAKE | I(SRBDS)},
    {0x8e, STEPPINGS, "Whiskey Lake", SKYLAKE | I(SRBDS) | I(BHI) | I(ITS)},
    {0x9e, 0xc, "Kaby Lake", SKYLAKE | I(SRBDS)},
    {0x9e, STEPPINGS, "Coffee Lake refresh", SKYLAKE | I(SRBDS) | I(BHI) | I(ITS)},
    {0x66, STEPPINGS, "Cannon Lake", SKYLAKE},
    {0xa5, STEPPINGS, "Comet Lake", SKYLAKE | I(SRBDS) | I(BHI) | I(ITS)},
    {0xa6, STEPPINGS, "Comet Lake", SKYLAKE | I(SRBDS) | I(BHI) | I(ITS)},
    {0x6a, STEPPINGS, "Ice Lake server", REPAIRED | I(MMIO) | I(GDS) | I(ITS)},
    {0x6c, STEPPINGS, "Ice Lake server", REPAIRED | I(MMIO) | I(GDS) | I(ITS)},
    {0x7d, STEPPINGS, "Ice Lake", REPAIRED | I(MMIO) | I(GDS) | I(ITS)},
    {0x7e, STEPPINGS, "Ice Lake", REPAIRED | I(MMIO) | I(GDS) | I(ITS)},
    {0x8a, STEPPINGS, "Lakefield", REPAIRED | I(MMIO)},
    {0x8c, STEPPINGS, "Tiger Lake", REPAIRED | I(GDS) | I(ITS)},
    {0x8d, STEPPINGS, "Tiger Lake", REPAIRED | I(GDS) | I(ITS)},
    {0xa7, STEPPINGS, "Rocket Lake", REPAIRED | I(MMIO) | I(GDS) | I(ITS)},
    {0x97, STEPPINGS, "Alder Lake", NEW_ATOM},
    {0x9a, STEPPINGS, "Alder Lake", NEW_ATOM},
    {0xb7, STEPPINGS, "Raptor Lake", NEW_ATOM},
    {0xba, STEPPINGS, "Raptor Lake", NEW_ATOM},
    {0xbf, STEPPINGS, "Raptor Lake", NEW_ATOM},
    {0xbe, STEPPINGS, "Gracemont", NEW_ATOM},
    {0x8f, STEPPINGS, "Sapphire Rapids", REPAIRED},
    {0xcf, STEPPINGS, "Emerald Rapids", REPAIRED},
    {0xad, STEPPINGS, "Granite Rapids", REPAIRED},
    {0xae, STEPPINGS, "Granite Rapids", REPAIRED},
    {0xaf, STEPPINGS, "Sierra Forest", REPAIRED},
    {0xaa, STEPPINGS, "Meteor Lake", REPAIRED},
    {0xac, STEPPINGS, "Meteor Lake", REPAIRED},
    {0x1c, STEPPINGS, "Bonnell", 0}, /* in order */
    {0x26, STEPPINGS, "Bonnell", 0},
    {0x27, STEPPINGS, "Saltwell", 0},
    {0x35, STEPPINGS, "Saltwell", 0},
    {0x36, STEPPINGS, "Saltwell", 0},
    {0x37, STEPPINGS, "Silvermont", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)},
    {0x4a, STEPPINGS, "Silvermont", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)},
    {0x4d, STEPPINGS, "Silvermont", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)},
    {0x5a, STEPPINGS, "Silvermont", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)},
    {0x4c, STEPPINGS, "Airmont", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)},
    {0x57, STEPPINGS, "Knights Landing", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)},
    {0x85, STEPPINGS, "Knights Mill", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)},
    {0x5c, STEPPINGS, "Goldmont", I(MELTDOWN) | I(SPECTRE_V2) | I(SSB) | I(RFDS)},
    {0x5f, STEPPINGS, "Goldmont", I(MELTDOWN) | I(SPECTRE_V2) | I(SSB) | I(RFDS)},
    {0x7a, STEPPINGS, "Goldmont Plus", I(MELTDOWN) | I(SPECTRE_V2) | I(SSB) | I(RFDS)},
    {0x86, STEPPINGS, "Tremont", I(SPECTRE_V2) | I(SSB) | I(MMIO) | I(RFDS)},
    {0x96, STEPPINGS, "Tremont", I(SPECTRE_V2) | I(SSB) | I(MMIO) | I(RFDS)},
    {0x9c, STEPPINGS, "Tremont", I(SPECTRE_V2) | I(SSB) | I(MMIO) | I(RFDS)},
};

/* The rest by family, and within Zen's by ranges of models. First fit. */
static const struct {
    uint8_t family, first_model, last_model;
    const char *name;
    uint32_t issues;
} amd[] = {
    {0x0f, 0x00, 0x3f, "K8", I(SPECTRE_V2) | I(E121)},
    {0x0f, 0x40, 0xff, "K8", I(SPECTRE_V2)},
    {0x10, 0x00, 0xff, "K10", I(SPECTRE_V2)},
    {0x11, 0x00, 0xff, "K8", I(SPECTRE_V2)},
    {0x12, 0x00, 0xff, "K10", I(SPECTRE_V2)},
    {0x14, 0x00, 0xff, "Bobcat", I(SPECTRE_V2)},
    {0x15, 0x00, 0xff, "Bulldozer", I(SPECTRE_V2) | I(SSB) | I(RETBLEED)},
    {0x16, 0x00, 0x0f, "Jaguar", I(SPECTRE_V2) | I(SSB) | I(RETBLEED) | I(E793)},
    {0x16, 0x10, 0xff, "Puma", I(SPECTRE_V2) | I(SSB) | I(RETBLEED)},
    {0x17, 0x00, 0x2f, "Zen 1", I(SPECTRE_V2) | I(SSB) | I(RETBLEED) | I(SRSO) | I(DIV)},
    {0x17, 0x30, 0xff, "Zen 2", I(SPECTRE_V2) | I(SSB) | I(RETBLEED) | I(SRSO) | I(ZENBLEED)},
    {0x18, 0x00, 0xff, "Dhyana", I(SPECTRE_V2) | I(SSB) | I(RETBLEED) | I(SRSO) | I(DIV)},
    {0x19, 0x00, 0x0f, "Zen 3", I(SPECTRE_V2) | I(SSB) | I(SRSO) | I(TSA)},
    {0x19, 0x10, 0x1f, "Zen 4", I(SPECTRE_V2) | I(SSB) | I(SRSO) | I(TSA)},
    {0x19, 0x20, 0x5f, "Zen 3", I(SPECTRE_V2) | I(SSB) | I(SRSO) | I(TSA)},
    {0x19, 0x60, 0xff, "Zen 4", I(SPECTRE_V2) | I(SSB) | I(SRSO) | I(TSA)},
    {0x1a, 0x00, 0xff, "Zen 5", I(SPECTRE_V2) | I(SSB)},
};

static const char *amd_row(const struct spec_cpu *c, uint32_t *issues)
{
    for (unsigned i = 0; i < ARRAY_LEN(amd); i++)
        if (amd[i].family == c->family && c->model >= amd[i].first_model &&
            c->model <= amd[i].last_model) {
            *issues = amd[i].issues;
            return amd[i].name;
        }
    *issues = I(SPECTRE_V2) | I(SSB);
    return "unknown model";
}

static const char *intel_row(const struct spec_cpu *c, uint32_t *issues)
{
    for (unsigned i = 0; c->family == 6 && i < ARRAY_LEN(intel6); i++)
        if (intel6[i].model == c->model && c->stepping <= intel6[i].last_stepping) {
            *issues = intel6[i].issues;
            return intel6[i].name;
        }
    if (c->family == 0xf) {
        *issues = I(MELTDOWN) | I(SPECTRE_V2) | I(L1TF) | I(MDS) | I(SSB);
        return "NetBurst";
    }
    *issues = OLD_CORE | I(BHI) | I(MMIO) | I(RETBLEED) | I(GDS) | I(ITS) | I(RFDS);
    return "unknown model";
}

static const char *row(const struct spec_cpu *c, uint32_t *issues)
{
    switch (c->vendor) {
    case SPEC_INTEL:
        return intel_row(c, issues);
    case SPEC_AMD:
    case SPEC_HYGON:
        return amd_row(c, issues);
    case SPEC_EMULATED:
        *issues = 0;
        return "emulator";
    case SPEC_OTHER:
        break;
    }
    *issues = I(SPECTRE_V2) | I(SSB);
    return "unknown vendor";
}

/* What an Intel processor says that it has not, or has no unit for. */
static uint32_t intel_denied(const struct spec_cpu *c)
{
    static const struct {
        uint64_t caps;
        uint32_t issues;
    } denials[] = {
        {CAPS_RDCL_NO, I(MELTDOWN) | I(L1TF)},
        {CAPS_SSB_NO, I(SSB)},
        {CAPS_MDS_NO, I(MDS)},
        {CAPS_SBDR_SSDP_NO | CAPS_FBSDP_NO | CAPS_PSDP_NO, I(MMIO)},
        {CAPS_BHI_NO, I(BHI)},
        {CAPS_GDS_NO, I(GDS)},
        {CAPS_RFDS_NO, I(RFDS)},
        {CAPS_EIBRS, I(RETBLEED)},
        {CAPS_ITS_NO, I(ITS)},
    };
    uint32_t denied = 0;

    for (unsigned i = 0; i < ARRAY_LEN(denials); i++)
        if ((c->arch_caps & denials[i].caps) == denials[i].caps)
            denied |= denials[i].issues;
    if (!(c->arch_caps & CAPS_EIBRS))
        denied |= I(BHI) | I(ITS); /* both are ways around the enhanced kind */
    return denied;
}

static uint32_t amd_denied(const struct spec_cpu *c)
{
    uint32_t denied = 0;

    if (c->ext8_ebx & EXT8_EBX_SSB_NO)
        denied |= I(SSB);
    if (c->ext8_ebx & EXT8_EBX_BTC_NO)
        denied |= I(RETBLEED);
    if (c->ext21_eax & EXT21_EAX_SRSO_NO)
        denied |= I(SRSO);
    if (c->family == 0x17 && !c->smt)
        denied |= I(SRSO); /* needs the sibling thread there */
    if ((c->ext21_ecx & EXT21_ECX_TSA_SQ_NO) && (c->ext21_ecx & EXT21_ECX_TSA_L1_NO))
        denied |= I(TSA);
    return denied;
}

uint32_t spec_issues(const struct spec_cpu *c)
{
    uint32_t issues;

    row(c, &issues);
    if (c->vendor == SPEC_INTEL) {
        issues &= ~intel_denied(c);
        /* Transactions abort asynchronously: as far as there are any, and MDS is not there too. */
        if ((c->leaf7_ebx & CPUID7_EBX_RTM) && !(c->arch_caps & CAPS_TAA_NO))
            issues |= I(TAA);
    } else {
        issues &= ~amd_denied(c);
    }
    if (c->smt && issues & (I(L1TF) | I(MDS) | I(TAA) | I(MMIO) | I(RETBLEED) | I(SRSO)))
        issues |= I(SIBLINGS);
    return issues;
}

const char *spec_model_name(const struct spec_cpu *c)
{
    uint32_t ignored;

    return row(c, &ignored);
}
