/* SPDX-License-Identifier: MIT */
/*
 * What core needs of a PV guest. Implemented in pv/.
 */
#ifndef TENUE_PV_H
#define TENUE_PV_H

#include <tenue/abi.h>
#include <tenue/bootinfo.h>
#include <tenue/domain.h>
#include <tenue/vcpu.h>

/* --- life cycle --- */
void pv_vcpu_init(struct vcpu *v); /* empty state, all but the page for pv.traps */
/* Drop roots, descriptor frames and the user bitmap of every vcpu; preemptible (-XEN_ERESTART). */
int pv_domain_relinquish(struct domain *d) must_check;
/* Unpin every pinned table of a dying domain and drop its page tables; preemptible. */
int pv_domain_unpin_all(struct domain *d) must_check;

/* VCPUOP_initialise and domctl: one sanitiser (LC-9). v is not running. Takes root and descriptor
 * references. May return -XEN_ERESTART (validation preempted). */
int pv_vcpu_set_context(struct vcpu *v, const vcpu_guest_context_t *ctxt) must_check;
void pv_vcpu_get_context(struct vcpu *v, vcpu_guest_context_t *ctxt);

/* --- grants: mapping frames where the mapper asked (GT-6) --- */
/*
 * Install frame m (reference and, when writable, writable type held by the caller for this
 * mapping) in the current domain's tables at host_addr: a VA in the kernel's tables, or the machine
 * address of an L1 entry with GNTMAP_contains_pte. Other flags that count: GNTMAP_readonly, and
 * GNTMAP_guest_avail's for the entry's software bits. The old entry must not be a present mapping
 * that would be lost silently: its references are dropped as by mmu_update. 0 or GNTST_* (< 0).
 */
int pv_grant_map(uint64_t host_addr, uint32_t flags, mfn_t m) must_check;
/* Remove exactly that mapping. 0 or GNTST_* with nothing changed. The caller flushes and then drops
 * the references. With replace_va != 0: GNTTABOP_unmap_and_replace. */
int pv_grant_unmap(uint64_t host_addr, uint32_t flags, mfn_t m, uint64_t replace_va) must_check;

/* --- tables that a vcpu let go of, which it finishes before it runs again --- */
/* v is current, or runs nowhere. -XEN_ERESTART: preempted, call again. */
int pv_pay_old_tables(struct vcpu *v) must_check;

/* --- control domain --- */
/* Build domid 0 from module 0 (kernel) and 1 (ramdisk, optional). Says what is wrong on the console
 * itself (file, field, remedy) and returns an error. */
int pv_build_control_domain(const struct boot_info *bi) must_check;

/* What v sees of a CPUID leaf: for the policies that domctl and sysctl report (core/cpu_policy.c).
 */
void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* Fill a page with hypercall stubs (32 bytes each, by number) for a guest that wants one. */
void pv_fill_hypercall_page(void *page);

/* Hypervisor-wide audit of types and counts: number of violations, each logged (section 12). */
unsigned pv_audit(void);

#endif
