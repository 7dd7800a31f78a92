/* SPDX-License-Identifier: MIT */
/*
 * Selectors, vectors and control bits of this machine layer. Plain numbers: assembly includes it.
 *
 * Our page is the GDT's page 14 (FIRST_RESERVED_GDT_PAGE): its selectors follow the public ABI
 * where guests see them (0xe023, 0xe02b, 0xe033).
 */
#ifndef TENUE_X86_DESC_H
#define TENUE_X86_DESC_H

#define SEL_HV_CS 0xe008
#define SEL_HV_DS 0xe010
#define SEL_TSS 0xe040
#define SEL_LDT 0xe050

#define VEC_DE 0
#define VEC_DB 1
#define VEC_NMI 2
#define VEC_BP 3
#define VEC_OF 4
#define VEC_NM 7
#define VEC_DF 8
#define VEC_GP 13
#define VEC_PF 14
#define VEC_MC 18
#define VEC_EXCEPTIONS 32
#define VEC_PIC 0x20 /* the masked 8259s point here: 16 vectors */
#define VEC_GSI_FIRST 0x30
#define VEC_GSI_LAST 0xef
#define VEC_INT80 0x80
#define VEC_FLUSH 0xfa
#define VEC_SOFTIRQ 0xfb
#define VEC_UNLOAD 0xfc
#define VEC_TIMER 0xfd
#define VEC_APIC_ERROR 0xfe
#define VEC_SPURIOUS 0xff

#define EFLAGS_TF 0x100
#define EFLAGS_IF 0x200
#define EFLAGS_DF 0x400
#define EFLAGS_IOPL 0x3000
#define EFLAGS_NT 0x4000
#define EFLAGS_RF 0x10000
#define EFLAGS_VM 0x20000
#define EFLAGS_AC 0x40000

#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_TS 0x8
#define CR0_ET 0x10
#define CR0_NE 0x20
#define CR0_WP 0x10000
#define CR0_AM 0x40000
#define CR0_PG 0x80000000
#define CR0_OURS (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG)

#define CR4_TSD 0x4
#define CR4_DE 0x8
#define CR4_PAE 0x20
#define CR4_MCE 0x40
#define CR4_PGE 0x80
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_UMIP 0x800
#define CR4_FSGSBASE 0x10000
#define CR4_OSXSAVE 0x40000
#define CR4_SMEP 0x100000
#define CR4_SMAP 0x200000

#define MSR_APIC_BASE 0x1b
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT 0x277
#define MSR_X2APIC 0x800
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103

#define EFER_SCE 0x1
#define EFER_LME 0x100
#define EFER_NXE 0x800

/*
 * PAT as Xen's PV ABI has it, entry by entry: WB WT UC- UC WC WP UC UC. Guests' PWT, PCD and PAT
 * bits select from it.
 */
#define PAT_VALUE 0x050100070406

#endif
