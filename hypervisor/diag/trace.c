/* SPDX-License-Identifier: MIT */
/*
 * The trace rings (account.h): one per CPU, written by its CPU alone, the oldest record
 * overwritten.
 *
 * `next` counts all records ever written; record i lies in slot i mod size. A reader on another CPU
 * copies, then looks at `next` again: what may have been overwritten meanwhile is lost.
 *
 * A ring appears in c->trace when tracing begins and is given back by its own CPU when it ends, so
 * the writer needs no lock. trace_lock keeps readers and the end apart.
 */
#include <tenue/account.h>

#include <tenue/vcpu.h>

#include "lib.h"

#define CHUNK 32u

STATIC_ASSERT(trace_record_size, sizeof(struct tenue_trace_record) == 16);

static struct spinlock trace_lock = SPINLOCK_INIT(RANK_TRACE);

void trace_put(const struct vcpu *v, ns_t now, unsigned event, uint32_t arg)
{
    struct trace_ring *r = this_cpu()->trace;

    if (r->domid != TENUE_TRACE_ALL && r->domid != v->domain->domid)
        return;
    r->slots[r->next & r->mask] = (struct tenue_trace_record){
        .ns = now,
        .domid = v->domain->domid,
        .vcpu = (uint8_t)v->id,
        .event = (uint8_t)event,
        .arg = arg,
    };
    __atomic_store_n(&r->next, r->next + 1, __ATOMIC_RELEASE);
}

/* --- beginning and end --- */

static void ring_free(struct trace_ring *r)
{
    if (r->slots)
        hv_free_pages((void *)r->slots, r->order);
    hv_free_page(r);
}

static struct trace_ring *ring_new(uint32_t records, uint32_t domid)
{
    struct trace_ring *r = hv_alloc_page();

    if (!r)
        return NULL;
    while (PAGE_SIZE << r->order < records * sizeof(*r->slots))
        r->order++;
    r->mask = (uint32_t)((PAGE_SIZE << r->order) / sizeof(*r->slots)) - 1;
    r->domid = domid;
    r->slots = hv_alloc_pages(r->order);
    if (!r->slots) {
        ring_free(r);
        return NULL;
    }
    return r;
}

static bool any_ring(void)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (cpus[cpu]->trace)
            return true;
    return false;
}

int trace_begin(uint32_t records, uint32_t domid)
{
    struct trace_ring *rings[MAX_CPUS];
    unsigned made = 0;

    if (records == 0 || records > TENUE_TRACE_RECORDS_MAX ||
        (domid != TENUE_TRACE_ALL && domid >= DOMID_FIRST_RESERVED))
        return -XEN_EINVAL;
    if (any_ring())
        return -XEN_EBUSY;
    while (made < cpu_count && (rings[made] = ring_new(records, domid)) != NULL)
        made++;
    if (made < cpu_count) {
        while (made--)
            ring_free(rings[made]);
        return -XEN_ENOMEM;
    }
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        cpus[cpu]->trace = rings[cpu];
    return 0;
}

void trace_follow(bool on)
{
    struct cpu *c = this_cpu();
    struct trace_ring *r = c->trace;

    if (on || !r)
        return;
    spin_lock(&trace_lock);
    c->trace = NULL;
    spin_unlock(&trace_lock);
    ring_free(r);
}

/* --- reading --- */

/* Up to room records from *next on, which still are what they were: how many; skips lost ones. */
static uint32_t copy_chunk(const struct trace_ring *r, uint64_t *next, uint64_t *lost,
                           struct tenue_trace_record *to, uint32_t room)
{
    const uint64_t slots = (uint64_t)r->mask + 1;
    uint64_t end = __atomic_load_n(&r->next, __ATOMIC_ACQUIRE), first, skip;
    uint32_t n;

    *next = MIN(*next, end);
    first = end > slots - 1 ? end - (slots - 1) : 0; /* the slot after the last is being written */
    if (*next < first) {
        *lost += first - *next;
        *next = first;
    }
    n = (uint32_t)MIN(end - *next, (uint64_t)room);
    for (uint32_t i = 0; i < n; i++)
        to[i] = r->slots[(*next + i) & r->mask];
    barrier();
    end = __atomic_load_n(&r->next, __ATOMIC_ACQUIRE);
    first = end > slots - 1 ? end - (slots - 1) : 0;
    skip = first > *next ? MIN(first - *next, (uint64_t)n) : 0;
    memmove(to, to + skip, (n - skip) * sizeof(*to));
    *lost += skip;
    *next += n;
    return n - (uint32_t)skip;
}

static uint32_t next_chunk(unsigned cpu, struct tenue_op_trace *op, struct tenue_trace_record *to,
                           uint32_t room, bool *there)
{
    const struct trace_ring *r;
    uint32_t n = 0;

    spin_lock(&trace_lock);
    r = cpus[cpu]->trace;
    *there = r != NULL;
    if (r)
        n = copy_chunk(r, &op->next, &op->lost, to, room);
    spin_unlock(&trace_lock);
    return n;
}

int trace_read(struct tenue_op_trace *op)
{
    const uint32_t room = MIN(op->count, TENUE_TRACE_READ_MAX);
    struct tenue_trace_record chunk[CHUNK];
    uint32_t done = 0, n;

    if (op->cpu >= cpu_count)
        return -XEN_EINVAL;
    op->lost = 0;
    do {
        bool there;

        n = next_chunk((unsigned)index_nospec(op->cpu, MAX_CPUS), op, chunk,
                       MIN(room - done, CHUNK), &there);
        if (!there)
            return -XEN_ENODATA;
        if (guest_write(guest_va_make(op->records + done * sizeof(*chunk)), chunk,
                        n * sizeof(*chunk)))
            return -XEN_EFAULT;
        done += n;
    } while (n && done < room);
    op->count = done;
    return 0;
}
