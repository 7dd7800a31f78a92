/* SPDX-License-Identifier: MIT */
/*
 * test_request.c - validation of block requests (BE-3), edge matrix per field, and the buffer pool.
 *
 * Sabotage: `<=` instead of `<` for last_sect in segment_decode() fails "segments"; dropping the
 * overflow check of range_inside() fails "range".
 */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/block/pool.h"
#include "../../backends/block/request.h"
#include "tests.h"

static const struct request_limits rw = {.sectors = 1000, .sectors_per_block = 1, .discard = true};
static const struct request_limits ro = {
    .sectors = 1000, .sectors_per_block = 1, .readonly = true, .discard = true};
static const struct request_limits big_blocks = {
    .sectors = 1000, .sectors_per_block = 8, .discard = true};
static struct request out;

static blkif_request_t plain(uint8_t op, unsigned nr, uint64_t sector)
{
    blkif_request_t r;

    memset(&r, 0, sizeof(r));
    r.operation = op;
    r.nr_segments = (uint8_t)nr;
    r.id = 0x1122334455667788;
    r.sector_number = sector;
    for (unsigned i = 0; i < nr && i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
        r.seg[i] = (struct blkif_request_segment){.gref = 100 + i, .first_sect = 0, .last_sect = 7};
    }
    return r;
}

static int decode(blkif_request_t r, const struct request_limits *lim)
{
    return request_decode(&r, lim, &out);
}

static void test_accept(void)
{
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 11, 912), &rw), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(out.op, REQUEST_READ);
    CU_ASSERT_EQUAL(out.nr_sectors, 88);
    CU_ASSERT_EQUAL(out.seg[10].gref, 110);
    CU_ASSERT_EQUAL(out.seg[10].bytes, 4096);
    CU_ASSERT_EQUAL(out.id, 0x1122334455667788);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_WRITE, 1, 0), &rw), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_FLUSH_DISKCACHE, 0, 5000), &rw), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_WRITE_BARRIER, 0, 5000), &rw), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_WRITE_BARRIER, 2, 8), &rw), BLKIF_RSP_OKAY);
}

static void test_operations(void)
{
    for (unsigned op = 0; op < 256; op++) {
        int status = decode(plain((uint8_t)op, 1, 0), &rw);

        switch (op) {
        case BLKIF_OP_READ:
        case BLKIF_OP_WRITE:
        case BLKIF_OP_WRITE_BARRIER:
            CU_ASSERT_EQUAL(status, BLKIF_RSP_OKAY);
            break;
        case BLKIF_OP_FLUSH_DISKCACHE: /* carries no data */
        case BLKIF_OP_INDIRECT:        /* no segments where it has its count */
            CU_ASSERT_EQUAL(status, BLKIF_RSP_ERROR);
            break;
        default: /* the discard among them: what is a count elsewhere asks for a secure one here */
            CU_ASSERT_EQUAL(status, BLKIF_RSP_EOPNOTSUPP);
        }
        CU_ASSERT_EQUAL(out.id, 0x1122334455667788);
    }
}

static void test_counts(void)
{
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 0, 0), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 12, 0), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 255, 0), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_WRITE_BARRIER, 12, 0), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_FLUSH_DISKCACHE, 1, 0), &rw), BLKIF_RSP_ERROR);
}

static void test_segments(void)
{
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned last = 0; last < 256; last++) {
            blkif_request_t r = plain(BLKIF_OP_READ, 3, 0);
            bool good = first <= last && last < 8;

            r.seg[1].first_sect = (uint8_t)first;
            r.seg[1].last_sect = (uint8_t)last;
            if ((decode(r, &rw) == BLKIF_RSP_OKAY) != good) {
                CU_FAIL_FATAL("a segment outside its page, or a good one refused");
            }
            if (good &&
                (out.seg[1].offset != first * 512 || out.seg[1].bytes != (last - first + 1) * 512 ||
                 out.nr_sectors != 16 + last - first + 1)) {
                CU_FAIL_FATAL("segment's place or length");
            }
        }
    }
}

static void test_range(void)
{
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 1, 992), &rw), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 1, 993), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 1, 1000), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 1, UINT64_MAX), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 1, UINT64_MAX - 7), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_WRITE, 1, UINT64_MAX / 512), &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 1, 8), &big_blocks), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 1, 4), &big_blocks), BLKIF_RSP_ERROR);
}

static void test_block_alignment(void)
{
    blkif_request_t r = plain(BLKIF_OP_WRITE, 1, 8);

    r.seg[0].last_sect = 3;
    CU_ASSERT_EQUAL(decode(r, &big_blocks), BLKIF_RSP_ERROR);
}

static void test_readonly(void)
{
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_READ, 1, 0), &ro), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_WRITE, 1, 0), &ro), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_WRITE_BARRIER, 1, 0), &ro), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_WRITE_BARRIER, 0, 0), &ro), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(decode(plain(BLKIF_OP_FLUSH_DISKCACHE, 0, 0), &ro), BLKIF_RSP_OKAY);
}

static int discard(uint64_t sector, uint64_t nr, uint8_t flag, const struct request_limits *lim)
{
    blkif_request_t r;
    blkif_request_discard_t d;

    memset(&r, 0, sizeof(r));
    memset(&d, 0, sizeof(d));
    d.operation = BLKIF_OP_DISCARD;
    d.flag = flag;
    d.sector_number = sector;
    d.nr_sectors = nr;
    memcpy(&r, &d, sizeof(d));
    return request_decode(&r, lim, &out);
}

static void test_discard(void)
{
    struct request_limits without = rw;

    without.discard = false;
    CU_ASSERT_EQUAL(discard(0, 1000, 0, &rw), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(out.nr_sectors, 1000);
    CU_ASSERT_EQUAL(discard(1, 1000, 0, &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(discard(0, 0, 0, &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(discard(8, UINT64_MAX, 0, &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(discard(UINT64_MAX, UINT64_MAX, 0, &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(discard(0, 8, BLKIF_DISCARD_SECURE, &rw), BLKIF_RSP_EOPNOTSUPP);
    CU_ASSERT_EQUAL(discard(0, 8, 0, &without), BLKIF_RSP_EOPNOTSUPP);
    CU_ASSERT_EQUAL(discard(0, 8, 0, &ro), BLKIF_RSP_ERROR);
}

static int indirect(uint8_t op, uint16_t nr, const struct request_limits *lim)
{
    blkif_request_t r;
    blkif_request_indirect_t ind;

    memset(&r, 0, sizeof(r));
    memset(&ind, 0, sizeof(ind));
    ind.operation = BLKIF_OP_INDIRECT;
    ind.indirect_op = op;
    ind.nr_segments = nr;
    ind.id = 7;
    memcpy(&r, &ind, sizeof(ind));
    return request_decode(&r, lim, &out);
}

static void test_indirect(void)
{
    struct blkif_request_segment segs[REQUEST_MAX_SEGMENTS];

    CU_ASSERT_EQUAL(indirect(BLKIF_OP_READ, 0, &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_READ, REQUEST_MAX_SEGMENTS + 1, &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_READ, 65535, &rw), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_WRITE, 1, &ro), BLKIF_RSP_ERROR);
    for (unsigned op = 0; op < 256; op++) {
        bool good = op == BLKIF_OP_READ || op == BLKIF_OP_WRITE;

        CU_ASSERT_EQUAL(indirect((uint8_t)op, 1, &rw) == BLKIF_RSP_OKAY, good);
        CU_ASSERT_EQUAL(out.id, 7);
    }
    for (unsigned i = 0; i < REQUEST_MAX_SEGMENTS; i++) {
        segs[i] = (struct blkif_request_segment){.gref = i, .first_sect = 0, .last_sect = 0};
    }
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_READ, REQUEST_MAX_SEGMENTS, &rw), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(out.nr_indirect_pages, 1);
    CU_ASSERT_EQUAL(out.abi_op, BLKIF_OP_READ);
    CU_ASSERT_EQUAL(request_add_segments(&out, &rw, segs), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(out.nr_sectors, REQUEST_MAX_SEGMENTS);
    segs[REQUEST_MAX_SEGMENTS - 1].last_sect = 8;
    CU_ASSERT_EQUAL(request_add_segments(&out, &rw, segs), BLKIF_RSP_ERROR);
}

/* Whatever the bits: what is accepted obeys the invariants in request.c's head. */
static void test_random(void)
{
    srand(2);
    for (int i = 0; i < 150000; i++) {
        blkif_request_t r;
        uint64_t sum = 0;

        for (size_t b = 0; b < sizeof(r); b++) {
            ((uint8_t *)&r)[b] = (uint8_t)(rand() & (rand() & 1 ? 0xff : 7));
        }
        if (request_decode(&r, &rw, &out) != BLKIF_RSP_OKAY || out.nr_indirect_pages) {
            continue;
        }
        for (unsigned k = 0; k < out.nr_segments; k++) {
            CU_ASSERT_FATAL(out.seg[k].bytes > 0 && out.seg[k].offset + out.seg[k].bytes <= 4096);
            sum += out.seg[k].bytes;
        }
        CU_ASSERT_FATAL(out.sector + out.nr_sectors <= rw.sectors && out.sector <= rw.sectors);
        CU_ASSERT_FATAL(out.op == REQUEST_DISCARD || sum == request_bytes(&out));
    }
}

static void test_pool(void)
{
    struct pool p;
    uint32_t first[64], pages[64];
    uint8_t owner[POOL_PAGES];

    memset(owner, 0, sizeof(owner));
    memset(pages, 0, sizeof(pages));
    srand(3);
    CU_ASSERT_EQUAL_FATAL(pool_init(&p), 0);
    for (int i = 0; i < 100000; i++) {
        unsigned k = (unsigned)rand() % 64;

        if (pages[k]) {
            pool_give(&p, first[k], pages[k]);
            memset(owner + first[k], 0, pages[k]);
            pages[k] = 0;
            continue;
        }
        pages[k] = 1u + (unsigned)rand() % 256;
        first[k] = pool_take(&p, pages[k]);
        if (first[k] == POOL_NONE) {
            pages[k] = 0;
            continue;
        }
        CU_ASSERT_FATAL(first[k] + pages[k] <= POOL_PAGES);
        for (uint32_t j = first[k]; j < first[k] + pages[k]; j++) {
            CU_ASSERT_FATAL(owner[j] == 0);
            owner[j] = 1;
        }
    }
    for (unsigned k = 0; k < 64; k++) {
        pool_give(&p, first[k], pages[k]);
    }
    CU_ASSERT_EQUAL(p.in_use, 0);
    CU_ASSERT_EQUAL(pool_take(&p, POOL_PAGES), 0);
    CU_ASSERT_EQUAL(pool_take(&p, 1), POOL_NONE);
    CU_ASSERT_EQUAL(pool_take(&p, 0), 0);
    pool_free(&p);
}

void suite_request(void)
{
    CU_pSuite s = CU_add_suite("request", NULL, NULL);

    CU_add_test(s, "good ones", test_accept);
    CU_add_test(s, "every operation", test_operations);
    CU_add_test(s, "segment counts", test_counts);
    CU_add_test(s, "segments", test_segments);
    CU_add_test(s, "range", test_range);
    CU_add_test(s, "block alignment", test_block_alignment);
    CU_add_test(s, "read-only", test_readonly);
    CU_add_test(s, "discard", test_discard);
    CU_add_test(s, "indirect", test_indirect);
    CU_add_test(s, "random bits", test_random);
    CU_add_test(s, "buffer pool", test_pool);
}
