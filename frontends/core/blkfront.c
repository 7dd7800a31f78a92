/* SPDX-License-Identifier: MIT */
/*
 * A block device over the blkif protocol: one shared ring page, one request in flight, each of at
 * most one data page. Owns the ring, its grant and its port, and one page for data: the backend
 * sees that one and never a page of the caller's, so it sees the payload and nothing else (FE-3).
 * The backend is not trusted: a response counts only if it answers the request that is out (id and
 * operation), ring indices are checked, and a page whose grant the backend still holds is never
 * handed back to the pool (FE-1, FE-2). A device that does not open, or was closed, leaves nothing
 * and can be opened again (FE-5).
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

struct front_blk {
    struct front_dev dev;
    blkif_vdev_t vdev;
    blkif_front_ring_t ring;
    void *ring_page, *data;
    int ring_ref; /* -1: none */
    evtchn_port_t port;
    u64 sectors, next_id;
    bool used, flush, broken;
    bool data_held; /* by a backend that does not let go */
};

static struct front_blk devices[4];

static int share_ring(struct front_blk *b)
{
    int port;

    b->data = front_port_page_get();
    b->ring_page = front_port_page_get();
    if (!b->data || !b->ring_page)
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
    if (b->data && !b->data_held)
        front_port_page_put(b->data);
    memset(b, 0, sizeof(*b));
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
    b->flush = front_dev_flag(b->dev.backend, "feature-flush-cache");
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

static int wait_response(struct front_blk *b, u64 end)
{
    int more;

    for (;;) {
        front_irq_disable();
        RING_FINAL_CHECK_FOR_RESPONSES(&b->ring, more);
        if (more) {
            front_irq_enable();
            return 0;
        }
        if (front_port_now() >= end) {
            front_irq_enable();
            return -XEN_ETIMEDOUT;
        }
        front_port_sleep(end);
    }
}

/* Exactly one response is due: anything else means the backend cannot be believed any more. */
static int take_response(struct front_blk *b, const blkif_request_t *sent)
{
    blkif_response_t got;
    RING_IDX prod;
    int rc = wait_response(b, front_port_now() + REQUEST_NS);

    if (rc)
        return rc;
    prod = READ_ONCE(b->ring.sring->rsp_prod);
    front_rmb();
    if (prod != b->ring.rsp_cons + 1)
        return -XEN_EIO;
    memcpy(&got, RING_GET_RESPONSE(&b->ring, b->ring.rsp_cons), sizeof(got));
    front_barrier();
    b->ring.rsp_cons++;
    if (got.id != sent->id || got.operation != sent->operation)
        return -XEN_EIO;
    if (got.status != BLKIF_RSP_OKAY)
        return got.status == BLKIF_RSP_EOPNOTSUPP ? -XEN_EOPNOTSUPP : -XEN_EIO;
    return 0;
}

static int transact(struct front_blk *b, const blkif_request_t *req)
{
    int notify, rc;

    memcpy(RING_GET_REQUEST(&b->ring, b->ring.req_prod_pvt), req, sizeof(*req));
    b->ring.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&b->ring, notify);
    if (notify)
        front_evtchn_send(b->port);
    rc = take_response(b, req);
    if (rc == -XEN_ETIMEDOUT)
        b->broken = true; /* the request is still out: nothing more can be sent in its place */
    return rc;
}

/* By way of b->data, of which the caller has seen to that it shows nothing else. */
static int io(struct front_blk *b, u8 operation, u64 sector, unsigned sectors)
{
    bool readonly = operation == BLKIF_OP_WRITE;
    blkif_request_t req;
    int ref, rc;

    ref = front_grant_access(b->dev.backend_id, front_port_page_mfn(b->data), readonly);
    if (ref < 0)
        return ref;
    memset(&req, 0, sizeof(req));
    req.operation = operation;
    req.nr_segments = 1;
    req.handle = b->vdev;
    req.id = ++b->next_id;
    req.sector_number = sector;
    req.seg[0].gref = (grant_ref_t)ref;
    req.seg[0].first_sect = 0;
    req.seg[0].last_sect = (u8)(sectors - 1);
    rc = transact(b, &req);
    /* A backend that keeps the page mapped after its answer keeps it for good: so do we. */
    if (front_grant_end(ref))
        b->broken = b->data_held = true;
    return rc;
}

static int check_range(const struct front_blk *b, u64 sector, unsigned sectors)
{
    if (b->broken)
        return -XEN_EIO;
    if (!sectors || sectors > SECTORS_PER_PAGE || sector >= b->sectors ||
        sectors > b->sectors - sector)
        return -XEN_EINVAL;
    return 0;
}

int front_blk_read(struct front_blk *blk, u64 sector, void *page, unsigned sectors)
{
    int rc = check_range(blk, sector, sectors);

    if (rc)
        return rc;
    memset(blk->data, 0, FRONT_PAGE_SIZE); /* of a write before */
    rc = io(blk, BLKIF_OP_READ, sector, sectors);
    if (!rc)
        memcpy(page, blk->data, sectors * SECTOR_SIZE);
    return rc;
}

int front_blk_write(struct front_blk *blk, u64 sector, void *page, unsigned sectors)
{
    int rc = check_range(blk, sector, sectors);

    if (rc)
        return rc;
    memset(blk->data, 0, FRONT_PAGE_SIZE);
    memcpy(blk->data, page, sectors * SECTOR_SIZE);
    return io(blk, BLKIF_OP_WRITE, sector, sectors);
}

int front_blk_flush(struct front_blk *blk)
{
    blkif_request_t req;

    if (blk->broken)
        return -XEN_EIO;
    if (!blk->flush)
        return -XEN_EOPNOTSUPP;
    memset(&req, 0, sizeof(req));
    req.operation = BLKIF_OP_FLUSH_DISKCACHE;
    req.handle = blk->vdev;
    req.id = ++blk->next_id;
    return transact(blk, &req);
}

int front_blk_close(struct front_blk *blk)
{
    int rc;

    blk->broken = true;
    rc = front_dev_close(&blk->dev);
    let_go(blk);
    return rc;
}
