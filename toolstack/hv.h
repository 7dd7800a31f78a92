/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor as this command uses it: every hypercall we issue stands in hv.c, and README.md
 * lists them. Only the stable libraries are used, so that one binary serves Xen 4.17 and Tenue.
 *
 * Functions return 0 or a negative errno; the caller knows what it was about and says so.
 */
#ifndef TENUE_HV_H
#define TENUE_HV_H

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif

#include "diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/memory.h>
#include <xen/sysctl.h>
#include <tenue_op.h>
#include <xenforeignmemory.h>

struct hv;

/* Fails with one line that says what is missing: no hypervisor, no driver, no right. */
struct hv *hv_open(struct diag *d);
void hv_close(struct hv *hv);
xenforeignmemory_handle *hv_memory(struct hv *hv);

/* Domains. */
struct hv_new_domain {
    uint8_t uuid[16];
    unsigned max_vcpus;
    unsigned maptrack_frames;
};
int hv_create(struct hv *hv, const struct hv_new_domain *want, uint32_t *domid) MUST_CHECK;
int hv_max_mem(struct hv *hv, uint32_t domid, uint64_t kib) MUST_CHECK;
int hv_set_tsc_mode(struct hv *hv, uint32_t domid, uint32_t mode) MUST_CHECK;
int hv_hypercall_page(struct hv *hv, uint32_t domid, uint64_t mfn) MUST_CHECK;
int hv_set_context(struct hv *hv, uint32_t domid, unsigned vcpu,
                   const struct vcpu_guest_context *ctxt) MUST_CHECK;
int hv_get_context(struct hv *hv, uint32_t domid, unsigned vcpu,
                   struct vcpu_guest_context *ctxt) MUST_CHECK;
/* A domain that is shut down, whatever the reason, runs on. */
int hv_resume(struct hv *hv, uint32_t domid) MUST_CHECK;
int hv_pause(struct hv *hv, uint32_t domid) MUST_CHECK;
/* Why a start, a place or a wake-up was refused, with a remedy; for -EBUSY more than strerror(). */
const char *hv_why_no_cpu(int rc);
int hv_unpause(struct hv *hv, uint32_t domid) MUST_CHECK;
int hv_destroy(struct hv *hv, uint32_t domid) MUST_CHECK;

/* A domain's share of CPU time: weight 1..65535, cap in percent of one CPU, 0: none. */
struct hv_share {
    unsigned weight, cap;
};
uint32_t hv_scheduler(struct hv *hv); /* XEN_SCHEDULER_*; unknown: 0 */
bool hv_scheduler_shares(uint32_t scheduler);
int hv_get_share(struct hv *hv, uint32_t domid, struct hv_share *share) MUST_CHECK;
int hv_set_share(struct hv *hv, uint32_t domid, const struct hv_share *share) MUST_CHECK;
int hv_vcpu_info(struct hv *hv, uint32_t domid, struct xen_domctl_getvcpuinfo *v) MUST_CHECK;
/* Sets of up to 64 CPUs: where a vcpu may run, and where it would rather. */
int hv_get_affinity(struct hv *hv, uint32_t domid, unsigned vcpu, uint64_t *hard,
                    uint64_t *soft) MUST_CHECK;
/* An empty set: as it is. */
int hv_set_affinity(struct hv *hv, uint32_t domid, unsigned vcpu, uint64_t hard,
                    uint64_t soft) MUST_CHECK;

/* -ESRCH if there is no such domain (a dying one still is). */
int hv_info(struct hv *hv, uint32_t domid, struct xen_domctl_getdomaininfo *info) MUST_CHECK;
/* SHUTDOWN_* (sched.h), where the flags of a domain say that it is shut down. */
unsigned hv_shutdown_reason(uint32_t flags);
/* Domains from `first` on, at most max; returns how many, or a negative errno. */
int hv_list(struct hv *hv, uint32_t first, struct xen_domctl_getdomaininfo *infos,
            unsigned max) MUST_CHECK;

/*
 * Gives the domain nr frames from guest frame `pfn` on, in blocks of 2^order; mfns[] gets each
 * block's first machine frame. Returns the number of blocks done, or a negative errno.
 */
long hv_populate(struct hv *hv, uint32_t domid, uint64_t pfn, uint64_t nr_blocks, unsigned order,
                 uint64_t *mfns) MUST_CHECK;
/*
 * Whether those frames hold zeros. Tenue clears what it gives away; Xen gives what a domain gave
 * back while it lived as it was.
 */
bool hv_memory_is_zeroed(struct hv *hv);
int hv_memory_map(struct hv *hv, uint32_t domid, uint64_t bytes) MUST_CHECK;
int hv_pin_l4(struct hv *hv, uint32_t domid, uint64_t mfn) MUST_CHECK;
/* A port in the domain that the control domain may bind to; negative errno on failure. */
int hv_alloc_unbound(struct hv *hv, uint32_t domid) MUST_CHECK;

/* The machine. */
int hv_physinfo(struct hv *hv, struct xen_sysctl_physinfo *info) MUST_CHECK;
/* Reads the console ring from *index on; returns bytes read. */
int hv_console(struct hv *hv, char *buf, uint32_t len, bool clear, uint32_t *index) MUST_CHECK;
/* As if typed on the hypervisor's console; what it says is found in the ring. */
int hv_debug_key(struct hv *hv, char key) MUST_CHECK;
/* xen_version sub-operations; arg may be NULL. Returns the call's own result. */
int hv_version(struct hv *hv, unsigned cmd, void *arg, size_t len) MUST_CHECK;

/* What only Tenue offers (tenue_op.h); -ENOSYS elsewhere. */
int hv_watch(struct hv *hv, struct tenue_op_watch *op) MUST_CHECK;
/* parts: TENUE_PARTS of them. */
int hv_account(struct hv *hv, struct tenue_op_account *op,
               struct tenue_part_time *parts) MUST_CHECK;
/* Up to max records of a CPU from *next on; returns how many, and adds to *lost. */
int hv_trace(struct hv *hv, uint32_t cpu, uint64_t *next, uint64_t *lost,
             struct tenue_trace_record *records, uint32_t max) MUST_CHECK;
int hv_part_name(struct hv *hv, struct tenue_op_part_name *op) MUST_CHECK;
int hv_cpu(struct hv *hv, struct tenue_op_cpu *op) MUST_CHECK;

#endif
