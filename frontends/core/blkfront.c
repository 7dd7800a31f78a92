/* SPDX-License-Identifier: MIT */
/*
 * A block device over the blkif protocol: one shared ring page, as many requests in flight as it
 * has slots and the driver has pages, each of up to 128 KiB where the backend takes indirect
 * segments, 44 KiB where not. Owns the ring, its grant, its port, and the pages that data goes
 * through: the backend sees those, for as long as a request is out, and never a page of the
 * caller's, so it sees the payload and nothing else (FE-3).
 *
 * The backend is not trusted: a response counts only if it answers a request that is out (number,
 * which no two requests share, and operation), ring indices are checked, and a page whose grant the
 * backend still holds is never used again (FE-1, FE-2). One that breaks these rules ends the
 * device: whatever is out fails, and so does all that follows. A device that does not open, or was
 * closed, leaves nothing and can be opened again (FE-5).
 *
 * One vCPU at a time. Completions are called from front_blk_poll() and from the calls that wait.
 */
#include "device.h"

#include <tenue-front/port.h>
#include <xen/errno.h>

/* What the ring macros of the next header want from its user. */
#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#define REQUEST_NS 30000000000UL
#define SECTOR_SIZE 512u
#define SECTORS_PER_PAGE 8u
#define NR_SLOTS 32u /* of a ring of one page */
#define NR_PAGES 64u
#define MAX_SEGMENTS 32u
#define NO_PAGE 0xff

struct data_page {
    void *page; /* from the first time on that so many are needed */
    int ref;
    bool used; /* and granted */
};

/* A request that is out. */
struct slot {
    struct front_blk_io *io; /* NULL: nobody waits for it any more */
    u64 id;
    bool out;
    u8 nr_pages, list; /* the page of an indirect request's segments, or NO_PAGE */
    u8 pages[MAX_SEGMENTS];
};

struct front_blk {
    struct front_dev dev;
    blkif_vdev_t vdev;
    blkif_front_ring_t ring;
    void *ring_page;
    int ring_ref; /* -1: none */
    evtchn_port_t port;
    struct data_page data[NR_PAGES];
    struct slot slots[NR_SLOTS];
    unsigned nr_out, max_segments;
    u64 sectors, next_id;
    bool used, flush, discard, broken;
};

static struct front_blk devices[4];

/* ---- opening and closing ---- */

static int share_ring(struct front_blk *b)
{
    int port;

    b->ring_page = front_port_page_get();
    if (!b->ring_page)
        return -XEN_ENOMEM;
    SHARED_RING_INIT((blkif_sring_t *)b->ring_page);
    FRONT_RING_INIT(&b->ring, (blkif_sring_t *)b->ring_page, FRONT_PAGE_SIZE);
    b->ring_ref = front_grant_access(b->dev.backend_id, front_port_page_mfn(b->ring_page), false);
    if (b->ring_ref < 0)
        return b->ring_ref;
    port = front_evtchn_alloc(b->dev.backend_id);
    if (port < 0)
        return port;
    b->port = (evtchn_port_t)port;
    front_evtchn_unmask(b->port);
    return 0;
}

static int tell_backend(struct front_blk *b)
{
    char path[DEV_PATH_MAX + 16];
    int rc = front_dev_set(&b->dev, "ring-ref", (u64)b->ring_ref);

    if (!rc)
        rc = front_dev_set(&b->dev, "event-channel", b->port);
    front_snprintf(path, sizeof(path), "%s/protocol", b->dev.node);
    if (!rc)
        rc = front_xs_write(path, "x86_64-abi");
    return rc ? rc : front_dev_set(&b->dev, "state", XenbusStateInitialised);
}

/* Everything that the device has, but not what its backend still holds. */
static void let_go(struct front_blk *b)
{
    if (b->port)
        front_evtchn_close(b->port);
    if (b->ring_page && (b->ring_ref < 0 || !front_grant_end(b->ring_ref)))
        front_port_page_put(b->ring_page);
    for (unsigned i = 0; i < NR_PAGES && b->data[i].page; i++) {
        if (!b->data[i].used || !front_grant_end(b->data[i].ref))
            front_port_page_put(b->data[i].page);
    }
    memset(b, 0, sizeof(*b));
}

static void read_features(struct front_blk *b)
{
    u64 indirect = 0;

    b->flush = front_dev_flag(b->dev.backend, "feature-flush-cache");
    b->discard = front_dev_flag(b->dev.backend, "feature-discard");
    b->max_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    if (front_dev_get(b->dev.backend, "feature-max-indirect-segments", &indirect) == 0 &&
        indirect > b->max_segments)
        b->max_segments = indirect < MAX_SEGMENTS ? (unsigned)indirect : MAX_SEGMENTS;
}

static int connect(struct front_blk *b)
{
    int rc = front_dev_begin(&b->dev);

    if (!rc)
        rc = share_ring(b);
    if (!rc)
        rc = tell_backend(b);
    if (!rc)
        rc = front_dev_wait(&b->dev, XenbusStateConnected, XenbusStateConnected);
    if (!rc)
        rc = front_dev_get(b->dev.backend, "sectors", &b->sectors);
    if (rc)
        return rc;
    read_features(b);
    return front_dev_set(&b->dev, "state", XenbusStateConnected);
}

static struct front_blk *free_device(void)
{
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(devices); i++) {
        if (!devices[i].used)
            return &devices[i];
    }
    return NULL;
}

int front_blk_open(unsigned vdev, struct front_blk **blk)
{
    struct front_blk *b = free_device();
    int rc;

    if (!b)
        return -XEN_ENOSPC;
    b->ring_ref = -1;
    b->vdev = (blkif_vdev_t)vdev;
    rc = front_dev_find(&b->dev, "vbd", vdev);
    if (rc)
        return rc;
    rc = connect(b);
    if (rc) {
        front_dev_set(&b->dev, "state", XenbusStateClosed); /* what is shared goes next */
        let_go(b);
        return rc;
    }
    b->used = true;
    *blk = b;
    return 0;
}

u64 front_blk_sectors(const struct front_blk *blk)
{
    return blk->sectors;
}

u64 front_blk_max_sectors(const struct front_blk *blk)
{
    return blk->max_segments * SECTORS_PER_PAGE;
}

/* ---- the end of requests ---- */

static void complete(struct slot *s, int result)
{
    struct front_blk_io *io = s->io;

    s->io = NULL;
    if (!io)
        return;
    io->result = result;
    if (io->done)
        io->done(io);
}

/* Nothing that this backend says is believed any more: what is out has failed. Its pages stay
 * granted until the device is closed. */
static int fail(struct front_blk *b)
{
    b->broken = true;
    for (unsigned i = 0; i < NR_SLOTS; i++) {
        if (b->slots[i].out)
            complete(&b->slots[i], -XEN_EIO);
    }
    return -XEN_EIO;
}

/* False: the backend has answered, and keeps the page all the same. Then it keeps it for good. */
static bool give_back(struct front_blk *b, u8 index)
{
    struct data_page *p = &b->data[index];

    if (front_grant_end(p->ref))
        return false;
    p->used = false;
    return true;
}

static bool release(struct front_blk *b, struct slot *s)
{
    bool all = s->list == NO_PAGE || give_back(b, s->list);

    for (unsigned i = 0; i < s->nr_pages; i++)
        all &= give_back(b, s->pages[i]);
    s->out = false;
    b->nr_out--;
    return all;
}

static int result_of(s16 status)
{
    if (status == BLKIF_RSP_OKAY)
        return 0;
    return status == BLKIF_RSP_EOPNOTSUPP ? -XEN_EOPNOTSUPP : -XEN_EIO;
}

static u8 operation_of(const struct front_blk_io *io)
{
    static const u8 operations[] = {[FRONT_BLK_READ] = BLKIF_OP_READ,
                                    [FRONT_BLK_WRITE] = BLKIF_OP_WRITE,
                                    [FRONT_BLK_FLUSH] = BLKIF_OP_FLUSH_DISKCACHE,
                                    [FRONT_BLK_DISCARD] = BLKIF_OP_DISCARD};

    return operations[io->op];
}

/* Backends answer an indirect request under either name of its operation. */
static bool answers(const struct slot *s, const blkif_response_t *got)
{
    return s->out && s->io && got->id == s->id &&
           (got->operation == operation_of(s->io) ||
            (s->list != NO_PAGE && got->operation == BLKIF_OP_INDIRECT));
}

static int take_response(struct front_blk *b, const blkif_response_t *got)
{
    struct slot *s = &b->slots[got->id % NR_SLOTS];
    int result = result_of(got->status);
    struct front_blk_io *io = s->io;
    u64 left;

    if (!answers(s, got))
        return fail(b);
    left = io->op == FRONT_BLK_READ && !result ? io->sectors * SECTOR_SIZE : 0;
    for (unsigned i = 0; left; i++) {
        u64 n = left < FRONT_PAGE_SIZE ? left : FRONT_PAGE_SIZE;

        memcpy((u8 *)io->data + i * FRONT_PAGE_SIZE, b->data[s->pages[i]].page, n);
        left -= n;
    }
    if (!release(b, s))
        b->broken = true;
    complete(s, result);
    return b->broken ? fail(b) : 0;
}

int front_blk_poll(struct front_blk *blk)
{
    RING_IDX prod;
    int n = 0;

    if (blk->broken)
        return -XEN_EIO;
    prod = READ_ONCE(blk->ring.sring->rsp_prod);
    front_rmb();
    if (prod - blk->ring.rsp_cons > blk->nr_out)
        return fail(blk);
    for (; blk->ring.rsp_cons != prod; n++) {
        blkif_response_t got;

        memcpy(&got, RING_GET_RESPONSE(&blk->ring, blk->ring.rsp_cons), sizeof(got));
        front_barrier();
        blk->ring.rsp_cons++;
        if (take_response(blk, &got))
            return -XEN_EIO;
    }
    return n;
}

int front_blk_wait(struct front_blk *blk, u64 deadline_ns)
{
    int more;

    while (!blk->broken) {
        front_irq_disable();
        RING_FINAL_CHECK_FOR_RESPONSES(&blk->ring, more);
        if (more || front_port_now() >= deadline_ns) {
            front_irq_enable();
            return more ? front_blk_poll(blk) : -XEN_ETIMEDOUT;
        }
        front_port_sleep(deadline_ns);
    }
    return -XEN_EIO;
}

/* ---- requests ---- */

static u8 take_page(struct front_blk *b, bool readonly)
{
    u8 i = 0;

    while (i < NR_PAGES && b->data[i].used)
        i++;
    if (i < NR_PAGES && !b->data[i].page)
        b->data[i].page = front_port_page_get();
    if (i == NR_PAGES || !b->data[i].page)
        return NO_PAGE;
    memset(b->data[i].page, 0, FRONT_PAGE_SIZE); /* of a request before */
    b->data[i].ref =
        front_grant_access(b->dev.backend_id, front_port_page_mfn(b->data[i].page), readonly);
    if (b->data[i].ref < 0)
        return NO_PAGE;
    b->data[i].used = true;
    return i;
}

/* The pages of a transfer, filled if it is a write. False: there are not so many now. */
static bool take_pages(struct front_blk *b, struct slot *s, const struct front_blk_io *io)
{
    u64 left = io->sectors * SECTOR_SIZE;
    unsigned pages = (unsigned)((left + FRONT_PAGE_SIZE - 1) / FRONT_PAGE_SIZE);

    s->list = NO_PAGE;
    s->nr_pages = 0;
    if (io->op != FRONT_BLK_READ && io->op != FRONT_BLK_WRITE)
        return true;
    if (pages > BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        s->list = take_page(b, true);
        if (s->list == NO_PAGE)
            return false;
    }
    for (; s->nr_pages < pages; s->nr_pages++) {
        u64 n = left < FRONT_PAGE_SIZE ? left : FRONT_PAGE_SIZE;
        u8 p = take_page(b, io->op == FRONT_BLK_WRITE);

        if (p == NO_PAGE)
            return false;
        s->pages[s->nr_pages] = p;
        if (io->op == FRONT_BLK_WRITE)
            memcpy(b->data[p].page, (u8 *)io->data + s->nr_pages * FRONT_PAGE_SIZE, n);
        left -= n;
    }
    return true;
}

static void put_segments(struct front_blk *b, const struct slot *s,
                         struct blkif_request_segment *seg, u64 sectors)
{
    for (unsigned i = 0; i < s->nr_pages; i++) {
        u64 n = sectors < SECTORS_PER_PAGE ? sectors : SECTORS_PER_PAGE;
        struct blkif_request_segment one = {.gref = (grant_ref_t)b->data[s->pages[i]].ref,
                                            .last_sect = (u8)(n - 1)};

        memcpy(&seg[i], &one, sizeof(one));
        sectors -= n;
    }
}

static void put_transfer(struct front_blk *b, const struct slot *s, const struct front_blk_io *io,
                         void *at)
{
    blkif_request_t req = {.operation = operation_of(io),
                           .nr_segments = s->nr_pages,
                           .handle = b->vdev,
                           .id = s->id,
                           .sector_number = io->sector};

    put_segments(b, s, req.seg, io->sectors);
    memcpy(at, &req, sizeof(req));
}

static void put_indirect(struct front_blk *b, const struct slot *s, const struct front_blk_io *io,
                         void *at)
{
    blkif_request_indirect_t req = {.operation = BLKIF_OP_INDIRECT,
                                    .indirect_op = operation_of(io),
                                    .nr_segments = s->nr_pages,
                                    .handle = b->vdev,
                                    .id = s->id,
                                    .sector_number = io->sector};

    req.indirect_grefs[0] = (grant_ref_t)b->data[s->list].ref;
    put_segments(b, s, b->data[s->list].page, io->sectors);
    memcpy(at, &req, sizeof(req));
}

static void put_discard(struct front_blk *b, const struct slot *s, const struct front_blk_io *io,
                        void *at)
{
    blkif_request_discard_t req = {.operation = BLKIF_OP_DISCARD,
                                   .handle = b->vdev,
                                   .id = s->id,
                                   .sector_number = io->sector,
                                   .nr_sectors = io->sectors};

    memcpy(at, &req, sizeof(req));
}

static int check_io(const struct front_blk *b, const struct front_blk_io *io)
{
    bool transfer = io->op == FRONT_BLK_READ || io->op == FRONT_BLK_WRITE;

    if (b->broken)
        return -XEN_EIO;
    if (io->op == FRONT_BLK_FLUSH)
        return b->flush ? 0 : -XEN_EOPNOTSUPP;
    if (!transfer && io->op != FRONT_BLK_DISCARD)
        return -XEN_EINVAL;
    if (!transfer && !b->discard)
        return -XEN_EOPNOTSUPP;
    if (!io->sectors || io->sector >= b->sectors || io->sectors > b->sectors - io->sector ||
        (transfer && io->sectors > front_blk_max_sectors(b)))
        return -XEN_EINVAL;
    return 0;
}

int front_blk_submit(struct front_blk *blk, struct front_blk_io *io)
{
    struct slot *s = blk->slots;
    int rc = check_io(blk, io), notify;
    void *at;

    if (rc)
        return rc;
    while (s < blk->slots + NR_SLOTS && s->out)
        s++;
    if (s == blk->slots + NR_SLOTS)
        return -XEN_EAGAIN;
    s->out = true;
    blk->nr_out++;
    if (!take_pages(blk, s, io)) {
        if (!release(blk, s))
            return fail(blk);
        return blk->nr_out ? -XEN_EAGAIN
                           : -XEN_ENOSPC; /* no pages, no grants: none will come back */
    }
    s->io = io;
    s->id = ++blk->next_id * NR_SLOTS + (u64)(s - blk->slots);
    io->result = FRONT_BLK_PENDING;
    at = RING_GET_REQUEST(&blk->ring, blk->ring.req_prod_pvt);
    if (s->list != NO_PAGE)
        put_indirect(blk, s, io, at);
    else if (io->op == FRONT_BLK_DISCARD)
        put_discard(blk, s, io, at);
    else
        put_transfer(blk, s, io, at);
    blk->ring.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&blk->ring, notify);
    if (notify)
        front_evtchn_send(blk->port);
    return 0;
}

/* ---- one after the other ---- */

/* A request that is not answered in time ends the device: its number must not be met again. */
static int transact(struct front_blk *b, struct front_blk_io *io)
{
    u64 end = front_port_now() + REQUEST_NS;
    int rc = front_blk_submit(b, io);

    while (rc == -XEN_EAGAIN) {
        rc = front_blk_wait(b, end);
        if (rc >= 0)
            rc = front_blk_submit(b, io);
    }
    if (rc)
        return rc;
    while (io->result == FRONT_BLK_PENDING) {
        rc = front_blk_wait(b, end);
        if (rc == -XEN_ETIMEDOUT) {
            fail(b);
            return rc;
        }
    }
    return io->result;
}

int front_blk_read(struct front_blk *blk, u64 sector, void *page, unsigned sectors)
{
    struct front_blk_io io = {
        .op = FRONT_BLK_READ, .sector = sector, .sectors = sectors, .data = page};

    return sectors > SECTORS_PER_PAGE ? -XEN_EINVAL : transact(blk, &io);
}

int front_blk_write(struct front_blk *blk, u64 sector, void *page, unsigned sectors)
{
    struct front_blk_io io = {
        .op = FRONT_BLK_WRITE, .sector = sector, .sectors = sectors, .data = page};

    return sectors > SECTORS_PER_PAGE ? -XEN_EINVAL : transact(blk, &io);
}

int front_blk_flush(struct front_blk *blk)
{
    struct front_blk_io io = {.op = FRONT_BLK_FLUSH};

    return transact(blk, &io);
}

int front_blk_discard(struct front_blk *blk, u64 sector, u64 sectors)
{
    struct front_blk_io io = {.op = FRONT_BLK_DISCARD, .sector = sector, .sectors = sectors};

    return transact(blk, &io);
}

int front_blk_close(struct front_blk *blk)
{
    int rc;

    fail(blk);
    rc = front_dev_close(&blk->dev);
    let_go(blk);
    return rc;
}
