/* SPDX-License-Identifier: MIT */
/*
 * blkback.c - a disk's connection and its event loop.
 *
 * Owns the connection: rings with their event channels (queue.c), persistent grants, one struct
 * blk_io per ring slot. serve.c does the requests, image.c the operations, uring.c what the loop
 * waits on.
 *
 * Single-threaded: everything runs in blkback_turn().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/protocols.h>

#include "../common/log.h"
#include "capture.h"
#include "remote.h"
#include "state.h"

/* Tags of completions that are not a struct blk_io. */
static char tag_event, tag_unmask, tag_channel, tag_remote;

/* ---- the loop ---- */

static unsigned total_inflight(const struct blkback *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < b->nr_queues; i++) {
        n += b->queues[i].inflight;
    }
    return n;
}

static void event_arrived(struct blkback *b, int res)
{
    unsigned n = res > 0 ? (unsigned)res / sizeof(b->uring.port_in[0]) : 0;

    if (!n) {
        log_line("event channel read gave %d", res);
        return;
    }
    b->event_ready = true;
    memcpy(b->uring.port_out, b->uring.port_in, n * sizeof(b->uring.port_in[0]));
    b->uring.nr_out = n;
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < b->nr_queues; k++) {
            b->queues[k].event_seen |= b->uring.port_in[i] == (uint32_t)b->queues[k].port;
        }
    }
}

static void announce_size(struct device *d);

/* What a server has answered comes by no ring; so does another size. */
static void reap_remote(struct blkback *b)
{
    void *tag;
    int res;

    image_turn(&b->img);
    announce_size(b->d);
    uring_wait_remote(&b->uring, &tag_remote);
    while (image_completed(&b->img, &tag, &res)) {
        serve_completed(b, tag, res);
    }
}

/* A port that stays masked would never ring again: whoever takes over begins with all of them. */
static void unmasked(struct blkback *b, int res)
{
    if (res < 0) {
        log_line("cannot unmask an event channel: %s", strerror(-res));
        b->d->exit = true;
    }
}

static void reap(struct blkback *b)
{
    bool remote_ready = false;
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;

    io_uring_for_each_cqe(&b->uring.ring, head, cqe)
    {
        void *tag = io_uring_cqe_get_data(cqe);

        if (tag == &tag_event) {
            event_arrived(b, cqe->res);
        } else if (tag == &tag_channel) {
            b->channel_ready = true;
        } else if (tag == &tag_remote) {
            remote_ready = true;
        } else if (tag == &tag_unmask) {
            unmasked(b, cqe->res);
        } else if (!uring_is_alarm(tag)) {
            serve_completed(b, tag, cqe->res);
        }
        seen++;
    }
    io_uring_cq_advance(&b->uring.ring, seen);
    if (remote_ready) {
        reap_remote(b);
    }
}

/* 0, or -errno when the ring is of no more use. wait_us: 0 not at all, UINT64_MAX without end. */
static int enter(struct blkback *b, uint64_t wait_us)
{
    int rc = uring_enter(&b->uring, wait_us);

    /* Busy: completions to be reaped first. Time: as asked. */
    if (!rc || rc == -EAGAIN || rc == -EBUSY || rc == -ETIME) {
        return 0;
    }
    log_line("io_uring: %s", strerror(-rc));
    b->d->exit = true;
    return rc;
}

/* Answers are held back while more are to come, up to a number and a time (batch, batch_us). */
static bool held_back(const struct blkback *b, const struct queue *q, uint64_t now)
{
    return b->knobs.batch_us && q->unpushed && q->inflight && q->unpushed < b->knobs.batch &&
           now - q->unpushed_us < b->knobs.batch_us;
}

static void push_all(struct blkback *b)
{
    uint64_t now = b->knobs.batch_us ? now_us() : 0;

    for (unsigned i = 0; i < b->nr_queues; i++) {
        struct queue *q = &b->queues[i];
        unsigned n = q->unpushed;

        if (n && !q->unpushed_us) {
            q->unpushed_us = now;
        }
        if (held_back(b, q, now)) {
            continue;
        }
        queue_push(q, b->d);
        q->unpushed_us = 0;
        if (b->d->journal) {
            b->d->journal->progress += n;
        }
    }
}

/* When this queue wants to be looked at, whatever else happens. */
static uint64_t due_us(const struct blkback *b, const struct queue *q, uint64_t now)
{
    uint64_t due = held_back(b, q, now) ? q->unpushed_us + b->knobs.batch_us : UINT64_MAX;

    if (q->gathering && q->gather.limit_us < due) {
        due = q->gather.limit_us;
    }
    return q->limited_until_us && q->limited_until_us < due ? q->limited_until_us : due;
}

/* How long the loop may sleep: answers may be held back, or the rest of a burst be waited for. */
static uint64_t may_wait_us(const struct blkback *b)
{
    uint64_t due = UINT64_MAX, now = b->now_ns / 1000;

    for (unsigned i = 0; !b->again && i < b->nr_queues; i++) {
        const struct queue *q = &b->queues[i];

        if (q->gathering || q->unpushed || q->limited_until_us) {
            due = due_us(b, q, now) < due ? due_us(b, q, now) : due;
        }
    }
    if (b->again || due <= now) {
        return 0;
    }
    return due == UINT64_MAX ? UINT64_MAX : due - now;
}

/* Busy polling: within poll_us of the last work the rings are looked at without being asked to. */
static bool polling(struct blkback *b, bool worked)
{
    uint64_t now;

    if (!b->knobs.poll_us || !b->nr_queues) {
        return false;
    }
    now = now_us();
    if (worked) {
        b->idle_since = now;
    }
    return now - b->idle_since < b->knobs.poll_us;
}

static RING_IDX taken(const struct blkback *b)
{
    RING_IDX n = 0;

    for (unsigned i = 0; i < b->nr_queues; i++) {
        n += b->queues[i].ring.req_cons + b->queues[i].ring.rsp_prod_pvt;
    }
    return n;
}

static void serve_all(struct blkback *b)
{
    RING_IDX before = taken(b);
    bool sleeping = !polling(b, false);

    b->again = false;
    for (unsigned i = 0; i < b->nr_queues; i++) { /* a failure leaves no queue */
        b->again |= serve_queue(b, &b->queues[i], sleeping);
    }
    if (taken(b) != before) {
        polling(b, true);
    }
    if (!sleeping) {
        b->again = true;
    }
}

void blkback_turn(struct device *d)
{
    struct blkback *b = d->priv;

    if (enter(b, may_wait_us(b))) {
        return;
    }
    b->now_ns = now_ns();
    reap(b);
    if (b->channel_ready) {
        b->channel_ready = false;
        device_handle_channel(d);
        uring_wait_channel(&b->uring, &tag_channel);
    }
    b->again = false;
    if (d->connected) {
        serve_all(b);
        push_all(b);
    }
    if (b->event_ready) {
        b->event_ready = false;
        for (unsigned i = 0; i < b->nr_queues; i++) {
            b->queues[i].event_seen = false;
        }
        uring_unmask(&b->uring, &tag_unmask);
        uring_wait_event(&b->uring, &tag_event);
    }
}

/* ---- connecting ---- */

static int alloc_ios(struct blkback *b, struct queue *q)
{
    unsigned n = RING_SIZE(&q->ring);

    (void)b;
    q->ios = calloc(n, sizeof(*q->ios));
    q->replay = calloc(n, sizeof(*q->replay));
    return q->ios && q->replay ? 0 : -ENOMEM;
}

/* Entries that are not in use are free; those in use wait to be done once more. */
static void list_ios(struct queue *q)
{
    q->free_ios = NULL;
    for (unsigned i = RING_SIZE(&q->ring); i-- > 0;) {
        struct blk_io *io = &q->ios[i];

        io->q = q;
        io->e = &q->j->entry[i];
        if (!io->e->used) {
            io->next_free = q->free_ios;
            q->free_ios = io;
        }
    }
}

static int resume(struct blkback *b, struct queue *q)
{
    struct queue_entry *entries[QUEUE_MAX_SLOTS];
    const char *why = NULL;
    int n = queue_resume(q, &b->lim, entries, &why);

    if (n < 0) {
        device_fail(b->d, "cannot go on from the journal of the backend before: %s", why);
        return n;
    }
    list_ios(q);
    q->nr_replay = (unsigned)n;
    q->next_replay = 0;
    for (int i = 0; i < n; i++) {
        q->replay[i] = &q->ios[entries[i] - q->j->entry];
    }
    log_line("resumed at request %u: %d to be done again", q->ring.req_cons, n);
    return 0;
}

static void disconnect_queue(struct blkback *b, struct queue *q)
{
    queue_unbind(q, b->d);
    free(q->ios);
    free(q->replay);
    queue_unmap(q, b->d);
    memset(q, 0, sizeof(*q));
}

static void disconnect_all(struct blkback *b)
{
    for (unsigned i = 0; i < b->nr_queues; i++) {
        disconnect_queue(b, &b->queues[i]);
    }
    b->nr_queues = 0;
    b->again = false;
    pgrants_free(b->pgrants);
    b->pgrants = NULL;
}

static int connect_queue(struct blkback *b, unsigned i, const struct channel_msg *front,
                         const char *prefix)
{
    struct queue *q = &b->queues[i];
    struct device *d = b->d;
    int rc = queue_map(q, d, front, prefix);

    q->m = &d->meter->queue[i];
    if (rc) {
        return rc;
    }
    q->j =
        (d->journal ? (struct blk_journal *)journal_body(d->journal) : b->own_journal)->queue + i;
    if (alloc_ios(b, q)) {
        device_fail(d, "no memory for %u requests", RING_SIZE(&q->ring));
        return -ENOMEM;
    }
    if (d->resuming) {
        rc = resume(b, q);
        if (rc) {
            return rc;
        }
    } else {
        queue_begin(q);
        list_ios(q);
    }
    return queue_bind(q, d, front, prefix);
}

static int connect_queues(struct blkback *b, const struct channel_msg *front)
{
    uint64_t nr = 1;
    char prefix[16] = "";

    if (channel_get(front, "multi-queue-num-queues") &&
        (!channel_get_u64(front, "multi-queue-num-queues", b->knobs.queues, &nr) || !nr)) {
        device_fail(b->d, "multi-queue-num-queues is not within 1..%u", b->knobs.queues);
        return -EINVAL;
    }
    for (unsigned i = 0; i < nr; i++) {
        int rc;

        if (nr > 1) { /* one queue is described as if there were no others, or in its directory */
            snprintf(prefix, sizeof(prefix), "queue-%u/", i);
        }
        b->nr_queues = i + 1;
        rc = connect_queue(b, i, front, prefix);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static void add_size(const struct blkback *b, struct channel_msg *back)
{
    channel_addf(back, "sectors", "%llu", (unsigned long long)b->lim.sectors);
}

static void add_geometry(const struct blkback *b, struct channel_msg *back)
{
    unsigned info = (b->lim.readonly ? VDISK_READONLY : 0u) | (b->removable ? VDISK_REMOVABLE : 0u);

    add_size(b, back);
    channel_addf(back, "sector-size", "%u", b->lim.sectors_per_block * REQUEST_SECTOR);
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
    if (b->knobs.grants == GRANTS_PERSISTENT && channel_get_flag(front, "feature-persistent")) {
        b->pgrants = pgrants_new(d->gnt); /* without memory for it: grant copies */
    }
    rc = connect_queues(b, front);
    if (rc) {
        disconnect_all(b);
        return rc;
    }
    d->meter->queues = b->nr_queues;
    if (b->capture) {
        capture_geometry(b->capture, &b->lim, b->nr_queues, RING_SIZE(&b->queues[0].ring));
    }
    b->again = true; /* look at the rings once without being told to */
    add_geometry(b, back);
    return 0;
}

static void blk_disconnect(struct device *d)
{
    struct blkback *b = d->priv;

    /*
     * What waits in `held` starts as the rest completes, so that this ends with nothing under way.
     */
    while (total_inflight(b) && !enter(b, UINT64_MAX)) {
        b->now_ns = now_ns();
        reap(b);
    }
    disconnect_all(b);
}

static uint64_t whole_sectors(const struct blkback *b)
{
    return b->img.sectors - b->img.sectors % b->lim.sectors_per_block;
}

static void set_limits(struct blkback *b)
{
    b->lim.sectors = whole_sectors(b);
}

/* Linux's driver looks at "sectors" again when it is told Connected while it is. */
static void announce_size(struct device *d)
{
    struct blkback *b = d->priv;
    uint64_t before = b->lim.sectors;
    struct channel_msg back;

    if (whole_sectors(b) == before) {
        return;
    }
    set_limits(b);
    log_line("%llu sectors became %llu", (unsigned long long)before,
             (unsigned long long)b->lim.sectors);
    if (d->connected) {
        channel_init(&back, CHANNEL_BACK);
        add_size(b, &back);
        channel_addf(&back, "state", "%d", XenbusStateConnected);
        device_announce(d, &back);
    }
}

static void blk_resized(struct device *d)
{
    struct blkback *b = d->priv;

    if (image_refresh(&b->img) > 0) {
        announce_size(d);
    }
}

static void blk_advertise(struct device *d, struct channel_msg *back)
{
    const struct blkback *b = d->priv;

    channel_add(back, "feature-persistent", b->knobs.grants == GRANTS_PERSISTENT ? "1" : "0");
    channel_add(back, "feature-flush-cache", "1");
    channel_add(back, "feature-barrier", "1");
    if (b->knobs.indirect) {
        channel_addf(back, "feature-max-indirect-segments", "%u", b->knobs.indirect);
    }
    channel_addf(back, "max-ring-page-order", "%u", b->knobs.ring_order);
    channel_addf(back, "multi-queue-max-queues", "%u", b->knobs.queues);
    channel_add(back, "feature-discard", b->lim.discard ? "1" : "0");
    if (b->lim.discard) {
        channel_addf(back, "discard-granularity", "%u", b->discard_granularity);
        channel_add(back, "discard-alignment", "0");
        channel_add(back, "discard-secure", "0");
    }
}

/* ---- start and end ---- */

/* Enough for an emulated processor; a burst's own time is known after the first. */
#define GATHER_DEFAULT_US 1000u

static void read_knobs(struct blk_knobs *k, const struct channel_msg *start)
{
    const char *grants = channel_get(start, "grants");

    k->grants = !grants                   ? GRANTS_PERSISTENT
                : !strcmp(grants, "copy") ? GRANTS_COPY
                : !strcmp(grants, "map")  ? GRANTS_MAP
                                          : GRANTS_PERSISTENT;
    k->queues = channel_get_or(start, "queues", BLKBACK_MAX_QUEUES, 4);
    k->ring_order = channel_get_or(start, "ring-order", QUEUE_MAX_ORDER, QUEUE_MAX_ORDER);
    k->indirect = channel_get_or(start, "indirect", REQUEST_MAX_SEGMENTS, REQUEST_MAX_SEGMENTS);
    k->batch = channel_get_or(start, "batch", QUEUE_MAX_SLOTS, QUEUE_MAX_SLOTS);
    k->batch_us = channel_get_or(start, "batch-us", 1000000, 0);
    k->gather_us = channel_get_or(start, "gather-us", 100000, GATHER_DEFAULT_US);
    k->poll_us = channel_get_or(start, "poll-us", 1000000, 0);
    if (!k->queues) {
        k->queues = 1;
    }
}

static void ask_link(void *arg)
{
    device_ask_link(arg);
}

static int open_image(struct blkback *b, const struct channel_msg *start)
{
    const char *kind = channel_get(start, "image");
    const char *export = channel_get(start, "export");
    struct remote_options opt = {
        .export = export ? export : "",
        .timeout = REMOTE_MAX_TIMEOUT,
        .readonly = channel_get_flag(start, "readonly"),
        .ask_link = ask_link,
        .arg = b->d,
    };
    uint64_t timeout;
    int rc;

    if (channel_get_u64(start, "timeout", REMOTE_MAX_TIMEOUT, &timeout) && timeout) {
        opt.timeout = (unsigned)timeout;
    }
    rc = kind && !strcmp(kind, "nbd") ? image_init_remote(&b->img, CHANNEL_DEVICE_FD, &opt)
                                      : image_init(&b->img, CHANNEL_DEVICE_FD);
    if (rc) {
        log_line("image: %s", strerror(-rc));
    }
    return rc;
}

/*
 * What the image says of itself (a server's only once it was asked), and what the administrator
 * asks for as far as the image can: its own unit is the smallest.
 */
static int take_geometry(struct blkback *b)
{
    uint32_t sector = b->sector_size ? b->sector_size : b->img.sector_size;

    if ((sector != 512 && sector != 4096) || sector < b->img.sector_size) {
        log_line("sectors of %u bytes are not possible on an image with sectors of %u", sector,
                 b->img.sector_size);
        return -EINVAL;
    }
    b->lim.discard = b->discard_granularity && !b->lim.readonly &&
                     (!b->img.remote || b->img.can_trim);
    b->lim.sectors_per_block = sector / REQUEST_SECTOR;
    set_limits(b);
    return 0;
}

static int init_meter(struct blkback *b)
{
    if (b->d->meter) {
        return 0;
    }
    b->own_meter = b->d->meter = calloc(1, sizeof(*b->own_meter));
    return b->own_meter ? 0 : -ENOMEM;
}

static void read_limits(struct blkback *b, const struct channel_msg *start)
{
    b->sector_size = channel_get_or(start, "sector-size", 4096, 0);
    b->discard_granularity = channel_get_or(start, "discard-granularity", UINT32_MAX, 0);
    b->removable = channel_get_flag(start, "removable");
    b->lim.readonly = channel_get_flag(start, "readonly");
}

static int init_journal(struct blkback *b)
{
    if (b->d->journal) {
        return 0;
    }
    b->own_journal = calloc(1, sizeof(*b->own_journal));
    return b->own_journal ? 0 : -ENOMEM;
}

static int blk_init(struct device *d, const struct channel_msg *start)
{
    static struct blkback blkback;
    struct blkback *b = &blkback;
    int fds[URING_NR_FILES] = {
        [URING_LIFE] = CHANNEL_LIFE_FD,
        [URING_EVTCHN] = evtchn_fd(d->evt),
        [URING_CHANNEL] = d->channel,
    };
    int rc;

    memset(b, 0, sizeof(*b));
    b->d = d;
    d->priv = b;
    rc = open_image(b, start);
    if (rc) {
        return rc;
    }
    if (channel_get_flag(start, "capture")) {
        b->capture = capture_open(CHANNEL_DEVICE_FD + 1, CAPTURE_BLOCK);
    }
    read_knobs(&b->knobs, start);
    read_limits(b, start);
    rc = b->img.remote ? 0 : take_geometry(b);
    if (!rc) {
        rc = init_journal(b);
    }
    if (!rc) {
        rc = init_meter(b);
    }
    if (!rc) {
        rc = pool_init(&b->pool);
    }
    if (rc) {
        return rc;
    }
    fds[URING_IMAGE] = b->img.fd;
    fds[URING_REMOTE] = b->img.poll_fd;
    rc = uring_init(&b->uring, fds, b->pool.base, POOL_FIXED * (size_t)GNT_PAGE);
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
    free(b->own_journal);
    free(b->own_meter);
    capture_close(b->capture);
    image_fini(&b->img);
}

void blkback_arm(struct device *d)
{
    struct blkback *b = d->priv;

    uring_wait_event(&b->uring, &tag_event);
    uring_wait_channel(&b->uring, &tag_channel);
    if (b->img.remote) {
        uring_wait_remote(&b->uring, &tag_remote);
    }
}

void blkback_link(struct device *d, int socket)
{
    struct blkback *b = d->priv;

    image_link(&b->img, socket);
}

int blkback_meet_image(struct device *d)
{
    struct blkback *b = d->priv;
    int rc = image_wait(&b->img);

    return rc || !b->img.remote ? rc : take_geometry(b);
}

static void blk_run(struct device *d)
{
    if (blkback_meet_image(d)) {
        return;
    }
    blkback_arm(d);
    while (!d->exit) {
        blkback_turn(d);
    }
}

void blkback_usage(const struct device *d, struct blkback_usage *out)
{
    const struct blkback *b = d->priv;

    *out = (struct blkback_usage){
        .inflight = total_inflight(b),
        .pool_pages = b->pool.in_use,
        .mapped = b->pgrants ? pgrants_count(b->pgrants) : 0,
    };
    for (unsigned i = 0; i < b->nr_queues; i++) {
        out->inflight_writes += b->queues[i].inflight_writes;
    }
}

const struct device_ops blkback_ops = {
    .class_name = "vbd",
    .journal_format = BLK_JOURNAL_FORMAT,
    .sandbox = &sandbox_block,
    .init = blk_init,
    .advertise = blk_advertise,
    .connect = blk_connect,
    .disconnect = blk_disconnect,
    .resized = blk_resized,
    .run = blk_run,
};
