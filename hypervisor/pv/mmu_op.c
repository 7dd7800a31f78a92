/* SPDX-License-Identifier: MIT */
/*
 * mmu_update, update_va_mapping and update_va_mapping_otherdomain (public header: xen.h).
 *
 * Decodes, checks who may name whom, flushes as asked; the changes themselves are mmu.c's.
 * A batch stops at the first failure; *done counts what was done (HC-7). When preempted the call is
 * issued again with the rest of the batch and MMU_UPDATE_PREEMPTED in the count, which means that
 * *done already counts the part before (as the ABI's own encoding has it; a guest that sets the
 * bit itself only gets its own number added). No locks held across guest copies.
 */
#include <tenue/hypercall.h>
#include <tenue/guestmem.h>
#include <tenue/hal.h>
#include <tenue/vcpu.h>

#include "batch.h"
#include "m2p.h"
#include "mmu.h"
#include "root.h"

#define REQS_READ 8u /* requests copied at a time */

static int update_one(const struct mmu_domains *md, const struct mmu_update *req)
{
    const uint64_t maddr = req->ptr & ~3ull;

    switch (req->ptr & 3) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return mmu_write_at(md->tables, md->frames, maddr, req->val, MMU_SET);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return mmu_write_at(md->tables, md->frames, maddr, req->val, MMU_PRESERVE_AD);
    default: /* MMU_MACHPHYS_UPDATE */
        return m2p_update_for(md->frames, maddr_to_mfn(maddr_make(maddr)), req->val);
    }
}

/* Requests from index i on, as many as there are and fit; a fault leaves the readable ones. */
static unsigned read_requests(struct mmu_update *reqs, guest_va at, uint64_t left)
{
    unsigned n = (unsigned)MIN(left, (uint64_t)REQS_READ);

    while (n && guest_read(reqs, at, n * sizeof(*reqs)) != 0)
        n--;
    return n;
}

static int run_updates(const struct mmu_domains *md, struct batch *b)
{
    struct mmu_update reqs[REQS_READ];

    while (b->done < b->count) {
        const unsigned n = read_requests(reqs, batch_item(b, sizeof(reqs[0])), b->count - b->done);

        if (!n)
            return -XEN_EFAULT;
        for (unsigned i = 0; i < n; i++) {
            const int rc = update_one(md, &reqs[i]);

            if (unlikely(rc))
                return rc;
            b->done++;
            if (pv_owes_tables(current_vcpu()))
                return -XEN_ERESTART;
        }
        if (b->done < b->count && hal_preempt_point())
            return -XEN_ERESTART;
    }
    return 0;
}

long hc_mmu_update(uint64_t reqs, uint64_t count, uint64_t done, uint64_t domid)
{
    struct mmu_domains md;
    struct batch b;
    int rc;

    rc = batch_begin(&b, reqs, count, done);
    if (!rc)
        rc = mmu_domains_get(&md, (uint32_t)domid);
    if (rc)
        return rc;
    rc = run_updates(&md, &b);
    mmu_domains_put(&md);
    return batch_end(&b, rc, __HYPERVISOR_mmu_update, sizeof(struct mmu_update), domid);
}

/* --- update_va_mapping --- */

/* The CPUs that flags name: this one, those of all vcpus, or of a guest bitmap of vcpus. */
static int flush_cpus(struct vcpu *v, uint64_t flags, cpumask_t *mask)
{
    const uint64_t bitmap = flags & ~(UVMF_FLUSHTYPE_MASK | UVMF_ALL);

    if (flags & UVMF_ALL) {
        *mask = domain_cpus(v->domain);
        return 0;
    }
    if (!bitmap) {
        *mask = (cpumask_t)1 << this_cpu()->id;
        return 0;
    }
    return mmu_cpus_of_bitmap(v->domain, guest_va_make(bitmap), mask);
}

static int flush_after(struct vcpu *v, uint64_t va, uint64_t flags)
{
    cpumask_t mask;
    int rc;

    if (!(flags & UVMF_FLUSHTYPE_MASK))
        return 0;
    rc = flush_cpus(v, flags, &mask);
    if (rc)
        return rc;
    if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_INVLPG)
        mmu_invlpg(mask, va);
    else if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_TLB_FLUSH)
        mmu_flush(mask);
    return 0;
}

static long update_va(struct domain *frames, uint64_t va, uint64_t pte, uint64_t flags)
{
    struct vcpu *v = current_vcpu();
    unsigned index;
    mfn_t table;
    int rc;

    if (unlikely(!pte_find_l1(v->pv.root_kernel, va, &table, &index)))
        return -XEN_EINVAL;
    rc = mmu_l1_write(v->domain, frames, table, index, pte, MMU_SET, NULL);
    if (unlikely(rc))
        return rc;
    return flush_after(v, va, flags);
}

long hc_update_va_mapping(uint64_t va, uint64_t pte, uint64_t flags)
{
    return update_va(current_domain(), va, pte, flags);
}

long hc_update_va_mapping_otherdomain(uint64_t va, uint64_t pte, uint64_t flags, uint64_t domid)
{
    struct mmu_domains md;
    long rc = mmu_domains_get(&md, (uint16_t)domid);

    if (rc)
        return rc;
    rc = update_va(md.frames, va, pte, flags);
    mmu_domains_put(&md);
    return rc;
}
