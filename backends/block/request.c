/* SPDX-License-Identifier: MIT */
/*
 * request.c - validation of block requests (BE-3).
 *
 * Invariants of a request that was accepted: the operation is one we serve and the device allows;
 * every segment lies inside its page, is not empty and is a whole number of the device's blocks;
 * the whole range lies inside the device; its length is the sum of its segments.
 */
#include "request.h"

#include <string.h>

_Static_assert(sizeof(struct blkif_request_segment) == 8, "segment descriptor of the x86-64 ABI");
_Static_assert(REQUEST_MAX_INDIRECT_PAGES <= BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST,
               "fits a request");

static bool range_inside(const struct request *r, const struct request_limits *lim)
{
    uint64_t end;

    return !__builtin_add_overflow(r->sector, r->nr_sectors, &end) && end <= lim->sectors &&
           r->sector % lim->sectors_per_block == 0 && r->nr_sectors % lim->sectors_per_block == 0;
}

static bool segment_decode(const struct blkif_request_segment *raw, struct request_segment *out)
{
    if (raw->first_sect > raw->last_sect || raw->last_sect >= REQUEST_SECTORS_PER_PAGE) {
        return false;
    }
    out->gref = raw->gref;
    out->offset = (uint16_t)(raw->first_sect * REQUEST_SECTOR);
    out->bytes = (uint16_t)((raw->last_sect - raw->first_sect + 1u) * REQUEST_SECTOR);
    return true;
}

int request_add_segments(struct request *out, const struct request_limits *lim,
                         const struct blkif_request_segment *segs)
{
    out->nr_sectors = 0;
    for (unsigned i = 0; i < out->nr_segments; i++) {
        if (!segment_decode(&segs[i], &out->seg[i])) {
            return BLKIF_RSP_ERROR;
        }
        out->nr_sectors += out->seg[i].bytes / REQUEST_SECTOR;
    }
    return range_inside(out, lim) ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
}

static int decode_transfer(const blkif_request_t *raw, const struct request_limits *lim,
                           struct request *out)
{
    bool may_be_empty = out->op == REQUEST_BARRIER;

    if (raw->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST || (!raw->nr_segments && !may_be_empty)) {
        return BLKIF_RSP_ERROR;
    }
    if (out->op != REQUEST_READ && lim->readonly && raw->nr_segments) {
        return BLKIF_RSP_ERROR;
    }
    out->nr_segments = raw->nr_segments;
    /* An empty barrier has no range; Linux leaves its sector at whatever it was. */
    out->sector = raw->nr_segments ? raw->sector_number : 0;
    return request_add_segments(out, lim, raw->seg);
}

static int decode_discard(const blkif_request_t *raw, const struct request_limits *lim,
                          struct request *out)
{
    blkif_request_discard_t d;

    memcpy(&d, raw, sizeof(d));
    if (!lim->discard || (d.flag & BLKIF_DISCARD_SECURE)) {
        return BLKIF_RSP_EOPNOTSUPP;
    }
    out->sector = d.sector_number;
    out->nr_sectors = d.nr_sectors;
    if (lim->readonly || !d.nr_sectors || !range_inside(out, lim)) {
        return BLKIF_RSP_ERROR;
    }
    return BLKIF_RSP_OKAY;
}

static int decode_indirect(const blkif_request_t *raw, const struct request_limits *lim,
                           struct request *out)
{
    blkif_request_indirect_t ind;

    memcpy(&ind, raw, sizeof(ind));
    out->abi_op = ind.indirect_op;
    out->id = ind.id;
    if (ind.indirect_op != BLKIF_OP_READ && ind.indirect_op != BLKIF_OP_WRITE) {
        return BLKIF_RSP_ERROR;
    }
    out->op = ind.indirect_op == BLKIF_OP_READ ? REQUEST_READ : REQUEST_WRITE;
    if (!ind.nr_segments || ind.nr_segments > REQUEST_MAX_SEGMENTS ||
        (out->op == REQUEST_WRITE && lim->readonly)) {
        return BLKIF_RSP_ERROR;
    }
    out->sector = ind.sector_number;
    out->nr_segments = ind.nr_segments;
    out->nr_indirect_pages =
        (unsigned)((ind.nr_segments + REQUEST_SEGMENTS_PER_PAGE - 1) / REQUEST_SEGMENTS_PER_PAGE);
    memcpy(out->indirect_grefs, ind.indirect_grefs, sizeof(out->indirect_grefs));
    return BLKIF_RSP_OKAY;
}

int request_decode(const blkif_request_t *raw, const struct request_limits *lim,
                   struct request *out)
{
    out->abi_op = raw->operation;
    out->id = raw->id;
    out->sector = 0;
    out->nr_sectors = 0;
    out->nr_segments = 0;
    out->nr_indirect_pages = 0;
    switch (raw->operation) {
    case BLKIF_OP_READ:
        out->op = REQUEST_READ;
        return decode_transfer(raw, lim, out);
    case BLKIF_OP_WRITE:
        out->op = REQUEST_WRITE;
        return decode_transfer(raw, lim, out);
    case BLKIF_OP_WRITE_BARRIER:
        out->op = REQUEST_BARRIER;
        return decode_transfer(raw, lim, out);
    case BLKIF_OP_FLUSH_DISKCACHE:
        out->op = REQUEST_FLUSH;
        return raw->nr_segments ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
    case BLKIF_OP_DISCARD:
        out->op = REQUEST_DISCARD;
        return decode_discard(raw, lim, out);
    case BLKIF_OP_INDIRECT:
        return decode_indirect(raw, lim, out);
    default:
        return BLKIF_RSP_EOPNOTSUPP;
    }
}

static bool segments_sound(const struct request *r)
{
    uint64_t bytes = 0;

    if (r->nr_segments > REQUEST_MAX_SEGMENTS) {
        return false;
    }
    for (unsigned i = 0; i < r->nr_segments; i++) {
        const struct request_segment *seg = &r->seg[i];

        if (!seg->bytes || seg->bytes % REQUEST_SECTOR || seg->offset + seg->bytes > 4096u) {
            return false;
        }
        bytes += seg->bytes;
    }
    return bytes == request_bytes(r);
}

bool request_sound(const struct request *r, const struct request_limits *lim)
{
    bool empty = !r->nr_segments && !r->nr_sectors;

    switch (r->op) {
    case REQUEST_READ:
        return !empty && segments_sound(r) && range_inside(r, lim);
    case REQUEST_WRITE:
        return !empty && !lim->readonly && segments_sound(r) && range_inside(r, lim);
    case REQUEST_BARRIER:
        return (empty || !lim->readonly) && segments_sound(r) && range_inside(r, lim);
    case REQUEST_FLUSH:
        return empty;
    case REQUEST_DISCARD:
        return !r->nr_segments && r->nr_sectors && lim->discard && !lim->readonly &&
               range_inside(r, lim);
    }
    return false;
}
