/* SPDX-License-Identifier: MIT */
/*
 * front.c - see front.h. Pages: the rings, a page of descriptors for each slot, then data, handed
 * out last in first out, as Linux's driver does: what was granted before is granted again.
 *
 * Invariants: requests go out in the order they were taken; a slot and its pages are somebody's
 * from the request to the answer; no answer is believed before its number was checked.
 */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#include "../common/ring.h"
#include "backend.h"
#include "memory.h"

#define MAX_ORDER 4u
#define RING_PAGES (1u << MAX_ORDER)
#define MAX_SLOTS 512u /* of a ring */
#define DESCRIPTORS (CAPTURE_MAX_QUEUES * RING_PAGES)
#define DATA (DESCRIPTORS + CAPTURE_MAX_QUEUES * MAX_SLOTS)

struct slot {
    uint64_t request; /* its number; meaningful while busy */
    bool busy;
    unsigned nr_pages;
    uint32_t page[CAPTURE_MAX_SEGMENTS];
};

struct front {
    struct pace *p;
    bool skip_writes;

    unsigned order, indirect; /* segments; 0: none */
    blkif_front_ring_t ring[CAPTURE_MAX_QUEUES];
    struct slot *slots; /* nr_queues rings' worth */
    uint32_t *slot_of;  /* of a request under way */
    uint32_t *free_pages;
    unsigned nr_free;
};

bool front_writes(const struct cap_request *q)
{
    return q->r.op == BLKIF_OP_WRITE || q->r.op == BLKIF_OP_DISCARD ||
           (q->r.op == BLKIF_OP_WRITE_BARRIER && q->r.nr_segments);
}

bool front_refused(const struct cap_request *q)
{
    return q->r.flags & CAPTURE_REFUSED;
}

static bool left_out(const struct front *f, size_t i)
{
    const struct cap_request *q = &f->p->cap->requests[i];

    return front_refused(q) || (f->skip_writes && front_writes(q));
}

/* ---- connecting ---- */

static unsigned number(const struct channel_msg *m, const char *key, unsigned max)
{
    uint64_t v = 0;

    channel_get_u64(m, key, max, &v);
    return (unsigned)v;
}

static unsigned at_most(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* As many rings of such a size as then, if this backend has them. */
static int choose(struct front *f, const struct channel_msg *back)
{
    unsigned queues = number(back, "multi-queue-max-queues", CAPTURE_MAX_QUEUES);
    unsigned order = number(back, "max-ring-page-order", MAX_ORDER);

    /* By the requests: the head may be of another life of the guest. */
    f->p->nr_queues = at_most(cap_queues(f->p->cap), queues ? queues : 1);
    while (f->order < order &&
           __CONST_RING_SIZE(blkif, 4096u << f->order) < f->p->cap->head.ring_slots) {
        f->order++;
    }
    f->indirect = number(back, "feature-max-indirect-segments", CAPTURE_MAX_SEGMENTS);
    for (size_t i = 0; i < f->p->cap->nr; i++) {
        const struct cap_request *q = &f->p->cap->requests[i];

        if (q->r.nr_segments > f->indirect && (q->r.flags & CAPTURE_INDIRECT) && !left_out(f, i)) {
            return pace_fail(f->p, -EINVAL,
                             "request %zu has %u segments and this backend takes %u (indirect=)", i,
                             q->r.nr_segments, f->indirect);
        }
    }
    return 0;
}

static void add_rings(struct front *f, unsigned queue, const char *prefix, struct channel_msg *m)
{
    blkif_sring_t *shared = (blkif_sring_t *)memory_page(queue * RING_PAGES);
    char key[CHANNEL_KEY_MAX];

    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&f->ring[queue], shared, 4096u << f->order);
    for (unsigned i = 0; i < 1u << f->order; i++) {
        if (f->order) {
            snprintf(key, sizeof(key), "%sring-ref%u", prefix, i);
        } else {
            snprintf(key, sizeof(key), "%sring-ref", prefix);
        }
        channel_addf(m, key, "%u", queue * RING_PAGES + i);
    }
}

static int allocate(struct front *f)
{
    unsigned nr_slots = f->p->nr_queues * __CONST_RING_SIZE(blkif, 4096u << f->order);

    f->slots = calloc(nr_slots, sizeof(*f->slots));
    f->slot_of = calloc(f->p->cap->nr + 1, sizeof(*f->slot_of));
    f->free_pages = calloc(MEMORY_PAGES, sizeof(*f->free_pages));
    if (!f->slots || !f->slot_of || !f->free_pages) {
        return pace_fail(f->p, -ENOMEM, "out of memory");
    }
    for (uint32_t page = MEMORY_PAGES; page-- > DATA;) {
        f->free_pages[f->nr_free++] = page;
    }
    return 0;
}

static int connect_rings(struct front *f, const struct channel_msg *back, struct channel_msg *m)
{
    int rc = choose(f, back);

    channel_addf(m, "state", "%u", XenbusStateInitialised);
    channel_add(m, "protocol", "x86_64-abi");
    channel_add(m, "feature-persistent", "1");
    if (f->order) {
        channel_addf(m, "ring-page-order", "%u", f->order);
    }
    return rc ? rc : allocate(f);
}

/* ---- a request ---- */

static struct slot *free_slot(struct front *f, unsigned queue, unsigned *number_of)
{
    unsigned size = RING_SIZE(&f->ring[queue]);

    for (unsigned i = 0; i < size; i++) {
        if (!f->slots[queue * size + i].busy) {
            *number_of = queue * size + i;
            return &f->slots[*number_of];
        }
    }
    return NULL;
}

/* Written data is what happens to be in the pages: captures hold none. */
static void fill_segments(const struct cap_request *q, const struct slot *s,
                          struct blkif_request_segment *to)
{
    for (unsigned i = 0; i < q->r.nr_segments; i++) {
        to[i] = (struct blkif_request_segment){
            .gref = s->page[i],
            .first_sect = q->segments[2 * i],
            .last_sect = q->segments[2 * i + 1],
        };
    }
}

static void fill_indirect(const struct cap_request *q, const struct slot *s, uint32_t table,
                          void *to)
{
    blkif_request_indirect_t ind = {
        .operation = BLKIF_OP_INDIRECT,
        .indirect_op = q->r.op,
        .nr_segments = q->r.nr_segments,
        .id = s->request,
        .sector_number = q->r.sector,
        .indirect_grefs = {table},
    };

    fill_segments(q, s, (struct blkif_request_segment *)(void *)memory_page(table));
    memcpy(to, &ind, sizeof(ind));
}

static void fill_discard(const struct cap_request *q, const struct slot *s, void *to)
{
    blkif_request_discard_t d = {
        .operation = BLKIF_OP_DISCARD,
        .id = s->request,
        .sector_number = q->r.sector,
        .nr_sectors = q->r.nr_sectors,
    };

    memcpy(to, &d, sizeof(d));
}

static void fill_request(const struct cap_request *q, const struct slot *s, uint32_t table,
                         blkif_request_t *to)
{
    if (q->r.flags & CAPTURE_INDIRECT) {
        fill_indirect(q, s, table, to);
    } else if (q->r.op == BLKIF_OP_DISCARD) {
        fill_discard(q, s, to);
    } else {
        to->operation = q->r.op;
        to->nr_segments = (uint8_t)q->r.nr_segments;
        to->id = s->request;
        to->sector_number = q->r.sector;
        fill_segments(q, s, to->seg);
    }
}

/* False: no room for it now. */
static bool send(struct front *f, size_t i)
{
    const struct cap_request *q = &f->p->cap->requests[i];
    unsigned queue = q->r.queue % f->p->nr_queues, at;
    blkif_front_ring_t *ring = &f->ring[queue];
    struct slot *s = RING_FULL(ring) ? NULL : free_slot(f, queue, &at);

    if (!s || f->nr_free < q->r.nr_segments) {
        return false;
    }
    s->busy = true;
    s->request = i;
    s->nr_pages = q->r.nr_segments;
    for (unsigned k = 0; k < s->nr_pages; k++) {
        s->page[k] = f->free_pages[--f->nr_free];
    }
    f->slot_of[i] = at;
    memset(RING_GET_REQUEST(ring, ring->req_prod_pvt), 0, sizeof(blkif_request_t));
    fill_request(q, s, DESCRIPTORS + at, RING_GET_REQUEST(ring, ring->req_prod_pvt));
    ring->req_prod_pvt++;
    return true;
}

static void push(struct front *f)
{
    int notify;

    for (unsigned i = 0; i < f->p->nr_queues; i++) {
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&f->ring[i], notify);
        if (notify) {
            memory_notify(i + 1);
        }
    }
}

/* ---- answers ---- */

static int take_answer(struct front *f, const blkif_response_t *rsp)
{
    const struct cap_request *q;
    struct slot *s;

    if (rsp->id >= f->p->next) {
        return pace_fail(f->p, -EPROTO, "an answer to request %llu, which was not asked for",
                         (unsigned long long)rsp->id);
    }
    q = &f->p->cap->requests[rsp->id];
    s = &f->slots[f->slot_of[rsp->id]];
    if (!s->busy || s->request != rsp->id) {
        return pace_fail(f->p, -EPROTO, "a second answer to request %llu",
                         (unsigned long long)rsp->id);
    }
    pace_answered(f->p, rsp->status != q->r.status);
    while (s->nr_pages) {
        f->free_pages[f->nr_free++] = s->page[--s->nr_pages];
    }
    s->busy = false;
    return 0;
}

/* The number of answers, or -errno. */
static int take_answers(struct front *f, unsigned queue)
{
    blkif_front_ring_t *ring = &f->ring[queue];
    int more, n = 0;

    do {
        RING_IDX end = ring_producer(&ring->sring->rsp_prod);

        for (; ring->rsp_cons != end; n++) {
            blkif_response_t rsp;
            int rc;

            RING_COPY_RESPONSE(ring, ring->rsp_cons, &rsp);
            ring->rsp_cons++;
            rc = take_answer(f, &rsp);
            if (rc) {
                return rc;
            }
        }
        RING_FINAL_CHECK_FOR_RESPONSES(ring, more);
    } while (more);
    return n;
}

static const struct pace_ops ops = {
    .what = "requests",
    .lost_s = 120,
    .connect = connect_rings,
    .add_rings = add_rings,
    .left_out = left_out,
    .send = send,
    .push = push,
    .take_answers = take_answers,
};

int front_replay(struct pace *p, bool skip_writes)
{
    struct front f = {.p = p, .skip_writes = skip_writes};
    int rc;

    p->ops = &ops;
    rc = pace_run(p, &f);
    free(f.slots);
    free(f.slot_of);
    free(f.free_pages);
    return rc;
}
