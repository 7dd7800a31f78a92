/* SPDX-License-Identifier: MIT */
/*
 * The SDK's disk driver, hosted, between a store, a grant table and a backend that are all here.
 *
 * Contract: what is written is read back, one request at a time or many in any order, with and
 * without indirect segments; a response that does not answer a request that is out is an error and
 * never a success, for all that is out (FE-1); a page that the backend holds is not given back
 * (FE-2); while a request is out the backend sees the payload, the ring, and no other byte of the
 * guest's (FE-3); an open that fails at any step leaves no grant, port or page behind, and the next
 * one works, as does one after a close (FE-5).
 *
 * Sabotage: in blkfront.c, leave out the comparison of got->id in answers() ("another id"); let
 * give_back() forget what front_grant_end() says ("holds the data page"); leave out the memset in
 * take_page() ("nothing but the payload"); leave out let_go() in front_blk_open() ("fails at
 * step"); give put_segments() a sector less in put_indirect() ("twenty segments").
 */
#include "fake.h"

#include <stdlib.h>
#include <xen/errno.h>

#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#define DISK_SECTORS 12000u
#define SEGMENTS_MAX 64u
#define FRONT "device/vbd/51712"
#define BACK "/local/domain/0/backend/vbd/1/51712"

enum lie { HONEST, ANOTHER_ID, ANOTHER_OPERATION, TWO_ANSWERS, FAR_INDEX, SILENCE, FAILED, HOLDS };

static enum lie lie;
static u8 disk[DISK_SECTORS * 512];
static bool leaked;     /* the backend saw a byte that is not its business */
static bool fresh;      /* it has not looked at its ring yet */
static bool slow;       /* it answers when the driver sleeps, in any order */
static bool inner_name; /* it answers indirect requests as reads and writes */
static unsigned max_indirect, queued;

/* ---- the backend ---- */

static void see_state(unsigned state)
{
    char *back = fake_node(BACK "/state", true);

    switch (state) {
    case XenbusStateInitialising:
        strcpy(back, "2");
        break;
    case XenbusStateInitialised:
        strcpy(back, "4");
        snprintf(fake_node(BACK "/sectors", true), 16, "%u", DISK_SECTORS);
        if (max_indirect)
            snprintf(fake_node(BACK "/feature-max-indirect-segments", true), 16, "%u",
                     max_indirect);
        strcpy(fake_node(BACK "/feature-flush-cache", true), "1");
        strcpy(fake_node(BACK "/feature-discard", true), "1");
        fresh = true;
        queued = 0;
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
        strcpy(back, "6");
        break;
    }
}

/* A request that the backend has taken. */
struct taken {
    u64 id, sector, sectors; /* sectors: of a discard */
    u8 operation, outer;
    unsigned n;
    struct blkif_request_segment seg[SEGMENTS_MAX];
};

static blkif_back_ring_t ring;
static struct taken queue[64];
static unsigned most;

static struct taken take(const void *slot)
{
    blkif_request_t req;
    blkif_request_indirect_t ind;
    blkif_request_discard_t dis;
    struct taken t = {0};

    memcpy(&req, slot, sizeof(req));
    memcpy(&ind, slot, sizeof(ind));
    memcpy(&dis, slot, sizeof(dis));
    t.operation = t.outer = req.operation;
    if (req.operation == BLKIF_OP_INDIRECT) {
        t = (struct taken){ind.id,        ind.sector_number, 0,    ind.indirect_op,
                           req.operation, ind.nr_segments,   {{0}}};
        CHECK("no more segments than the backend takes", t.n <= max_indirect);
        CHECK("the list is granted for reading", grants[ind.indirect_grefs[0]].readonly);
        memcpy(t.seg, pages[grants[ind.indirect_grefs[0]].mfn], t.n * sizeof(t.seg[0]));
    } else if (req.operation == BLKIF_OP_DISCARD) {
        t.id = dis.id;
        t.sector = dis.sector_number;
        t.sectors = dis.nr_sectors;
    } else {
        t.id = req.id;
        t.sector = req.sector_number;
        t.n = req.nr_segments;
        memcpy(t.seg, req.seg, sizeof(req.seg));
    }
    return t;
}

/* Every byte that is granted at this moment: payload, lists, ring, zeros. */
static void look_around(const struct taken *t)
{
    for (int r = 0; r < REFS; r++) {
        static const u8 secret[4] = {SECRET, SECRET, SECRET, SECRET}; /* one may be in a number */
        const u8 *p = pages[grants[r].mfn];
        unsigned used = FRONT_PAGE_SIZE;

        for (unsigned k = 0; k < t->n; k++) {
            if (r == (int)t->seg[k].gref)
                used = (t->seg[k].last_sect + 1u) * 512;
        }
        for (unsigned i = 0; grants[r].active && i < FRONT_PAGE_SIZE; i++)
            leaked |= (i + 4 <= FRONT_PAGE_SIZE && !memcmp(p + i, secret, 4)) ||
                      (i >= used && p[i]);
    }
}

static void respond(const struct taken *t, int status)
{
    blkif_response_t rsp = {.id = t->id, .operation = t->operation, .status = (s16)status};

    if (inner_name == (t->outer == BLKIF_OP_INDIRECT))
        rsp.operation = t->outer;
    if (lie == ANOTHER_ID)
        rsp.id += 32;
    if (lie == ANOTHER_OPERATION)
        rsp.operation ^= 1;
    for (int i = lie == TWO_ANSWERS ? 2 : 1; i; i--)
        memcpy(RING_GET_RESPONSE(&ring, ring.rsp_prod_pvt++), &rsp, sizeof(rsp));
    if (lie == FAR_INDEX)
        ring.rsp_prod_pvt += 1000;
    RING_PUSH_RESPONSES(&ring);
}

static void transfer(const struct taken *t)
{
    u8 *at = disk + t->sector * 512;
    bool read = t->operation == BLKIF_OP_READ;

    for (unsigned k = 0; k < t->n; k++) {
        u8 *data = pages[grants[t->seg[k].gref].mfn];
        size_t len = (t->seg[k].last_sect + 1u) * 512;

        grants[t->seg[k].gref].mapped = lie == HOLDS;
        CHECK("a write's page is granted for reading", read || grants[t->seg[k].gref].readonly);
        memcpy(read ? data : at, read ? at : data, len);
        at += len;
    }
    if (t->operation == BLKIF_OP_DISCARD)
        memset(at, 0, t->sectors * 512);
}

static void finish(unsigned i)
{
    struct taken t = queue[i];

    queue[i] = queue[--queued];
    if (lie == FAILED) {
        respond(&t, BLKIF_RSP_ERROR);
        return;
    }
    transfer(&t);
    respond(&t, BLKIF_RSP_OKAY);
}

static void serve(void)
{
    if (!ring.sring || ring.sring != fake_shared(FRONT "/ring-ref") || fresh)
        BACK_RING_INIT(&ring, (blkif_sring_t *)fake_shared(FRONT "/ring-ref"), FRONT_PAGE_SIZE);
    fresh = false;
    while (ring.req_cons != ring.sring->req_prod) {
        queue[queued] = take(RING_GET_REQUEST(&ring, ring.req_cons));
        ring.req_cons++;
        look_around(&queue[queued++]);
    }
    ring.sring->req_event = ring.req_cons + 1;
    most = queued > most ? queued : most;
    while (!slow && lie != SILENCE && queued)
        finish(0);
}

/* The driver sleeps: time for the slow one to answer something, anything. */
static void answer_some(void)
{
    if (slow && queued)
        finish((unsigned)rand() % queued);
}

/* ---- tests ---- */

static void set_up(void)
{
    fake_reset(FRONT, BACK);
    fake_state = see_state;
    fake_event = serve;
    fake_sleep = answer_some;
    memset(disk, 0, sizeof(disk));
    lie = HONEST;
    slow = inner_name = false;
    max_indirect = 0;
    leaked = false;
}

static u8 mine[FRONT_PAGE_SIZE];

/* Writes and reads back n sectors from a page that holds a secret behind them. */
static void there_and_back(struct front_blk *b, const char *what, u64 sector, unsigned n)
{
    memset(mine, SECRET, sizeof(mine));
    for (unsigned i = 0; i < n * 512; i++)
        mine[i] = (u8)(i * 7 + sector) % SECRET;
    CHECK(what, front_blk_write(b, sector, mine, n) == 0);
    CHECK(what, !memcmp(disk + sector * 512, mine, n * 512));
    memset(mine, SECRET, n * 512);
    CHECK(what, front_blk_read(b, sector, mine, n) == 0);
    CHECK(what, !memcmp(disk + sector * 512, mine, n * 512));
    CHECK(what, n == 8 || mine[n * 512] == SECRET);
    CHECK(what, fake_grants_active() == 1);
}

static void test_honest(void)
{
    struct front_blk *b = NULL;

    set_up();
    CHECK("open", front_blk_open(51712, &b) == 0);
    for (unsigned n = 8; n; n--)
        there_and_back(b, "there and back", 5 * n, n);
    CHECK("nothing but the payload", !leaked);
    CHECK("past the end", front_blk_read(b, DISK_SECTORS - 4, mine, 5) == -XEN_EINVAL);
    CHECK("close", front_blk_close(b) == 0);
    fake_nothing_left("after a close");
}

static void test_lies(void)
{
    static const struct {
        enum lie lie;
        const char *name;
    } lies[] = {{ANOTHER_ID, "another id"},   {ANOTHER_OPERATION, "another operation"},
                {TWO_ANSWERS, "two answers"}, {FAR_INDEX, "an index far ahead"},
                {SILENCE, "silence"},         {FAILED, "an error"}};

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct front_blk *b = NULL;

        set_up();
        CHECK(lies[i].name, front_blk_open(51712, &b) == 0);
        lie = lies[i].lie;
        CHECK(lies[i].name, front_blk_read(b, 0, mine, 8) < 0);
        front_blk_close(b);
        fake_nothing_left(lies[i].name);
    }
}

static void test_holds(void)
{
    struct front_blk *b = NULL;

    set_up();
    CHECK("holds the data page", front_blk_open(51712, &b) == 0);
    lie = HOLDS;
    front_blk_write(b, 0, mine, 8);
    lie = HONEST;
    CHECK("holds the data page", front_blk_write(b, 0, mine, 8) == -XEN_EIO);
    front_blk_close(b);
    CHECK("holds the data page",
          fake_pages_used() == 1 && fake_grants_active() == 1 && ports_open == 0);

    set_up();
    CHECK("holds the ring", front_blk_open(51712, &b) == 0);
    grants[fake_node_u(FRONT "/ring-ref")].mapped = true;
    front_blk_close(b);
    CHECK("holds the ring", fake_pages_used() == 1 && fake_grants_active() == 1 && ports_open == 0);
}

static void test_steps(void)
{
    struct front_blk *b = NULL;
    char what[32];

    set_up();
    for (unsigned n = 1; n < 60; n++) {
        int rc;

        snprintf(what, sizeof(what), "fails at step %u", n);
        step = 0;
        fail_at = n;
        rc = front_blk_open(51712, &b);
        if (rc)
            fake_nothing_left(what);
        else
            CHECK(what, n > 15); /* only features may be missing, and not before the end */
        fail_at = 0;
        CHECK(what, rc == 0 || front_blk_open(51712, &b) == 0);
        there_and_back(b, what, n, 3);
        CHECK(what, front_blk_close(b) == 0);
        fake_nothing_left(what);
    }
}

/* ---- several at once ---- */

#define AT_ONCE 40u
#define LARGEST (32u * 8) /* sectors */

static struct io {
    struct front_blk_io io; /* first */
    u8 data[LARGEST * 512];
    u8 shadow[LARGEST * 512];
    bool out;
} ios[AT_ONCE];
static unsigned ended, wrong, again;

static void one_ended(struct front_blk_io *io)
{
    struct io *i = (struct io *)io;

    ended++;
    i->out = false;
    wrong += io->result ||
             (io->op == FRONT_BLK_READ && memcmp(i->data, i->shadow, io->sectors * 512));
}

/* Each has LARGEST sectors of the disk to itself, so that their order does not matter. */
static bool begin(struct front_blk *b, unsigned n)
{
    struct io *i = &ios[n];
    unsigned most_now = rand() % 8 ? 24 : (unsigned)front_blk_max_sectors(b);
    unsigned at = n * LARGEST, len = 1 + (unsigned)rand() % most_now;
    int rc;

    i->io = (struct front_blk_io){.op = rand() % 8 ? (enum front_blk_op)(rand() % 2)
                                                   : FRONT_BLK_DISCARD,
                                  .sector = at + (unsigned)rand() % (LARGEST + 1 - len),
                                  .sectors = len,
                                  .data = i->data,
                                  .done = one_ended};
    for (unsigned k = 0; k < len * 512; k++)
        i->data[k] = (u8)(rand() % SECRET);
    memcpy(i->shadow, disk + i->io.sector * 512, len * 512);
    rc = front_blk_submit(b, &i->io);
    again += rc == -XEN_EAGAIN;
    CHECK("submitted", rc == 0 || rc == -XEN_EAGAIN);
    i->out = rc == 0;
    if (i->out && i->io.op == FRONT_BLK_WRITE)
        memcpy(i->shadow, i->data, len * 512);
    return rc == 0;
}

static void several(const char *what, unsigned indirect, bool inner)
{
    struct front_blk *b = NULL;
    unsigned begun = 0;

    set_up();
    slow = true;
    max_indirect = indirect;
    inner_name = inner;
    ended = wrong = most = again = 0;
    memset(ios, 0, sizeof(ios));
    CHECK(what, front_blk_open(51712, &b) == 0);
    CHECK(what, front_blk_max_sectors(b) == (indirect < 11   ? 11
                                             : indirect < 32 ? indirect
                                                             : 32) *
                                                8);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned n = (unsigned)rand() % AT_ONCE;

        if (!ios[n].out)
            begun += begin(b, n);
        else
            front_blk_wait(b, front_port_now() + 1);
    }
    while (ended < begun && front_blk_wait(b, front_port_now() + 1000) >= 0)
        ;
    CHECK(what, ended == begun && !wrong && begun > 1000);
    CHECK(what, most >= 8 && again > 0);
    CHECK("nothing but the payload", !leaked);
    CHECK(what, fake_grants_active() == 1 && fake_pages_used() <= 65);
    front_blk_close(b);
    fake_nothing_left(what);
}

/* A device of a slow backend, with five requests that wait for their answers. */
static struct front_blk *five_out(const char *what, enum front_blk_op op)
{
    struct front_blk *b = NULL;

    set_up();
    slow = true;
    ended = wrong = 0;
    front_blk_open(51712, &b);
    for (unsigned n = 0; n < 5; n++) {
        ios[n].io =
            (struct front_blk_io){.op = op, .sectors = 8, .data = ios[n].data, .done = one_ended};
        CHECK(what, front_blk_submit(b, &ios[n].io) == 0);
    }
    return b;
}

/* With requests out: one wrong answer, and all of them have failed, once each. */
static void test_lies_among_many(void)
{
    for (enum lie l = ANOTHER_ID; l <= FAR_INDEX; l++) {
        struct front_blk *b = five_out("a lie among many", FRONT_BLK_READ);

        lie = l;
        CHECK("a lie among many", front_blk_wait(b, front_port_now() + 1000) == -XEN_EIO);
        CHECK("a lie among many",
              ended == 5 && wrong >= (l == TWO_ANSWERS ? 4u : 5u) - (l == FAR_INDEX));
        CHECK("a lie among many", front_blk_submit(b, &ios[0].io) == -XEN_EIO);
        front_blk_close(b);
        CHECK("once each", ended == 5);
        fake_nothing_left("a lie among many");
    }
}

/* Closed while requests are out: they fail. */
static void test_close_early(void)
{
    front_blk_close(five_out("closed early", FRONT_BLK_WRITE));
    CHECK("closed early", ended == 5 && wrong == 5 && ios[4].io.result == -XEN_EIO);
    fake_nothing_left("closed early");
}

static void test_others(void)
{
    struct front_blk *b = NULL;

    set_up();
    front_blk_open(51712, &b);
    disk[512 * 9] = 1;
    CHECK("a discard", front_blk_discard(b, 9, 1000) == 0 && !disk[512 * 9]);
    CHECK("a discard past the end", front_blk_discard(b, 9, DISK_SECTORS) == -XEN_EINVAL);
    CHECK("a flush", front_blk_flush(b) == 0);
    front_blk_close(b);
}

static void test_many(void)
{
    struct front_blk *b[5];

    set_up();
    for (int i = 0; i < 4; i++)
        CHECK("four at once", front_blk_open(51712, &b[i]) == 0);
    CHECK("no fifth", front_blk_open(51712, &b[4]) == -XEN_ENOSPC);
    for (int i = 0; i < 4; i++)
        front_blk_close(b[i]);
    fake_nothing_left("four at once");
    strcpy(fake_node(FRONT "/backend-id", true), "65536");
    CHECK("a backend that is no domain", front_blk_open(51712, &b[0]) == -XEN_EINVAL);
}

int main(void)
{
    test_honest();
    test_lies();
    test_holds();
    test_steps();
    test_many();
    several("without indirect segments", 0, false);
    several("twenty segments", 20, false);
    several("as many as there may be", 256, true);
    test_lies_among_many();
    test_close_early();
    test_others();
    printf("blkfront: %u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
