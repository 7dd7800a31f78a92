/* SPDX-License-Identifier: MIT */
/*
 * grant_table_op: the guest's side of grants. Decodes, bounds and batches; the work is in grant.c
 * and grant_map.c. Public header: grant_table.h.
 *
 * Every element is copied in whole, its status is written before the next one starts (HC-7), and a
 * batch may be preempted between elements. Version 2, transfer and what belongs to them answer
 * -XEN_ENOSYS (GT-9, GT-12).
 */
#include <tenue/hypercall.h>
#include <tenue/vcpu.h>

#include "lib.h"

#include "grant_pin.h"

#define UNMAP_BATCH 32u

union grant_op {
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_unmap_and_replace replace;
    struct gnttab_setup_table setup;
    struct gnttab_copy copy;
    struct gnttab_query_size query;
    struct gnttab_set_version set_version;
    struct gnttab_get_version get_version;
    struct gnttab_cache_flush flush;
};

static int op_map(union grant_op *op)
{
    op->map.status = (int16_t)grant_map_ref(current_domain(), &op->map);
    return 0;
}

/* The domain named by dom when the caller may ask about it; else its status. */
static struct domain *subject(domid_t dom, int16_t *status)
{
    struct domain *d = domain_get_or_self(dom);

    *status = GNTST_okay;
    if (d == NULL) {
        *status = GNTST_bad_domain;
    } else if (d != current_domain() && !current_domain()->is_control) {
        domain_put(d);
        d = NULL;
        *status = GNTST_permission_denied;
    }
    return d;
}

static int list_frames(struct domain *d, const struct gnttab_setup_table *op)
{
    for (uint32_t i = 0; i < op->nr_frames; i++) {
        xen_pfn_t mfn = ptr_to_mfn(d->grant.frame[i].shared).n;

        if (guest_write_elem(guest_va_of(op->frame_list), i, &mfn, sizeof(mfn)) != 0)
            return -XEN_EFAULT;
    }
    return 0;
}

static int op_setup(union grant_op *u)
{
    struct gnttab_setup_table *op = &u->setup;
    struct domain *d = subject(op->dom, &op->status);
    int rc;

    if (d == NULL)
        return 0;
    rc = grant_table_grow(d, op->nr_frames);
    if (rc == 0) {
        rc = list_frames(d, op);
    } else if (rc != -XEN_ERESTART) {
        op->status = GNTST_general_error;
        rc = 0;
    }
    domain_put(d);
    return rc;
}

static int op_query(union grant_op *u)
{
    struct gnttab_query_size *op = &u->query;
    struct domain *d = subject(op->dom, &op->status);

    op->nr_frames = op->max_nr_frames = 0;
    if (d == NULL)
        return 0;
    op->nr_frames = READ_ONCE(d->grant.frames);
    op->max_nr_frames = d->grant.max_frames;
    domain_put(d);
    return 0;
}

static int op_set_version(union grant_op *u)
{
    uint32_t wanted = u->set_version.version;

    u->set_version.version = 1;
    if (wanted == 1)
        return 0;
    return wanted == 2 ? -XEN_ENOSYS : -XEN_EINVAL;
}

static int op_get_version(union grant_op *u)
{
    int16_t status;
    struct domain *d = subject(u->get_version.dom, &status);

    if (d == NULL)
        return status == GNTST_bad_domain ? -XEN_ESRCH : -XEN_EPERM;
    domain_put(d);
    u->get_version.version = 1;
    return 0;
}

/* Caches are coherent here: only the arguments are checked. */
static int op_cache_flush(union grant_op *u)
{
    const struct gnttab_cache_flush *op = &u->flush;
    mfn_t m = maddr_to_mfn(maddr_make(op->a.dev_bus_addr));

    if (op->op & ~(uint32_t)(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL) || op->op == 0)
        return op->op & GNTTAB_CACHE_SOURCE_GREF ? -XEN_EOPNOTSUPP : -XEN_EINVAL;
    if (op->length == 0)
        return 0;
    if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE - op->offset)
        return -XEN_EINVAL;
    if (!page_get(m, current_domain()))
        return -XEN_EPERM;
    page_put(m);
    return 0;
}

/* One side of a copy: a frame held for its duration. */
struct copy_side {
    struct domain *granter; /* counted; NULL for the caller's own frame */
    gref_t ref;
    mfn_t frame;
    bool rw;
};

static inline __attribute__((always_inline)) int
copy_side_get(const struct gnttab_copy_ptr *p, bool by_ref, bool rw, struct copy_side *side)
{
    int rc;

    *side = (struct copy_side){.rw = rw};
    if (!by_ref) {
        if (p->domid != DOMID_SELF)
            return GNTST_permission_denied;
        side->frame = mfn_make(p->u.gmfn);
        return grant_frame_get(current_domain(), side->frame, rw) ? GNTST_okay : GNTST_bad_page;
    }
    side->granter = domain_get_or_self(p->domid);
    if (side->granter == NULL)
        return GNTST_bad_domain;
    side->ref = p->u.ref;
    rc = grant_pin_take(side->granter, side->ref, current_domain()->domid,
                        rw ? PIN_HOST_RW : PIN_HOST_RO, &side->frame);
    if (rc == GNTST_okay && !grant_frame_get(side->granter, side->frame, rw)) {
        grant_pin_drop(side->granter, side->ref, rw ? PIN_HOST_RW : PIN_HOST_RO);
        rc = GNTST_bad_page;
    }
    if (rc != GNTST_okay)
        domain_put(side->granter);
    return rc;
}

static inline __attribute__((always_inline)) void copy_side_put(struct copy_side *side)
{
    if (side->granter != NULL)
        grant_pin_drop(side->granter, side->ref, side->rw ? PIN_HOST_RW : PIN_HOST_RO);
    grant_frame_put(side->frame, side->rw);
    if (side->granter != NULL)
        domain_put(side->granter);
}

static inline int copy_one(const struct gnttab_copy *op)
{
    struct copy_side from, to;
    int rc;

    if (op->source.offset + (uint32_t)op->len > PAGE_SIZE ||
        op->dest.offset + (uint32_t)op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    rc = copy_side_get(&op->source, op->flags & GNTCOPY_source_gref, false, &from);
    if (rc != GNTST_okay)
        return rc;
    rc = copy_side_get(&op->dest, op->flags & GNTCOPY_dest_gref, true, &to);
    if (rc == GNTST_okay) {
        memmove((uint8_t *)mfn_to_ptr(to.frame) + op->dest.offset,
                (const uint8_t *)mfn_to_ptr(from.frame) + op->source.offset, op->len);
        copy_side_put(&to);
    }
    copy_side_put(&from);
    return rc;
}

static int op_copy(union grant_op *u)
{
    u->copy.status = (int16_t)copy_one(&u->copy);
    return 0;
}

/* Everything but unmapping, which shares TLB flushes, is one element at a time. */
static const struct op_desc {
    int (*run)(union grant_op *op); /* 0, or an error that ends the batch; NULL: run_unmap() */
    uint8_t size, out_from, out_to; /* bytes: element; the OUT fields to write back */
} op_table[] = {
#define OP(cmd, type, first_out, end, fn)                                                          \
    [cmd] = {fn, sizeof(struct type), offsetof(struct type, first_out), end}
    OP(GNTTABOP_map_grant_ref, gnttab_map_grant_ref, status, sizeof(struct gnttab_map_grant_ref),
       op_map),
    OP(GNTTABOP_setup_table, gnttab_setup_table, status,
       offsetof(struct gnttab_setup_table, status) + sizeof(int16_t), op_setup),
    OP(GNTTABOP_copy, gnttab_copy, status, sizeof(struct gnttab_copy), op_copy),
    OP(GNTTABOP_query_size, gnttab_query_size, nr_frames, sizeof(struct gnttab_query_size),
       op_query),
    OP(GNTTABOP_set_version, gnttab_set_version, version, sizeof(struct gnttab_set_version),
       op_set_version),
    OP(GNTTABOP_get_version, gnttab_get_version, version, sizeof(struct gnttab_get_version),
       op_get_version),
    OP(GNTTABOP_cache_flush, gnttab_cache_flush, op, offsetof(struct gnttab_cache_flush, op),
       op_cache_flush),
    OP(GNTTABOP_unmap_grant_ref, gnttab_unmap_grant_ref, status,
       sizeof(struct gnttab_unmap_grant_ref), NULL),
    OP(GNTTABOP_unmap_and_replace, gnttab_unmap_and_replace, status,
       sizeof(struct gnttab_unmap_and_replace), NULL),
#undef OP
};

static long run_batch(uint64_t cmd, const struct op_desc *desc, uint64_t uop, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        guest_va at = guest_va_make(uop + i * desc->size);
        union grant_op op;
        int rc;

        if (i != 0 && hal_preempt_point())
            return hypercall_restart(__HYPERVISOR_grant_table_op, cmd, at.va, count - i, 0, 0);
        if (guest_read(&op, at, desc->size) != 0)
            return -XEN_EFAULT;
        rc = desc->run(&op);
        if (unlikely(rc == -XEN_ERESTART)) /* the same element again: it has got on */
            return hypercall_restart(__HYPERVISOR_grant_table_op, cmd, at.va, count - i, 0, 0);
        if (guest_write(guest_va_add(at, desc->out_from), (uint8_t *)&op + desc->out_from,
                        (uint64_t)desc->out_to - desc->out_from) != 0)
            return -XEN_EFAULT;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int unmap_one(uint64_t cmd, const union grant_op *op, struct grant_unmapped *u)
{
    struct domain *d = current_domain();

    if (cmd == GNTTABOP_unmap_grant_ref)
        return grant_unmap_begin(d, op->unmap.host_addr, op->unmap.dev_bus_addr, op->unmap.handle,
                                 0, u);
    if (op->replace.new_addr == 0)
        return GNTST_bad_virt_addr;
    return grant_unmap_begin(d, op->replace.host_addr, 0, op->replace.handle, op->replace.new_addr,
                             u);
}

/* Up to UNMAP_BATCH elements with one TLB flush between taking mappings out and dropping what backs
 * them (MM-5). Returns elements done, or an error. */
static long unmap_some(uint64_t cmd, uint64_t uop, uint64_t count, uint64_t size,
                       uint64_t status_at)
{
    struct grant_unmapped pending[UNMAP_BATCH];
    unsigned waiting = 0;
    uint64_t i;
    int fault = 0;

    for (i = 0; i < count && i < UNMAP_BATCH && fault == 0; i++) {
        guest_va at = guest_va_make(uop + i * size);
        union grant_op op;
        int16_t status;

        fault = guest_read(&op, at, size);
        if (fault != 0)
            break;
        status = (int16_t)unmap_one(cmd, &op, &pending[waiting]);
        if (status == GNTST_okay)
            waiting++;
        fault = guest_write_obj(guest_va_add(at, status_at), &status);
    }
    if (likely(waiting != 0)) {
        const struct domain *d = current_domain();

        if (likely(d->max_vcpus == 1)) /* which is here, and nowhere else */
            hal_tlb_flush_local();
        else
            hal_tlb_flush(domain_cpus(d));
    }
    while (waiting != 0)
        grant_unmap_finish(&pending[--waiting]);
    return fault != 0 ? fault : (long)i;
}

static long run_unmap(uint64_t cmd, const struct op_desc *desc, uint64_t uop, uint64_t count)
{
    while (count != 0) {
        long done = unmap_some(cmd, uop, count, desc->size, desc->out_from);

        if (done < 0)
            return done;
        uop += (uint64_t)done * desc->size;
        count -= (uint64_t)done;
        if (count != 0 && hal_preempt_point())
            return hypercall_restart(__HYPERVISOR_grant_table_op, cmd, uop, count, 0, 0);
    }
    return 0;
}

long hc_grant_table_op(uint64_t cmd, uint64_t uop, uint64_t count)
{
    const struct op_desc *desc;

    if ((int32_t)count < 0)
        return -XEN_EINVAL;
    count = (uint32_t)count;
    if (cmd >= ARRAY_LEN(op_table))
        return -XEN_ENOSYS;
    desc = &op_table[index_nospec(cmd, ARRAY_LEN(op_table))];
    if (desc->size == 0)
        return -XEN_ENOSYS;
    if (desc->run == NULL)
        return run_unmap(cmd, desc, uop, count);
    if (count != 1 && (cmd == GNTTABOP_setup_table || cmd == GNTTABOP_query_size ||
                       cmd == GNTTABOP_set_version || cmd == GNTTABOP_get_version))
        return -XEN_EINVAL;
    return run_batch(cmd, desc, uop, count);
}
