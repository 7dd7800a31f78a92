/* SPDX-License-Identifier: MIT */
/*
 * Lab 7, the grader's part: a frontend in the same domain, first well-behaved, then one that lies.
 * It has a disk of its own that it compares with, and goes wild at known places: after a slot was
 * fetched it overwrites the slot; between a backend's last look and its end it puts in one more
 * request.
 */
#include "task.h"

#define DISK_PAGES 40
#define DATA_PAGES 11
#define ENOUGH 200

u8 *lab_disk;
u64 lab_sectors;

static u8 *twin;  /* what the disk should hold */
static u8 *guard; /* the disk's pages and one before and after */
static u8 *data[DATA_PAGES];
static int refs[DATA_PAGES], ro_ref;
static blkif_front_ring_t front;
static blkif_back_ring_t back;
static blkif_sring_t *shared;
static unsigned events_for_back, events_for_front, fetches;
static bool overwrite, late; /* what the frontend does next */
static u64 ids;

/* ---- what the backend calls ---- */

void lab_notify(void)
{
    events_for_front++;
}

static void push(const blkif_request_t *req)
{
    int notify;

    *RING_GET_REQUEST(&front, front.req_prod_pvt) = *req;
    front.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front, notify);
    events_for_back += !!notify;
}

static blkif_request_t request(unsigned op, u64 sector)
{
    blkif_request_t req = {.operation = (u8)op, .id = ++ids << 32 | lab_random()};

    req.sector_number = sector;
    return req;
}

void lab_fetch(const blkif_back_ring_t *ring, RING_IDX i, blkif_request_t *to)
{
    blkif_request_t *slot = RING_GET_REQUEST(ring, i);

    *to = *slot;
    if (++fetches > ENOUGH) /* a backend that believes any index */
        shared->req_prod = i + 1;
    if (overwrite) {
        slot->id = 77;
        slot->operation = BLKIF_OP_WRITE;
        slot->nr_segments = 200;
        slot->sector_number = lab_sectors - 1;
    }
    if (late) {
        blkif_request_t more = request(BLKIF_OP_FLUSH_DISKCACHE, 0);

        late = false;
        push(&more);
    }
}

/* ---- a ring, a request, its answer ---- */

static void reset(void)
{
    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&front, shared, FRONT_PAGE_SIZE);
    BACK_RING_INIT(&back, shared, FRONT_PAGE_SIZE);
    events_for_back = events_for_front = fetches = 0;
    overwrite = late = false;
    memcpy(lab_disk, twin, DISK_PAGES * FRONT_PAGE_SIZE);
    memset(guard, 0x5a, FRONT_PAGE_SIZE);
    memset(lab_disk + DISK_PAGES * FRONT_PAGE_SIZE, 0x5a, FRONT_PAGE_SIZE);
}

/* The disk is as it should be, and nothing beside it was touched. */
static bool intact(void)
{
    const u8 *after = lab_disk + DISK_PAGES * FRONT_PAGE_SIZE;

    for (unsigned i = 0; i < FRONT_PAGE_SIZE; i++) {
        if (guard[i] != 0x5a || after[i] != 0x5a)
            return false;
    }
    return !memcmp(lab_disk, twin, DISK_PAGES * FRONT_PAGE_SIZE);
}

/* Events call the backend as long as there are some; what it said last. */
static int serve(void)
{
    int said = 0;

    for (unsigned calls = 0; events_for_back && calls < 100; calls++) {
        events_for_back = 0;
        said = my_serve(&back);
    }
    return said;
}

/* The next response, as "id status", 99: none. */
static int response(u64 id)
{
    blkif_response_t rsp;

    if (front.rsp_cons == shared->rsp_prod)
        return 99;
    rsp = *RING_GET_RESPONSE(&front, front.rsp_cons);
    front.rsp_cons++;
    shared->rsp_event = front.rsp_cons + 1;
    return rsp.id == id ? rsp.status : 98;
}

static int ask(const blkif_request_t *req)
{
    push(req);
    serve();
    return response(req->id);
}

/* ---- the tests ---- */

/* A transfer of segments of random shapes; true if memory and disk agree afterwards. */
static bool transfer(unsigned op, unsigned segments)
{
    u64 start = lab_random() % (lab_sectors - 8 * DATA_PAGES), at = start * SECTOR;
    blkif_request_t req = request(op, start);
    bool same = true;

    req.nr_segments = (u8)segments;
    for (unsigned i = 0; i < segments; i++) {
        u8 first = (u8)(lab_random() % 8), last = (u8)(first + lab_random() % (8u - first));

        req.seg[i].gref = (grant_ref_t)refs[i];
        req.seg[i].first_sect = first;
        req.seg[i].last_sect = last;
        for (unsigned b = 0; b < FRONT_PAGE_SIZE / 8; b++)
            ((u64 *)data[i])[b] = lab_random();
        if (op == BLKIF_OP_WRITE)
            memcpy(twin + at, data[i] + first * SECTOR, (last - first + 1u) * SECTOR);
        at += (last - first + 1u) * SECTOR;
    }
    same = ask(&req) == BLKIF_RSP_OKAY;
    at = start * SECTOR;
    for (unsigned i = 0; op == BLKIF_OP_READ && i < segments; i++) {
        unsigned len = (req.seg[i].last_sect - req.seg[i].first_sect + 1u) * SECTOR;

        same &= !memcmp(data[i] + req.seg[i].first_sect * SECTOR, twin + at, len);
        at += len;
    }
    return same && intact();
}

static void plain(void)
{
    unsigned reads = 0, writes = 0, count = (unsigned)lab_number("requests");
    blkif_request_t flush = request(BLKIF_OP_FLUSH_DISKCACHE, 0);

    for (unsigned i = 0; i < count; i++) {
        reset();
        reads += transfer(BLKIF_OP_READ, 1 + (unsigned)(lab_random() % DATA_PAGES));
        reset();
        writes += transfer(BLKIF_OP_WRITE, 1 + (unsigned)(lab_random() % DATA_PAGES));
    }
    reset();
    lab_fact("reads", "%u", reads);
    lab_fact("writes", "%u", writes);
    lab_fact("flush", "%d", ask(&flush));
}

/* What may not be done: status, and whether the disk is as it was. */
static void refused(const char *what, blkif_request_t req, bool by_check)
{
    /* Behind a request there is memory, too, which somebody may take for segments. */
    static struct {
        blkif_request_t req;
        struct blkif_request_segment more[256];
    } long_one;
    int status;

    reset();
    long_one.req = req;
    if (by_check && my_check(&long_one.req) == BLKIF_RSP_OKAY) {
        lab_fact(what, "let pass by my_check()");
        return;
    }
    status = ask(&req);
    lab_fact(what, "%s%s",
             status == BLKIF_RSP_ERROR        ? "refused"
             : status == BLKIF_RSP_EOPNOTSUPP ? "unknown"
             : status == BLKIF_RSP_OKAY       ? "done"
                                              : "no answer",
             intact() ? "" : ", memory overwritten");
}

static blkif_request_t good(unsigned op)
{
    blkif_request_t req = request(op, 1 + lab_random() % 7);

    req.nr_segments = 1;
    req.seg[0] = (struct blkif_request_segment){.gref = (grant_ref_t)refs[0], .last_sect = 7};
    memcpy(data[0], twin + req.sector_number * SECTOR, FRONT_PAGE_SIZE);
    return req;
}

static void lies(void)
{
    blkif_request_t req = good(BLKIF_OP_WRITE);

    req.seg[0].last_sect = 8;
    refused("long_segment", req, true);
    req = good(BLKIF_OP_WRITE);
    req.seg[0].first_sect = 5;
    req.seg[0].last_sect = 4;
    refused("backwards", req, true);
    req = good(BLKIF_OP_WRITE);
    req.nr_segments = (u8)lab_number("many");
    refused("many_segments", req, true);
    req = good(BLKIF_OP_WRITE);
    memset(data[0], 0xee, FRONT_PAGE_SIZE);
    req.sector_number = lab_sectors - 7;
    refused("past_end", req, true);
    req.sector_number = ~0UL - 3;
    refused("wraps", req, true);
    req = good((unsigned)lab_number("operation"));
    refused("operation", req, true);
    req = good(BLKIF_OP_WRITE);
    req.seg[0].gref = 400;
    refused("no_grant", req, false);
    req = good(BLKIF_OP_READ);
    req.seg[0].gref = (grant_ref_t)ro_ref;
    refused("readonly", req, false);
}

/* The slot changes as soon as it was fetched. */
static void changing(void)
{
    blkif_request_t req = good(BLKIF_OP_READ);
    int status;

    reset();
    memset(data[0], 0, FRONT_PAGE_SIZE);
    overwrite = true;
    status = ask(&req);
    lab_fact("changed", "%s%s",
             status == BLKIF_RSP_OKAY ? "answered"
             : status == 98           ? "answered to another"
                                      : "not answered",
             !memcmp(data[0], twin + req.sector_number * SECTOR, FRONT_PAGE_SIZE) && intact()
                 ? ""
                 : ", with something else");
    lab_fact("fetches", "%u", fetches);
}

/* Many at once; one more while the last is looked at; and events: not one for each answer. */
static void batches(void)
{
    unsigned many = 20, answered = 0;

    reset();
    for (unsigned i = 0; i < many; i++) {
        blkif_request_t req = request(BLKIF_OP_FLUSH_DISKCACHE, 0);

        push(&req);
    }
    shared->rsp_event = many; /* the frontend wants to hear when all are answered */
    late = true;
    serve();
    while (front.rsp_cons != shared->rsp_prod && answered < RING_SIZE(&front)) {
        front.rsp_cons++;
        answered++;
    }
    lab_fact("late", "%u of %u", answered, many + 1);
    lab_fact("events", "%u", events_for_front);
    reset();
    late = false;
    push(&(blkif_request_t){.operation = BLKIF_OP_FLUSH_DISKCACHE});
    serve();
    lab_fact("told", "%u", events_for_front);
}

static void broken(void)
{
    int said;

    reset();
    shared->req_prod = (RING_IDX)lab_number("jump");
    events_for_back = 1;
    said = serve();
    lab_fact("jump", "%s, %u fetched", said == -XEN_EINVAL ? "refused" : "believed", fetches);
}

void lab_run(void)
{
    u8 *page;

    if (front_grant_init())
        front_panic("no grant table");
    /* Pages of the pool follow one another: the disk, its guards, its twin. */
    page = front_page_alloc();
    guard = page;
    lab_disk = guard + FRONT_PAGE_SIZE;
    for (unsigned i = 1; i < 2 * DISK_PAGES + 2; i++) {
        u8 *next = front_page_alloc();

        if (next != page + FRONT_PAGE_SIZE)
            front_panic("the pool's pages do not follow one another");
        page = next;
    }
    twin = lab_disk + (DISK_PAGES + 1) * FRONT_PAGE_SIZE;
    lab_sectors = DISK_PAGES * FRONT_PAGE_SIZE / SECTOR - lab_random() % 7;
    for (unsigned i = 0; i < DISK_PAGES * FRONT_PAGE_SIZE / 8; i++)
        ((u64 *)twin)[i] = lab_random();
    for (unsigned i = 0; i < DATA_PAGES; i++) {
        data[i] = front_page_alloc();
        refs[i] = front_grant_access(0, front_va_to_mfn(data[i]), false);
    }
    ro_ref = front_grant_access(0, front_va_to_mfn(front_page_alloc()), true);
    shared = front_page_alloc();
    plain();
    lies();
    changing();
    batches();
    broken();
}
