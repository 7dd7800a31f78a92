/* SPDX-License-Identifier: MIT */
/*
 * capture.h - the requests of a disk's rings, in a file: when each was taken, what it asked for,
 * when and how it was answered. Never its data, nor which pages.
 *
 * The file is a head, then records, in the order of the answers; little-endian, as x86 has it. The
 * host makes it at its full size, CAPTURE_BYTES, so that a full disk is found before the guest
 * runs; the backend maps it, so that what was recorded survives it; and when the device goes, the
 * host cuts off what was not used. A record counts once `used` includes it. What finds no room is
 * dropped and counted.
 *
 * Who reads one believes nothing: replay/capfile.c checks every field.
 */
#ifndef TENUE_CAPTURE_H
#define TENUE_CAPTURE_H

#include <stdint.h>

#define CAPTURE_MAGIC "TENUECAP"
#define CAPTURE_VERSION 1u
#define CAPTURE_BLOCK 1u
#define CAPTURE_BYTES (16u << 20)
#define CAPTURE_MAX_QUEUES 8u
#define CAPTURE_MAX_SEGMENTS 256u
#define CAPTURE_DIRECT_SEGMENTS 11u /* more need an indirect request */

struct capture_head {
    char magic[8];
    uint32_t version;
    uint32_t kind;        /* CAPTURE_BLOCK */
    uint32_t on;          /* 0: requests pass unrecorded; may be changed at any time */
    uint32_t sector_size; /* that the guest was told: 512 or 4096 */
    uint64_t begun;       /* CLOCK_REALTIME, in ns, for people */
    uint64_t origin;      /* CLOCK_MONOTONIC, in ns: what times count from */
    uint64_t sectors;     /* of 512 bytes */
    uint64_t used;        /* bytes of records */
    uint64_t dropped;
    uint32_t queues;
    uint32_t ring_slots; /* of each */
    uint64_t reserved[7];
};
_Static_assert(sizeof(struct capture_head) == 128, "the file's format");

enum {
    CAPTURE_INDIRECT = 1,
    CAPTURE_REFUSED = 2, /* the request broke a rule: it has no segments here */
};

/* Followed by two bytes for each segment, the first and the last sector of its page, and zeros up
 * to a multiple of eight. */
struct capture_record {
    uint32_t bytes; /* with its segments */
    uint16_t queue;
    uint8_t op; /* BLKIF_OP_*; of an indirect request, the inner one */
    uint8_t flags;
    uint64_t taken; /* ns since the origin */
    uint64_t latency;
    uint64_t id;
    uint64_t sector, nr_sectors;
    uint32_t index; /* in the ring: orders what was taken in one go */
    int16_t status; /* BLKIF_RSP_* */
    uint16_t nr_segments;
};
_Static_assert(sizeof(struct capture_record) == 56, "the file's format");

static inline uint32_t capture_record_bytes(unsigned nr_segments)
{
    return (uint32_t)(sizeof(struct capture_record) + 2u * nr_segments + 7u) & ~7u;
}

/* A new file becomes one without records, recording. 0 or -errno. */
int capture_prepare(int fd);
/* Nobody records any more: cut off what was not used. */
void capture_finish(int fd);

#endif
