/* SPDX-License-Identifier: MIT */
/*
 * Numbers of the processor, by their manuals' names, for C (64 bits wide where a complement is
 * taken) and for assembly. What is ours to choose is in x86/desc.h and pv/state.h; most of
 * what is about speculation in spec.h.
 */
#ifndef TENUE_ARCH_H
#define TENUE_ARCH_H

#ifdef __ASSEMBLY__
#define U64(n) n
#else
#define U64(n) n##ull
#endif

/* Exceptions. */
#define VEC_DE 0
#define VEC_DB 1
#define VEC_NMI 2
#define VEC_BP 3
#define VEC_OF 4
#define VEC_UD 6
#define VEC_NM 7
#define VEC_DF 8
#define VEC_GP 13
#define VEC_PF 14
#define VEC_MC 18
#define VEC_EXCEPTIONS 32

/* Error code of a page fault. */
#define PF_PRESENT 1
#define PF_WRITE 2
#define PF_USER 4
#define PF_RESERVED 8
#define PF_FETCH 16

#define EFLAGS_CF U64(0x1)
#define EFLAGS_FIXED U64(0x2) /* always set */
#define EFLAGS_PF U64(0x4)
#define EFLAGS_AF U64(0x10)
#define EFLAGS_ZF U64(0x40)
#define EFLAGS_SF U64(0x80)
#define EFLAGS_TF U64(0x100)
#define EFLAGS_IF U64(0x200)
#define EFLAGS_DF U64(0x400)
#define EFLAGS_OF U64(0x800)
#define EFLAGS_IOPL_SHIFT 12
#define EFLAGS_IOPL U64(0x3000)
#define EFLAGS_NT U64(0x4000)
#define EFLAGS_RF U64(0x10000)
#define EFLAGS_VM U64(0x20000)
#define EFLAGS_AC U64(0x40000)
#define EFLAGS_ID U64(0x200000)

#define CR0_PE U64(0x1)
#define CR0_MP U64(0x2)
#define CR0_TS U64(0x8)
#define CR0_ET U64(0x10)
#define CR0_NE U64(0x20)
#define CR0_WP U64(0x10000)
#define CR0_AM U64(0x40000)
#define CR0_PG U64(0x80000000)
/* What we run with, and every guest sees. */
#define CR0_OURS (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG)

#define CR4_TSD U64(0x4)
#define CR4_DE U64(0x8)
#define CR4_PAE U64(0x20)
#define CR4_MCE U64(0x40)
#define CR4_PGE U64(0x80)
#define CR4_OSFXSR U64(0x200)
#define CR4_OSXMMEXCPT U64(0x400)
#define CR4_UMIP U64(0x800)
#define CR4_FSGSBASE U64(0x10000)
#define CR4_PCIDE U64(0x20000)
#define CR4_OSXSAVE U64(0x40000)
#define CR4_SMEP U64(0x100000)
#define CR4_SMAP U64(0x200000)

#define DR6_DEFAULT U64(0xffff0ff0)
#define DR6_STATUS U64(0xe00f) /* bits that the CPU sets */
#define DR6_SINGLE_STEP U64(0x4000)
#define DR7_DEFAULT U64(0x400)
#define DR7_ENABLED U64(0xff)
#define DR7_GENERAL_DETECT U64(0x2000)

#define XCR0_X87 U64(0x1)
#define XCR0_SSE U64(0x2)
#define XCR0_AVX U64(0x4)
#define XCR0_AVX512 U64(0xe0)

/* Page-table entries. */
#define PTE_P U64(0x1)
#define PTE_RW U64(0x2)
#define PTE_US U64(0x4)
#define PTE_PWT U64(0x8)
#define PTE_PCD U64(0x10)
#define PTE_A U64(0x20)
#define PTE_D U64(0x40)
#define PTE_PSE U64(0x80) /* L2, L3 */
#define PTE_PAT U64(0x80) /* L1 */
#define PTE_G U64(0x100)
#define PTE_NX U64(0x8000000000000000)
#define PTE_ADDR U64(0x000ffffffffff000)
#define TABLE_ENTRIES 512u

#define MSR_APIC_BASE 0x1b
#define MSR_SPEC_CTRL 0x48
#define MSR_PRED_CMD 0x49
#define PRED_CMD_IBPB 1
#define MSR_UCODE_REV 0x8b
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17a
#define MSR_MCG_CTL 0x17b
#define MSR_PAT 0x277
#define MSR_MC0_CTL 0x400
#define MSR_MC31_MISC 0x47f
#define MSR_X2APIC 0x800
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC 0x10
#define MSR_TSC_AUX 0xc0000103

#define EFER_SCE U64(0x1)
#define EFER_LME U64(0x100)
#define EFER_LMA U64(0x400)
#define EFER_NXE U64(0x800)

/* Against speculation faults (spec.h): bits of what is done. */
#define SPEC_PTI (1 << 0)        /* a guest's CR3 maps the entry code only */
#define SPEC_IBRS (1 << 1)       /* restricted speculation, on at entry, off at exit */
#define SPEC_EIBRS (1 << 2)      /* the same, set once (Intel's enhanced, AMD's automatic) */
#define SPEC_IBPB (1 << 3)       /* predictor barrier before another domain's vcpu */
#define SPEC_IBPB_ENTRY (1 << 4) /* and at each entry */
#define SPEC_STIBP (1 << 5)      /* threads of a core do not train each other */
#define SPEC_SSBD (1 << 6)       /* loads wait for older stores */
#define SPEC_RSB (1 << 7)        /* return stack filled at entry and vcpu change */
#define SPEC_BHB_ENTRY (1 << 8)  /* branch history overwritten at entry */
#define SPEC_BHI_DIS (1 << 9)    /* no history of less privilege, by MSR */
#define SPEC_VERW (1 << 10)      /* buffers cleared before a guest runs and before idling */
#define SPEC_DIV (1 << 11)       /* divider cleared before a guest runs */
#define SPEC_L1TF_PTE (1 << 12)  /* entries that are not present must not name RAM (MM-27) */
#define SPEC_SRB_LOCK (1 << 13)  /* random numbers leave no copy behind */
#define SPEC_GDS_MIT (1 << 14)   /* gathers forward nothing stale */
#define SPEC_ZENBLEED_FIX (1 << 15)
#define SPEC_E793_FIX (1 << 16)
#define SPEC_SMT_OFF (1 << 17) /* second threads of cores stay parked */

#endif
