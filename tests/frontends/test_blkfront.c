/* SPDX-License-Identifier: MIT */
/*
 * The SDK's disk driver, hosted, between a store, a grant table and a backend that are all here.
 *
 * Contract: what is written is read back; a response that does not answer the request that is out
 * is an error and never a success (FE-1); a page that the backend holds is not given back (FE-2);
 * while a request is out the backend sees the payload, the ring, and no other byte of the guest's
 * (FE-3); an open that fails at any step leaves no grant, port or page behind, and the next one
 * works, as does one after a close (FE-5).
 *
 * Sabotage: in blkfront.c, leave out the comparison of got.id in take_response() ("another id");
 * give b->data back though data_held ("holds the data page"); leave out the memset in
 * front_blk_write() ("nothing but the payload"); leave out let_go() in front_blk_open()
 * ("fails at step").
 */
#include "fake.h"

#include <xen/errno.h>

#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#define DISK_SECTORS 64u
#define FRONT "device/vbd/51712"
#define BACK "/local/domain/0/backend/vbd/1/51712"

enum lie { HONEST, ANOTHER_ID, ANOTHER_OPERATION, TWO_ANSWERS, FAR_INDEX, SILENCE, FAILED, HOLDS };

static enum lie lie;
static u8 disk[DISK_SECTORS * 512];
static RING_IDX seen; /* requests that the backend has taken */
static bool leaked;   /* the backend saw a byte that is not its business */

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
        strcpy(fake_node(BACK "/sectors", true), "64");
        seen = 0;
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
        strcpy(back, "6");
        break;
    }
}

/* Every byte that is granted at this moment: payload, ring, zeros. */
static void look_around(const blkif_request_t *req)
{
    unsigned used = (req->seg[0].last_sect + 1u) * 512;

    for (int r = 0; r < REFS; r++) {
        const u8 *p = pages[grants[r].mfn];
        bool data = r == (int)req->seg[0].gref;

        for (unsigned i = 0; grants[r].active && i < FRONT_PAGE_SIZE; i++)
            leaked |= p[i] == SECRET || (data && i >= used && p[i]);
    }
}

static void respond(blkif_back_ring_t *ring, const blkif_request_t *req, int status)
{
    blkif_response_t rsp = {.id = req->id, .operation = req->operation, .status = (s16)status};

    if (lie == ANOTHER_ID)
        rsp.id++;
    if (lie == ANOTHER_OPERATION)
        rsp.operation ^= 1;
    for (int i = lie == TWO_ANSWERS ? 2 : 1; i; i--)
        memcpy(RING_GET_RESPONSE(ring, ring->rsp_prod_pvt++), &rsp, sizeof(rsp));
    if (lie == FAR_INDEX)
        ring->rsp_prod_pvt += 1000;
    RING_PUSH_RESPONSES(ring);
}

static void serve(void)
{
    blkif_sring_t *sring = fake_shared(FRONT "/ring-ref");
    blkif_back_ring_t ring;
    blkif_request_t req;
    u8 *data, *at;
    size_t len;

    BACK_RING_ATTACH(&ring, sring, seen, FRONT_PAGE_SIZE);
    ring.req_cons = seen;
    memcpy(&req, RING_GET_REQUEST(&ring, seen), sizeof(req));
    seen++;
    sring->req_event = seen + 1;
    data = pages[grants[req.seg[0].gref].mfn];
    at = disk + req.sector_number * 512;
    len = (req.seg[0].last_sect + 1u) * 512;
    look_around(&req);
    if (lie == SILENCE)
        return;
    grants[req.seg[0].gref].mapped = lie == HOLDS;
    if (lie == FAILED) {
        respond(&ring, &req, BLKIF_RSP_ERROR);
        return;
    }
    memcpy(req.operation == BLKIF_OP_READ ? data : at, req.operation == BLKIF_OP_READ ? at : data,
           len);
    CHECK("a write's page is granted for reading",
          req.operation == BLKIF_OP_READ || grants[req.seg[0].gref].readonly);
    respond(&ring, &req, BLKIF_RSP_OKAY);
}

/* ---- tests ---- */

static void set_up(void)
{
    fake_reset(FRONT, BACK);
    fake_state = see_state;
    fake_event = serve;
    lie = HONEST;
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
    CHECK("past the end", front_blk_read(b, 60, mine, 5) == -XEN_EINVAL);
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
    printf("blkfront: %u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
