/* SPDX-License-Identifier: MIT */
/*
 * test_blkback.c - the block backend's core on a real io_uring and a real file, with a fake guest:
 * right data both ways, errors answered, lying rings survived, everything given back (BE-1 to BE-5,
 * BE-8, BE-10).
 *
 * Guest pages: 0..15 ring, 16 indirect descriptors, 32.. data.
 *
 * Sabotage: swapping the arguments of copy_words() in move_data() fails "write and read"; not
 * looking at inflight_writes in start_held() fails "flush waits for writes"; skipping
 * ring_producer_valid() hangs "lying producer"; leaving out pool_give() in io_finish() fails nearly
 * all at close_guest(); filling the response with fives instead of zeros fails "bytes of a
 * response"; without backoff_account() "storm of notifications" fails; without record() in
 * start_taken() "captured" does; a pool that is registered whole, or goes on where the last search
 * ended, fails "memory"; a pool of which all counts as registered fails "indirect", and so does
 * read_indirect() without pgrants_get(); read_limits() without sector-size fails "large sectors";
 * held_back() false fails "answers by number", without the number or the time that or "answers by
 * time"; polling() false fails "polling".
 */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <tenue/capture.h>
#include <time.h>
#include <unistd.h>

#include "../../backends/block/blkback.h"
#include "../../backends/block/state.h"
#include "../../backends/block/uring.h"
#include "../../backends/common/ring.h"
#include "fake/clock.h"
#include "fake/xen.h"
#include "tests.h"

#include <xen/io/blkif.h>

#define SECTORS 16384u /* 8 MiB */
#define INDIRECT_PAGE 16u
#define DATA 32u

static struct device dev;
static struct {
    int host;
    blkif_front_ring_t ring;
    unsigned order;
    bool capture;
    const char *knobs[4][2]; /* words for how it is served, and their values */
    uint64_t next_id;
} g;

static void front(unsigned state, bool persistent)
{
    struct channel_msg m;
    char key[24];

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    channel_add(&m, "event-channel", "5");
    channel_add(&m, "protocol", "x86_64-abi");
    channel_add(&m, "feature-persistent", persistent ? "1" : "0");
    if (g.order) {
        channel_addf(&m, "ring-page-order", "%u", g.order);
    }
    for (unsigned i = 0; g.order && i < 1u << g.order; i++) {
        snprintf(key, sizeof(key), "ring-ref%u", i);
        channel_addf(&m, key, "%u", i);
    }
    channel_add(&m, "ring-ref", "0");
    device_handle_message(&dev, &m);
}

static void new_ring(void)
{
    blkif_sring_t *sring = (blkif_sring_t *)fake_page(0);

    SHARED_RING_INIT(sring);
    FRONT_RING_INIT(&g.ring, sring, 4096u << g.order);
}

static void open_image(bool readonly)
{
    char name[] = "/tmp/backends-test-XXXXXX";
    int fd = mkstemp(name);

    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, SECTORS * 512l), 0);
    CU_ASSERT_TRUE_FATAL(dup2(fd, CHANNEL_DEVICE_FD) == CHANNEL_DEVICE_FD);
    if (fd != CHANNEL_DEVICE_FD) {
        close(fd);
    }
    /* Direct where /tmp can. */
    fd = open(name, (readonly ? O_RDONLY : O_RDWR) | O_DIRECT);
    if (fd >= 0) {
        dup2(fd, CHANNEL_DEVICE_FD);
        close(fd);
    }
    unlink(name);
}

static void open_guest(bool persistent, bool readonly, unsigned order)
{
    struct channel_msg start;
    int s[2];

    fake_reset();
    open_image(readonly);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    g.host = s[1];
    g.order = order;
    dev = (struct device){
        .ops = &blkback_ops, .state = XenbusStateInitialising, .channel = s[0], .domid = 1};
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&dev.gnt, 1), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_open(&dev.evt, 1), 0);
    channel_init(&start, CHANNEL_START);
    channel_add(&start, "readonly", readonly ? "1" : "0");
    channel_add(&start, "discard-granularity", "4096");
    channel_add(&start, "capture", g.capture ? "1" : "0");
    for (unsigned i = 0; i < 4 && g.knobs[i][0]; i++) {
        channel_add(&start, g.knobs[i][0], g.knobs[i][1]);
    }
    CU_ASSERT_EQUAL_FATAL(blkback_ops.init(&dev, &start), 0);
    blkback_arm(&dev);
    new_ring();
    front(1, persistent);
    front(3, persistent);
    CU_ASSERT_TRUE_FATAL(dev.connected);
}

/* Disconnect; everything must have come back. */
static void close_guest(void)
{
    struct blkback_usage u;

    front(6, false);
    blkback_usage(&dev, &u);
    CU_ASSERT_EQUAL(u.inflight, 0);
    CU_ASSERT_EQUAL(u.pool_pages, 0);
    CU_ASSERT_EQUAL(u.mapped, 0);
    CU_ASSERT_EQUAL(fake_mapped(), 0);
    CU_ASSERT_EQUAL(fake_bound(), 0);
    blkback_fini(&dev);
    gntdev_close(dev.gnt);
    evtchn_close(dev.evt);
    close(dev.channel);
    close(g.host);
}

static blkif_request_t *next_slot(void)
{
    blkif_request_t *r = RING_GET_REQUEST(&g.ring, g.ring.req_prod_pvt);

    g.ring.req_prod_pvt++;
    memset(r, 0, sizeof(*r));
    return r;
}

static void fill(blkif_request_t *r, uint8_t op, uint64_t sector, unsigned nr, uint32_t first_page)
{
    r->operation = op;
    r->nr_segments = (uint8_t)nr;
    r->id = ++g.next_id;
    r->sector_number = sector;
    for (unsigned i = 0; i < nr; i++) {
        r->seg[i] = (struct blkif_request_segment){.gref = first_page + i, .last_sect = 7};
    }
}

static void push_only(void)
{
    RING_PUSH_REQUESTS(&g.ring);
}

/* Publish, notify, run the backend until `count` answers are there, or it gave the device up. */
static void run(unsigned count)
{
    push_only();
    fake_kick(FAKE_PORT);
    while (dev.connected && g.ring.sring->rsp_prod - g.ring.rsp_cons < count) {
        blkback_turn(&dev);
    }
}

static blkif_response_t answer(void)
{
    blkif_response_t rsp;

    RING_COPY_RESPONSE(&g.ring, g.ring.rsp_cons, &rsp);
    g.ring.rsp_cons++;
    g.ring.sring->rsp_event = g.ring.rsp_cons + 1;
    return rsp;
}

static int one(uint8_t op, uint64_t sector, unsigned nr, uint32_t first_page)
{
    blkif_response_t rsp;

    fill(next_slot(), op, sector, nr, first_page);
    run(1);
    rsp = answer();
    CU_ASSERT_EQUAL(rsp.id, g.next_id);
    CU_ASSERT_EQUAL(rsp.operation, op);
    return rsp.status;
}

static void paint(uint32_t first_page, unsigned pages, unsigned seed)
{
    for (unsigned i = 0; i < pages * 4096; i++) {
        fake_page(first_page)[i] = (uint8_t)((i * 31 + i / 4096 + seed) ^ seed);
    }
}

static void write_and_read(bool persistent)
{
    open_guest(persistent, false, 0);
    paint(DATA, 11, 7);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 80, 11, DATA), BLKIF_RSP_OKAY);
    memset(fake_page(DATA + 20), 0, 11 * 4096);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 80, 11, DATA + 20), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA), fake_page(DATA + 20), 11 * 4096), 0);
    CU_ASSERT_EQUAL(fake_unmasked(), FAKE_PORT);
    CU_ASSERT_EQUAL(fake_mapped(), persistent ? 23 : 1);
    close_guest();
}

static void test_copies(void)
{
    write_and_read(false);
}

static void test_persistent(void)
{
    write_and_read(true);
}

/* Pieces of a page land where they belong, and nothing beside them is touched. */
static void test_partial(void)
{
    blkif_request_t *r;

    open_guest(true, false, 0);
    paint(DATA, 3, 1);
    one(BLKIF_OP_WRITE, 0, 3, DATA);
    memset(fake_page(DATA + 8), 0xee, 2 * 4096);
    r = next_slot();
    fill(r, BLKIF_OP_READ, 3, 2, DATA + 8);
    r->seg[0].first_sect = 2;
    r->seg[0].last_sect = 4;
    r->seg[1].first_sect = 7;
    r->seg[1].last_sect = 7;
    run(1);
    CU_ASSERT_EQUAL(answer().status, BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA + 8) + 1024, fake_page(DATA) + 1536, 1536), 0);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA + 9) + 3584, fake_page(DATA) + 3072, 512), 0);
    CU_ASSERT_EQUAL(fake_page(DATA + 8)[1023], 0xee);
    CU_ASSERT_EQUAL(fake_page(DATA + 8)[2560], 0xee);
    CU_ASSERT_EQUAL(fake_page(DATA + 9)[3583], 0xee);
    close_guest();
}

/* Asked for on an image that has smaller ones: half of one is refused, and so is one across two. */
static void test_large_sectors(void)
{
    blkif_request_t *r;

    g.knobs[0][0] = "sector-size";
    g.knobs[0][1] = "4096";
    open_guest(true, false, 0);
    g.knobs[0][0] = NULL;
    paint(DATA, 2, 3);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 16, 2, DATA), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 16, 2, DATA + 20), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA), fake_page(DATA + 20), 2 * 4096), 0);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 17, 1, DATA), BLKIF_RSP_ERROR);
    r = next_slot();
    fill(r, BLKIF_OP_WRITE, 16, 1, DATA);
    r->seg[0].last_sect = 3;
    run(1);
    CU_ASSERT_EQUAL(answer().status, BLKIF_RSP_ERROR);
    close_guest();
}

static int indirect(uint8_t op, uint64_t sector, unsigned nr, uint32_t table)
{
    blkif_request_indirect_t ind;

    memset(&ind, 0, sizeof(ind));
    ind.operation = BLKIF_OP_INDIRECT;
    ind.indirect_op = op;
    ind.nr_segments = (uint16_t)nr;
    ind.id = ++g.next_id;
    ind.sector_number = sector;
    ind.indirect_grefs[0] = table;
    memcpy(next_slot(), &ind, sizeof(ind));
    run(1);
    return answer().status;
}

static void indirect_requests(bool persistent)
{
    struct blkif_request_segment *seg;

    open_guest(persistent, false, 0);
    seg = (void *)fake_page(INDIRECT_PAGE);
    for (unsigned i = 0; i < 256; i++) {
        seg[i] = (struct blkif_request_segment){.gref = DATA + i % 128, .last_sect = 7};
    }
    paint(DATA, 128, 9);
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_WRITE, 1000, 128, INDIRECT_PAGE), BLKIF_RSP_OKAY);
    paint(DATA, 128, 0);
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_READ, 1000, 128, INDIRECT_PAGE), BLKIF_RSP_OKAY);
    paint(DATA + 200, 128, 9);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA), fake_page(DATA + 200), 128 * 4096), 0);
    CU_ASSERT_EQUAL(fake_mapped(), persistent ? 1 + 1 + 128 : 1); /* ring, table, data */
    /* More than is registered, so by the page tables. */
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_WRITE, 0, 256, INDIRECT_PAGE), BLKIF_RSP_OKAY);
    paint(DATA, 128, 0);
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_READ, 0, 256, INDIRECT_PAGE), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA), fake_page(DATA + 200), 128 * 4096), 0);
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_WRITE, 0, 257, INDIRECT_PAGE), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_READ, 0, 1, 100000), BLKIF_RSP_ERROR);
    seg[3].last_sect = 8;
    CU_ASSERT_EQUAL(indirect(BLKIF_OP_READ, 0, 4, INDIRECT_PAGE), BLKIF_RSP_ERROR);
    close_guest();
}

static void test_indirect(void)
{
    indirect_requests(false);
    indirect_requests(true);
}

/* A grant that is refused, at each place of a request, with and without mappings. */
static void bad_grants(bool persistent)
{
    open_guest(persistent, false, 0);
    for (unsigned i = 0; i < 11; i++) {
        blkif_request_t *r = next_slot();

        fill(r, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, 0, 11, DATA);
        r->seg[i].gref = 4000000000u;
        run(1);
        CU_ASSERT_EQUAL(answer().status, BLKIF_RSP_ERROR);
    }
    fake_grant(DATA + 1, true, false);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 0, 2, DATA), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 0, 2, DATA), BLKIF_RSP_OKAY);
    fake_fail_map_after(0);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 0, 2, DATA + 5), BLKIF_RSP_OKAY);
    close_guest();
}

static void test_bad_grants(void)
{
    bad_grants(false);
    bad_grants(true);
}

static void test_flush_barrier(void)
{
    open_guest(true, false, 0);
    paint(DATA, 2, 3);
    CU_ASSERT_EQUAL(one(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE_BARRIER, 16, 2, DATA), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE_BARRIER, 99999999, 0, 0), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 16, 2, DATA + 4), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA), fake_page(DATA + 4), 8192), 0);
    close_guest();
}

/*
 * The linker sends the backend's calls here first: no flush may be queued beside a write under way.
 */
void __real_uring_fdatasync(struct uring *u, void *tag);
void __wrap_uring_fdatasync(struct uring *u, void *tag);

static unsigned flushes_beside_writes;
static bool keep_flush; /* under way, until let_flush_end() */
static void *kept_flush;

void __wrap_uring_fdatasync(struct uring *u, void *tag)
{
    struct blkback_usage usage;

    blkback_usage(&dev, &usage);
    flushes_beside_writes += usage.inflight_writes > 0;
    if (keep_flush) {
        kept_flush = tag;
        return;
    }
    __real_uring_fdatasync(u, tag);
}

static void let_flush_end(void)
{
    struct blkback *b = dev.priv;

    keep_flush = false;
    __real_uring_fdatasync(&b->uring, kept_flush);
}

/* A flush is answered after all writes before it; a barrier keeps its place among all. */
static void flush_order(uint8_t op)
{
    uint64_t flush_id = 0;
    unsigned before = 0;
    bool flushed = false;

    flushes_beside_writes = 0;
    open_guest(true, false, 0);
    for (unsigned i = 0; i < 20; i++) {
        if (i == 10) {
            fill(next_slot(), op, 0, 0, 0);
            flush_id = g.next_id;
        } else {
            fill(next_slot(), BLKIF_OP_WRITE, 88 * i, 11, DATA + i);
        }
    }
    run(20);
    for (unsigned i = 0; i < 20; i++) {
        blkif_response_t rsp = answer();

        CU_ASSERT_EQUAL(rsp.status, BLKIF_RSP_OKAY);
        flushed |= rsp.id == flush_id;
        before += !flushed && rsp.id < flush_id;
        CU_ASSERT_FALSE(op == BLKIF_OP_WRITE_BARRIER && !flushed && rsp.id > flush_id);
    }
    CU_ASSERT_EQUAL(before, 10);
    CU_ASSERT_EQUAL(flushes_beside_writes, 0);
    close_guest();
}

static void test_flush_order(void)
{
    flush_order(BLKIF_OP_FLUSH_DISKCACHE);
    flush_order(BLKIF_OP_WRITE_BARRIER);
}

static void test_discard(void)
{
    blkif_request_discard_t d;
    struct stat before, after;

    open_guest(true, false, 0);
    paint(DATA, 11, 5);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 0, 11, DATA), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(one(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0), BLKIF_RSP_OKAY);
    fstat(CHANNEL_DEVICE_FD, &before);
    memset(&d, 0, sizeof(d));
    d.operation = BLKIF_OP_DISCARD;
    d.id = ++g.next_id;
    d.nr_sectors = 64;
    memcpy(next_slot(), &d, sizeof(d));
    run(1);
    CU_ASSERT_EQUAL(answer().status, BLKIF_RSP_OKAY);
    fstat(CHANNEL_DEVICE_FD, &after);
    CU_ASSERT_TRUE(after.st_blocks < before.st_blocks);
    CU_ASSERT_EQUAL(after.st_size, before.st_size);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 56, 2, DATA + 20), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(fake_page(DATA + 20)[100], 0);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA + 21), fake_page(DATA + 8), 4096), 0);
    close_guest();
}

/* What was refused is in a capture as well as what was done. */
static void test_captured(void)
{
    struct capture_head *head;
    struct capture_record *first, *second;
    int fd = memfd_create("capture", 0);

    CU_ASSERT_EQUAL_FATAL(capture_prepare(fd, CAPTURE_BLOCK), 0);
    head = mmap(NULL, CAPTURE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    first = (struct capture_record *)(head + 1);
    fake_reset(); /* takes the low descriptors */
    dup2(fd, CHANNEL_DEVICE_FD + 1);
    close(fd);
    g.capture = true;
    open_guest(true, true, 0);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 0, 1, DATA), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 16, 2, DATA), BLKIF_RSP_OKAY);
    g.capture = false;
    close_guest();
    second = (struct capture_record *)((char *)first + first->bytes);
    CU_ASSERT_EQUAL(head->used, first->bytes + second->bytes);
    CU_ASSERT_EQUAL(head->sectors, SECTORS);
    CU_ASSERT_TRUE(first->flags == CAPTURE_REFUSED && first->op == BLKIF_OP_WRITE);
    CU_ASSERT_EQUAL(first->status, BLKIF_RSP_ERROR);
    CU_ASSERT_TRUE(!second->flags && second->op == BLKIF_OP_READ && second->id == g.next_id);
    CU_ASSERT_TRUE(second->sector == 16 && second->nr_sectors == 16 && second->nr_segments == 2);
    munmap(head, CAPTURE_BYTES);
}

static void test_readonly(void)
{
    open_guest(true, true, 0);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 0, 1, DATA), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 0, 1, DATA), BLKIF_RSP_OKAY);
    CU_ASSERT_EQUAL(one(77, 0, 1, DATA), BLKIF_RSP_EOPNOTSUPP);
    close_guest();
}

/* The host's disk is full (here: a file size limit): an error for the guest, not silence. */
static void test_host_error(void)
{
    struct rlimit old, low;

    open_guest(true, false, 0);
    getrlimit(RLIMIT_FSIZE, &old);
    low = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 4096, 1, DATA), BLKIF_RSP_ERROR);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 0, 1, DATA), BLKIF_RSP_OKAY);
    setrlimit(RLIMIT_FSIZE, &old);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 4096, 1, DATA), BLKIF_RSP_OKAY);
    /* And an image that somebody truncated. */
    CU_ASSERT_EQUAL(ftruncate(CHANNEL_DEVICE_FD, 4096), 0);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 800, 1, DATA), BLKIF_RSP_ERROR);
    close_guest();
}

/* Nothing of the backend's memory stands in an answer. */
static void test_response_bytes(void)
{
    uint8_t *slot;

    open_guest(true, false, 0);
    slot = (uint8_t *)RING_GET_RESPONSE(&g.ring, 0);
    g.next_id = 0x1122334455667787;
    fill(next_slot(), BLKIF_OP_READ, 0, 1, DATA);
    run(1);
    CU_ASSERT_EQUAL(memcmp(slot, &g.next_id, 8), 0);
    CU_ASSERT_EQUAL(memcmp(slot + 8, "\0\0\0\0\0\0\0\0", 8), 0); /* operation, status, padding */
    answer();
    close_guest();
}

static void lie(RING_IDX prod)
{
    struct channel_msg m;
    bool reported = false;

    open_guest(true, false, 0);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 0, 1, DATA), BLKIF_RSP_OKAY);
    g.ring.sring->req_prod = prod;
    fake_kick(FAKE_PORT);
    while (dev.connected) {
        blkback_turn(&dev);
    }
    while (channel_recv(g.host, &m) == 1) {
        reported |= m.type == CHANNEL_FAIL && strstr(channel_get(&m, "reason"), "producer");
    }
    CU_ASSERT_TRUE(reported);
    CU_ASSERT_EQUAL(dev.state, XenbusStateClosing);
    CU_ASSERT_FALSE(dev.exit);
    /* The device starts again for a guest that behaves. */
    front(6, true);
    new_ring();
    front(1, true);
    front(3, true);
    CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 0, 1, DATA), BLKIF_RSP_OKAY);
    close_guest();
}

static void test_lying_producer(void)
{
    lie(34);         /* one more than fits */
    lie(0);          /* back */
    lie(0x80000000); /* far */
    lie(UINT32_MAX);
}

static void test_big_ring(void)
{
    open_guest(true, false, 4);
    CU_ASSERT_TRUE(RING_SIZE(&g.ring) >= 512);
    for (unsigned i = 0; i < RING_SIZE(&g.ring); i++) {
        fill(next_slot(), i % 3 ? BLKIF_OP_WRITE : BLKIF_OP_READ, 8 * (i % 1000), 3,
             DATA + i % 300);
    }
    run(RING_SIZE(&g.ring));
    for (unsigned i = 0; i < RING_SIZE(&g.ring); i++) {
        CU_ASSERT_EQUAL(answer().status, BLKIF_RSP_OKAY);
    }
    close_guest();
}

static void test_wrong_connect(void)
{
    static const struct {
        const char *key, *value;
    } bad[] = {
        {"ring-ref", "x"},        {"ring-ref", "99999"},    {"ring-ref", "-1"},
        {"event-channel", ""},    {"event-channel", "0"},   {"protocol", "x86_32-abi"},
        {"ring-page-order", "5"}, {"ring-page-order", "2"},
    };
    open_guest(true, false, 0);
    front(6, true);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        static const char *const keys[] = {"ring-ref", "event-channel", "protocol"};
        static const char *const good[] = {"0", "5", "x86_64-abi"};
        struct channel_msg m;

        front(1, true);
        channel_init(&m, CHANNEL_FRONT);
        channel_add(&m, "state", "3");
        channel_add(&m, bad[i].key, bad[i].value);
        for (unsigned k = 0; k < 3; k++) {
            if (strcmp(keys[k], bad[i].key)) {
                channel_add(&m, keys[k], good[k]);
            }
        }
        device_handle_message(&dev, &m);
        CU_ASSERT_FALSE(dev.connected);
        CU_ASSERT_EQUAL(dev.state, XenbusStateClosing);
        CU_ASSERT_EQUAL(fake_mapped(), 0);
        CU_ASSERT_EQUAL(fake_bound(), 0);
        front(6, true);
    }
    close_guest();
}

/* State toggles with requests under way (BE-8). */
static void test_toggle(void)
{
    struct channel_msg m;

    open_guest(true, false, 0);
    for (int i = 0; i < 2000 && dev.connected; i++) {
        for (int k = 0; k < 8; k++) {
            fill(next_slot(), k % 4 == 3 ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE,
                 8ull * (unsigned)k, k % 4 == 3 ? 0 : 5, DATA + (unsigned)k);
        }
        push_only();
        fake_kick(FAKE_PORT);
        blkback_turn(&dev);
        while (channel_recv(g.host, &m) > 0) {
        }
        front(i % 2 ? 1 : 6, true);
        CU_ASSERT_EQUAL_FATAL(fake_mapped(), 0);
        new_ring();
        front(1, true);
        front(3, true);
    }
    CU_ASSERT_TRUE(dev.connected);
    close_guest();
}

static volatile bool flipping;

/* Rewrites the shared ring for ever: whatever is read twice will differ. */
static void *flip(void *arg)
{
    unsigned seed = 1;
    blkif_sring_t *sring = arg;

    while (flipping) {
        blkif_request_t *r = (blkif_request_t *)&sring->ring[(unsigned)rand_r(&seed) % 32].req;

        r->operation = (uint8_t)(rand_r(&seed) % 8);
        r->nr_segments = (uint8_t)(rand_r(&seed) % 14);
        r->sector_number = rand_r(&seed) & 1 ? (uint64_t)rand_r(&seed) % SECTORS : UINT64_MAX - 3;
        r->seg[rand_r(&seed) % 11].last_sect = (uint8_t)(rand_r(&seed) % 10);
        /* Not the ring itself, which a read would then overwrite; some beyond what is granted. */
        r->seg[rand_r(&seed) % 11].gref = INDIRECT_PAGE + (uint32_t)(rand_r(&seed) % 600);
        ((struct blkif_request_segment *)fake_page(INDIRECT_PAGE))[rand_r(&seed) % 256].last_sect =
            (uint8_t)rand_r(&seed);
    }
    return NULL;
}

/*
 * Reference 0 is the ring: a read of what the thread has not yet come to would land on it, and how
 * soon the thread runs is the host's affair.
 */
static void lead_away_from_ring(void)
{
    for (unsigned i = 0; i < 32; i++) {
        for (unsigned k = 0; k < BLKIF_MAX_SEGMENTS_PER_REQUEST; k++) {
            g.ring.sring->ring[i].req.seg[k].gref = DATA;
        }
    }
}

static void test_flipper(void)
{
    pthread_t thread;
    struct stat st;
    unsigned answered = 0;

    open_guest(true, false, 0);
    lead_away_from_ring();
    flipping = true;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, flip, g.ring.sring), 0);
    for (int i = 0; i < 3000 && dev.connected; i++) {
        /* Only the producer moves: the slots hold whatever the thread put there. */
        g.ring.req_prod_pvt += 8;
        run(8);
        if (dev.connected) {
            g.ring.rsp_cons += 8;
            answered += 8;
        }
    }
    flipping = false;
    pthread_join(thread, NULL);
    if (!dev.connected) {
        printf("    %s\n", fake_last_log());
    }
    CU_ASSERT_TRUE(dev.connected);
    CU_ASSERT_EQUAL(answered, 24000);
    fstat(CHANNEL_DEVICE_FD, &st);
    CU_ASSERT_EQUAL(st.st_size, SECTORS * 512l);
    close_guest();
}

/*
 * Fewer notifications than answers when the guest asks for fewer; none lost when it asks for each.
 */
static void test_notifications(void)
{
    unsigned before;

    open_guest(true, false, 0);
    before = fake_notified();
    g.ring.sring->rsp_event = 1;
    one(BLKIF_OP_READ, 0, 1, DATA);
    CU_ASSERT_EQUAL(fake_notified() - before, 1);
    before = fake_notified();
    g.ring.sring->rsp_event = g.ring.rsp_cons + 20;
    for (unsigned i = 0; i < 10; i++) {
        fill(next_slot(), BLKIF_OP_READ, 0, 1, DATA);
    }
    run(10);
    CU_ASSERT_EQUAL(fake_notified(), before);
    for (unsigned i = 0; i < 10; i++) {
        answer();
    }
    close_guest();
}

/* ---- knobs: how often one rings the other; the clock is ours ---- */

static unsigned unanswered(void)
{
    return (unsigned)(g.ring.req_prod_pvt - g.ring.sring->rsp_prod);
}

/* As a driver does it: the backend is rung only if it asked for that. */
static unsigned kicks;

static void push_as_asked(void)
{
    int wanted;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&g.ring, wanted);
    if (wanted) {
        kicks++;
        fake_kick(FAKE_PORT);
    }
}

/* Until the image has done all but what stays under way. */
static void turn_until_done(unsigned under_way)
{
    struct blkback_usage u;

    do {
        blkback_turn(&dev);
        fake_unmasked();
        blkback_usage(&dev, &u);
    } while (dev.connected && u.inflight > under_way);
}

static void open_with(const char *batch, const char *batch_us, const char *poll_us)
{
    const char *const knobs[4][2] = {
        {"batch", batch}, {"batch-us", batch_us}, {"poll-us", poll_us}, {"gather-us", "0"}};

    memcpy(g.knobs, knobs, sizeof(knobs));
    fake_ns = 1000000000000u;
    kicks = 0;
    open_guest(true, false, 0);
    memset(g.knobs, 0, sizeof(g.knobs));
}

static void take_answers(void)
{
    while (RING_HAS_UNCONSUMED_RESPONSES(&g.ring)) {
        CU_ASSERT_EQUAL(answer().status, BLKIF_RSP_OKAY);
    }
}

/* Beside a flush that goes on and on, one read after the other: how often the guest is rung for
 * them, who looks after each. */
static unsigned rung_for(unsigned reads)
{
    unsigned before;

    keep_flush = true;
    fill(next_slot(), BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0);
    push_as_asked();
    turn_until_done(1);
    before = fake_notified();
    for (unsigned i = 0; i < reads; i++) {
        fill(next_slot(), BLKIF_OP_READ, 8 * i, 1, DATA + i);
        push_as_asked();
        turn_until_done(1);
        take_answers();
    }
    return fake_notified() - before;
}

static void flush_ends(void)
{
    let_flush_end();
    turn_until_done(0);
    take_answers();
    CU_ASSERT_EQUAL(unanswered(), 0);
    fake_ns = 0;
    close_guest();
}

/* Answers are held back until there are so many; never when no more are to come. */
static void test_batch(void)
{
    open_with("512", "0", "0");
    CU_ASSERT_EQUAL(rung_for(16), 16);
    flush_ends();
    open_with("4", "1000", "0");
    CU_ASSERT_EQUAL(rung_for(16), 4);
    CU_ASSERT_EQUAL(unanswered(), 1);
    flush_ends();
    open_with("16", "1000", "0");
    CU_ASSERT_EQUAL(rung_for(15), 0);
    CU_ASSERT_EQUAL(unanswered(), 16);
    flush_ends();
}

/* Or until so long has gone by since the first of them. */
static void test_batch_us(void)
{
    open_with("512", "1000", "0");
    CU_ASSERT_EQUAL(rung_for(1), 0);
    fake_ns += 600000;
    fill(next_slot(), BLKIF_OP_READ, 0, 1, DATA);
    push_as_asked();
    turn_until_done(1);
    CU_ASSERT_EQUAL(unanswered(), 3);
    fake_ns += 400000;
    if (unanswered() == 3) { /* else it would wait for ever */
        blkback_turn(&dev);
    }
    CU_ASSERT_EQUAL(unanswered(), 1);
    flush_ends();
}

/* After work the rings are looked at for so long unasked; then the guest has to ring again. */
static void test_poll_us(void)
{
    const struct {
        const char *us;
        unsigned kicks;
    } polls[] = {{"0", 20},
                 {"1000", 2}}; /* it had asked for the second when it came to the first */

    for (unsigned k = 0; k < 2; k++) {
        open_with("512", "0", polls[k].us);
        for (unsigned i = 0; i < 20; i++) {
            fill(next_slot(), BLKIF_OP_READ, 0, 1, DATA);
            push_as_asked();
            turn_until_done(0);
            take_answers();
            fake_ns += 900000;
        }
        CU_ASSERT_EQUAL(kicks, polls[k].kicks);
        fake_ns += 100000;
        if (k && kicks == polls[k].kicks) { /* else it would wait for ever */
            blkback_turn(&dev);             /* its last look */
        }
        fill(next_slot(), BLKIF_OP_READ, 0, 1, DATA);
        push_as_asked();
        CU_ASSERT_EQUAL(kicks, polls[k].kicks + 1);
        turn_until_done(0);
        take_answers();
        fake_ns = 0;
        close_guest();
    }
}

/* Notifications with nothing behind them: the first 32 are free, each further one costs its time.
 */
static void test_storm(void)
{
    struct timespec begin, end;

    open_guest(true, false, 0);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned i = 0; i < 32 + 100; i++) {
        fake_kick(FAKE_PORT);
        blkback_turn(&dev);
        fake_unmasked(); /* of the turn before */
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    CU_ASSERT_TRUE((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >=
                   100);
    CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 0, 1, DATA), BLKIF_RSP_OKAY);
    close_guest();
}

static unsigned resident(void)
{
    const struct blkback *b = dev.priv;
    unsigned char in[POOL_PAGES];
    unsigned n = 0;

    CU_ASSERT_EQUAL_FATAL(mincore(b->pool.base, POOL_PAGES * 4096ul, in), 0);
    for (unsigned i = 0; i < POOL_PAGES; i++) {
        n += in[i] & 1;
    }
    return n;
}

/* What few requests need at a time is all the memory that a disk takes. */
static void test_memory(void)
{
    open_guest(false, false, 0);
    CU_ASSERT_EQUAL(resident(), POOL_FIXED);
    for (unsigned i = 0; i < POOL_FIXED; i++) {
        CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 8 * i, 11, DATA), BLKIF_RSP_OKAY);
    }
    CU_ASSERT_EQUAL(resident(), POOL_FIXED);
    close_guest();
}

void suite_blkback(void)
{
    CU_pSuite s = CU_add_suite("blkback", NULL, NULL);

    CU_add_test(s, "write and read by grant copies", test_copies);
    CU_add_test(s, "write and read by persistent grants", test_persistent);
    CU_add_test(s, "parts of pages", test_partial);
    CU_add_test(s, "large sectors", test_large_sectors);
    CU_add_test(s, "indirect", test_indirect);
    CU_add_test(s, "bad grant at each position", test_bad_grants);
    CU_add_test(s, "memory", test_memory);
    CU_add_test(s, "flush and barrier", test_flush_barrier);
    CU_add_test(s, "flush waits for writes", test_flush_order);
    CU_add_test(s, "discard", test_discard);
    CU_add_test(s, "captured", test_captured);
    CU_add_test(s, "read-only and unknown operations", test_readonly);
    CU_add_test(s, "host I/O errors reach the guest", test_host_error);
    CU_add_test(s, "bytes of a response", test_response_bytes);
    CU_add_test(s, "lying producer", test_lying_producer);
    CU_add_test(s, "ring of 16 pages, full", test_big_ring);
    CU_add_test(s, "wrong keys at connect", test_wrong_connect);
    CU_add_test(s, "state toggles under I/O", test_toggle);
    CU_add_test(s, "ring that changes while it is read", test_flipper);
    CU_add_test(s, "notifications", test_notifications);
    CU_add_test(s, "answers by number", test_batch);
    CU_add_test(s, "answers by time", test_batch_us);
    CU_add_test(s, "polling", test_poll_us);
    CU_add_test(s, "storm of notifications", test_storm);
}
