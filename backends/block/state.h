/* SPDX-License-Identifier: MIT */
/*
 * state.h - what the block backend's own files share: the device, its connection, one struct blk_io
 * for each ring slot. blkback.c connects and runs the loop, serve.c takes requests and does them.
 */
#ifndef BACKENDS_BLOCK_STATE_H
#define BACKENDS_BLOCK_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "../common/device.h"
#include "blkback.h"
#include "image.h"
#include "pgrants.h"
#include "pool.h"
#include "queue.h"
#include "request.h"
#include "uring.h"

#define BLKBACK_MAX_QUEUES CHANNEL_MAX_QUEUES

enum io_stage {
    IO_TRANSFER,
    IO_PREFLUSH,  /* of a barrier */
    IO_POSTFLUSH, /* of a barrier */
    IO_FLUSH,
    IO_DISCARD,
};

struct blk_io {
    struct blk_io *next_free;
    uint64_t since_ns; /* taken */
    struct queue *q;
    struct queue_entry *e; /* the request, in the journal */
    enum io_stage stage;
    uint32_t page, pages;             /* of the pool */
    uint32_t done;                    /* bytes moved; a short transfer is continued */
    void *mapped;                     /* grants=map: all its pages, for as long as it lasts */
    void *addr[REQUEST_MAX_SEGMENTS]; /* where each segment's page is mapped, or NULL: copy */
};

enum blk_grants { GRANTS_PERSISTENT, GRANTS_COPY, GRANTS_MAP };

/* What the guest file says about how to serve; see docs/backends.md. */
struct blk_knobs {
    enum blk_grants grants;
    unsigned queues, ring_order, indirect;
    unsigned batch, batch_us; /* hold answers back for so many, for so long */
    unsigned gather_us;       /* wait for the end of a burst of requests for so long */
    unsigned poll_us;         /* look at the rings for so long before waiting */
};

struct blkback {
    struct device *d;
    struct image img;
    struct request_limits lim;
    struct blk_knobs knobs;
    uint32_t sector_size; /* as asked for; 0: the image's */
    uint32_t discard_granularity;
    bool removable;
    struct pool pool;
    struct uring uring;
    bool channel_ready;        /* acted on only in blkback_turn(): it may connect and disconnect */
    bool event_ready;          /* the read of the event channel completed */
    bool again;                /* a ring had more when last looked at */
    uint64_t idle_since;       /* us; busy polling */
    uint64_t now_ns;           /* when the loop came back from the kernel */
    uint64_t limited_since_ns; /* a request waits for the limit; 0: none does */
    struct blk_journal *own_journal; /* where the host gives none */
    struct meter *own_meter;         /* likewise */
    struct capture *capture;         /* NULL: requests are not recorded */

    /* The connection; nr_queues is 0 when there is none. */
    unsigned nr_queues;
    struct queue queues[BLKBACK_MAX_QUEUES];
    struct pgrants *pgrants; /* NULL: not for this guest */
};

static inline uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline uint64_t now_us(void)
{
    return now_ns() / 1000;
}

/* The body of the journal. */
#define BLK_JOURNAL_FORMAT 1u
struct blk_journal {
    struct queue_journal queue[BLKBACK_MAX_QUEUES];
};
_Static_assert(sizeof(struct blk_journal) <= JOURNAL_BYTES - JOURNAL_HEAD_BYTES, "fits");

/*
 * Take what is in the ring, as far as there is room. True if there is more to do at once; false: a
 * completion or an event will call again. May end the connection.
 */
bool serve_queue(struct blkback *b, struct queue *q, bool sleeping);
/* A completion. */
void serve_completed(struct blkback *b, struct blk_io *io, int res);

#endif
