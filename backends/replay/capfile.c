/* SPDX-License-Identifier: MIT */
/* capfile.c - see capfile.h. */
#include "capfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>

const char *const capfile_op_names[CAPFILE_OPS] = {"read", "write", "barrier", "flush", "discard"};
static const uint8_t ops[CAPFILE_OPS] = {
    BLKIF_OP_READ,    BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER, BLKIF_OP_FLUSH_DISKCACHE,
    BLKIF_OP_DISCARD,
};

int capfile_op_index(uint8_t op)
{
    for (int i = 0; i < CAPFILE_OPS; i++) {
        if (ops[i] == op) {
            return i;
        }
    }
    return -1;
}

const char *capfile_op_name(uint8_t op)
{
    int i = capfile_op_index(op);

    return i < 0 ? "unknown" : capfile_op_names[i];
}

const char *capfile_status_name(int status)
{
    return status == BLKIF_RSP_OKAY         ? "ok"
           : status == BLKIF_RSP_EOPNOTSUPP ? "unsupported"
                                            : "error";
}

/* Of a transfer that broke no rule. */
static int check_segments(const struct parse *p, const struct cap_request *q)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < q->r.nr_segments; i++) {
        const uint8_t *s = q->segments + 2 * i;

        if (s[0] > s[1] || s[1] > 7) {
            return cap_bad(p, s, "segment %u goes from sector %u to %u of a page", i, s[0], s[1]);
        }
        sum += s[1] - s[0] + 1u;
    }
    if (sum != q->r.nr_sectors && (q->r.nr_segments || q->r.op != BLKIF_OP_DISCARD)) {
        return cap_bad(p, q->segments, "segments of %llu sectors in a request of %llu",
                       (unsigned long long)sum, (unsigned long long)q->r.nr_sectors);
    }
    return 0;
}

static int check_kind(const struct parse *p, const uint8_t *at, const struct capture_record *r)
{
    bool moves = r->op == BLKIF_OP_READ || r->op == BLKIF_OP_WRITE;

    if (r->flags & ~(CAPTURE_INDIRECT | CAPTURE_REFUSED)) {
        return cap_bad(p, at, "unknown flags %#x", r->flags);
    }
    if (r->flags & CAPTURE_REFUSED) {
        return r->nr_segments ? cap_bad(p, at, "a refused request has segments") : 0;
    }
    if (capfile_op_index(r->op) < 0) {
        return cap_bad(p, at, "unknown operation %u", r->op);
    }
    if (moves ? !r->nr_segments : r->nr_segments && r->op != BLKIF_OP_WRITE_BARRIER) {
        return cap_bad(p, at, "a %s of %u segments", capfile_op_name(r->op), r->nr_segments);
    }
    if (r->nr_segments > CAPTURE_DIRECT_SEGMENTS && !(r->flags & CAPTURE_INDIRECT)) {
        return cap_bad(p, at, "%u segments in a request that is not indirect", r->nr_segments);
    }
    if ((r->flags & CAPTURE_INDIRECT) && !moves) {
        return cap_bad(p, at, "a %s cannot be indirect", capfile_op_name(r->op));
    }
    return 0;
}

static int check_record(const struct parse *p, const uint8_t *at, size_t left,
                        struct cap_request *q)
{
    const struct capture_record *r = &q->r;
    int rc;

    if (left < sizeof(*r)) {
        return cap_bad(p, at, "a record is cut off");
    }
    memcpy(&q->r, at, sizeof(q->r));
    q->segments = at + sizeof(*r);
    if (r->nr_segments > CAPTURE_MAX_SEGMENTS || r->bytes != capture_record_bytes(r->nr_segments)) {
        return cap_bad(p, at, "a record of %u bytes for %u segments", r->bytes, r->nr_segments);
    }
    if (r->bytes > left) {
        return cap_bad(p, at, "a record is cut off");
    }
    if (r->queue >= CAPTURE_MAX_QUEUES) {
        return cap_bad(p, at, "queue %u of at most %u", r->queue, CAPTURE_MAX_QUEUES);
    }
    if (r->status > BLKIF_RSP_OKAY || r->status < BLKIF_RSP_EOPNOTSUPP) {
        return cap_bad(p, at, "unknown status %d", r->status);
    }
    if (r->taken > INT64_MAX || r->latency > INT64_MAX) {
        return cap_bad(p, at, "a time of more than centuries");
    }
    rc = check_kind(p, at, r);
    return rc || (r->flags & CAPTURE_REFUSED) ? rc : check_segments(p, q);
}

/* Of those taken in one go, of one ring, the ring's index decides. */
static int in_order(const void *a, const void *b)
{
    const struct capture_record *x = a, *y = b; /* the first member */

    if (x->taken != y->taken) {
        return x->taken < y->taken ? -1 : 1;
    }
    if (x->queue != y->queue) {
        return x->queue < y->queue ? -1 : 1;
    }
    return x->index == y->index ? 0 : (int32_t)(x->index - y->index) < 0 ? -1 : 1;
}

int capfile_parse(const void *text, size_t len, struct capfile *out, char *err, size_t err_len)
{
    const struct parse p = {.text = text, .err = err, .err_len = err_len};
    const uint8_t *at = p.text + sizeof(out->head), *end;
    int rc;

    memset(out, 0, sizeof(*out));
    memcpy(&out->head, text, len < sizeof(out->head) ? len : sizeof(out->head));
    rc = cap_check_head(&p, len, &out->head, CAPTURE_BLOCK);
    if (rc) {
        return rc;
    }
    end = at + out->head.used;
    out->requests =
        malloc((out->head.used / sizeof(struct capture_record) + 1) * sizeof(out->requests[0]));
    if (!out->requests) {
        snprintf(err, err_len, "out of memory");
        return -ENOMEM;
    }
    while (!rc && at < end) {
        struct cap_request *q = &out->requests[out->nr];

        rc = check_record(&p, at, (size_t)(end - at), q);
        at += q->r.bytes;
        out->nr++;
    }
    if (!rc) {
        rc = cap_order(out->requests, out->nr, sizeof(out->requests[0]),
                       offsetof(struct cap_request, depth), in_order);
    }
    if (rc) {
        capfile_free(out);
    }
    return rc;
}

void capfile_free(struct capfile *c)
{
    free(c->requests);
    c->requests = NULL;
    c->nr = 0;
}
