/* SPDX-License-Identifier: MIT */
/*
 * Contract: a disk through the block protocol, seen from the smallest possible guest. What is
 * written and flushed is read back, sector-exact, at both ends of the disk; neighbours stay as
 * they were; large requests, several at once, go whole and to their places; requests past the end
 * are not even sent; the device closes, and opens again. Runs as an ordinary domain with a disk at
 * vdev 51712 (xvda) of at least 64 KiB, whose contents it replaces; sector 0 is only read, and its
 * sum printed for the other side to compare.
 *
 * Invariants: FE-1, FE-2, FE-5, BE-3, BE-4, BE-8.
 * A failure means: a guest's disk loses or misplaces data (docs/walk-block-read.md is the way a
 * request takes).
 * Sabotage: ask for io->sector + 1 in put_transfer() of blkfront.c: the last page of the disk is
 * refused.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define XVDA 51712
#define SECTOR 512

static u8 *out, *in;

static u64 sum(const u8 *p, unsigned len)
{
    u64 h = 0xcbf29ce484222325UL;

    while (len--)
        h = (h ^ *p++) * 0x100000001b3UL;
    return h;
}

static void fill(u64 seed)
{
    for (unsigned i = 0; i < FRONT_PAGE_SIZE; i++)
        out[i] = (u8)(seed * 31 + i * 7 + (i >> 9));
}

static void expect(struct front_blk *b, u64 sector, unsigned n, const char *what)
{
    int rc;

    memset(in, 0x5a, FRONT_PAGE_SIZE);
    rc = front_blk_read(b, sector, in, n);
    check(rc == 0, "%s: read of %lu answers %d", what, sector, rc);
    check(!memcmp(in, out, n * SECTOR), "%s: sector %lu differs", what, sector);
    for (unsigned i = n * SECTOR; i < FRONT_PAGE_SIZE; i++) {
        if (!check(in[i] == 0x5a, "%s: byte %u beyond the read was written", what, i))
            break;
    }
}

static void whole_pages(struct front_blk *b, u64 sectors)
{
    const u64 at[] = {8, 16, sectors - 8};

    for (unsigned i = 0; i < 3; i++) {
        fill(at[i]);
        check_eq(front_blk_write(b, at[i], out, 8), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        fill(at[i]);
        expect(b, at[i], 8, "page");
    }
}

static void single_sectors(struct front_blk *b)
{
    fill(1);
    check_eq(front_blk_write(b, 32, out, 8), 0);
    fill(2);
    check_eq(front_blk_write(b, 35, out, 1), 0);
    expect(b, 35, 1, "sector");
    fill(1);
    expect(b, 32, 3, "before");
    memmove(out, out + 4 * SECTOR, 4 * SECTOR);
    expect(b, 36, 4, "after");
}

static void ends(struct front_blk *b, u64 sectors)
{
    check_eq(front_blk_read(b, sectors, in, 1), -XEN_EINVAL);
    check_eq(front_blk_read(b, sectors - 1, in, 2), -XEN_EINVAL);
    check_eq(front_blk_read(b, ~0UL, in, 1), -XEN_EINVAL);
    check_eq(front_blk_read(b, 0, in, 0), -XEN_EINVAL);
    check_eq(front_blk_read(b, 0, in, 9), -XEN_EINVAL);
}

/* ---- several at once, larger than a request without indirect segments can be ---- */

#define AT_ONCE 6u

static struct front_blk_io ios[AT_ONCE];
static unsigned failures;

static void ended(struct front_blk_io *io)
{
    failures += io->result != 0;
}

static bool all_at_once(struct front_blk *b, enum front_blk_op op, u64 each, u8 **data)
{
    unsigned pending = AT_ONCE;

    failures = 0;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        ios[i] = (struct front_blk_io){
            .op = op, .sector = i * each, .sectors = each, .data = data[i], .done = ended};
        while (front_blk_submit(b, &ios[i]) == -XEN_EAGAIN) {
            if (front_blk_wait(b, front_time_ns() + 10000000000UL) < 0)
                return false;
        }
    }
    while (pending) {
        if (front_blk_wait(b, front_time_ns() + 10000000000UL) < 0)
            return false;
        pending = 0;
        for (unsigned i = 0; i < AT_ONCE; i++)
            pending += ios[i].result == FRONT_BLK_PENDING;
    }
    return !failures;
}

static void many(struct front_blk *b, u64 sectors)
{
    u64 each = front_blk_max_sectors(b);
    u8 *data[AT_ONCE];

    while (each * AT_ONCE > sectors)
        each /= 2;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        data[i] = front_malloc(each * SECTOR);
        for (u64 k = 0; data[i] && k < each * SECTOR; k++)
            data[i][k] = (u8)(k * 13 + i * 101 + (k >> 9));
        if (!check(data[i] != NULL, "no memory"))
            return;
    }
    check(all_at_once(b, FRONT_BLK_WRITE, each, data), "writes of %lu sectors at once", each);
    for (unsigned i = 0; i < AT_ONCE; i++)
        memset(data[i], 0, each * SECTOR);
    check(all_at_once(b, FRONT_BLK_READ, each, data), "reads of %lu sectors at once", each);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        u64 k = 0;

        while (k < each * SECTOR && data[i][k] == (u8)(k * 13 + i * 101 + (k >> 9)))
            k++;
        check(k == each * SECTOR, "request %u differs at byte %lu", i, k);
        front_free(data[i]);
    }
    front_printf("blk-read: %u requests of %lu sectors at once\n", AT_ONCE, each);
}

/* Closed and opened again: what was written is there, and the device is whole. */
static bool again(struct front_blk **b)
{
    for (u64 i = 0; i < 3; i++) {
        int rc;

        fill(100 + i);
        check_eq(front_blk_write(*b, 48, out, 8), 0);
        check_eq(front_blk_close(*b), 0);
        rc = front_blk_open(XVDA, b);
        if (!check(rc == 0, "round %lu: xvda does not open again: %d", i, rc))
            return false;
        expect(*b, 48, 8, "after opening again");
    }
    return true;
}

void guest_test(void)
{
    struct front_blk *b;
    u64 sectors;
    int rc;

    if (front_is_initdomain()) {
        guest_skip("needs a disk: start it as an ordinary domain");
        return;
    }
    out = front_page_alloc();
    in = front_page_alloc();
    front_irq_enable();
    rc = front_blk_open(XVDA, &b);
    if (!check(rc == 0, "xvda does not open: %d", rc))
        return;
    sectors = front_blk_sectors(b);
    if (!check(sectors >= 128, "%lu sectors", sectors))
        return;
    check_eq(front_blk_read(b, 0, in, 1), 0);
    front_printf("blk-read: %lu sectors, sum of sector 0: %lx\n", sectors, sum(in, SECTOR));
    whole_pages(b, sectors);
    single_sectors(b);
    ends(b, sectors);
    rc = front_blk_flush(b);
    check(rc == 0 || rc == -XEN_EOPNOTSUPP, "flush answers %d", rc);
    for (u64 i = 0; i < 200; i++) {
        fill(i);
        rc = front_blk_write(b, 40 + i % 8 * 8, out, 8);
        if (!check(rc == 0, "write %lu answers %d", i, rc))
            break;
        expect(b, 40 + i % 8 * 8, 8, "again");
    }
    many(b, sectors);
    if (again(&b))
        check_eq(front_blk_close(b), 0);
}
