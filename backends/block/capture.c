/* SPDX-License-Identifier: MIT */
/*
 * capture.c - see capture.h. Invariants: `used` is ours, the file's copy is only written, save once
 * at the start, when it is a predecessor's and is checked; a record is complete before `used`
 * includes it, so a death between any two instructions leaves whole records.
 */
#include "capture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/journal.h"
#include "../common/log.h"

#define ROOM (CAPTURE_BYTES - sizeof(struct capture_head))

struct capture {
    struct capture_head *head;
    uint64_t used, origin;
};

static bool usable(const struct capture_head *h)
{
    return !memcmp(h->magic, CAPTURE_MAGIC, sizeof(h->magic)) && h->version == CAPTURE_VERSION &&
           h->used <= ROOM && h->used % 8 == 0;
}

struct capture *capture_open(int fd)
{
    struct capture *c = calloc(1, sizeof(*c));
    void *map = MAP_FAILED;
    struct stat st;

    if (!fstat(fd, &st) && st.st_size == CAPTURE_BYTES) {
        map = mmap(NULL, CAPTURE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    close(fd);
    if (!c || map == MAP_FAILED || !usable(map)) {
        log_line("capture: the file is none any more; requests are not recorded");
        if (map != MAP_FAILED) {
            munmap(map, CAPTURE_BYTES);
        }
        free(c);
        return NULL;
    }
    c->head = map;
    c->used = c->head->used;
    c->origin = c->head->origin;
    return c;
}

void capture_close(struct capture *c)
{
    if (c) {
        munmap(c->head, CAPTURE_BYTES);
        free(c);
    }
}

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
    struct capture_head *h = c->head;
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
    uint8_t *to = (uint8_t *)(h + 1) + c->used;

    if (!READ_ONCE(h->on)) {
        return;
    }
    if (ROOM - c->used < r.bytes) {
        h->dropped++;
        return;
    }
    memcpy(to, &r, sizeof(r));
    if (!refused) {
        put_segments(to + sizeof(r), req, r.bytes - (uint32_t)sizeof(r));
    }
    c->used += r.bytes;
    journal_order();
    WRITE_ONCE(h->used, c->used);
}
