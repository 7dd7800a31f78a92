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

#include <tenue/m2p.h>

#include "batch.h"
#include "mmu.h"
#include "root.h"

#define REQS_READ 8u /* requests copied at a time */

/*
 * The machine-to-physical table holds what a frame's owner says, so the owner may say anything
 * (MM-16); what is checked is whose frame it is, and a reference keeps it from changing hands
 * between the check and the store.
 */
static noinline_fn int m2p_update(const struct domain *owner, mfn_t m, uint64_t pfn)
{
    if (!page_get(m, owner))
        return -XEN_EINVAL;
    m2p_set(m, pfn);
    page_put(m);
    return 0;
}

static inline int update_one(struct domain *d, struct domain *fd, const struct mmu_update *req)
{
    const uint64_t maddr = req->ptr & ~7ull;

    switch (req->ptr & 7) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return mmu_write_at(d, fd, maddr, req->val, MMU_SET);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return mmu_write_at(d, fd, maddr, req->val, MMU_PRESERVE_AD);
    case MMU_MACHPHYS_UPDATE:
        return m2p_update(fd, maddr_to_mfn(maddr_make(maddr)), req->val);
    default:
        return -XEN_ENOSYS;
    }
}

/* Requests from index i on, as many as there are and fit; a fault leaves the readable ones. */
static unsigned read_requests(struct mmu_update *reqs, guest_va at, uint32_t left)
{
    unsigned n = MIN(left, REQS_READ);

    while (n && unlikely(guest_read(reqs, at, n * sizeof(*reqs)) != 0))
        n--;
    return n;
}

static int run_updates(const struct vcpu *v, const struct mmu_domains *md, struct batch *b)
{
    struct mmu_update reqs[REQS_READ];

    while (b->done < b->count) {
        const unsigned n = read_requests(reqs, batch_item(b, sizeof(reqs[0])), b->count - b->done);

        if (unlikely(!n))
            return -XEN_EFAULT;
        for (const struct mmu_update *req = reqs; req < reqs + n; req++) {
            const int rc = update_one(md->tables, md->frames, req);

            if (unlikely(rc))
                return rc;
            b->done++;
            if (pv_owes_tables(v))
                return -XEN_ERESTART;
        }
        if (b->done < b->count && hal_preempt_point())
            return -XEN_ERESTART;
    }
    return 0;
}

long hc_mmu_update(uint64_t reqs, uint64_t count, uint64_t done, uint64_t domid)
{
    struct vcpu *const v = current_vcpu();
    struct mmu_domains md;
    struct batch b;
    int rc = batch_begin(&b, reqs, count, done);

    if (likely(!rc))
        rc = mmu_domains_get(&md, v->domain, (uint32_t)domid);
    if (unlikely(rc))
        return rc;
    rc = run_updates(v, &md, &b);
    mmu_domains_put(&md);
    return batch_end(&b, rc, __HYPERVISOR_mmu_update, sizeof(struct mmu_update), domid);
}

/* --- update_va_mapping --- */

/* On the CPUs that flags name: those of all vcpus, or of a guest bitmap of vcpus, or this one: but
 * a page on this one alone is not for here. */
static noinline_fn int flush_after(const struct domain *d, uint64_t va, uint64_t flags)
{
    const guest_va bitmap = guest_va_make(flags & ~(UVMF_FLUSHTYPE_MASK | UVMF_ALL));
    const bool page = (flags & UVMF_FLUSHTYPE_MASK) == UVMF_INVLPG;

    if (flags & ~UVMF_FLUSHTYPE_MASK)
        return mmu_flush(d, flags & UVMF_ALL ? NULL : &bitmap, page, va);
    hal_tlb_flush_local();
    return 0;
}

static inline long update_va(struct vcpu *v, struct domain *frames, uint64_t va, uint64_t pte,
                             uint64_t flags)
{
    const maddr_t at = pte_find_l1_of(v, va);
    int rc;

    if (unlikely(!at.a))
        return -XEN_EINVAL;
    rc = mmu_l1_set(v->domain, frames, at, pte);
    if (unlikely(rc))
        return rc == -XEN_ENOENT ? -XEN_EINVAL : rc;
    if (likely(flags == (UVMF_INVLPG | UVMF_LOCAL))) {
        hal_invlpg_local(va); /* an address of the guest's, or it had no table */
        return 0;
    }
    return flags & UVMF_FLUSHTYPE_MASK ? flush_after(v->domain, va, flags) : 0;
}

long hc_update_va_mapping(uint64_t va, uint64_t pte, uint64_t flags)
{
    struct vcpu *const v = current_vcpu();

    return update_va(v, v->domain, va, pte, flags);
}

long hc_update_va_mapping_otherdomain(uint64_t va, uint64_t pte, uint64_t flags, uint64_t domid)
{
    struct vcpu *const v = current_vcpu();
    struct mmu_domains md;
    long rc = mmu_domains_get(&md, v->domain, (uint16_t)domid);

    if (rc)
        return rc;
    rc = update_va(v, md.frames, va, pte, flags);
    mmu_domains_put(&md);
    return rc;
}
