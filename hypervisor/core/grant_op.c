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

static int op_setup(union grant_op *u)
{
    struct gnttab_setup_table *op = &u->setup;
    struct domain *d = subject(op->dom, &op->status);
    int rc;

    if (d == NULL)
        return 0;
    rc = grant_table_frames(d, 0, op->nr_frames, guest_va_of(op->frame_list));
    domain_put(d);
    if (rc != -XEN_EINVAL && rc != -XEN_ENOMEM)
        return rc;
    op->status = GNTST_general_error;
    return 0;
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

/* One side of a copy: somebody's entry, or without a granter a frame of the caller's own. */
static inline __attribute__((always_inline)) int
copy_side_get(const struct gnttab_copy_ptr *p, bool by_ref, bool readonly, struct grant_use *side)
{
    const struct domain *self = current_domain();
    int rc;

    *side = (struct grant_use){.readonly = readonly};
    if (!by_ref) {
        if (p->domid != DOMID_SELF)
            return GNTST_permission_denied;
        side->frame = mfn_make(p->u.gmfn);
        return grant_frame_get(self, side->frame, readonly);
    }
    side->granter = domain_get_or_self(p->domid);
    if (side->granter == NULL)
        return GNTST_bad_domain;
    side->ref = p->u.ref;
    rc = grant_hold(side, self->domid);
    if (rc != GNTST_okay)
        domain_put(side->granter);
    return rc;
}

static inline __attribute__((always_inline)) void copy_side_put(const struct grant_use *side)
{
    if (side->granter == NULL) {
        grant_frame_put(side->frame, side->readonly);
        return;
    }
    grant_release(side);
    domain_put(side->granter);
}

static inline int copy_one(const struct gnttab_copy *op)
{
    struct grant_use from, to;
    int rc;

    if (op->source.offset + (uint32_t)op->len > PAGE_SIZE ||
        op->dest.offset + (uint32_t)op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    rc = copy_side_get(&op->source, op->flags & GNTCOPY_source_gref, true, &from);
    if (rc != GNTST_okay)
        return rc;
    rc = copy_side_get(&op->dest, op->flags & GNTCOPY_dest_gref, false, &to);
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

static const struct op_desc {
    int (*run)(union grant_op *op); /* 0, or an error that ends the batch; NULL: op_unmap() */
    uint8_t size, out_from;         /* bytes: element; from where it is written back */
} op_table[] = {
#define OP(cmd, type, first_out, fn)                                                               \
    [cmd] = {fn, sizeof(struct type), offsetof(struct type, first_out)}
    OP(GNTTABOP_map_grant_ref, gnttab_map_grant_ref, status, op_map),
    OP(GNTTABOP_setup_table, gnttab_setup_table, status, op_setup),
    OP(GNTTABOP_copy, gnttab_copy, status, op_copy),
    OP(GNTTABOP_query_size, gnttab_query_size, nr_frames, op_query),
    OP(GNTTABOP_set_version, gnttab_set_version, version, op_set_version),
    OP(GNTTABOP_get_version, gnttab_get_version, version, op_get_version),
    OP(GNTTABOP_unmap_grant_ref, gnttab_unmap_grant_ref, status, NULL),
    OP(GNTTABOP_unmap_and_replace, gnttab_unmap_and_replace, status, NULL),
#undef OP
    [GNTTABOP_cache_flush] = {op_cache_flush, sizeof(struct gnttab_cache_flush),
                              sizeof(struct gnttab_cache_flush)}, /* nothing */
};

/* What an unmap took out of the tables waits for a TLB flush that several of them share (MM-5). */
struct unmapped {
    unsigned count;
    struct grant_use uses[UNMAP_BATCH];
};

static void op_unmap(uint32_t cmd, union grant_op *op, struct unmapped *waiting)
{
    struct domain *d = current_domain();
    struct grant_use *u = &waiting->uses[waiting->count];
    int16_t *status = &op->unmap.status;

    if (cmd == GNTTABOP_unmap_grant_ref) {
        *status = (int16_t)grant_unmap_begin(d, op->unmap.host_addr, op->unmap.dev_bus_addr,
                                             op->unmap.handle, 0, u);
    } else {
        status = &op->replace.status;
        *status = (int16_t)grant_unmap_begin(d, op->replace.host_addr, 0, op->replace.handle,
                                             op->replace.new_addr, u);
    }
    waiting->count += *status == GNTST_okay;
}

static inline void finish_unmaps(struct unmapped *waiting)
{
    const struct domain *d = current_domain();

    if (waiting->count == 0)
        return;
    if (likely(d->max_vcpus == 1)) /* which is here, and nowhere else */
        hal_tlb_flush_local();
    else
        hal_tlb_flush(domain_cpus(d));
    while (waiting->count != 0)
        grant_unmap_finish(&waiting->uses[--waiting->count]);
}

/* The whole list's range has been checked. */
static long run_batch(uint32_t cmd, uint64_t at, uint32_t count, const struct op_desc *desc)
{
    struct unmapped waiting;
    long rc = 0;

    waiting.count = 0;
    while (rc == 0) {
        union grant_op op;

        if (hal_copy_from_guest(&op, at, desc->size) != 0) {
            rc = -XEN_EFAULT;
            break;
        }
        if (desc->run != NULL)
            rc = desc->run(&op);
        else
            op_unmap(cmd, &op, &waiting);
        if (unlikely(rc == -XEN_ERESTART)) /* the same element again: it has got on */
            return hypercall_restart(__HYPERVISOR_grant_table_op, cmd, at, count, 0, 0);
        if (hal_copy_to_guest(at + desc->out_from, (uint8_t *)&op + desc->out_from,
                              (uint64_t)desc->size - desc->out_from) != 0)
            rc = -XEN_EFAULT;
        at += desc->size;
        if (--count == 0)
            break;
        if (count % UNMAP_BATCH == 0)
            finish_unmaps(&waiting);
        if (waiting.count == 0 && rc == 0 && hal_preempt_point())
            return hypercall_restart(__HYPERVISOR_grant_table_op, cmd, at, count, 0, 0);
    }
    finish_unmaps(&waiting);
    return rc;
}

long hc_grant_table_op(uint32_t cmd, uint64_t uop, uint32_t count)
{
    const struct op_desc *desc;

    if ((int32_t)count < 0)
        return -XEN_EINVAL;
    if (cmd >= ARRAY_LEN(op_table))
        return -XEN_ENOSYS;
    desc = &op_table[index_nospec(cmd, ARRAY_LEN(op_table))];
    if (desc->size == 0)
        return -XEN_ENOSYS;
    if (count != 1 && (cmd == GNTTABOP_setup_table || cmd == GNTTABOP_query_size ||
                       cmd == GNTTABOP_set_version || cmd == GNTTABOP_get_version))
        return -XEN_EINVAL;
    if (!guest_range_ok(guest_va_make(uop), (uint64_t)count * desc->size))
        return -XEN_EFAULT;
    return count != 0 ? run_batch(cmd, uop, count, desc) : 0;
}
