/* SPDX-License-Identifier: MIT */
/*
 * Selectors and vectors of this machine layer. Plain numbers: assembly includes it.
 *
 * Our page is the GDT's page 14 (FIRST_RESERVED_GDT_PAGE): its selectors follow the public ABI
 * where guests see them (0xe023, 0xe02b, 0xe033).
 */
#ifndef TENUE_X86_DESC_H
#define TENUE_X86_DESC_H

#include <tenue/arch.h>

#define SEL_HV_CS 0xe008
#define SEL_HV_DS 0xe010
#define SEL_TSS 0xe040
#define SEL_LDT 0xe050

/* Among the bits of a site that start-up patches (spec.c): when SMAP is on; when TLBs are tagged.
 */
#define SITE_SMAP 0x80000000
#define SITE_TAGS 0x40000000

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

#endif
