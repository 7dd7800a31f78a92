/* SPDX-License-Identifier: MIT */
/*
 * queue.h - one ring of a disk: requests out, answers in, and the journal of what lies between.
 *
 * The journal is what makes a death harmless (ADR 0050). Requests and answers share the ring's
 * slots, so a request that was taken is in no ring any more; it is in its entry until its answer is
 * in the ring. One store each decides: `req_cons` whether a request is taken, `rsp_prod` whether it
 * is answered. At every moment the entries in use between the two are as many as the indices are
 * apart, and queue_resume() believes a journal only if that holds.
 */
#ifndef BACKENDS_BLOCK_QUEUE_H
#define BACKENDS_BLOCK_QUEUE_H

#include <stdbool.h>
#include <tenue/meter.h>

#include "../common/backoff.h"
#include "../common/device.h"
#include "../common/ring.h"
#include "gather.h"
#include "request.h"

#define QUEUE_MAX_ORDER 4u
#define QUEUE_MAX_SLOTS 512u /* of a ring of 16 pages */

struct queue_entry {
    uint32_t used;
    uint32_t answered;
    RING_IDX taken_at, answered_at; /* index of the request, of the answer */
    int16_t verdict;                /* not OKAY: to be answered so, without being done */
    struct request req;
};

struct queue_journal {
    RING_IDX req_cons, rsp_prod;
    struct queue_entry entry[QUEUE_MAX_SLOTS];
};

struct blk_io;

/* All zero when not connected. */
struct queue {
    blkif_back_ring_t ring;
    unsigned ring_pages;
    int port;
    struct queue_journal *j;
    struct blk_io *ios, *free_ios; /* one for each slot; ios[i] is about j->entry[i] */
    struct blk_io **replay;        /* taken by a predecessor, in its order; then NULL */
    unsigned next_replay, nr_replay;
    unsigned inflight, inflight_writes;
    struct blk_io *held;
    unsigned unpushed;    /* answers made and not published */
    uint64_t unpushed_us; /* since when */
    bool notify_anyway;   /* after a resume: a predecessor may have published without a word */
    bool event_seen;      /* its port waits to be unmasked */
    struct backoff backoff;
    struct gather gather;
    struct meter_queue *m;
    uint64_t limited_until_us; /* the request at req_cons waits for the limit; 0: it does not */
    bool gathering;            /* asked to be told of a whole burst, until gather.limit_us */
};

/* Map the ring, from the keys "PREFIXring-ref..." of `front`. 0, or -errno after device_fail(). */
int queue_map(struct queue *q, struct device *d, const struct channel_msg *front,
              const char *prefix);
/* Bind the port "PREFIXevent-channel". 0, or -errno after device_fail(). */
int queue_bind(struct queue *q, struct device *d, const struct channel_msg *front,
               const char *prefix);
void queue_unbind(struct queue *q, struct device *d);
void queue_unmap(struct queue *q, struct device *d);

/* A fresh journal. */
void queue_begin(struct queue *q);
/*
 * The predecessor's: sets the ring's indices from it and lists the entries that are to be done, in
 * the order they were taken, into `out` (RING_SIZE of them at most). Their number, or -EBADMSG: the
 * journal contradicts itself or the device, and *why says how.
 */
int queue_resume(struct queue *q, const struct request_limits *lim, struct queue_entry **out,
                 const char **why);

/* The request in e->req and e->verdict is taken. */
void queue_taken(struct queue *q, struct queue_entry *e);
/* Its answer goes into the ring, to be published by queue_push(). */
void queue_answer(struct queue *q, struct queue_entry *e, int status);
void queue_push(struct queue *q, struct device *d);

#endif
