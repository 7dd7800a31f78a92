/* SPDX-License-Identifier: MIT */
/*
 * blkback.c - connect to a guest's ring, drain it, move data, respond.
 *
 * Owns: the connection (ring pages, event channel, persistent grants, one struct blk_io per ring
 * slot). request.c says what is valid, uring.c and image.c talk to the image, pool.c holds the data
 * on its way.
 *
 * Invariants:
 *   - a request is used only from its private, validated copy (BE-1, BE-3);
 *   - inflight counts the struct blk_io outside the free list whose operations are in io_uring; the
 *     connection is torn down only at zero, so a completion never meets a freed page;
 *   - `held` is a flush or barrier waiting for what came before it, or a barrier under way: while
 * it is set nothing more is taken from the ring. A flush is issued only when no write is in flight,
 * so it covers every write answered before it; io_uring itself orders nothing.
 *
 * Single-threaded: everything runs in blkback_turn().
 */
#include "blkback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/protocols.h>

#include "../common/backoff.h"
#include "../common/log.h"
#include "../common/ring.h"
#include "image.h"
#include "pgrants.h"
#include "pool.h"
#include "request.h"
#include "uring.h"

enum io_stage {
    IO_TRANSFER,
    IO_PREFLUSH,  /* of a barrier */
    IO_POSTFLUSH, /* of a barrier */
    IO_FLUSH,
    IO_DISCARD,
};

struct blk_io {
    struct blk_io *next_free;
    enum io_stage stage;
    uint32_t page, pages; /* of the pool */
    uint32_t done;        /* bytes moved; a short transfer is continued */
    struct request req;
    void *addr[REQUEST_MAX_SEGMENTS]; /* persistent mapping of each segment's page, or NULL: copy */
};

struct blkback {
    struct device *d;
    struct image img;
    struct request_limits lim;
    uint32_t discard_granularity;
    bool removable;
    struct pool pool;
    struct uring uring;

    /* The connection; all zero when there is none. */
    blkif_back_ring_t ring;
    unsigned ring_pages;
    int port;
    struct pgrants *pgrants;
    struct blk_io *ios, *free_ios;
    unsigned inflight, inflight_writes;
    struct blk_io *held;
    bool responded; /* responses not pushed yet */
    bool again;     /* the ring had more when last looked at */
    struct backoff backoff;
    bool event_seen; /* a port waits to be unmasked */
    uint32_t event_port;
    bool channel_ready; /* acted on only in blkback_turn(): it may connect and disconnect */
};

/* Tags of completions that are not a struct blk_io. */
static char tag_event, tag_unmask, tag_channel;

/* ---- data between the guest's pages and the pool ---- */

static uint8_t *io_buffer(struct blkback *b, const struct blk_io *io)
{
    return b->pool.base + (size_t)io->page * GNT_PAGE;
}

static void map_segments(struct blkback *b, struct blk_io *io)
{
    uint32_t refs[REQUEST_MAX_SEGMENTS];

    if (!b->pgrants) {
        memset(io->addr, 0, io->req.nr_segments * sizeof(io->addr[0]));
        return;
    }
    for (unsigned i = 0; i < io->req.nr_segments; i++) {
        refs[i] = io->req.seg[i].gref;
    }
    pgrants_get(b->pgrants, refs, io->req.nr_segments, io->addr);
}

/* memcpy through mappings where there are any; one batch of grant copies for the rest. */
static int move_data(struct blkback *b, struct blk_io *io, bool to_guest)
{
    struct gnt_copy copies[REQUEST_MAX_SEGMENTS];
    unsigned nr_copies = 0;
    uint8_t *buf = io_buffer(b, io);

    for (unsigned i = 0; i < io->req.nr_segments; i++) {
        const struct request_segment *seg = &io->req.seg[i];
        uint8_t *mapped = io->addr[i];

        if (!mapped) {
            copies[nr_copies++] = (struct gnt_copy){buf, seg->gref, seg->offset, seg->bytes};
        } else if (to_guest) {
            memcpy(mapped + seg->offset, buf, seg->bytes);
        } else {
            memcpy(buf, mapped + seg->offset, seg->bytes);
        }
        buf += seg->bytes;
    }
    return nr_copies ? gntdev_copy(b->d->gnt, to_guest, copies, nr_copies, NULL) : 0;
}

/* ---- responses ---- */

static void respond(struct blkback *b, uint64_t id, uint8_t op, int status)
{
    blkif_response_t rsp;

    memset(&rsp, 0, sizeof(rsp)); /* padding too: nothing of ours reaches the guest (BE-4) */
    rsp.id = id;
    rsp.operation = op;
    rsp.status = (int16_t)status;
    memcpy(RING_GET_RESPONSE(&b->ring, b->ring.rsp_prod_pvt), &rsp, sizeof(rsp));
    b->ring.rsp_prod_pvt++;
    b->responded = true;
}

static void push_responses(struct blkback *b)
{
    int notify;

    if (!b->responded) {
        return;
    }
    b->responded = false;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&b->ring, notify);
    if (notify) {
        evtchn_notify(b->d->evt, b->port);
    }
}

static int status_of(int err)
{
    return !err ? BLKIF_RSP_OKAY : err == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
}

/*
 * Answer, give the resources back. The connection may be going down: then nobody wants the answer.
 */
static void io_finish(struct blkback *b, struct blk_io *io, int err)
{
    if (err && err != -EOPNOTSUPP) {
        log_line("request op %u sector %llu+%llu failed: %s", io->req.abi_op,
                 (unsigned long long)io->req.sector, (unsigned long long)io->req.nr_sectors,
                 strerror(-err));
    }
    pool_give(&b->pool, io->page, io->pages);
    if (b->d->connected) {
        respond(b, io->req.id, io->req.abi_op, status_of(err));
    }
    if (b->held == io) {
        b->held = NULL;
    }
    io->next_free = b->free_ios;
    b->free_ios = io;
}

/* ---- operations on the image ---- */

static bool io_is_write(const struct blk_io *io)
{
    return io->stage == IO_DISCARD || (io->stage == IO_TRANSFER && io->req.op != REQUEST_READ);
}

static void io_queued(struct blkback *b, struct blk_io *io)
{
    b->inflight++;
    b->inflight_writes += io_is_write(io);
}

static void queue_transfer(struct blkback *b, struct blk_io *io)
{
    uint8_t *buf = io_buffer(b, io) + io->done;
    uint32_t len = (uint32_t)request_bytes(&io->req) - io->done;
    uint64_t offset = io->req.sector * REQUEST_SECTOR + io->done;

    io->stage = IO_TRANSFER;
    if (io->req.op == REQUEST_READ) {
        image_read(&b->img, io, buf, len, offset);
    } else {
        image_write(&b->img, io, buf, len, offset);
    }
    io_queued(b, io);
}

static void queue_flush(struct blkback *b, struct blk_io *io, enum io_stage stage)
{
    io->stage = stage;
    image_flush(&b->img, io);
    io_queued(b, io);
}

static void start_discard(struct blkback *b, struct blk_io *io)
{
    int rc;

    io->stage = IO_DISCARD;
    if (image_discard(&b->img, io, io->req.sector * REQUEST_SECTOR, request_bytes(&io->req), &rc)) {
        io_queued(b, io);
    } else {
        io_finish(b, io, rc);
    }
}

/* A flush or barrier that had to wait, if it need not wait any longer. */
static void start_held(struct blkback *b)
{
    struct blk_io *io = b->held;

    if (!io || io->stage == IO_TRANSFER || io->stage == IO_POSTFLUSH) {
        return; /* none, or a barrier already past its start */
    }
    if (io->req.op == REQUEST_FLUSH && !b->inflight_writes) {
        b->held = NULL; /* what follows need not wait for it */
        queue_flush(b, io, IO_FLUSH);
    } else if (io->req.op == REQUEST_BARRIER && !b->inflight) {
        queue_flush(b, io, IO_PREFLUSH);
    }
}

static void start_io(struct blkback *b, struct blk_io *io)
{
    int err;

    switch (io->req.op) {
    case REQUEST_WRITE:
    case REQUEST_BARRIER:
        map_segments(b, io);
        err = move_data(b, io, false);
        if (err) {
            io_finish(b, io, err);
        } else if (io->req.op == REQUEST_WRITE) {
            queue_transfer(b, io);
        } else {
            io->stage = IO_PREFLUSH;
            b->held = io;
            start_held(b);
        }
        break;
    case REQUEST_READ:
        map_segments(b, io);
        queue_transfer(b, io);
        break;
    case REQUEST_FLUSH:
        io->stage = IO_FLUSH;
        b->held = io;
        start_held(b);
        break;
    case REQUEST_DISCARD:
        start_discard(b, io);
        break;
    }
}

/* ---- completions ---- */

static void transfer_done(struct blkback *b, struct blk_io *io, int res)
{
    uint32_t len = (uint32_t)request_bytes(&io->req);

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
    } else if (io->req.op == REQUEST_BARRIER) {
        queue_flush(b, io, IO_POSTFLUSH);
    } else if (io->req.op == REQUEST_READ && b->d->connected) {
        io_finish(b, io, move_data(b, io, true));
    } else {
        io_finish(b, io, 0);
    }
}

static void io_completed(struct blkback *b, struct blk_io *io, int res)
{
    b->inflight--;
    b->inflight_writes -= io_is_write(io);
    switch (io->stage) {
    case IO_TRANSFER:
        transfer_done(b, io, res);
        break;
    case IO_PREFLUSH:
        if (res || !io->req.nr_segments) {
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
    start_held(b);
}

static void event_arrived(struct blkback *b, int res)
{
    if (res == (int)sizeof(b->uring.port_in)) {
        b->event_seen = true;
        b->event_port = b->uring.port_in;
    } else {
        log_line("event channel read gave %d", res);
    }
}

static void reap(struct blkback *b)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;

    io_uring_for_each_cqe(&b->uring.ring, head, cqe)
    {
        void *tag = io_uring_cqe_get_data(cqe);

        if (tag == &tag_event) {
            event_arrived(b, cqe->res);
        } else if (tag == &tag_channel) {
            b->channel_ready = true;
        } else if (tag != &tag_unmask) {
            io_completed(b, tag, cqe->res);
        }
        seen++;
    }
    io_uring_cq_advance(&b->uring.ring, seen);
}

/* 0, or -errno when the ring is of no more use. */
static int enter(struct blkback *b, bool wait)
{
    int rc = uring_enter(&b->uring, wait);

    if (!rc || rc == -EAGAIN || rc == -EBUSY) { /* busy: completions to be reaped first */
        return 0;
    }
    log_line("io_uring: %s", strerror(-rc));
    b->d->exit = true;
    return rc;
}

/* ---- the ring ---- */

static int read_indirect(struct blkback *b, struct request *req)
{
    struct blkif_request_segment segs[REQUEST_MAX_SEGMENTS];
    struct gnt_copy copies[REQUEST_MAX_INDIRECT_PAGES];
    size_t left = req->nr_segments * sizeof(segs[0]);
    uint8_t *to = (uint8_t *)segs;

    /* Always by copy: the guest may rewrite the page while we look. */
    for (unsigned i = 0; i < req->nr_indirect_pages; i++) {
        uint16_t n = (uint16_t)(left < GNT_PAGE ? left : GNT_PAGE);

        copies[i] = (struct gnt_copy){to, req->indirect_grefs[i], 0, n};
        to += n;
        left -= n;
    }
    if (gntdev_copy(b->d->gnt, false, copies, req->nr_indirect_pages, NULL)) {
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

/* Take the request at req_cons. False if it has to wait there for room. */
static bool take_request(struct blkback *b)
{
    struct blk_io *io = b->free_ios;
    blkif_request_t raw;
    int status;

    RING_COPY_REQUEST(&b->ring, b->ring.req_cons, &raw);
    status = decode(b, &raw, &io->req);
    io->done = 0;
    io->pages = 0;
    if (status != BLKIF_RSP_OKAY) {
        b->ring.req_cons++;
        respond(b, io->req.id, io->req.abi_op, status);
        return true;
    }
    if (io->req.nr_segments) {
        io->pages = (uint32_t)((request_bytes(&io->req) + GNT_PAGE - 1) / GNT_PAGE);
    }
    io->page = pool_take(&b->pool, io->pages);
    if (io->page == POOL_NONE) {
        return false; /* read anew, and checked anew, when a completion made room */
    }
    b->ring.req_cons++;
    b->free_ios = io->next_free;
    start_io(b, io);
    return true;
}

/* True if there is more to do at once; false: a completion or an event will call again. */
static bool drain(struct blkback *b)
{
    RING_IDX prod = ring_producer(&b->ring.sring->req_prod);
    RING_IDX from = b->ring.req_cons;
    int more;

    if (!ring_producer_valid(prod, b->ring.req_cons, b->ring.rsp_prod_pvt, RING_SIZE(&b->ring))) {
        device_fail(b->d, "ring producer %u is impossible (consumer %u, responses %u, size %u)",
                    prod, b->ring.req_cons, b->ring.rsp_prod_pvt, RING_SIZE(&b->ring));
        return false;
    }
    while (b->ring.req_cons != prod && !b->held && b->free_ios) {
        if (!take_request(b)) {
            break;
        }
    }
    if (b->event_seen) {
        backoff_account(&b->backoff, b->ring.req_cons != from || b->inflight);
    }
    if (b->ring.req_cons != prod || b->held || !b->free_ios) {
        /* No need to be told of new requests before a completion makes room for them. */
        return false;
    }
    RING_FINAL_CHECK_FOR_REQUESTS(&b->ring, more);
    return more;
}

void blkback_turn(struct device *d)
{
    struct blkback *b = d->priv;

    if (enter(b, !b->again)) {
        return;
    }
    reap(b);
    if (b->channel_ready) {
        b->channel_ready = false;
        device_handle_channel(d);
        uring_wait_channel(&b->uring, &tag_channel);
    }
    b->again = d->connected && drain(b);
    if (d->connected) {
        push_responses(b);
    }
    if (b->event_seen) {
        b->event_seen = false;
        uring_unmask(&b->uring, &tag_unmask, b->event_port);
        uring_wait_event(&b->uring, &tag_event);
    }
}

/* ---- connecting ---- */

static int read_ring_refs(struct device *d, const struct channel_msg *front, uint32_t *refs,
                          unsigned *count)
{
    uint64_t order = 0, ref;
    char key[24];

    if (channel_get(front, "ring-page-order") &&
        !channel_get_u64(front, "ring-page-order", BLKBACK_MAX_RING_ORDER, &order)) {
        device_fail(d, "ring-page-order is not within 0..%u", BLKBACK_MAX_RING_ORDER);
        return -EINVAL;
    }
    *count = 1u << order;
    for (unsigned i = 0; i < *count; i++) {
        snprintf(key, sizeof(key), "ring-ref%u", i);
        if (!channel_get_u64(front, key, UINT32_MAX, &ref) &&
            (*count > 1 || !channel_get_u64(front, "ring-ref", UINT32_MAX, &ref))) {
            device_fail(d, "%s is missing or no grant reference", *count > 1 ? key : "ring-ref");
            return -EINVAL;
        }
        refs[i] = (uint32_t)ref;
    }
    return 0;
}

static int map_ring(struct blkback *b, const struct channel_msg *front)
{
    uint32_t refs[1u << BLKBACK_MAX_RING_ORDER];
    blkif_sring_t *sring;
    int rc = read_ring_refs(b->d, front, refs, &b->ring_pages);

    if (rc) {
        return rc;
    }
    sring = gntdev_map(b->d->gnt, b->ring_pages, refs, true);
    if (!sring) {
        device_fail(b->d, "ring (%u pages, first grant %u) cannot be mapped: %s", b->ring_pages,
                    refs[0], strerror(errno));
        return -EINVAL;
    }
    BACK_RING_INIT(&b->ring, sring, b->ring_pages * GNT_PAGE);
    return 0;
}

static int alloc_ios(struct blkback *b)
{
    unsigned n = RING_SIZE(&b->ring);

    b->ios = calloc(n, sizeof(*b->ios));
    if (!b->ios) {
        return -ENOMEM;
    }
    b->free_ios = NULL;
    for (unsigned i = n; i-- > 0;) {
        b->ios[i].next_free = b->free_ios;
        b->free_ios = &b->ios[i];
    }
    return 0;
}

static int bind_event(struct blkback *b, const struct channel_msg *front)
{
    uint64_t port;

    if (!channel_get_u64(front, "event-channel", UINT32_MAX, &port)) {
        device_fail(b->d, "event-channel is missing or no port");
        return -EINVAL;
    }
    b->port = evtchn_bind(b->d->evt, (uint32_t)port);
    if (b->port < 0) {
        device_fail(b->d, "event-channel %llu cannot be bound: %s", (unsigned long long)port,
                    strerror(-b->port));
        return b->port;
    }
    return 0;
}

static void add_geometry(const struct blkback *b, struct channel_msg *back)
{
    unsigned info = (b->lim.readonly ? VDISK_READONLY : 0u) | (b->removable ? VDISK_REMOVABLE : 0u);

    channel_addf(back, "sectors", "%llu", (unsigned long long)b->img.sectors);
    channel_addf(back, "sector-size", "%u", b->img.sector_size);
    channel_addf(back, "physical-sector-size", "%u", b->img.physical_sector_size);
    channel_addf(back, "info", "%u", info);
}

static int blk_connect(struct device *d, const struct channel_msg *front, struct channel_msg *back)
{
    struct blkback *b = d->priv;
    const char *protocol = channel_get(front, "protocol");
    int rc;

    if (protocol && strcmp(protocol, XEN_IO_PROTO_ABI_X86_64)) {
        device_fail(d, "protocol %s is not served, only %s", protocol, XEN_IO_PROTO_ABI_X86_64);
        return -EINVAL;
    }
    rc = map_ring(b, front);
    if (rc) {
        return rc;
    }
    rc = alloc_ios(b);
    if (rc) {
        device_fail(d, "no memory for %u requests", RING_SIZE(&b->ring));
        goto out_ring;
    }
    if (channel_get_flag(front, "feature-persistent")) {
        b->pgrants = pgrants_new(d->gnt); /* without memory for it: grant copies */
    }
    rc = bind_event(b, front);
    if (rc) {
        goto out_ios;
    }
    add_geometry(b, back);
    return 0;

out_ios:
    pgrants_free(b->pgrants);
    b->pgrants = NULL;
    free(b->ios);
out_ring:
    gntdev_unmap(d->gnt, b->ring.sring, b->ring_pages);
    return rc;
}

static void blk_disconnect(struct device *d)
{
    struct blkback *b = d->priv;

    /*
     * What waits in `held` starts as the rest completes, so that this ends with nothing under way.
     */
    while (b->inflight && !enter(b, true)) {
        reap(b);
    }
    evtchn_unbind(d->evt, b->port);
    pgrants_free(b->pgrants);
    b->pgrants = NULL;
    free(b->ios);
    b->ios = NULL;
    gntdev_unmap(d->gnt, b->ring.sring, b->ring_pages);
    b->held = NULL;
    b->responded = false;
}

static void blk_advertise(struct device *d, struct channel_msg *back)
{
    const struct blkback *b = d->priv;

    channel_add(back, "feature-persistent", "1");
    channel_add(back, "feature-flush-cache", "1");
    channel_add(back, "feature-barrier", "1");
    channel_addf(back, "feature-max-indirect-segments", "%u", REQUEST_MAX_SEGMENTS);
    channel_addf(back, "max-ring-page-order", "%u", BLKBACK_MAX_RING_ORDER);
    channel_add(back, "feature-discard", b->lim.discard ? "1" : "0");
    if (b->lim.discard) {
        channel_addf(back, "discard-granularity", "%u", b->discard_granularity);
        channel_add(back, "discard-alignment", "0");
        channel_add(back, "discard-secure", "0");
    }
}

static int blk_init(struct device *d, const struct channel_msg *start)
{
    static struct blkback blkback;
    struct blkback *b = &blkback;
    int fds[URING_NR_FILES] = {CHANNEL_DEVICE_FD, evtchn_fd(d->evt), d->channel};
    uint64_t granularity = 0;
    int rc;

    memset(b, 0, sizeof(*b));
    b->d = d;
    d->priv = b;
    rc = image_init(&b->img, CHANNEL_DEVICE_FD);
    if (rc) {
        log_line("image: %s", strerror(-rc));
        return rc;
    }
    channel_get_u64(start, "discard-granularity", UINT32_MAX, &granularity);
    b->discard_granularity = (uint32_t)granularity;
    b->removable = channel_get_flag(start, "removable");
    b->lim.readonly = channel_get_flag(start, "readonly");
    b->lim.discard = granularity && !b->lim.readonly;
    b->lim.sectors_per_block = b->img.sector_size / REQUEST_SECTOR;
    b->lim.sectors = b->img.sectors - b->img.sectors % b->lim.sectors_per_block;
    rc = pool_init(&b->pool);
    if (rc) {
        return rc;
    }
    rc = uring_init(&b->uring, fds, b->pool.base, POOL_PAGES * (size_t)GNT_PAGE);
    if (rc) {
        log_line("io_uring: %s", strerror(-rc));
        pool_free(&b->pool);
        return rc;
    }
    image_attach(&b->img, &b->uring);
    return 0;
}

void blkback_fini(struct device *d)
{
    struct blkback *b = d->priv;

    uring_free(&b->uring);
    pool_free(&b->pool);
}

void blkback_arm(struct device *d)
{
    struct blkback *b = d->priv;

    uring_wait_event(&b->uring, &tag_event);
    uring_wait_channel(&b->uring, &tag_channel);
}

static void blk_run(struct device *d)
{
    blkback_arm(d);
    while (!d->exit) {
        blkback_turn(d);
    }
}

void blkback_usage(const struct device *d, struct blkback_usage *out)
{
    const struct blkback *b = d->priv;

    out->inflight = b->inflight;
    out->inflight_writes = b->inflight_writes;
    out->pool_pages = b->pool.in_use;
    out->mapped = b->pgrants ? pgrants_count(b->pgrants) : 0;
}

const struct device_ops blkback_ops = {
    .class_name = "vbd",
    .sandbox = &sandbox_block,
    .init = blk_init,
    .advertise = blk_advertise,
    .connect = blk_connect,
    .disconnect = blk_disconnect,
    .run = blk_run,
};
