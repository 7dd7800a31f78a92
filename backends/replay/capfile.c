/* SPDX-License-Identifier: MIT */
/* capfile.c - see capfile.h. */
#include "capfile.h"

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

static int check(const struct parse *p, const uint8_t *at, void *item)
{
    struct cap_request *q = item;
    int rc;

    q->segments = at + sizeof(q->r);
    if (q->r.status > BLKIF_RSP_OKAY || q->r.status < BLKIF_RSP_EOPNOTSUPP) {
        return cap_bad(p, at, "unknown status %d", q->r.status);
    }
    rc = check_kind(p, at, &q->r);
    return rc || (q->r.flags & CAPTURE_REFUSED) ? rc : check_segments(p, q);
}

const struct cap_kind cap_block = {
    .kind = CAPTURE_BLOCK,
    .record = sizeof(struct capture_record),
    .item = sizeof(struct cap_request),
    .depth_at = offsetof(struct cap_request, depth),
    .index_at = offsetof(struct capture_record, index),
    .rings = 1,
    .nr_at = offsetof(struct capture_record, nr_segments),
    .most = CAPTURE_MAX_SEGMENTS,
    .bytes = capture_record_bytes,
    .parts = "segments",
    .check = check,
};
