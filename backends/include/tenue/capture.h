/* SPDX-License-Identifier: MIT */
/*
 * capture.h - the requests of a disk's rings, or the packets of an interface's, in a file: when
 * each was taken, what it asked for, when and how it was answered. Never its data, nor which pages.
 *
 * The file is a head, then records, in the order of the answers; little-endian, as x86 has it. The
 * host makes it at its full size, CAPTURE_BYTES, so that a full disk is found before the guest
 * runs; the backend maps it, so that what was recorded survives it; and when the device goes, the
 * host cuts off what was not used. A record counts once `used` includes it. What finds no room is
 * dropped and counted.
 *
 * Who reads one believes nothing: replay/capcheck.c, capfile.c and netcap.c check every field.
 */
#ifndef TENUE_CAPTURE_H
#define TENUE_CAPTURE_H

#include <stdint.h>

#define CAPTURE_MAGIC "TENUECAP"
#define CAPTURE_VERSION 1u
#define CAPTURE_BLOCK 1u
#define CAPTURE_NET 2u
#define CAPTURE_BYTES (16u << 20)
#define CAPTURE_MAX_QUEUES 8u
#define CAPTURE_MAX_SEGMENTS 256u
#define CAPTURE_DIRECT_SEGMENTS 11u /* more need an indirect request */

struct capture_head {
    char magic[8];
    uint32_t version;
    uint32_t kind;        /* CAPTURE_BLOCK, CAPTURE_NET */
    uint32_t on;          /* 0: requests pass unrecorded; may be changed at any time */
    uint32_t sector_size; /* that the guest was told: 512 or 4096; NET: the headroom it wants */
    uint64_t begun;       /* CLOCK_REALTIME, in ns, for people */
    uint64_t origin;      /* CLOCK_MONOTONIC, in ns: what times count from */
    uint64_t sectors;     /* of 512 bytes; NET: CAPTURE_TAKES_*, what the guest can */
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

/* ---- CAPTURE_NET: a record is a packet, of one slot or more ---- */

#define CAPTURE_MAX_PIECES 20u
#define CAPTURE_PIECE_PAGE 4096u

enum {
    CAPTURE_TAKES_SG = 1,
    CAPTURE_TAKES_GSO4 = 2,
    CAPTURE_TAKES_GSO6 = 4,
    CAPTURE_TAKES_CSUM4 = 8,
    CAPTURE_TAKES_CSUM6 = 16,
};

enum { CAPTURE_SENT, CAPTURE_RECEIVED }; /* by the guest: which of the two rings */

enum {
    CAPTURE_CSUM_BLANK = 1,
    CAPTURE_VALIDATED = 2,
    CAPTURE_MCAST_ADD = 4, /* no packet, but a wish; which address is not recorded */
    CAPTURE_MCAST_DEL = 8,
};

/* What became of it once it was out of its ring, or before it went into one. */
enum {
    CAPTURE_PASSED,
    CAPTURE_LOST,     /* the tap did not take it, or its pages could not be copied */
    CAPTURE_SPOOFED,  /* in another's name */
    CAPTURE_UNUSABLE, /* empty, or of headers that do not say what its flags need */
};

struct capture_piece {
    uint16_t offset, size; /* in its page */
};

/* Followed by its pieces, and zeros up to a multiple of eight. */
struct capture_packet {
    uint32_t bytes; /* with its pieces */
    uint16_t queue;
    uint8_t way, flags;
    uint64_t taken, latency; /* ns; of the round that took it, from its begin to its answers */
    uint32_t index;          /* of its first slot: orders what was taken in one go */
    uint32_t size;           /* of the frame */
    uint16_t gso_size;       /* 0: none */
    uint8_t gso_type;        /* XEN_NETIF_GSO_TYPE_* */
    uint8_t fate;
    int16_t
        status; /* NETIF_RSP_*: what the first slot's answer says; of a received one 0 is well */
    uint16_t nr_slots; /* its pieces', and those of extra infos */
    uint16_t nr_pieces;
    uint16_t zero[3];
};
_Static_assert(sizeof(struct capture_packet) == 48, "the file's format");

static inline uint32_t capture_packet_bytes(unsigned nr_pieces)
{
    return (uint32_t)(sizeof(struct capture_packet) + sizeof(struct capture_piece) * nr_pieces +
                      7u) &
           ~7u;
}

/* A new file becomes one of this kind without records, recording. 0 or -errno. */
int capture_prepare(int fd, uint32_t kind);
/* Nobody records any more: cut off what was not used. */
void capture_finish(int fd);

#endif
