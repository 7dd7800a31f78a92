/* SPDX-License-Identifier: MIT */
/*
 * mmuext_op: pins, roots, flushes and the few operations on whole frames (public header: xen.h).
 *
 * Batch and restart as in mmu_op.c. An operation either is finished when the next one starts, or
 * has changed nothing and is issued again; what a finished one still owes (root.h) is paid first,
 * on the way out.
 * Base pointers between validated roots are the hottest operations of a Linux boot: their path is
 * two reference pairs and one CR3 load.
 */

#include "lib.h"

#include "batch.h"
#include "desc.h"
#include "mmu.h"
#include "root.h"

/* --- flushes --- */

int mmu_flush(const struct domain *d, const guest_va *bitmap, bool page, uint64_t va)
{
    uint64_t vcpus = ~0ull;
    cpumask_t mask;

    STATIC_ASSERT(bitmap_is_one_word, MAX_VCPUS <= 64);
    if (bitmap && guest_read_obj(&vcpus, *bitmap) != 0)
        return -XEN_EFAULT;
    mask = domain_cpus_of(d, vcpus);
    if (!page)
        hal_tlb_flush(mask);
    else if (guest_addr_ok(va))
        hal_invlpg(mask, va);
    return 0;
}

/* On all CPUs of the domain, or those of a bitmap of vcpus. */
static noinline_fn int flush_many(const struct domain *d, const struct mmuext_op *op)
{
    const bool all = op->cmd == MMUEXT_TLB_FLUSH_ALL || op->cmd == MMUEXT_INVLPG_ALL;
    const bool page = op->cmd == MMUEXT_INVLPG_MULTI || op->cmd == MMUEXT_INVLPG_ALL;
    const guest_va bitmap = guest_va_of(op->arg2.vcpumask);

    return mmu_flush(d, all ? NULL : &bitmap, page, op->arg1.linear_addr) ? -XEN_EINVAL : 0;
}

static int cache_op(const struct vcpu *v)
{
    if (!v->domain->is_control)
        return -XEN_EACCES; /* only who has devices has a reason */
    hal_wbinvd();
    return 0;
}

/* --- frames --- */

static int clear_page(struct domain *d, mfn_t m)
{
    if (page_get_and_type(m, d, PGT_WRITABLE) != 0)
        return -XEN_EINVAL;
    memset(mfn_to_ptr(m), 0, PAGE_SIZE);
    return page_put_and_type(m);
}

static int copy_page(struct domain *d, mfn_t to, mfn_t from)
{
    int rc = -XEN_EINVAL;

    if (!page_get(from, d))
        return rc;
    if (page_get_and_type(to, d, PGT_WRITABLE) == 0) {
        memcpy(mfn_to_ptr(to), mfn_to_ptr(from), PAGE_SIZE);
        rc = page_put_and_type(to);
    }
    page_put(from);
    return rc;
}

/* --- dispatch --- */

/* Operations on oneself only. */
static int self_op(struct vcpu *v, const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
        if (op->arg1.mfn != v->pv.root_kernel.n)
            return pv_root_set(v, op->arg1.mfn, false);
        hal_tlb_flush_local(); /* what a load would have done */
        return 0;
    case MMUEXT_NEW_USER_BASEPTR:
        return pv_root_set(v, op->arg1.mfn, true);
    case MMUEXT_TLB_FLUSH_LOCAL:
        hal_tlb_flush_local(); /* the user root, too */
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        if (guest_addr_ok(op->arg1.linear_addr))
            hal_invlpg_local(op->arg1.linear_addr);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        return flush_many(v->domain, op);
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return cache_op(v);
    case MMUEXT_SET_LDT:
        return pv_set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -XEN_EOPNOTSUPP;
    default:
        return -XEN_ENOSYS;
    }
}

static int ext_one(struct vcpu *v, struct domain *d, const struct mmuext_op *op)
{
    const mfn_t m = mfn_make(op->arg1.mfn);

    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return mmu_pin(d, m, (enum page_type)(PGT_L1 + (op->cmd - MMUEXT_PIN_L1_TABLE)));
    case MMUEXT_UNPIN_TABLE:
        return mmu_unpin(d, m);
    case MMUEXT_CLEAR_PAGE:
        return clear_page(d, m);
    case MMUEXT_COPY_PAGE:
        return copy_page(d, m, mfn_make(op->arg2.src_mfn));
    default:
        return d == v->domain ? self_op(v, op) : -XEN_EPERM;
    }
}

static int run_ops(struct vcpu *v, struct domain *d, struct batch *b)
{
    while (b->done < b->count) {
        struct mmuext_op op;
        int rc;

        if (guest_read_obj(&op, batch_item(b, sizeof(op))) != 0)
            return -XEN_EFAULT;
        rc = ext_one(v, d, &op);
        if (unlikely(rc))
            return rc;
        b->done++;
        if (pv_owes_tables(v) || (b->done < b->count && b->done % 4 == 0 && hal_preempt_point()))
            return -XEN_ERESTART;
    }
    return 0;
}

long hc_mmuext_op(uint64_t ops, uint64_t count, uint64_t done, uint64_t domid)
{
    struct vcpu *v = current_vcpu();
    struct mmu_domains md;
    struct batch b;
    int rc = batch_begin(&b, ops, count, done);

    if (!rc)
        rc = mmu_domains_get(&md, v->domain, (uint16_t)domid);
    if (rc)
        return rc;
    rc = run_ops(v, md.frames, &b);
    mmu_domains_put(&md);
    return batch_end(&b, rc, __HYPERVISOR_mmuext_op, sizeof(struct mmuext_op), domid);
}
