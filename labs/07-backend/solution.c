/* SPDX-License-Identifier: MIT */
/* Lab 7, block backend: a solution. */
#include "task.h"

int my_check(const blkif_request_t *req)
{
    u64 sectors = 0;

    if (req->operation == BLKIF_OP_FLUSH_DISKCACHE)
        return BLKIF_RSP_OKAY;
    if (req->operation != BLKIF_OP_READ && req->operation != BLKIF_OP_WRITE)
        return BLKIF_RSP_EOPNOTSUPP;
    if (req->nr_segments == 0 || req->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return BLKIF_RSP_ERROR;
    for (unsigned i = 0; i < req->nr_segments; i++) {
        const struct blkif_request_segment *s = &req->seg[i];

        if (s->first_sect > s->last_sect || s->last_sect >= FRONT_PAGE_SIZE / SECTOR)
            return BLKIF_RSP_ERROR;
        sectors += s->last_sect - s->first_sect + 1u;
    }
    /* Not sector_number + sectors, which may wrap around. */
    if (req->sector_number > lab_sectors || sectors > lab_sectors - req->sector_number)
        return BLKIF_RSP_ERROR;
    return BLKIF_RSP_OKAY;
}

/* Bytes between a granted page and the disk, both within one page. */
static int copy(const blkif_request_t *req, grant_ref_t ref, unsigned offset, u8 *disk,
                unsigned len)
{
    struct gnttab_copy op = {.len = (u16)len};
    bool reading = req->operation == BLKIF_OP_READ;
    __typeof__(op.source) *granted = reading ? (void *)&op.dest : &op.source;
    __typeof__(op.source) *ours = reading ? &op.source : (void *)&op.dest;

    op.flags = reading ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
    granted->u.ref = ref;
    granted->domid = 0;
    granted->offset = (u16)offset;
    ours->u.gmfn = front_va_to_mfn(disk);
    ours->domid = DOMID_SELF;
    ours->offset = (u16)((u64)disk % FRONT_PAGE_SIZE);
    if (hc_grant_table_op(GNTTABOP_copy, &op, 1) || op.status != GNTST_okay)
        return BLKIF_RSP_ERROR;
    return BLKIF_RSP_OKAY;
}

int my_move(const blkif_request_t *req)
{
    u8 *disk = lab_disk + req->sector_number * SECTOR;

    if (req->operation == BLKIF_OP_FLUSH_DISKCACHE)
        return BLKIF_RSP_OKAY;
    for (unsigned i = 0; i < req->nr_segments; i++) {
        const struct blkif_request_segment *s = &req->seg[i];
        unsigned at = s->first_sect * SECTOR, end = (s->last_sect + 1u) * SECTOR;

        /* A segment is within one page of the frontend's, and may be on two of the disk's. */
        while (at < end) {
            unsigned room = FRONT_PAGE_SIZE - (unsigned)((u64)disk % FRONT_PAGE_SIZE);
            unsigned len = end - at < room ? end - at : room;

            if (copy(req, s->gref, at, disk, len) != BLKIF_RSP_OKAY)
                return BLKIF_RSP_ERROR;
            at += len;
            disk += len;
        }
    }
    return BLKIF_RSP_OKAY;
}

static void answer(blkif_back_ring_t *ring, const blkif_request_t *req, int status)
{
    blkif_response_t *rsp = RING_GET_RESPONSE(ring, ring->rsp_prod_pvt);
    int notify;

    rsp->id = req->id;
    rsp->operation = req->operation;
    rsp->status = (s16)status;
    ring->rsp_prod_pvt++;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(ring, notify);
    if (notify)
        lab_notify();
}

int my_serve(blkif_back_ring_t *ring)
{
    int served = 0, more;

    do {
        RING_IDX end = READ_ONCE(ring->sring->req_prod);

        if (end - ring->rsp_prod_pvt > RING_SIZE(ring))
            return -XEN_EINVAL;
        xen_rmb(); /* what is in the slots was there before the index said so */
        while (ring->req_cons != end) {
            blkif_request_t req;
            int status;

            /* Once: what was checked is what is done. */
            lab_fetch(ring, ring->req_cons++, &req);
            status = my_check(&req);
            answer(ring, &req, status == BLKIF_RSP_OKAY ? my_move(&req) : status);
            served++;
        }
        RING_FINAL_CHECK_FOR_REQUESTS(ring, more);
    } while (more);
    return served;
}
