/* SPDX-License-Identifier: MIT */
/*
 * Which processor has which fault (spec.h). One row a kind, from the vendors' public advisories
 * and lists of affected processors; what the processor says of itself by CPUID or
 * MSR_ARCH_CAPABILITIES goes first. An Intel model that is not listed is taken to have everything
 * that it does not deny.
 */
#include <tenue/spec.h>

#include "lib.h"

#define I(issue) (1u << ISSUE_##issue)
/* Every Intel core of the out-of-order kind before the first repairs. */
#define OLD_CORE (I(MELTDOWN) | I(SPECTRE_V2) | I(SSB) | I(L1TF) | I(MDS))
#define SKYLAKE (OLD_CORE | I(MMIO) | I(RETBLEED) | I(GDS))
#define REPAIRED (I(SPECTRE_V2) | I(SSB) | I(BHI))
#define STEPPINGS 0xf /* all of them */
#define NEW_ATOM (REPAIRED | I(RFDS))

struct kind {
    const char *name;
    uint32_t issues;
};

/* Family 6. Of a model whose later steppings differ there are two rows, the earlier one first. */
static const struct {
    struct kind kind;
    uint8_t last_stepping, models[6]; /* 0: no more */
} intel6[] = {
    {{"Core 2", OLD_CORE}, STEPPINGS, {0x0f, 0x16, 0x17, 0x1d}},
    {{"Nehalem", OLD_CORE}, STEPPINGS, {0x1a, 0x1e, 0x1f, 0x2e}},
    {{"Westmere", OLD_CORE}, STEPPINGS, {0x25, 0x2c, 0x2f}},
    {{"Sandy Bridge", OLD_CORE}, STEPPINGS, {0x2a, 0x2d}},
    {{"Ivy Bridge", OLD_CORE | I(SRBDS)}, STEPPINGS, {0x3a}},
    {{"Ivy Bridge", OLD_CORE}, STEPPINGS, {0x3e}},
    {{"Haswell", OLD_CORE | I(SRBDS)}, STEPPINGS, {0x3c, 0x45, 0x46}},
    {{"Haswell server", OLD_CORE | I(MMIO)}, STEPPINGS, {0x3f}},
    {{"Broadwell", OLD_CORE | I(SRBDS)}, STEPPINGS, {0x3d, 0x47}},
    {{"Broadwell server", OLD_CORE | I(MMIO)}, STEPPINGS, {0x4f, 0x56}},
    {{"Skylake", SKYLAKE | I(SRBDS)}, STEPPINGS, {0x4e, 0x5e}},
    {{"Skylake server", SKYLAKE}, 0x4, {0x55}},
    {{"Cascade Lake", SKYLAKE | I(BHI) | I(ITS)}, STEPPINGS, {0x55}},
    {{"Kaby Lake", SKYLAKE | I(SRBDS)}, 0xb, {0x8e}},
    {{"Whiskey Lake", SKYLAKE | I(SRBDS) | I(BHI) | I(ITS)}, STEPPINGS, {0x8e}},
    {{"Kaby Lake", SKYLAKE | I(SRBDS)}, 0xc, {0x9e}},
    {{"Coffee Lake refresh", SKYLAKE | I(SRBDS) | I(BHI) | I(ITS)}, STEPPINGS, {0x9e}},
    {{"Cannon Lake", SKYLAKE}, STEPPINGS, {0x66}},
    {{"Comet Lake", SKYLAKE | I(SRBDS) | I(BHI) | I(ITS)}, STEPPINGS, {0xa5, 0xa6}},
    {{"Ice Lake server", REPAIRED | I(MMIO) | I(GDS) | I(ITS)}, STEPPINGS, {0x6a, 0x6c}},
    {{"Ice Lake", REPAIRED | I(MMIO) | I(GDS) | I(ITS)}, STEPPINGS, {0x7d, 0x7e}},
    {{"Lakefield", REPAIRED | I(MMIO)}, STEPPINGS, {0x8a}},
    {{"Tiger Lake", REPAIRED | I(GDS) | I(ITS)}, STEPPINGS, {0x8c, 0x8d}},
    {{"Rocket Lake", REPAIRED | I(MMIO) | I(GDS) | I(ITS)}, STEPPINGS, {0xa7}},
    {{"Alder Lake", NEW_ATOM}, STEPPINGS, {0x97, 0x9a}},
    {{"Raptor Lake", NEW_ATOM}, STEPPINGS, {0xb7, 0xba, 0xbf}},
    {{"Gracemont", NEW_ATOM}, STEPPINGS, {0xbe}},
    {{"Sapphire Rapids", REPAIRED}, STEPPINGS, {0x8f}},
    {{"Emerald Rapids", REPAIRED}, STEPPINGS, {0xcf}},
    {{"Granite Rapids", REPAIRED}, STEPPINGS, {0xad, 0xae}},
    {{"Sierra Forest", REPAIRED}, STEPPINGS, {0xaf}},
    {{"Meteor Lake", REPAIRED}, STEPPINGS, {0xaa, 0xac}},
    {{"Bonnell", 0}, STEPPINGS, {0x1c, 0x26}}, /* in order */
    {{"Saltwell", 0}, STEPPINGS, {0x27, 0x35, 0x36}},
    {{"Silvermont", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)}, STEPPINGS, {0x37, 0x4a, 0x4d, 0x5a}},
    {{"Airmont", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)}, STEPPINGS, {0x4c}},
    {{"Knights Landing", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)}, STEPPINGS, {0x57}},
    {{"Knights Mill", I(MELTDOWN) | I(SPECTRE_V2) | I(MDS)}, STEPPINGS, {0x85}},
    {{"Goldmont", I(MELTDOWN) | I(SPECTRE_V2) | I(SSB) | I(RFDS)}, STEPPINGS, {0x5c, 0x5f}},
    {{"Goldmont Plus", I(MELTDOWN) | I(SPECTRE_V2) | I(SSB) | I(RFDS)}, STEPPINGS, {0x7a}},
    {{"Tremont", I(SPECTRE_V2) | I(SSB) | I(MMIO) | I(RFDS)}, STEPPINGS, {0x86, 0x96, 0x9c}},
};

/* The rest by family, and within Zen's by ranges of models. First fit. */
static const struct {
    struct kind kind;
    uint8_t family, first_model, last_model;
} amd[] = {
    {{"K8", I(SPECTRE_V2) | I(E121)}, 0x0f, 0x00, 0x3f},
    {{"K8", I(SPECTRE_V2)}, 0x0f, 0x40, 0xff},
    {{"K10", I(SPECTRE_V2)}, 0x10, 0x00, 0xff},
    {{"K8", I(SPECTRE_V2)}, 0x11, 0x00, 0xff},
    {{"K10", I(SPECTRE_V2)}, 0x12, 0x00, 0xff},
    {{"Bobcat", I(SPECTRE_V2)}, 0x14, 0x00, 0xff},
    {{"Bulldozer", I(SPECTRE_V2) | I(SSB) | I(RETBLEED)}, 0x15, 0x00, 0xff},
    {{"Jaguar", I(SPECTRE_V2) | I(SSB) | I(RETBLEED) | I(E793)}, 0x16, 0x00, 0x0f},
    {{"Puma", I(SPECTRE_V2) | I(SSB) | I(RETBLEED)}, 0x16, 0x10, 0xff},
    {{"Zen 1", I(SPECTRE_V2) | I(SSB) | I(RETBLEED) | I(SRSO) | I(DIV)}, 0x17, 0x00, 0x2f},
    {{"Zen 2", I(SPECTRE_V2) | I(SSB) | I(RETBLEED) | I(SRSO) | I(ZENBLEED)}, 0x17, 0x30, 0xff},
    {{"Dhyana", I(SPECTRE_V2) | I(SSB) | I(RETBLEED) | I(SRSO) | I(DIV)}, 0x18, 0x00, 0xff},
    {{"Zen 3", I(SPECTRE_V2) | I(SSB) | I(SRSO) | I(TSA)}, 0x19, 0x00, 0x0f},
    {{"Zen 4", I(SPECTRE_V2) | I(SSB) | I(SRSO) | I(TSA)}, 0x19, 0x10, 0x1f},
    {{"Zen 3", I(SPECTRE_V2) | I(SSB) | I(SRSO) | I(TSA)}, 0x19, 0x20, 0x5f},
    {{"Zen 4", I(SPECTRE_V2) | I(SSB) | I(SRSO) | I(TSA)}, 0x19, 0x60, 0xff},
    {{"Zen 5", I(SPECTRE_V2) | I(SSB)}, 0x1a, 0x00, 0xff},
};

static const struct kind netburst = {"NetBurst", OLD_CORE};
static const struct kind emulator = {"emulator", 0};
static const struct kind unknown_vendor = {"unknown vendor", I(SPECTRE_V2) | I(SSB)};
static const struct kind unknown_amd = {"unknown model", I(SPECTRE_V2) | I(SSB)};
static const struct kind unknown_intel = {
    "unknown model", OLD_CORE | I(BHI) | I(MMIO) | I(RETBLEED) | I(GDS) | I(ITS) | I(RFDS)};

static const struct kind *amd_kind(const struct spec_cpu *c)
{
    for (unsigned i = 0; i < ARRAY_LEN(amd); i++)
        if (amd[i].family == c->family && c->model >= amd[i].first_model &&
            c->model <= amd[i].last_model)
            return &amd[i].kind;
    return &unknown_amd;
}

static const struct kind *intel_kind(const struct spec_cpu *c)
{
    for (unsigned i = 0; c->family == 6 && c->model != 0 && i < ARRAY_LEN(intel6); i++)
        if (memchr(intel6[i].models, (int)c->model, sizeof(intel6[i].models)) &&
            c->stepping <= intel6[i].last_stepping)
            return &intel6[i].kind;
    return c->family == 0xf ? &netburst : &unknown_intel;
}

static const struct kind *kind_of(const struct spec_cpu *c)
{
    if (c->vendor == SPEC_INTEL)
        return intel_kind(c);
    if (c->vendor == SPEC_AMD || c->vendor == SPEC_HYGON)
        return amd_kind(c);
    return c->vendor == SPEC_EMULATED ? &emulator : &unknown_vendor;
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
    const uint32_t no_tsa = EXT21_ECX_TSA_SQ_NO | EXT21_ECX_TSA_L1_NO;
    uint32_t denied = 0;

    denied |= c->ext8_ebx & EXT8_EBX_SSB_NO ? I(SSB) : 0;
    denied |= c->ext8_ebx & EXT8_EBX_BTC_NO ? I(RETBLEED) : 0;
    denied |= c->ext21_eax & EXT21_EAX_SRSO_NO ? I(SRSO) : 0;
    denied |= c->family == 0x17 && !c->smt ? I(SRSO) : 0; /* needs the sibling thread there */
    denied |= (c->ext21_ecx & no_tsa) == no_tsa ? I(TSA) : 0;
    return denied;
}

uint32_t spec_issues(const struct spec_cpu *c)
{
    uint32_t issues = kind_of(c)->issues;

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
    return kind_of(c)->name;
}
