/* SPDX-License-Identifier: MIT */
/*
 * capture.c - see capture.h; common/recorder.c has the file.
 */
#include "capture.h"

#include <string.h>

void capture_geometry(struct capture *c, const struct request_limits *lim, unsigned queues,
                      unsigned ring_slots)
{
    c->head->sectors = lim->sectors;
    c->head->sector_size = lim->sectors_per_block * REQUEST_SECTOR;
    c->head->queues = queues;
    c->head->ring_slots = ring_slots;
}

/* The segments, as the guest wrote them. */
static void put_segments(uint8_t *to, const struct request *req, uint32_t bytes)
{
    memset(to, 0, bytes);
    for (unsigned i = 0; i < req->nr_segments; i++) {
        const struct request_segment *s = &req->seg[i];

        to[2 * i] = (uint8_t)(s->offset / REQUEST_SECTOR);
        to[2 * i + 1] = (uint8_t)((s->offset + s->bytes) / REQUEST_SECTOR - 1);
    }
}

static uint8_t flags_of(const struct queue_entry *e)
{
    return (uint8_t)((e->req.nr_indirect_pages ? CAPTURE_INDIRECT : 0) |
                     (e->verdict != BLKIF_RSP_OKAY ? CAPTURE_REFUSED : 0));
}

void capture_request(struct capture *c, unsigned queue, const struct queue_entry *e,
                     uint64_t since_ns, uint64_t now_ns, int status)
{
    const struct request *req = &e->req;
    bool refused = e->verdict != BLKIF_RSP_OKAY;
    unsigned nr_segments = refused ? 0 : req->nr_segments;
    struct capture_record r = {
        .bytes = capture_record_bytes(nr_segments),
        .queue = (uint16_t)queue,
        .op = req->abi_op,
        .flags = flags_of(e),
        .taken = since_ns - c->origin,
        .latency = now_ns - since_ns,
        .id = req->id,
        .sector = refused ? 0 : req->sector,
        .nr_sectors = refused ? 0 : req->nr_sectors,
        .index = e->taken_at,
        .status = (int16_t)status,
        .nr_segments = (uint16_t)nr_segments,
    };
    uint8_t *to = capture_room(c, r.bytes);

    if (!to) {
        return;
    }
    memcpy(to, &r, sizeof(r));
    if (!refused) {
        put_segments(to + sizeof(r), req, r.bytes - (uint32_t)sizeof(r));
    }
    capture_commit(c, r.bytes);
}
