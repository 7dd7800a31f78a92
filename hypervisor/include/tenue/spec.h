/* SPDX-License-Identifier: MIT */
/*
 * Speculation and other faults of processors: what a CPU has, what is done about it (SPEC-1..9,
 * ENT-14). Pure decisions over plain data: the machine layer gathers a struct spec_cpu, patches
 * and writes what the plan says; hosted tests make up CPUs. docs/speculation.md has the table.
 */
#ifndef TENUE_SPEC_H
#define TENUE_SPEC_H

#include <tenue/abi.h>
#include <tenue/arch.h>

enum spec_vendor { SPEC_INTEL, SPEC_AMD, SPEC_HYGON, SPEC_OTHER, SPEC_EMULATED };

/* What CPUID and one MSR say. */
struct spec_cpu {
    enum spec_vendor vendor; /* SPEC_EMULATED: interpreted by software, nothing speculates */
    uint32_t family, model, stepping;
    uint32_t leaf7_ebx, leaf7_edx; /* CPUID 7.0 */
    uint32_t leaf7_2_edx;          /* CPUID 7.2 */
    uint32_t ext8_ebx;             /* CPUID 0x80000008 */
    uint32_t ext21_eax, ext21_ecx; /* CPUID 0x80000021 */
    uint64_t arch_caps;            /* MSR_ARCH_CAPABILITIES, 0 without */
    bool smt;                      /* more than one thread of a core is in use */
};

/* Faults, by the names of their advisories. */
enum spec_issue {
    ISSUE_MELTDOWN,
    ISSUE_SPECTRE_V2,
    ISSUE_BHI,
    ISSUE_RETBLEED,
    ISSUE_SRSO,
    ISSUE_ITS,
    ISSUE_SSB,
    ISSUE_L1TF,
    ISSUE_MDS,
    ISSUE_TAA,
    ISSUE_MMIO,
    ISSUE_RFDS,
    ISSUE_SRBDS,
    ISSUE_GDS,
    ISSUE_TSA,
    ISSUE_ZENBLEED,
    ISSUE_DIV,
    ISSUE_SIBLINGS, /* threads of a core read each other: worse than sharing caches */
    ISSUE_E121,     /* code running across the canonical boundary hangs an early K8 */
    ISSUE_E793,     /* locked and write-combined accesses mixed hang family 16h */
    SPEC_ISSUES
};

/* What is done is in arch.h: bits of spec_plan.on. */
#define SPEC_BITS 18u

/* Indirect branches of ours go through thunks that do this. */
enum spec_thunk { THUNK_JMP, THUNK_LFENCE, THUNK_RETPOLINE, SPEC_THUNKS };

#define SPEC_MSRS_MAX 6u
struct spec_msr {
    uint32_t msr;
    uint64_t clear, set;
    uint32_t issues; /* a bit each: open, when it is not kept */
    bool kept;       /* it read back as written; spec_apply() */
};

struct spec_plan {
    uint32_t on;
    enum spec_thunk thunk;
    uint64_t spec_ctrl; /* MSR_SPEC_CTRL while the hypervisor runs, without SPEC_IBRS's bit */
    unsigned msrs;
    struct spec_msr msr[SPEC_MSRS_MAX]; /* written once on each CPU */
    uint32_t issues, open;              /* a bit each: those it has; those not mitigated */
};

/* Boot options: bits of spec_plan.on that were asked for or refused. */
struct spec_options {
    uint32_t on, off;
    int thunk; /* enum spec_thunk, -1: choose */
};
extern struct spec_options spec_options;
/* Options of these names; false: not understood. */
struct option;
bool spec_set_part(const char *s, size_t len);                 /* of spec-ctrl= */
bool spec_set_bits(const char *value, const struct option *o); /* the others: o->what */

/* Issues that c has, a bit each (spec_table.c), and the name of its kind. */
uint32_t spec_issues(const struct spec_cpu *c);
const char *spec_model_name(const struct spec_cpu *c);

/* In force. The machine layer decides it at start-up; read-only once other CPUs run. */
extern struct spec_plan spec_plan;
void spec_decide(const struct spec_cpu *c, const struct spec_options *o, struct spec_plan *p);
/* Write the plan's MSRs on this CPU and read them back. What does not stick is said and, in p,
 * no longer counts as mitigated. Number of those. */
unsigned spec_apply(struct spec_plan *p);
/* The block of lines at boot (SPEC-7, SPEC-8). */
void spec_report(const struct spec_cpu *c, const struct spec_plan *p);

/* CPUID and MSR bits by their manuals' names. */
#define CPUID7_EBX_RTM (1u << 11)
#define CPUID7_EDX_SRBDS_CTRL (1u << 9)
#define CPUID7_EDX_MD_CLEAR (1u << 10)
#define CPUID7_EDX_IBRS (1u << 26)
#define CPUID7_EDX_STIBP (1u << 27)
#define CPUID7_EDX_ARCH_CAPS (1u << 29)
#define CPUID7_EDX_SSBD (1u << 31)
#define CPUID7_2_EDX_BHI_CTRL (1u << 4)
#define EXT8_EBX_IBPB (1u << 12)
#define EXT8_EBX_IBRS (1u << 14)
#define EXT8_EBX_STIBP (1u << 15)
#define EXT8_EBX_SSBD (1u << 24)
#define EXT8_EBX_SSB_NO (1u << 26)
#define EXT8_EBX_BTC_NO (1u << 29)
#define EXT21_EAX_LFENCE_SERIAL (1u << 2)
#define EXT21_EAX_VERW_CLEAR (1u << 5)
#define EXT21_EAX_AUTO_IBRS (1u << 8)
#define EXT21_EAX_IBPB_BRTYPE (1u << 28)
#define EXT21_EAX_SRSO_NO (1u << 29)
#define EXT21_ECX_TSA_SQ_NO (1u << 1)
#define EXT21_ECX_TSA_L1_NO (1u << 2)
#define CAPS_RDCL_NO (1ull << 0)
#define CAPS_EIBRS (1ull << 1)
#define CAPS_RSBA (1ull << 2)
#define CAPS_SSB_NO (1ull << 4)
#define CAPS_MDS_NO (1ull << 5)
#define CAPS_TAA_NO (1ull << 8)
#define CAPS_SBDR_SSDP_NO (1ull << 13)
#define CAPS_FBSDP_NO (1ull << 14)
#define CAPS_PSDP_NO (1ull << 15)
#define CAPS_FB_CLEAR (1ull << 17)
#define CAPS_BHI_NO (1ull << 20)
#define CAPS_GDS_CTRL (1ull << 25)
#define CAPS_GDS_NO (1ull << 26)
#define CAPS_RFDS_NO (1ull << 27)
#define CAPS_RFDS_CLEAR (1ull << 28)
#define CAPS_ITS_NO (1ull << 62)

#define SPEC_CTRL_IBRS 0x1ull
#define SPEC_CTRL_STIBP 0x2ull
#define SPEC_CTRL_SSBD 0x4ull
#define SPEC_CTRL_BHI_DIS_S 0x400ull
#define MSR_ARCH_CAPABILITIES 0x10au
#define MSR_MCU_OPT_CTRL 0x123u
#define MCU_OPT_RNGDS_MITG_DIS 0x1ull
#define MCU_OPT_GDS_MITG_DIS 0x10ull
#define MSR_AMD_EFER 0xc0000080u
#define EFER_AIBRSE (1ull << 21)
#define MSR_AMD_LS_CFG 0xc0011020u
#define LS_CFG_E793 (1ull << 15)
#define MSR_AMD_DE_CFG 0xc0011029u
#define DE_CFG_LFENCE_SERIAL (1ull << 1)
#define DE_CFG_ZENBLEED (1ull << 9)

#endif
