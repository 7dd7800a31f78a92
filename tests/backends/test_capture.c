/* SPDX-License-Identifier: MIT */
/*
 * test_capture.c - what the block backend records of a ring is what was asked; a full file costs
 * records and nothing else; a death leaves whole ones; a capture that is not right is refused with
 * offset and reason.
 *
 * Sabotage: in common/recorder.c store `used` without the record's bytes: "what was asked";
 * in common/recorder.c leaving out the look at ROOM: "a full file" crashes; in capfile.c leave out
 * the look at s[1] > 7: "damaged" fails.
 */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../backends/block/capture.h"
#include "../../backends/replay/capfile.h"
#include "captures.h"
#include "tests.h"

#define SECTORS 1000u

static const struct request_limits limits = {.sectors = SECTORS, .sectors_per_block = 1};

static int new_file(void)
{
    int fd = memfd_create("capture", 0);

    CU_ASSERT_EQUAL_FATAL(capture_prepare(fd, CAPTURE_BLOCK), 0);
    return fd;
}

static struct capture *open_file(int fd)
{
    struct capture *c = capture_open(dup(fd), CAPTURE_BLOCK);

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    capture_geometry(c, &limits, 2, 32);
    return c;
}

static struct queue_entry *entry(uint8_t op, uint64_t id, unsigned nr_segments)
{
    static struct queue_entry e;

    memset(&e, 0, sizeof(e));
    e.taken_at = (RING_IDX)id;
    e.req.abi_op = op;
    e.req.id = id;
    e.req.sector = 8 * id;
    e.req.nr_segments = nr_segments;
    e.req.nr_indirect_pages = nr_segments > 11;
    for (unsigned i = 0; i < nr_segments; i++) {
        e.req.seg[i] = (struct request_segment){7, 1024, 1536}; /* sectors 2 to 4 */
        e.req.nr_sectors += 3;
    }
    return &e;
}

static uint64_t origin(int fd)
{
    struct capture_head h;

    CU_ASSERT_EQUAL_FATAL(pread(fd, &h, sizeof(h), 0), sizeof(h));
    return h.origin;
}

static void set_recording(int fd, uint32_t on)
{
    CU_ASSERT_EQUAL(pwrite(fd, &on, sizeof(on), offsetof(struct capture_head, on)), sizeof(on));
}

static void expect(const struct cap_request *q, uint8_t op, uint64_t id, uint64_t taken,
                   unsigned nr_segments, unsigned depth)
{
    CU_ASSERT_EQUAL(q->r.op, op);
    CU_ASSERT_EQUAL(q->r.id, id);
    CU_ASSERT_EQUAL(q->r.sector, 8 * id);
    CU_ASSERT_EQUAL(q->r.taken, taken);
    CU_ASSERT_EQUAL(q->r.nr_segments, nr_segments);
    CU_ASSERT_EQUAL(q->r.nr_sectors, 3 * nr_segments);
    CU_ASSERT_EQUAL(q->depth, depth);
    for (unsigned i = 0; i < nr_segments; i++) {
        CU_ASSERT_TRUE(q->segments[2 * i] == 2 && q->segments[2 * i + 1] == 4);
    }
}

/* In the order they were taken, whatever the order of the answers; over a successor; off and on. */
static void test_recorded(void)
{
    int fd = new_file();
    uint64_t t = origin(fd);
    struct capture *c = open_file(fd);
    struct queue_entry *e;
    struct capfile f;
    char err[200];
    size_t len;
    void *text;

    capture_request(c, 1, entry(BLKIF_OP_WRITE, 2, 11), t + 100, t + 300, BLKIF_RSP_OKAY);
    capture_request(c, 1, entry(BLKIF_OP_READ, 1, 40), t + 100, t + 400, BLKIF_RSP_ERROR);
    capture_close(c);  /* the process dies, */
    c = open_file(fd); /* another goes on */
    set_recording(fd, 0);
    capture_request(c, 0, entry(BLKIF_OP_READ, 9, 1), t + 500, t + 600, BLKIF_RSP_OKAY);
    set_recording(fd, 1);
    e = entry(77, 3, 0);
    e->verdict = BLKIF_RSP_EOPNOTSUPP;
    capture_request(c, 0, e, t + 700, t + 700, BLKIF_RSP_EOPNOTSUPP);
    capture_close(c);
    capture_finish(fd);
    text = captures_text(fd, &len);
    CU_ASSERT_EQUAL(len, sizeof(struct capture_head) + capture_record_bytes(11) +
                             capture_record_bytes(40) + capture_record_bytes(0));
    CU_ASSERT_EQUAL_FATAL(cap_parse(&cap_block, text, len, &f, err, sizeof(err)), 0);
    CU_ASSERT_EQUAL_FATAL(f.nr, 3);
    CU_ASSERT_EQUAL(f.head.sectors, SECTORS);
    CU_ASSERT_EQUAL(f.head.queues, 2);
    expect(&f.requests[0], BLKIF_OP_READ, 1, 100, 40, 1);
    CU_ASSERT_EQUAL(f.requests[0].r.flags, CAPTURE_INDIRECT);
    CU_ASSERT_EQUAL(f.requests[0].r.status, BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(f.requests[0].r.latency, 300);
    expect(&f.requests[1], BLKIF_OP_WRITE, 2, 100, 11, 2);
    CU_ASSERT_EQUAL(f.requests[2].r.flags, CAPTURE_REFUSED);
    CU_ASSERT_EQUAL(f.requests[2].r.op, 77);
    cap_free(&f);
    free(text);
    close(fd);
}

static void test_full(void)
{
    int fd = new_file();
    uint64_t t = origin(fd);
    struct capture *c = open_file(fd);
    const unsigned fit = (CAPTURE_BYTES - sizeof(struct capture_head)) / capture_record_bytes(256);
    struct capfile f;
    char err[200];
    size_t len;
    void *text;

    for (unsigned i = 0; i < fit + 5; i++) {
        capture_request(c, 0, entry(BLKIF_OP_WRITE, 3, 256), t, t + 1, BLKIF_RSP_OKAY);
    }
    capture_close(c);
    text = captures_text(fd, &len);
    CU_ASSERT_EQUAL_FATAL(cap_parse(&cap_block, text, len, &f, err, sizeof(err)), 0);
    CU_ASSERT_EQUAL(f.nr, fit);
    CU_ASSERT_EQUAL(f.head.dropped, 5);
    cap_free(&f);
    free(text);
    close(fd);
}

/* What is no capture any more is left alone. */
static void test_not_ours(void)
{
    int fd = new_file();

    CU_ASSERT_EQUAL(pwrite(fd, "X", 1, 0), 1);
    CU_ASSERT_PTR_NULL(capture_open(dup(fd), CAPTURE_BLOCK));
    close(fd);
    fd = new_file();
    CU_ASSERT_EQUAL(ftruncate(fd, 8192), 0);
    CU_ASSERT_PTR_NULL(capture_open(dup(fd), CAPTURE_BLOCK));
    close(fd);
}

static void test_damaged(void)
{
    const size_t head = sizeof(struct capture_head), segments = sizeof(struct capture_record);
    const struct damage damages[] = {
        {0, 'x', "byte 0: no capture"},
        {8, 2, "byte 8: version 2"},
        {offsetof(struct capture_head, used), 1, "cannot be"},
        {head, 1, "byte 128: a record of"},
        {head + 4, 9, "queue 9"},
        {head + 6, 200, "unknown operation 200"},
        {head + 7, 8, "unknown flags 0x8"},
        {head + 7, CAPTURE_REFUSED, "a refused request has segments"},
        {head + 6, BLKIF_OP_FLUSH_DISKCACHE, "a flush of 2 segments"},
        {head + 15, 0x80, "centuries"},
        {head + 40, 9, "byte 184: segments of 6 sectors in a request of 9"},
        {head + 52, 3, "unknown status"},
        {head + segments, 5, "segment 0 goes from sector 5 to 4"},
        {head + segments + 3, 8, "segment 1 goes from sector 2 to 8"},
    };
    int fd = new_file();
    struct capture *c = open_file(fd);
    void *text;
    size_t len;

    capture_request(c, 0, entry(BLKIF_OP_WRITE, 3, 2), origin(fd) + 5, origin(fd) + 6, 0);
    capture_close(c);
    capture_finish(fd);
    text = captures_text(fd, &len);
    captures_refused(&cap_block, text, len, damages, sizeof(damages) / sizeof(damages[0]));
    free(text);
    close(fd);
}

void suite_capture(void)
{
    CU_pSuite s = CU_add_suite("capture", NULL, NULL);

    CU_add_test(s, "what was asked", test_recorded);
    CU_add_test(s, "a full file", test_full);
    CU_add_test(s, "not ours", test_not_ours);
    CU_add_test(s, "damaged", test_damaged);
}
