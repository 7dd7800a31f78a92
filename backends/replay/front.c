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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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
#define LOST_S 120u /* without an answer */

struct slot {
    uint64_t request; /* its number; meaningful while busy */
    bool busy;
    unsigned nr_pages;
    uint32_t page[CAPTURE_MAX_SEGMENTS];
};

struct front {
    const struct capfile *cap;
    const struct front_options *opt;
    struct front_result *res;
    char *err;
    size_t err_len;

    unsigned nr_queues, order, indirect; /* segments; 0: none */
    blkif_front_ring_t ring[CAPTURE_MAX_QUEUES];
    struct slot *slots; /* nr_queues rings' worth */
    uint32_t *slot_of;  /* of a request under way */
    uint32_t *free_pages;
    unsigned nr_free;
    size_t next; /* request to go out */
    unsigned under_way;
    uint64_t begun, heard; /* ns */
};

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

__attribute__((format(printf, 3, 4))) static int fail(struct front *f, int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(f->err, f->err_len, fmt, ap);
    va_end(ap);
    return rc;
}

bool front_writes(const struct cap_request *q)
{
    return q->r.op == BLKIF_OP_WRITE || q->r.op == BLKIF_OP_DISCARD ||
           (q->r.op == BLKIF_OP_WRITE_BARRIER && q->r.nr_segments);
}

bool front_refused(const struct cap_request *q)
{
    return q->r.flags & CAPTURE_REFUSED;
}

static bool left_out(const struct front *f, const struct cap_request *q)
{
    return front_refused(q) || (f->opt->skip_writes && front_writes(q));
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

    for (size_t i = 0; i < f->cap->nr; i++) { /* the head may be of another life of the guest */
        if (f->cap->requests[i].r.queue >= f->nr_queues) {
            f->nr_queues = f->cap->requests[i].r.queue + 1u;
        }
    }
    f->nr_queues = at_most(f->nr_queues, queues ? queues : 1);
    while (f->order < order &&
           __CONST_RING_SIZE(blkif, 4096u << f->order) < f->cap->head.ring_slots) {
        f->order++;
    }
    f->indirect = number(back, "feature-max-indirect-segments", CAPTURE_MAX_SEGMENTS);
    for (size_t i = 0; i < f->cap->nr; i++) {
        const struct cap_request *q = &f->cap->requests[i];

        if (q->r.nr_segments > f->indirect && (q->r.flags & CAPTURE_INDIRECT) && !left_out(f, q)) {
            return fail(f, -EINVAL,
                        "request %zu has %u segments and this backend takes %u (indirect=)", i,
                        q->r.nr_segments, f->indirect);
        }
    }
    return 0;
}

static void add_ring(struct front *f, unsigned queue, struct channel_msg *m)
{
    blkif_sring_t *shared = (blkif_sring_t *)memory_page(queue * RING_PAGES);
    char key[CHANNEL_KEY_MAX], prefix[16] = "";

    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&f->ring[queue], shared, 4096u << f->order);
    if (f->nr_queues > 1) {
        snprintf(prefix, sizeof(prefix), "queue-%u/", queue);
    }
    snprintf(key, sizeof(key), "%sevent-channel", prefix);
    channel_addf(m, key, "%u", queue + 1);
    for (unsigned i = 0; i < 1u << f->order; i++) {
        if (f->order) {
            snprintf(key, sizeof(key), "%sring-ref%u", prefix, i);
        } else {
            snprintf(key, sizeof(key), "%sring-ref", prefix);
        }
        channel_addf(m, key, "%u", queue * RING_PAGES + i);
    }
}

static int connect_rings(struct front *f)
{
    struct channel_msg m;
    int rc = backend_say_state(f->opt->host, XenbusStateInitialising, f->err, f->err_len);

    rc = rc ? rc : backend_await(f->opt->host, XenbusStateInitWait, &m, f->err, f->err_len);
    rc = rc ? rc : choose(f, &m);
    if (rc) {
        return rc;
    }
    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", XenbusStateInitialised);
    channel_add(&m, "protocol", "x86_64-abi");
    channel_add(&m, "feature-persistent", "1");
    if (f->order) {
        channel_addf(&m, "ring-page-order", "%u", f->order);
    }
    if (f->nr_queues > 1) {
        channel_addf(&m, "multi-queue-num-queues", "%u", f->nr_queues);
    }
    for (unsigned i = 0; i < f->nr_queues; i++) {
        add_ring(f, i, &m);
    }
    rc = backend_say(f->opt->host, &m, f->err, f->err_len);
    return rc ? rc : backend_await(f->opt->host, XenbusStateConnected, &m, f->err, f->err_len);
}

static int allocate(struct front *f)
{
    unsigned nr_slots = f->nr_queues * RING_SIZE(&f->ring[0]);

    f->slots = calloc(nr_slots, sizeof(*f->slots));
    f->slot_of = calloc(f->cap->nr + 1, sizeof(*f->slot_of));
    f->free_pages = calloc(MEMORY_PAGES, sizeof(*f->free_pages));
    if (!f->slots || !f->slot_of || !f->free_pages) {
        return fail(f, -ENOMEM, "out of memory");
    }
    for (uint32_t page = MEMORY_PAGES; page-- > DATA;) {
        f->free_pages[f->nr_free++] = page;
    }
    return 0;
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
static bool send(struct front *f, const struct cap_request *q)
{
    unsigned queue = q->r.queue % f->nr_queues, at;
    blkif_front_ring_t *ring = &f->ring[queue];
    struct slot *s = RING_FULL(ring) ? NULL : free_slot(f, queue, &at);

    if (!s || f->nr_free < q->r.nr_segments) {
        return false;
    }
    s->busy = true;
    s->request = f->next;
    s->nr_pages = q->r.nr_segments;
    for (unsigned i = 0; i < s->nr_pages; i++) {
        s->page[i] = f->free_pages[--f->nr_free];
    }
    f->slot_of[f->next] = at;
    memset(RING_GET_REQUEST(ring, ring->req_prod_pvt), 0, sizeof(blkif_request_t));
    fill_request(q, s, DESCRIPTORS + at, RING_GET_REQUEST(ring, ring->req_prod_pvt));
    ring->req_prod_pvt++;
    f->under_way++;
    return true;
}

static bool due(const struct front *f, const struct cap_request *q, uint64_t at)
{
    if (f->opt->fast) {
        return f->under_way < q->depth;
    }
    return at - f->begun >= q->r.taken - f->cap->requests[0].r.taken;
}

static void send_due(struct front *f)
{
    uint64_t at = now();
    int notify;

    while (f->next < f->cap->nr) {
        const struct cap_request *q = &f->cap->requests[f->next];

        if (left_out(f, q)) {
            f->res->skipped++;
        } else if (!due(f, q, at) || !send(f, q)) {
            break;
        }
        f->next++;
    }
    for (unsigned i = 0; i < f->nr_queues; i++) {
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

    if (rsp->id >= f->next) {
        return fail(f, -EPROTO, "an answer to request %llu, which was not asked for",
                    (unsigned long long)rsp->id);
    }
    q = &f->cap->requests[rsp->id];
    s = &f->slots[f->slot_of[rsp->id]];
    if (!s->busy || s->request != rsp->id) {
        return fail(f, -EPROTO, "a second answer to request %llu", (unsigned long long)rsp->id);
    }
    f->res->differ += rsp->status != q->r.status;
    f->res->done++;
    f->under_way--;
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

/* How long nothing can happen but by an answer. */
static uint64_t idle_ns(const struct front *f)
{
    uint64_t since = now() - f->begun, when;

    if (f->next == f->cap->nr || f->opt->fast) {
        return 1000000000;
    }
    when = f->cap->requests[f->next].r.taken - f->cap->requests[0].r.taken;
    if (when <= since) { /* it waits for room */
        return 1000000000;
    }
    return when - since < 1000000000 ? when - since : 1000000000;
}

static int run(struct front *f)
{
    f->begun = f->heard = now();
    while (f->next < f->cap->nr || f->under_way) {
        int n = 0;

        send_due(f);
        for (unsigned i = 0; n >= 0 && i < f->nr_queues; i++) {
            int got = take_answers(f, i);

            n = got < 0 ? got : n + got;
        }
        if (n < 0) {
            return n;
        }
        if (n || !f->under_way) {
            f->heard = now();
        } else if (now() - f->heard > LOST_S * 1000000000ull) {
            return fail(f, -ETIMEDOUT, "%u requests are without an answer for %u s", f->under_way,
                        LOST_S);
        }
        if (!n && (f->next < f->cap->nr || f->under_way)) {
            memory_wait(idle_ns(f));
        }
    }
    f->res->ns = now() - f->begun;
    return 0;
}

int front_replay(const struct capfile *c, const struct front_options *o, struct front_result *r,
                 char *err, size_t err_len)
{
    struct front f = {.cap = c, .opt = o, .res = r, .err = err, .err_len = err_len};
    struct channel_msg m;
    int rc;

    memset(r, 0, sizeof(*r));
    f.nr_queues = 1;
    rc = connect_rings(&f);
    rc = rc ? rc : allocate(&f);
    rc = rc ? rc : run(&f);
    if (!rc) {
        rc = backend_say_state(o->host, XenbusStateClosed, err, err_len);
        rc = rc ? rc : backend_await(o->host, XenbusStateClosed, &m, err, err_len);
    }
    free(f.slots);
    free(f.slot_of);
    free(f.free_pages);
    return rc;
}
