/* SPDX-License-Identifier: MIT */
/*
 * request.h - turn a raw ring request into a checked one. Pure: no memory but its arguments', no
 * system call, so that it can be tested and fuzzed alone.
 *
 * The raw request must be a private copy: what is checked here is what is used (BE-1).
 */
#ifndef BACKENDS_BLOCK_REQUEST_H
#define BACKENDS_BLOCK_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>

#define REQUEST_SECTOR 512u
#define REQUEST_SECTORS_PER_PAGE 8u
#define REQUEST_MAX_SEGMENTS 256u /* advertised as feature-max-indirect-segments */
#define REQUEST_SEGMENTS_PER_PAGE (4096u / sizeof(struct blkif_request_segment))
#define REQUEST_MAX_INDIRECT_PAGES                                                                 \
    ((REQUEST_MAX_SEGMENTS + REQUEST_SEGMENTS_PER_PAGE - 1) / REQUEST_SEGMENTS_PER_PAGE)

enum request_op {
    REQUEST_READ,
    REQUEST_WRITE,
    REQUEST_BARRIER, /* a write, or nothing, ordered and durable */
    REQUEST_FLUSH,
    REQUEST_DISCARD,
};

/* The device as the guest was told about it. */
struct request_limits {
    uint64_t sectors;           /* of 512 bytes */
    uint32_t sectors_per_block; /* sector-size / 512: alignment of everything */
    bool readonly;
    bool discard;
};

struct request_segment {
    uint32_t gref;
    uint16_t offset; /* in the page, bytes */
    uint16_t bytes;
};

struct request {
    enum request_op op;
    uint8_t abi_op; /* for the response: of an indirect request, the inner one */
    uint64_t id;
    uint64_t sector;
    uint64_t nr_sectors;
    unsigned nr_segments;
    unsigned nr_indirect_pages; /* > 0: segments still to come, by request_add_segments() */
    uint32_t indirect_grefs[REQUEST_MAX_INDIRECT_PAGES];
    struct request_segment seg[REQUEST_MAX_SEGMENTS];
};

/*
 * BLKIF_RSP_OKAY, or the status to answer with. id and abi_op are valid even then. An indirect
 * request comes back with nr_indirect_pages > 0 and no segments: copy those pages, then
 * request_add_segments().
 */
int request_decode(const blkif_request_t *raw, const struct request_limits *lim,
                   struct request *out);

/* `segs`: private copies of the descriptors, out->nr_segments of them. */
int request_add_segments(struct request *out, const struct request_limits *lim,
                         const struct blkif_request_segment *segs);

/* Whether a request that was kept elsewhere is one that decoding could have accepted. */
bool request_sound(const struct request *r, const struct request_limits *lim);

static inline uint64_t request_bytes(const struct request *r)
{
    return r->nr_sectors * REQUEST_SECTOR;
}

#endif
