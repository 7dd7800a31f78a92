/* SPDX-License-Identifier: MIT */
/*
 * Descriptor rules shared by the page types (whole descriptor frames), update_descriptor and
 * the GDT/LDT of a vcpu.
 */
#ifndef TENUE_PV_DESC_H
#define TENUE_PV_DESC_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/vcpu.h>

/*
 * Make one descriptor harmless: present code and data get DPL 3; whatever the CPU would act upon
 * otherwise (gates, TSS, LDT) is refused. A descriptor that is not present passes as it is.
 * False: refuse it; *d is then unchanged.
 */
bool desc_sanitise(uint64_t *d);
/* Does selector cs of v name 64-bit code, as far as v's tables tell now? Such code has no base. */
bool desc_is_64bit_code(const struct vcpu *v, uint16_t cs);
/* All 512 of a frame about to become a descriptor frame: sanitised in place; false refuses. */
bool desc_sanitise_frame(uint64_t *entries);

/* Replace v's GDT by count (<= GDT_GUEST_FRAMES) frames holding entries descriptors. v is current
 * or not running. All-or-nothing: 0, or -XEN_EINVAL; frames then is scratch. */
int pv_set_gdt(struct vcpu *v, mfn_t *frames, unsigned count, uint32_t entries) must_check;
/* MMUEXT_SET_LDT: base page-aligned in guest space, entries <= 8192. Frames are taken lazily. */
int pv_set_ldt(struct vcpu *v, uint64_t base, uint32_t entries) must_check;
/* Give back every descriptor frame of v (teardown, reset); were there any? v is not running. */
bool pv_release_descriptors(struct vcpu *v);

#endif
