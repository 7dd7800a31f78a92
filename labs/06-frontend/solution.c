/* SPDX-License-Identifier: MIT */
/* Lab 6, block frontend: a solution. */
#include "task.h"

#define REQUEST_SECTORS (BLKIF_MAX_SEGMENTS_PER_REQUEST * PAGE_SECTORS)
#define REQUESTS ((MOST_SECTORS + REQUEST_SECTORS - 1) / REQUEST_SECTORS)

/* A request that is out: what must be undone when it is answered. */
struct out {
    int refs[BLKIF_MAX_SEGMENTS_PER_REQUEST];
    unsigned pages;
    bool busy;
};
static struct out outs[REQUESTS];

static blkif_sring_t *shared;
static blkif_front_ring_t ring;
static int ring_ref;
static u64 disk_sectors;

int my_connect(void)
{
    int port = front_evtchn_alloc(LAB_BACKEND);

    shared = front_page_alloc();
    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&ring, shared, FRONT_PAGE_SIZE);
    ring_ref = front_grant_access(LAB_BACKEND, front_va_to_mfn(shared), false);
    if (port < 0 || ring_ref < 0)
        return -XEN_ENOMEM;
    lab_write("ring-ref", (u64)ring_ref);
    lab_write("event-channel", (u64)port);
    /* Only now may the backend read what was written. */
    lab_state(XenbusStateInitialised);
    lab_wait_state(XenbusStateConnected);
    disk_sectors = lab_read("sectors");
    lab_state(XenbusStateConnected);
    return 0;
}

static void submit(unsigned id, unsigned op, u64 sector, u8 *data, unsigned sectors)
{
    struct out *out = &outs[id];
    blkif_request_t *req = RING_GET_REQUEST(&ring, ring.req_prod_pvt);

    out->pages = 0;
    out->busy = true;
    req->id = id;
    req->operation = (u8)op;
    req->handle = 0;
    req->sector_number = sector;
    while (sectors) {
        unsigned n = sectors < PAGE_SECTORS ? sectors : PAGE_SECTORS;
        struct blkif_request_segment *s = &req->seg[out->pages];
        /* Who is to read a page need not be able to write it. */
        int ref = front_grant_access(LAB_BACKEND, front_va_to_mfn(data), op == BLKIF_OP_WRITE);

        out->refs[out->pages++] = ref;
        s->gref = (grant_ref_t)ref;
        s->first_sect = 0;
        s->last_sect = (u8)(n - 1);
        sectors -= n;
        data += FRONT_PAGE_SIZE;
    }
    req->nr_segments = (u8)out->pages;
    ring.req_prod_pvt++;
}

/* One response: the pages are ours again; did it go well? */
static bool finish(const blkif_response_t *rsp)
{
    struct out *out;

    if (rsp->id >= REQUESTS || !outs[rsp->id].busy)
        return false;
    out = &outs[rsp->id];
    out->busy = false;
    for (unsigned i = 0; i < out->pages; i++)
        front_grant_end(out->refs[i]);
    return rsp->status == BLKIF_RSP_OKAY;
}

int my_transfer(unsigned op, u64 sector, u8 *data, unsigned sectors)
{
    unsigned waiting = 0;
    int rc = 0, notify, more;

    if (sector > disk_sectors || sectors > disk_sectors - sector)
        return -XEN_EIO;
    while (sectors) {
        unsigned n = sectors < REQUEST_SECTORS ? sectors : REQUEST_SECTORS;

        submit(waiting++, op, sector, data, n);
        sector += n;
        sectors -= n;
        data += n * SECTOR;
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring, notify);
    if (notify)
        lab_notify();
    while (waiting) {
        while (RING_HAS_UNCONSUMED_RESPONSES(&ring)) {
            blkif_response_t rsp = *RING_GET_RESPONSE(&ring, ring.rsp_cons);

            ring.rsp_cons++;
            waiting--;
            if (!finish(&rsp))
                rc = -XEN_EIO;
        }
        /* Ask for an event for the next one, then look once more, then sleep. */
        RING_FINAL_CHECK_FOR_RESPONSES(&ring, more);
        if (waiting && !more)
            lab_sleep();
    }
    return rc;
}

int my_close(void)
{
    int rc;

    lab_state(XenbusStateClosing);
    lab_wait_state(XenbusStateClosed);
    /* It has let go of the ring. */
    rc = front_grant_end(ring_ref);
    if (!rc)
        front_page_free(shared);
    lab_state(XenbusStateClosed);
    return rc;
}
