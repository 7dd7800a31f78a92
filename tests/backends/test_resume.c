/* SPDX-License-Identifier: MIT */
/*
 * test_resume.c - one backend process dies at any of its steps and the next one goes on with the
 * same ring (ADR 0050); several rings; limits that outlive a process and hold end to end; bursts
 * that are waited for.
 *
 * A death is a device that is simply left: its io_uring is closed, its memory forgotten, the
 * journal and the guest's pages stay. What a process can leave behind in between two stores is made
 * by hand.
 *
 * Sabotage: in outstanding() `answered` for entries that are only marked (|| for &&) fails "a death
 * at each store"; in queue_resume() without the comparison of numbers "journals
 * that lie" fails; with by_taken_at() of 0 "the order of what is done again" fails; in
 * connect_queues() `nr = 1` fails "four queues"; in serve.c within_limit() returning true, waiting
 * 20 ms longer, or taking twice when the clock is even fails "a limit, end to end"; in gather.c
 * expect never growing fails "bursts are waited for", patience never growing "small rounds are
 * tried out of".
 */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../backends/block/blkback.h"
#include "../../backends/block/gather.h"
#include "../../backends/block/state.h"
#include "../../backends/common/ring.h"
#include "fake/xen.h"
#include "process.h"
#include "tests.h"

#include <xen/io/blkif.h>

#define SECTORS 16384u
#define QUEUES 4u
#define DATA 32u

static struct device dev;
static struct journal *journal;
static struct meter *meter;
static int host;
static unsigned nr_queues;
static blkif_front_ring_t rings[QUEUES];
static uint64_t next_id;

static void make_image(void)
{
    char name[] = "/tmp/backends-test-XXXXXX";
    int fd = mkstemp(name);

    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, SECTORS * 512l), 0);
    CU_ASSERT_TRUE_FATAL(dup2(fd, CHANNEL_DEVICE_FD) == CHANNEL_DEVICE_FD);
    if (fd != CHANNEL_DEVICE_FD) {
        close(fd);
    }
    unlink(name);
}

/* A process begins. */
static void begin(void)
{
    struct channel_msg start;
    int s[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    host = s[1];
    dev = (struct device){.ops = &blkback_ops,
                          .state = XenbusStateInitialising,
                          .channel = s[0],
                          .domid = 1,
                          .journal = journal,
                          .meter = meter,
                          .limits = {&meter->limit},
                          .nr_limits = 1};
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&dev.gnt, 1), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_open(&dev.evt, 1), 0);
    channel_init(&start, CHANNEL_START);
    CU_ASSERT_EQUAL_FATAL(blkback_ops.init(&dev, &start), 0);
    blkback_arm(&dev);
}

static void front(unsigned state)
{
    struct channel_msg m;
    char key[32];

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    channel_add(&m, "feature-persistent", "1");
    if (nr_queues > 1) {
        channel_addf(&m, "multi-queue-num-queues", "%u", nr_queues);
    }
    for (unsigned i = 0; i < nr_queues; i++) {
        snprintf(key, sizeof(key), nr_queues > 1 ? "queue-%u/ring-ref" : "ring-ref", i);
        channel_addf(&m, key, "%u", i);
        snprintf(key, sizeof(key), nr_queues > 1 ? "queue-%u/event-channel" : "event-channel", i);
        channel_addf(&m, key, "%u", 5 + i);
    }
    device_handle_message(&dev, &m);
}

static void open_guest(unsigned queues)
{
    fake_reset();
    make_image();
    nr_queues = queues;
    journal = calloc(1, JOURNAL_BYTES);
    meter = calloc(1, sizeof(*meter));
    begin();
    for (unsigned i = 0; i < queues; i++) {
        blkif_sring_t *sring = (blkif_sring_t *)fake_page(i);

        SHARED_RING_INIT(sring);
        FRONT_RING_INIT(&rings[i], sring, 4096u);
    }
    front(1);
    front(3);
    CU_ASSERT_TRUE_FATAL(dev.connected);
}

static void close_guest(void)
{
    front(6);
    CU_ASSERT_EQUAL(fake_mapped(), 0);
    CU_ASSERT_EQUAL(fake_bound(), 0);
    process_ends(&dev, host);
    free(journal);
    free(meter);
}

static void successor(void)
{
    process_ends(&dev, host);
    begin();
    front(4);
}

static struct queue_journal *queue_of(unsigned i)
{
    return ((struct blk_journal *)journal_body(journal))->queue + i;
}

static uint64_t ask(unsigned queue, uint8_t op, uint64_t sector, unsigned nr, uint32_t page)
{
    blkif_request_t *r = RING_GET_REQUEST(&rings[queue], rings[queue].req_prod_pvt);

    rings[queue].req_prod_pvt++;
    memset(r, 0, sizeof(*r));
    r->operation = op;
    r->nr_segments = (uint8_t)nr;
    r->id = ++next_id;
    r->sector_number = sector;
    for (unsigned i = 0; i < nr; i++) {
        r->seg[i] = (struct blkif_request_segment){.gref = page + i, .last_sect = 7};
    }
    return r->id;
}

static unsigned answers(unsigned queue)
{
    return rings[queue].sring->rsp_prod - rings[queue].rsp_cons;
}

static void kick(unsigned queue)
{
    RING_PUSH_REQUESTS(&rings[queue]);
    fake_kick(FAKE_PORT + (int)queue);
}

static void run(unsigned queue, unsigned count)
{
    while (dev.connected && answers(queue) < count) {
        blkback_turn(&dev);
    }
}

static bool next_is_good(unsigned queue, uint64_t id)
{
    blkif_response_t rsp;

    RING_COPY_RESPONSE(&rings[queue], rings[queue].rsp_cons, &rsp);
    rings[queue].rsp_cons++;
    rings[queue].sring->rsp_event = rings[queue].rsp_cons + 1;
    return rsp.id == id && rsp.status == BLKIF_RSP_OKAY;
}

/* Requests are taken and their process is gone before one is answered. */
static void test_taken_over(void)
{
    uint64_t id[3];

    open_guest(1);
    memset(fake_page(DATA), 0x5a, 8192);
    id[0] = ask(0, BLKIF_OP_WRITE, 8, 2, DATA);
    id[1] = ask(0, BLKIF_OP_READ, 8, 2, DATA + 4);
    id[2] = ask(0, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0);
    kick(0);
    blkback_turn(&dev);
    CU_ASSERT_EQUAL(answers(0), 0);
    CU_ASSERT_EQUAL(queue_of(0)->req_cons, 3);
    successor();
    CU_ASSERT_TRUE_FATAL(dev.connected);
    CU_ASSERT_EQUAL(journal->takeovers, 1);
    run(0, 3);
    for (unsigned seen = 0, i = 0; i < 3; i++) {
        blkif_response_t rsp;

        RING_COPY_RESPONSE(&rings[0], rings[0].rsp_cons++, &rsp);
        CU_ASSERT_EQUAL(rsp.status, BLKIF_RSP_OKAY);
        CU_ASSERT_TRUE(rsp.id >= id[0] && rsp.id <= id[2] && !(seen & 1u << (rsp.id - id[0])));
        seen |= 1u << (rsp.id - id[0]);
    }
    id[0] = ask(0, BLKIF_OP_READ, 8, 2, DATA + 8);
    kick(0);
    run(0, 1);
    CU_ASSERT_TRUE(next_is_good(0, id[0]));
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA), fake_page(DATA + 8), 8192), 0);
    close_guest();
}

/* The states that the stores of queue_taken() and queue_answer() leave, each with what follows. */
static void test_each_store(void)
{
    for (unsigned state = 0; state < 6; state++) {
        struct queue_journal *j;
        uint64_t id;

        open_guest(1);
        id = ask(0, BLKIF_OP_READ, 0, 1, DATA);
        kick(0);
        blkback_turn(&dev);
        j = queue_of(0);
        switch (state) {
        case 0: /* entry written, not in use */
            j->entry[0].used = 0;
            j->req_cons = 0;
            break;
        case 1: /* in use, not taken */
            j->req_cons = 0;
            break;
        case 2: /* taken */
            break;
        case 3: /* answer being written */
            j->entry[0].answered_at = 0;
            break;
        case 4: /* marked, not counted: done once more */
            j->entry[0].answered_at = 0;
            j->entry[0].answered = 1;
            break;
        case 5: /* counted, in the ring, and still in use */
            run(0, 1);
            j->entry[0].used = 1;
            break;
        }
        successor();
        CU_ASSERT_TRUE_FATAL(dev.connected);
        kick(0);
        run(0, 1);
        CU_ASSERT_EQUAL(answers(0), 1);
        CU_ASSERT_TRUE(next_is_good(0, id));
        close_guest();
    }
}

/* What a dying process may scribble is refused; the device is closed with a reason. */
static void test_lies(void)
{
    for (unsigned lie = 0; lie < 7; lie++) {
        struct queue_journal *j;
        struct channel_msg m;
        bool reported = false;

        open_guest(1);
        ask(0, BLKIF_OP_READ, 0, 1, DATA);
        kick(0);
        blkback_turn(&dev);
        j = queue_of(0);
        switch (lie) {
        case 0:
            j->req_cons += 1;
            break;
        case 1:
            j->entry[0].used = 0;
            break;
        case 2:
            j->entry[0].req.sector = SECTORS;
            break;
        case 3:
            j->entry[0].req.nr_segments = 257;
            break;
        case 4:
            j->entry[0].req.seg[0].offset = 4095;
            break;
        case 5:
            j->entry[0].req.op = (enum request_op)99;
            break;
        case 6:
            j->rsp_prod = 1000;
            break;
        }
        successor();
        CU_ASSERT_FALSE(dev.connected);
        while (recv(host, &m, 0, MSG_PEEK | MSG_DONTWAIT) >= 0 && channel_recv(host, &m) == 1) {
            reported |= m.type == CHANNEL_FAIL && strstr(channel_get(&m, "reason"), "journal");
        }
        CU_ASSERT_TRUE(reported);
        close_guest();
    }
}

/* Two writes of one block, taken in this order by a process whose entries are not in it. */
static void test_order(void)
{
    struct queue_journal *j;
    struct queue_entry swap;

    open_guest(1);
    for (unsigned i = 0; i < 2; i++) {
        memset(fake_page(DATA + i), 0x11 * (int)(i + 1), 4096);
        ask(0, BLKIF_OP_WRITE, 0, 1, DATA + i);
    }
    ask(0, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0);
    kick(0);
    blkback_turn(&dev);
    j = queue_of(0);
    CU_ASSERT_EQUAL(j->req_cons, 3);
    swap = j->entry[0];
    j->entry[0] = j->entry[2];
    j->entry[2] = swap;
    successor();
    CU_ASSERT_TRUE_FATAL(dev.connected);
    run(0, 3);
    /* The flush was the last, so it is answered last. */
    CU_ASSERT_TRUE(RING_GET_RESPONSE(&rings[0], 2)->operation == BLKIF_OP_FLUSH_DISKCACHE);
    close_guest();
}

static void test_queues(void)
{
    uint64_t id[QUEUES];

    open_guest(QUEUES);
    CU_ASSERT_EQUAL(fake_bound(), QUEUES);
    CU_ASSERT_EQUAL(meter->queues, QUEUES);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned q = 0; q < QUEUES; q++) {
            memset(fake_page(DATA + q), (int)(round + q), 4096);
            id[q] = ask(q, BLKIF_OP_WRITE, 8 * q, 1, DATA + q);
            kick(q);
        }
        if (round % 10 == 9) { /* all of them under way */
            blkback_turn(&dev);
            successor();
            CU_ASSERT_TRUE_FATAL(dev.connected);
        }
        for (unsigned q = 0; q < QUEUES; q++) {
            run(q, 1);
            CU_ASSERT_TRUE(next_is_good(q, id[q]));
        }
    }
    for (unsigned q = 0; q < QUEUES; q++) {
        uint8_t block[4096];

        CU_ASSERT_EQUAL(pread(CHANNEL_DEVICE_FD, block, 4096, 4096 * (long)q), 4096);
        CU_ASSERT_EQUAL(memcmp(block, fake_page(DATA + q), 4096), 0);
        CU_ASSERT_TRUE(meter->queue[q].latency[METER_WRITE].count >= 50);
        CU_ASSERT_EQUAL(meter->queue[q].bytes[METER_WRITE],
                        4096 * meter->queue[q].latency[METER_WRITE].count);
    }
    close_guest();
}

static uint64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A turn of the device of a guest that always has so many requests in the ring: how many are
 * answered. */
static unsigned press(unsigned depth)
{
    unsigned n = 0;

    for (; rings[0].req_prod_pvt - rings[0].rsp_cons < depth; n++) {
        ask(0, BLKIF_OP_READ, 0, 1, DATA);
    }
    if (n) {
        kick(0); /* else the wait is for the device to end */
    }
    blkback_turn(&dev);
    n = answers(0);
    rings[0].rsp_cons += n;
    fake_unmasked();
    return n;
}

#define CATCH_UP_S 10u
#define GIVE_UP_NS 60000000000ull

/* What a rested guest may do at once is gone, so that the rate alone is left. */
static void use_up_burst(void)
{
    struct limit *const own[] = {&meter->limit};

    while (limit_take(own, 1, clock_ns(), 512) == 0) {
    }
}

/*
 * Never above; not below at some moment after the first second. Others use this machine, and for
 * how long they have it nobody can say: the burst, used up before, is what the device may catch up
 * with, so that being away costs it nothing.
 */
static void hold(unsigned rate)
{
    uint64_t from = clock_ns(), took;
    double due;
    unsigned n = 0;

    do {
        n += press(16);
        took = clock_ns() - from;
        due = rate * ((double)took / 1e9);
        CU_ASSERT_TRUE_FATAL(dev.connected && n <= due + 2);
    } while (took < 1000000000 || (n < due * 0.99 - 1 && took < GIVE_UP_NS));
    if (n < due * 0.99 - 1) {
        printf("    %u of %.0f\n", n, due);
    }
    CU_ASSERT_TRUE(n >= due * 0.99 - 1);
    CU_ASSERT_TRUE(meter->throttled > 0);
}

/* How long one request alone waits for the limit: the shortest of some, which was nobody else's
 * fault. */
static void wait_is_short(unsigned rate)
{
    uint64_t most = 1000000000 / rate + 5000000, shortest = UINT64_MAX;

    for (unsigned i = 0; i < 1000 && shortest > most; i++) {
        uint64_t waited = meter->throttled_ns;

        press(1);
        waited = meter->throttled_ns - waited;
        shortest = waited && waited < shortest ? waited : shortest;
    }
    CU_ASSERT_TRUE(shortest <= most);
}

static void test_limit(void)
{
    const unsigned rates[] = {10, 1000, 20000};

    for (unsigned i = 0; i < 3; i++) {
        struct limit_rates r = {.ops = rates[i], .ops_burst = rates[i] * CATCH_UP_S};

        open_guest(1);
        limit_set(&meter->limit, &r);
        use_up_burst();
        hold(rates[i]);
        wait_is_short(rates[i]);
        close_guest();
    }
}

/* What a process has used is used when the next one comes. */
static void test_limit_stays(void)
{
    struct limit_rates r = {.ops = 2, .ops_burst = 4};
    uint64_t until;
    unsigned n = 0;

    open_guest(1);
    limit_set(&meter->limit, &r);
    until = clock_ns() + 100000000;
    do {
        n += press(16);
    } while (clock_ns() < until);
    CU_ASSERT_TRUE(n >= 1);
    for (unsigned i = 0; i < 20; i++) {
        successor();
        CU_ASSERT_TRUE_FATAL(dev.connected);
        blkback_turn(&dev);
        n += answers(0);
        rings[0].rsp_cons += answers(0);
    }
    CU_ASSERT_TRUE(n <= 6);
    close_guest();
}

/* Woken for each, one answers each before the next is there; tried, the burst comes. A guest that
 * has one at a time is tried ever less. */
static void test_gather_small(void)
{
    enum { ROUNDS = 20000 };
    struct gather g = {0};
    uint64_t now = 1000;
    unsigned n = 1, burst = 0, limits = 0;

    for (unsigned i = 0; i < 200; i++) {
        now += 20;
        gather_took(&g, n);
        n = gather_next(&g, now, 32, 1000);
        burst += n >= 20;
    }
    CU_ASSERT_TRUE(burst > 100);
    g = (struct gather){0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        gather_took(&g, 1);
        if (gather_next(&g, ++now, 32, 1000) > 1) {
            CU_ASSERT_TRUE(g.limit_us <= now + 20); /* eight times what one has taken */
            now = g.limit_us;
            CU_ASSERT_EQUAL(gather_next(&g, now, 32, 1000), 1);
            limits++;
        }
    }
    CU_ASSERT_TRUE(limits >= ROUNDS / GATHER_PROBE_MOST - 4);
    CU_ASSERT_TRUE(limits <= ROUNDS / GATHER_PROBE_MOST + 8); /* the first come sooner */
}

/* A guest with bursts of a size rings once for each; another size is learnt; an idle one waits for
 * nothing. */
static void test_gather(void)
{
    struct gather g = {0};
    uint64_t now = 1000;
    unsigned n = 1, limits = 0, taken[2] = {0, 0};

    /* Bursts of twenty, then of six: told of the n-th or of the time; taken apart if told at once.
     */
    for (unsigned i = 0; i < 300; i++) {
        unsigned size = i < 200 ? 20 : 6, got = n == 1 ? size / 4 + 1 : n <= size ? n : size;

        now += n <= size ? 50 : g.limit_us - now;
        limits += n > size;
        taken[i >= 200] += i % 200 >= 20 ? got : 0;
        gather_took(&g, got);
        n = gather_next(&g, now, 32, 300);
    }
    CU_ASSERT_TRUE(taken[0] >= 180 * 15);
    CU_ASSERT_TRUE(taken[1] >= 80 * 4);
    CU_ASSERT_TRUE(limits < 20);
    now = g.limit_us ? g.limit_us : now;
    n = gather_next(&g, now, 32, 300);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(g.limit_us, 0);
    for (unsigned i = 0; i < 50; i++) {
        gather_took(&g, 1 + i % 3);
        CU_ASSERT_EQUAL(gather_next(&g, ++now, 32, 300), 1);
    }
    gather_took(&g, 32);
    CU_ASSERT_EQUAL(gather_next(&g, now, 32, 0), 1);
    /* And in the ring. */
    open_guest(1);
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned k = 0; k < 8; k++) {
            ask(0, BLKIF_OP_READ, 0, 1, DATA);
        }
        kick(0);
        run(0, 8);
        rings[0].rsp_cons += 8;
        fake_unmasked();
    }
    CU_ASSERT_TRUE(rings[0].sring->req_event - rings[0].req_prod_pvt >= 8);
    /* One alone is not left lying. */
    ask(0, BLKIF_OP_READ, 0, 1, DATA);
    RING_PUSH_REQUESTS(&rings[0]);
    run(0, 1);
    CU_ASSERT_EQUAL(answers(0), 1);
    close_guest();
}

void suite_resume(void)
{
    CU_pSuite s = CU_add_suite("resume", NULL, NULL);

    CU_add_test(s, "a successor does what was taken", test_taken_over);
    CU_add_test(s, "a death at each store", test_each_store);
    CU_add_test(s, "journals that lie", test_lies);
    CU_add_test(s, "the order of what is done again", test_order);
    CU_add_test(s, "four queues", test_queues);
    CU_add_test(s, "a limit, end to end", test_limit);
    CU_add_test(s, "a limit outlives its process", test_limit_stays);
    CU_add_test(s, "bursts are waited for", test_gather);
    CU_add_test(s, "small rounds are tried out of", test_gather_small);
}
