/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_exchange: give frames, get as many others that are contiguous and low enough for a device
 * (contract 6.6).
 *
 * Works in chunks: the smallest number of frames that is whole extents on both sides. A chunk is
 * done wholly or not at all: frames are stolen one by one from exactly "mine, unused elsewhere"
 * (MM-11), then either the same frames are handed back in new roles - when they already are one
 * suitable block - or new blocks take their place and the old frames are freed. Stolen frames
 * are on a private chain through page->next and belong to nobody meanwhile. The domain's total
 * never changes. nr_exchanged, written after every chunk, is where a restarted call continues; it
 * is checked like any other argument (MM-20).
 */
#include <tenue/hypercall.h>
#include <tenue/m2p.h>

#include "memory_priv.h"
#include "page_priv.h"

struct exchange {
    struct domain *d;
    const struct xen_memory_exchange *op;
    unsigned in_order, out_order, chunk_order, addr_bits;
};

/* --- the private chain --- */

static void chain_push(uint32_t *chain, mfn_t m)
{
    page_of(m)->next = *chain;
    *chain = (uint32_t)m.n;
}

static mfn_t chain_pop(uint32_t *chain)
{
    const mfn_t m = mfn_make(*chain);

    *chain = page_of(m)->next;
    return m;
}

/* Steal the frames of chunk c. *first is the lowest, *block whether they are one run, ascending. */
static int steal_chunk(const struct exchange *x, uint64_t c, uint32_t *chain, mfn_t *first,
                       bool *block)
{
    const uint64_t extents = 1ull << (x->chunk_order - x->in_order);
    uint64_t n = 0;

    *chain = 0;
    *block = true;
    for (uint64_t e = 0; e < extents; e++) {
        xen_pfn_t base;

        if (guest_read_elem(&base, guest_va_of(x->op->in.extent_start), c * extents + e,
                            sizeof(base)) != 0)
            return -XEN_EFAULT;
        for (uint64_t k = 0; k < 1ull << x->in_order; k++, n++) {
            const mfn_t m = mfn_make(base + k);
            int rc;

            if (n == 0)
                *first = m;
            *block = *block && m.n == first->n + n;
            rc = domain_steal_frame(x->d, m);
            if (rc)
                return rc;
            chain_push(chain, m);
        }
    }
    return 0;
}

/* Are the stolen frames what the caller wants already? */
static bool block_suits(const struct exchange *x, mfn_t first)
{
    const uint64_t frames = 1ull << x->chunk_order;

    if (first.n & ((1ull << x->out_order) - 1) || x->addr_bits <= PAGE_SHIFT)
        return false;
    return x->addr_bits >= 64 || (first.n + frames - 1) >> (x->addr_bits - PAGE_SHIFT) == 0;
}

/* --- new frames --- */

/* Blocks for the whole chunk, all or nothing, chained by extent heads. */
static int take_blocks(const struct exchange *x, uint32_t *heads)
{
    const uint64_t extents = 1ull << (x->chunk_order - x->out_order);

    *heads = 0;
    for (uint64_t e = 0; e < extents; e++) {
        struct page *pg = heap_alloc(x->out_order, x->addr_bits);

        if (!pg) {
            while (*heads)
                heap_free(page_of(chain_pop(heads)), x->out_order);
            return -XEN_ENOMEM;
        }
        frames_clear(pg, x->out_order, CLEAR_BATCH);
        chain_push(heads, page_mfn(pg));
        hal_take_interrupts();
    }
    return 0;
}

/* The stolen frames are a suitable block: they are what the guest gets. */
static void keep_block(const struct exchange *x, mfn_t first, uint32_t *heads, uint32_t *chain)
{
    *heads = *chain = 0;
    for (uint64_t e = 1ull << (x->chunk_order - x->out_order); e; e--)
        chain_push(heads, mfn_add(first, (e - 1) << x->out_order));
}

/* Tell the guest: extent `index` of the output is the block at m, which takes the pfns named there.
 */
static int announce_extent(const struct exchange *x, uint64_t index, mfn_t m)
{
    xen_pfn_t pfn, out = m.n;

    if (guest_read_elem(&pfn, guest_va_of(x->op->out.extent_start), index, sizeof(pfn)) != 0)
        return -XEN_EFAULT;
    m2p_set_block(m, pfn, 1ull << x->out_order);
    return guest_write_elem(guest_va_of(x->op->out.extent_start), index, &out, sizeof(out));
}

/* The frames change hands whatever happens to the announcement: the first error is reported. */
static int adopt_blocks(const struct exchange *x, uint64_t c, uint32_t heads)
{
    uint64_t index = c << (x->chunk_order - x->out_order);
    int first_rc = 0;

    for (; heads; index++) {
        const mfn_t m = chain_pop(&heads);
        int rc = announce_extent(x, index, m);

        if (!first_rc)
            first_rc = rc;
        hal_take_interrupts();
        for (uint64_t k = 0; k < 1ull << x->out_order; k++)
            domain_return_frame(x->d, mfn_add(m, k));
    }
    return first_rc;
}

static int exchange_chunk(const struct exchange *x, uint64_t c)
{
    uint32_t chain, heads;
    mfn_t first;
    bool block;
    int rc = steal_chunk(x, c, &chain, &first, &block);

    hal_take_interrupts();
    if (rc == 0 && block && block_suits(x, first))
        keep_block(x, first, &heads, &chain);
    else if (rc == 0)
        rc = take_blocks(x, &heads);
    if (rc) {
        while (chain)
            domain_return_frame(x->d, chain_pop(&chain));
        return rc;
    }
    rc = adopt_blocks(x, c, heads);
    hal_take_interrupts();
    for (uint32_t m = chain; m; m = page_of(mfn_make(m))->next)
        m2p_clear(mfn_make(m));
    heap_free_chain(chain);
    return rc;
}

/* --- the operation --- */

static int exchange_check(const struct xen_memory_exchange *op)
{
    const unsigned in = op->in.extent_order, out = op->out.extent_order;

    if (op->in.domid != op->out.domid || in > MEMORY_ORDER_MAX || out > MEMORY_ORDER_MAX)
        return -XEN_EINVAL;
    if (op->in.nr_extents > ~0ull >> (MEMORY_ORDER_MAX + 4) ||
        op->out.nr_extents > ~0ull >> (MEMORY_ORDER_MAX + 4) ||
        op->in.nr_extents << in != op->out.nr_extents << out)
        return -XEN_EINVAL;
    /* Whole chunks only, also for where a restarted call continues. */
    if (out > in && (op->in.nr_extents | op->nr_exchanged) & ((1ull << (out - in)) - 1))
        return -XEN_EINVAL;
    return op->nr_exchanged > op->in.nr_extents ? -XEN_EINVAL : 0;
}

long memory_exchange(guest_va arg)
{
    struct xen_memory_exchange op;
    struct exchange x;
    unsigned shift;
    int rc;

    if (guest_read_obj(&op, arg) != 0)
        return -XEN_EFAULT;
    rc = exchange_check(&op);
    if (rc == 0)
        rc = domain_get_permitted(op.in.domid, &x.d);
    if (rc)
        return rc;
    x.op = &op;
    x.in_order = op.in.extent_order;
    x.out_order = op.out.extent_order;
    x.chunk_order = MAX(x.in_order, x.out_order);
    x.addr_bits = memory_addr_bits(op.out.mem_flags);
    shift = x.chunk_order - x.in_order;
    while (rc == 0 && op.nr_exchanged < op.in.nr_extents) {
        rc = exchange_chunk(&x, op.nr_exchanged >> shift);
        if (rc)
            break;
        op.nr_exchanged += 1ull << shift;
        if (op.nr_exchanged < op.in.nr_extents && hal_preempt_point())
            rc = -XEN_ERESTART;
    }
    domain_put(x.d);
    if (guest_write_elem(guest_va_add(arg, offsetof(struct xen_memory_exchange, nr_exchanged)), 0,
                         &op.nr_exchanged, sizeof(op.nr_exchanged)) != 0)
        return -XEN_EFAULT;
    if (rc == -XEN_ERESTART)
        return hypercall_restart(__HYPERVISOR_memory_op, XENMEM_exchange, arg.va, 0, 0, 0);
    return rc;
}
