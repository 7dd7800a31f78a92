/* SPDX-License-Identifier: MIT */
/*
 * queue.c - a ring and its journal. Each comment "may end here" is a place where a process may be
 * killed and its successor must come to the right result; see queue.h.
 */
#include "queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- map and bind ---- */

static int read_refs(struct device *d, const struct channel_msg *front, const char *prefix,
                     uint32_t *refs, unsigned *count)
{
    uint64_t order = 0, ref;
    char key[32];

    if (channel_get(front, "ring-page-order") &&
        !channel_get_u64(front, "ring-page-order", QUEUE_MAX_ORDER, &order)) {
        device_fail(d, "ring-page-order is not within 0..%u", QUEUE_MAX_ORDER);
        return -EINVAL;
    }
    *count = 1u << order;
    for (unsigned i = 0; i < *count; i++) {
        snprintf(key, sizeof(key), "%sring-ref%u", prefix, i);
        if (!channel_get_u64(front, key, UINT32_MAX, &ref)) {
            snprintf(key, sizeof(key), "%sring-ref", prefix);
            if (*count > 1 || !channel_get_u64(front, key, UINT32_MAX, &ref)) {
                device_fail(d, "%s%s is missing or no grant reference", key, *count > 1 ? "N" : "");
                return -EINVAL;
            }
        }
        refs[i] = (uint32_t)ref;
    }
    return 0;
}

int queue_map(struct queue *q, struct device *d, const struct channel_msg *front,
              const char *prefix)
{
    uint32_t refs[1u << QUEUE_MAX_ORDER];
    blkif_sring_t *sring;
    int rc = read_refs(d, front, prefix, refs, &q->ring_pages);

    if (rc) {
        return rc;
    }
    sring = gntdev_map(d->gnt, q->ring_pages, refs, true);
    if (!sring) {
        device_fail(d, "ring %s(%u pages, first grant %u) cannot be mapped: %s", prefix,
                    q->ring_pages, refs[0], strerror(errno));
        return -EINVAL;
    }
    BACK_RING_INIT(&q->ring, sring, q->ring_pages * GNT_PAGE);
    return 0;
}

void queue_unmap(struct queue *q, struct device *d)
{
    if (q->ring.sring) {
        gntdev_unmap(d->gnt, q->ring.sring, q->ring_pages);
        q->ring.sring = NULL;
    }
}

int queue_bind(struct queue *q, struct device *d, const struct channel_msg *front,
               const char *prefix)
{
    char key[32];
    uint64_t port;
    int rc;

    snprintf(key, sizeof(key), "%sevent-channel", prefix);
    if (!channel_get_u64(front, key, UINT32_MAX, &port)) {
        device_fail(d, "%s is missing or no port", key);
        return -EINVAL;
    }
    rc = device_bind(d, (uint32_t)port);
    if (rc < 0) {
        device_fail(d, "port %u of the guest cannot be bound: %s", (unsigned)port, strerror(-rc));
        return rc;
    }
    q->port = rc;
    return 0;
}

void queue_unbind(struct queue *q, struct device *d)
{
    if (q->port) {
        evtchn_unbind(d->evt, q->port);
        q->port = 0;
    }
}

/* ---- the journal ---- */

void queue_begin(struct queue *q)
{
    for (unsigned i = 0; i < RING_SIZE(&q->ring); i++) {
        q->j->entry[i].used = 0;
    }
    q->j->req_cons = q->ring.req_cons;
    q->j->rsp_prod = q->ring.rsp_prod_pvt;
}

void queue_taken(struct queue *q, struct queue_entry *e)
{
    e->taken_at = q->ring.req_cons;
    e->answered = 0;
    journal_order();
    e->used = 1; /* may end here: taken_at is not below req_cons, so the ring still has it */
    journal_order();
    q->j->req_cons = ++q->ring.req_cons;
}

void queue_answer(struct queue *q, struct queue_entry *e, int status)
{
    blkif_response_t rsp;

    memset(&rsp, 0, sizeof(rsp)); /* padding too: nothing of ours reaches the guest (BE-4) */
    rsp.id = e->req.id;
    rsp.operation = e->req.abi_op;
    rsp.status = (int16_t)status;
    memcpy(RING_GET_RESPONSE(&q->ring, q->ring.rsp_prod_pvt), &rsp, sizeof(rsp));
    e->answered_at = q->ring.rsp_prod_pvt;
    journal_order();
    e->answered = 1; /* may end here: answered_at is not below rsp_prod, so it is done once more */
    journal_order();
    q->j->rsp_prod = ++q->ring.rsp_prod_pvt;
    journal_order();
    e->used = 0; /* may end before this: answered_at is below rsp_prod, so it counts as unused */
    q->unpushed++;
}

void queue_push(struct queue *q, struct device *d)
{
    int notify;

    if (!q->unpushed && !q->notify_anyway) {
        return;
    }
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&q->ring, notify);
    if (notify || q->notify_anyway) {
        q->m->notifications++;
        evtchn_notify(d->evt, q->port);
    }
    q->unpushed = 0;
    q->notify_anyway = false;
}

static bool outstanding(const struct queue_journal *j, const struct queue_entry *e)
{
    bool taken = (int32_t)(j->req_cons - e->taken_at) > 0;
    bool answered = e->answered && (int32_t)(j->rsp_prod - e->answered_at) > 0;

    return e->used && taken && !answered;
}

static int by_taken_at(const void *a, const void *b)
{
    const struct queue_entry *const *x = a, *const *y = b;

    return (int32_t)((*x)->taken_at - (*y)->taken_at);
}

int queue_resume(struct queue *q, const struct request_limits *lim, struct queue_entry **out,
                 const char **why)
{
    struct queue_journal *j = q->j;
    unsigned size = RING_SIZE(&q->ring), n = 0;

    for (unsigned i = 0; i < size; i++) {
        struct queue_entry *e = &j->entry[i];

        if (!outstanding(j, e)) {
            e->used = 0;
            continue;
        }
        *why = "it holds a request that this device cannot have accepted";
        if (e->verdict == BLKIF_RSP_OKAY && !request_sound(&e->req, lim)) {
            return -EBADMSG;
        }
        out[n++] = e;
    }
    *why = "its requests are not as many as its indices say";
    if (j->req_cons - j->rsp_prod != n) {
        return -EBADMSG;
    }
    qsort(out, n, sizeof(out[0]), by_taken_at);
    q->ring.req_cons = j->req_cons;
    q->ring.rsp_prod_pvt = j->rsp_prod;
    q->notify_anyway = true;
    return (int)n;
}
