/* SPDX-License-Identifier: MIT */
/*
 * serve.c - take requests from a ring, move their data, do them on the image, answer.
 *
 * Invariants:
 *   - a request is used only from its private, validated copy, which is its journal entry (BE-1,
 *     BE-3); nobody else writes there while this process lives;
 *   - inflight counts the struct blk_io outside the free list whose operations are queued; a
 *     connection is torn down only at zero, so a completion never meets a freed page;
 *   - `held` is a flush or barrier waiting for what came before it in its queue, or a barrier under
 *     way: while it is set nothing more is taken from that ring. A flush is issued only when no
 *     write of its queue is in flight, so it covers every write answered before it, in whatever
 *     queue; the image itself orders nothing;
 *   - what a predecessor had taken comes before anything new of the same ring, in its order.
 *     Doing it again changes nothing: the guest was not answered, so it has not relied on it.
 */
#include <errno.h>
#include <string.h>

#include "../common/log.h"
#include "capture.h"
#include "state.h"

/* ---- data between the guest's pages and the pool ---- */

static uint8_t *io_buffer(struct blkback *b, const struct blk_io *io)
{
    return b->pool.base + (size_t)io->page * GNT_PAGE;
}

/* Where each segment's page is mapped. 0, or -errno: the guest granted no such page. */
static int map_segments(struct blkback *b, struct blk_io *io)
{
    const struct request *req = &io->e->req;
    uint32_t refs[REQUEST_MAX_SEGMENTS];

    if (b->knobs.grants == GRANTS_COPY || (b->knobs.grants == GRANTS_PERSISTENT && !b->pgrants)) {
        memset(io->addr, 0, req->nr_segments * sizeof(io->addr[0]));
        return 0;
    }
    for (unsigned i = 0; i < req->nr_segments; i++) {
        refs[i] = req->seg[i].gref;
    }
    if (b->pgrants) {
        pgrants_get(b->pgrants, refs, req->nr_segments, io->addr);
        return 0;
    }
    io->mapped = gntdev_map(b->d->gnt, req->nr_segments, refs, req->op == REQUEST_READ);
    for (unsigned i = 0; io->mapped && i < req->nr_segments; i++) {
        io->addr[i] = (char *)io->mapped + (size_t)i * GNT_PAGE;
    }
    return io->mapped ? 0 : -EFAULT;
}

static void unmap_segments(struct blkback *b, struct blk_io *io)
{
    if (io->mapped) {
        gntdev_unmap(b->d->gnt, io->mapped, io->e->req.nr_segments);
        io->mapped = NULL;
    }
}

/* Sanitizers want to see each access. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define PLAIN_COPY
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define PLAIN_COPY
#endif

/*
 * Sectors, or segments' descriptors, as the kernels at both ends copy theirs. The C library's loop
 * over vector registers is no faster for a page, and leaves them to be saved at the next switch.
 */
static void copy_words(void *to, const void *from, size_t bytes)
{
#ifdef PLAIN_COPY
    memcpy(to, from, bytes);
#else
    size_t words = bytes / 8;

    __asm__ __volatile__("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#endif
}

/* Copy through mappings where there are any; one batch of grant copies for the rest. */
static int move_data(struct blkback *b, struct blk_io *io, bool to_guest)
{
    struct gnt_copy copies[REQUEST_MAX_SEGMENTS];
    unsigned nr_copies = 0;
    uint8_t *buf = io_buffer(b, io);

    for (unsigned i = 0; i < io->e->req.nr_segments; i++) {
        const struct request_segment *seg = &io->e->req.seg[i];
        uint8_t *mapped = io->addr[i];

        if (!mapped) {
            copies[nr_copies++] = (struct gnt_copy){buf, seg->gref, seg->offset, seg->bytes};
        } else if (to_guest) {
            copy_words(mapped + seg->offset, buf, seg->bytes);
        } else {
            copy_words(buf, mapped + seg->offset, seg->bytes);
        }
        buf += seg->bytes;
    }
    return nr_copies ? gntdev_copy(b->d->gnt, to_guest, copies, nr_copies, NULL) : 0;
}

static int status_of(int err)
{
    return !err ? BLKIF_RSP_OKAY : err == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
}

static void io_free(struct blk_io *io)
{
    struct queue *q = io->q;

    io->next_free = q->free_ios;
    q->free_ios = io;
}

static void count(struct blkback *b, const struct blk_io *io, int err)
{
    static const enum meter_op kinds[] = {
        [REQUEST_READ] = METER_READ,       [REQUEST_WRITE] = METER_WRITE,
        [REQUEST_BARRIER] = METER_WRITE,   [REQUEST_FLUSH] = METER_FLUSH,
        [REQUEST_DISCARD] = METER_DISCARD,
    };
    enum meter_op kind = kinds[io->e->req.op];
    struct meter_queue *m = io->q->m;

    m->bytes[kind] += request_bytes(&io->e->req);
    m->errors += err != 0;
    meter_count(&m->latency[kind], b->now_ns - io->since_ns);
}

static void record(struct blkback *b, const struct blk_io *io, int status)
{
    if (b->capture) {
        capture_request(b->capture, (unsigned)(io->q - b->queues), io->e, io->since_ns, b->now_ns,
                        status);
    }
}

/*
 * Answer, give the resources back. The connection may be going down: then nobody wants the answer.
 */
static void io_finish(struct blkback *b, struct blk_io *io, int err)
{
    struct queue *q = io->q;

    if (err && err != -EOPNOTSUPP) {
        log_line("request op %u sector %llu+%llu failed: %s", io->e->req.abi_op,
                 (unsigned long long)io->e->req.sector, (unsigned long long)io->e->req.nr_sectors,
                 strerror(-err));
    }
    count(b, io, err);
    record(b, io, status_of(err));
    pool_give(&b->pool, io->page, io->pages);
    unmap_segments(b, io);
    if (b->d->connected) {
        queue_answer(q, io->e, status_of(err));
    }
    if (q->held == io) {
        q->held = NULL;
    }
    io_free(io);
}

/* ---- operations on the image ---- */

static bool io_is_write(const struct blk_io *io)
{
    return io->stage == IO_DISCARD || (io->stage == IO_TRANSFER && io->e->req.op != REQUEST_READ);
}

static void io_queued(struct blk_io *io)
{
    io->q->inflight++;
    io->q->inflight_writes += io_is_write(io);
}

static void queue_transfer(struct blkback *b, struct blk_io *io)
{
    uint8_t *buf = io_buffer(b, io) + io->done;
    uint32_t len = (uint32_t)request_bytes(&io->e->req) - io->done;
    uint64_t offset = io->e->req.sector * REQUEST_SECTOR + io->done;

    io->stage = IO_TRANSFER;
    if (io->e->req.op == REQUEST_READ) {
        image_read(&b->img, io, buf, len, offset);
    } else {
        image_write(&b->img, io, buf, len, offset);
    }
    io_queued(io);
}

static void queue_flush(struct blkback *b, struct blk_io *io, enum io_stage stage)
{
    io->stage = stage;
    image_flush(&b->img, io);
    io_queued(io);
}

static void start_discard(struct blkback *b, struct blk_io *io)
{
    int rc;

    io->stage = IO_DISCARD;
    if (image_discard(&b->img, io, io->e->req.sector * REQUEST_SECTOR, request_bytes(&io->e->req),
                      &rc)) {
        io_queued(io);
    } else {
        io_finish(b, io, rc);
    }
}

/* A flush or barrier that had to wait, if it need not wait any longer. */
static void start_held(struct blkback *b, struct queue *q)
{
    struct blk_io *io = q->held;

    if (!io || io->stage == IO_TRANSFER || io->stage == IO_POSTFLUSH) {
        return; /* none, or a barrier already past its start */
    }
    if (io->e->req.op == REQUEST_FLUSH && !q->inflight_writes) {
        q->held = NULL; /* what follows need not wait for it */
        queue_flush(b, io, IO_FLUSH);
    } else if (io->e->req.op == REQUEST_BARRIER && !q->inflight) {
        queue_flush(b, io, IO_PREFLUSH);
    }
}

static void start_io(struct blkback *b, struct blk_io *io)
{
    int err;

    switch (io->e->req.op) {
    case REQUEST_WRITE:
    case REQUEST_BARRIER:
        err = map_segments(b, io);
        if (!err) {
            err = move_data(b, io, false);
        }
        if (err) {
            io_finish(b, io, err);
        } else if (io->e->req.op == REQUEST_WRITE) {
            queue_transfer(b, io);
        } else {
            io->stage = IO_PREFLUSH;
            io->q->held = io;
            start_held(b, io->q);
        }
        break;
    case REQUEST_READ:
        err = map_segments(b, io);
        if (err) {
            io_finish(b, io, err);
        } else {
            queue_transfer(b, io);
        }
        break;
    case REQUEST_FLUSH:
        io->stage = IO_FLUSH;
        io->q->held = io;
        start_held(b, io->q);
        break;
    case REQUEST_DISCARD:
        start_discard(b, io);
        break;
    }
}

/* ---- completions ---- */

static void transfer_done(struct blkback *b, struct blk_io *io, int res)
{
    uint32_t len = (uint32_t)request_bytes(&io->e->req);

    if (res < 0 && image_retry(&b->img, res)) {
        queue_transfer(b, io);
        return;
    }
    if (res == 0) {
        res = -EIO; /* a file that became shorter, or a device that is full */
    }
    if (res < 0) {
        io_finish(b, io, res);
        return;
    }
    io->done += (uint32_t)res;
    if (io->done < len) {
        queue_transfer(b, io);
    } else if (io->e->req.op == REQUEST_BARRIER) {
        queue_flush(b, io, IO_POSTFLUSH);
    } else if (io->e->req.op == REQUEST_READ && b->d->connected) {
        io_finish(b, io, move_data(b, io, true));
    } else {
        io_finish(b, io, 0);
    }
}

void serve_completed(struct blkback *b, struct blk_io *io, int res)
{
    struct queue *q = io->q;

    q->inflight--;
    q->inflight_writes -= io_is_write(io);
    switch (io->stage) {
    case IO_TRANSFER:
        transfer_done(b, io, res);
        break;
    case IO_PREFLUSH:
        if (res || !io->e->req.nr_segments) {
            io_finish(b, io, res);
        } else {
            queue_transfer(b, io);
        }
        break;
    case IO_POSTFLUSH:
    case IO_FLUSH:
    case IO_DISCARD:
        io_finish(b, io, res);
        break;
    }
    start_held(b, q);
}

/* ---- the ring ---- */

/* The pages that list the segments stay mapped as all others of the guest's. */
static int read_indirect(struct blkback *b, struct request *req)
{
    struct blkif_request_segment segs[REQUEST_MAX_SEGMENTS];
    struct gnt_copy copies[REQUEST_MAX_INDIRECT_PAGES];
    void *page[REQUEST_MAX_INDIRECT_PAGES] = {NULL};
    size_t left = req->nr_segments * sizeof(segs[0]);
    uint8_t *to = (uint8_t *)segs;
    unsigned nr_copies = 0;

    if (b->pgrants) {
        pgrants_get(b->pgrants, req->indirect_grefs, req->nr_indirect_pages, page);
    }
    /* Into memory of our own first: the guest may rewrite the page while we look. */
    for (unsigned i = 0; i < req->nr_indirect_pages; i++) {
        uint16_t n = (uint16_t)(left < GNT_PAGE ? left : GNT_PAGE);

        if (page[i]) {
            copy_words(to, page[i], n);
        } else {
            copies[nr_copies++] = (struct gnt_copy){to, req->indirect_grefs[i], 0, n};
        }
        to += n;
        left -= n;
    }
    if (nr_copies && gntdev_copy(b->d->gnt, false, copies, nr_copies, NULL)) {
        return BLKIF_RSP_ERROR;
    }
    return request_add_segments(req, &b->lim, segs);
}

static int decode(struct blkback *b, const blkif_request_t *raw, struct request *req)
{
    int status = request_decode(raw, &b->lim, req);

    if (status == BLKIF_RSP_OKAY && req->nr_indirect_pages) {
        status = read_indirect(b, req);
    }
    return status;
}

/* Resources for a request whose entry is complete. False: there is no room now. */
static bool take_room(struct blkback *b, struct blk_io *io)
{
    const struct request *req = &io->e->req;

    io->done = 0;
    io->since_ns = b->now_ns;
    io->pages = 0;
    if (io->e->verdict == BLKIF_RSP_OKAY && req->nr_segments) {
        io->pages = (uint32_t)((request_bytes(req) + GNT_PAGE - 1) / GNT_PAGE);
    }
    io->page = pool_take(&b->pool, io->pages);
    return io->page != POOL_NONE;
}

static void start_taken(struct blkback *b, struct blk_io *io)
{
    if (io->e->verdict == BLKIF_RSP_OKAY) {
        start_io(b, io);
    } else {
        io->q->m->errors++;
        record(b, io, io->e->verdict);
        queue_answer(io->q, io->e, io->e->verdict);
        io_free(io);
    }
}

#define LIMIT_LOOK_US 100000u /* how long a change of the limit may go unnoticed */

/* Time that somebody waited for the limit, up to now. */
static void count_limited(struct blkback *b)
{
    struct meter *m = b->d->meter;

    if (b->limited_since_ns) {
        m->throttled_ns += b->now_ns - b->limited_since_ns;
        b->limited_since_ns = 0;
    }
}

/* May a request of so many bytes go? Else its queue is looked at again when it may. */
static bool within_limit(struct blkback *b, struct queue *q, uint64_t bytes)
{
    uint64_t wait = limit_take(b->d->limits, b->d->nr_limits, b->now_ns, bytes);
    uint64_t wait_us = (wait + 999) / 1000;

    count_limited(b);
    if (!wait) {
        q->limited_until_us = 0;
        return true;
    }
    b->limited_since_ns = b->now_ns;
    b->d->meter->throttled += !q->limited_until_us;
    q->limited_until_us =
        b->now_ns / 1000 + (wait_us < LIMIT_LOOK_US ? wait_us : LIMIT_LOOK_US) + 1;
    return false;
}

/* Take the request at req_cons. False if it has to wait there for room, or for the limit. */
static bool take_request(struct blkback *b, struct queue *q)
{
    struct blk_io *io = q->free_ios;
    blkif_request_t raw;

    RING_COPY_REQUEST(&q->ring, q->ring.req_cons, &raw);
    io->e->verdict = (int16_t)decode(b, &raw, &io->e->req);
    if (!take_room(b, io)) {
        return false; /* read anew, and checked anew, when a completion made room */
    }
    if (!within_limit(b, q, io->e->verdict == BLKIF_RSP_OKAY ? request_bytes(&io->e->req) : 0)) {
        pool_give(&b->pool, io->page, io->pages);
        return false;
    }
    q->free_ios = io->next_free;
    queue_taken(q, io->e);
    start_taken(b, io);
    return true;
}

/* What the predecessor had taken. False while some of it waits. */
static bool replay(struct blkback *b, struct queue *q)
{
    while (q->next_replay < q->nr_replay && !q->held) {
        struct blk_io *io = q->replay[q->next_replay];

        if (!take_room(b, io)) {
            return false;
        }
        q->next_replay++;
        start_taken(b, io);
    }
    return q->next_replay == q->nr_replay;
}

/*
 * Nothing is left to do in this ring: ask to be told of the next request, or of the last one of a
 * burst. True if it came meanwhile.
 */
static bool await_requests(struct blkback *b, struct queue *q)
{
    unsigned size = RING_SIZE(&q->ring), n = 1;

    if (b->knobs.gather_us && !q->inflight && (q->gather.round || q->gather.limit_us)) {
        n = gather_next(&q->gather, b->now_ns / 1000, size < b->knobs.batch ? size : b->knobs.batch,
                        b->knobs.gather_us);
        q->gathering = n > 1;
    }
    q->ring.sring->req_event = q->ring.req_cons + n;
    xen_mb();
    return ring_producer(&q->ring.sring->req_prod) - q->ring.req_cons >= n;
}

bool serve_queue(struct blkback *b, struct queue *q, bool sleeping)
{
    RING_IDX prod = ring_producer(&q->ring.sring->req_prod);
    RING_IDX from = q->ring.req_cons;

    q->gathering = false;
    if (!ring_producer_valid(prod, q->ring.req_cons, q->ring.rsp_prod_pvt, RING_SIZE(&q->ring))) {
        device_fail(b->d, "ring producer %u is impossible (consumer %u, responses %u, size %u)",
                    prod, q->ring.req_cons, q->ring.rsp_prod_pvt, RING_SIZE(&q->ring));
        return false;
    }
    if (!replay(b, q)) {
        return false;
    }
    while (q->ring.req_cons != prod && !q->held && q->free_ios) {
        if (!take_request(b, q)) {
            break;
        }
    }
    gather_took(&q->gather, q->ring.req_cons - from);
    q->m->rounds += q->ring.req_cons != from;
    if (q->event_seen) {
        q->m->events++;
        backoff_account(&q->backoff, q->ring.req_cons != from || q->inflight);
    }
    if (q->ring.req_cons != prod || q->held || !q->free_ios) {
        /* No need to be told of new requests before a completion makes room for them. */
        return false;
    }
    if (!sleeping) {
        return false; /* polled: no need to be told either */
    }
    return await_requests(b, q);
}
