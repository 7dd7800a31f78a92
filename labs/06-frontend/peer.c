/* SPDX-License-Identifier: MIT */
/*
 * Lab 6, the grader's part: store and backend. The backend works while the frontend sleeps, a few
 * requests at a time, the last one first, and makes an event only where the ring asks for one; a
 * frontend that sleeps while none will come is told so. It maps the ring by its grant, and copies
 * data by theirs, after a look at what they allow.
 */
#include "task.h"

#define DISK_PAGES 90
#define RING_AT 0x0000100000000000UL
#define BATCH 2
#define PATIENCE 20

static u8 *disk[DISK_PAGES];
static u64 disk_sectors;
static u8 *data; /* 64 pages, one after the other, and one behind them */

/* ---- the store ---- */

static u64 ring_ref = ~0UL, port = ~0UL;
static unsigned front_state = XenbusStateInitialising, back_state = XenbusStateInitWait;
static bool too_early; /* told when the state already said that all was told */

void lab_write(const char *key, u64 value)
{
    too_early |= front_state >= XenbusStateInitialised;
    if (!strcmp(key, "ring-ref"))
        ring_ref = value;
    else if (!strcmp(key, "event-channel"))
        port = value;
}

u64 lab_read(const char *key)
{
    bool told = back_state == XenbusStateConnected;

    return told && !strcmp(key, "sectors") ? disk_sectors : ~0UL;
}

/* ---- the backend ---- */

static blkif_back_ring_t back;
static struct gnttab_map_grant_ref mapped = {.status = GNTST_general_error};
static unsigned events_for_back, events_for_front, stuck;
static unsigned fail_after; /* so many requests from now one fails; 0: none */
static unsigned seen, most, writable_writes, refused_copies, bad_requests;

static void let_go(void)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = RING_AT, .handle = mapped.handle};

    if (mapped.status == GNTST_okay)
        hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);
    mapped.status = GNTST_general_error;
}

static void connect(void)
{
    evtchn_status_t s;

    let_go();
    mapped = (struct gnttab_map_grant_ref){
        .host_addr = RING_AT, .flags = GNTMAP_host_map, .ref = (grant_ref_t)ring_ref, .dom = 0};
    mapped.status = GNTST_general_error;
    if (hc_grant_table_op(GNTTABOP_map_grant_ref, &mapped, 1) || mapped.status)
        return;
    if (front_evtchn_status((evtchn_port_t)port, &s) || s.status != EVTCHNSTAT_unbound)
        return;
    BACK_RING_INIT(&back, (blkif_sring_t *)RING_AT, FRONT_PAGE_SIZE);
    back_state = XenbusStateConnected;
}

static void disconnect(void)
{
    let_go();
    back_state = XenbusStateClosed;
}

/* A sector between the disk and a granted page. */
static bool copy(unsigned op, u64 sector, grant_ref_t ref, unsigned offset)
{
    struct gnttab_copy c = {.len = SECTOR};
    u8 *page = disk[sector / PAGE_SECTORS];
    u16 at = (u16)(sector % PAGE_SECTORS * SECTOR);
    bool to_disk = op == BLKIF_OP_WRITE;

    c.flags = to_disk ? GNTCOPY_source_gref : GNTCOPY_dest_gref;
    c.source.domid = c.dest.domid = to_disk ? DOMID_SELF : 0;
    if (to_disk) {
        c.source.domid = 0;
        c.source.u.ref = ref;
        c.source.offset = (u16)offset;
        c.dest.u.gmfn = front_va_to_mfn(page);
        c.dest.offset = at;
    } else {
        c.source.domid = DOMID_SELF;
        c.source.u.gmfn = front_va_to_mfn(page);
        c.source.offset = at;
        c.dest.u.ref = ref;
        c.dest.offset = (u16)offset;
    }
    return !hc_grant_table_op(GNTTABOP_copy, &c, 1) && c.status == GNTST_okay;
}

static int execute(const blkif_request_t *req)
{
    u64 sector = req->sector_number;

    if (req->operation > BLKIF_OP_WRITE || !req->nr_segments ||
        req->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        bad_requests++;
        return BLKIF_RSP_ERROR;
    }
    for (unsigned i = 0; i < req->nr_segments; i++) {
        const struct blkif_request_segment *s = &req->seg[i];
        const grant_entry_v1_t *e = front_grant_entry((int)(s->gref & 511));

        writable_writes += req->operation == BLKIF_OP_WRITE && !(e->flags & GTF_readonly);
        for (unsigned at = s->first_sect; at <= s->last_sect && at < PAGE_SECTORS; at++, sector++) {
            if (sector >= disk_sectors) {
                bad_requests++;
                return BLKIF_RSP_ERROR;
            }
            if (!copy(req->operation, sector, s->gref, at * SECTOR)) {
                refused_copies++;
                return BLKIF_RSP_ERROR;
            }
        }
    }
    return BLKIF_RSP_OKAY;
}

static blkif_request_t taken[BLKIF_MAX_SEGMENTS_PER_REQUEST * 8];
static unsigned nr_taken;

static void answer(const blkif_request_t *req)
{
    blkif_response_t *rsp = RING_GET_RESPONSE(&back, back.rsp_prod_pvt);
    int notify, status = execute(req);

    seen++;
    if (fail_after && !--fail_after)
        status = BLKIF_RSP_ERROR;
    rsp->id = req->id;
    rsp->operation = req->operation;
    rsp->status = (s16)status;
    back.rsp_prod_pvt++;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&back, notify);
    events_for_front += !!notify;
}

static void work(void)
{
    int more = 1;

    if (back_state != XenbusStateConnected)
        return;
    if (events_for_back) {
        events_for_back = 0;
        while (more) {
            while (RING_HAS_UNCONSUMED_REQUESTS(&back) && nr_taken < FRONT_ARRAY_SIZE(taken))
                RING_COPY_REQUEST(&back, back.req_cons++, &taken[nr_taken++]);
            RING_FINAL_CHECK_FOR_REQUESTS(&back, more);
        }
        most = nr_taken > most ? nr_taken : most;
    }
    for (unsigned i = 0; i < BATCH && nr_taken; i++)
        answer(&taken[--nr_taken]);
}

/* ---- what the frontend calls ---- */

void lab_state(unsigned state)
{
    front_state = state;
    if (state == XenbusStateInitialised)
        connect();
    if (state == XenbusStateClosing)
        disconnect();
}

void lab_wait_state(unsigned state)
{
    if (back_state != state)
        front_panic("the backend's state is %u and will not be %u: you are in %u, ring-ref %s, "
                    "event-channel %s",
                    back_state, state, front_state, mapped.status ? "cannot be mapped" : "is good",
                    port == ~0UL ? "not told" : "told");
}

void lab_notify(void)
{
    events_for_back++;
}

void lab_sleep(void)
{
    while (!events_for_front) {
        if (!nr_taken && !events_for_back)
            break;
        work();
    }
    if (!events_for_front && ++stuck > PATIENCE)
        front_panic("asleep, and no event will come");
    events_for_front = 0;
}

/* ---- the tests ---- */

static unsigned granted(void)
{
    unsigned n = 0;

    for (int ref = 8; ref < 512; ref++)
        n += front_grant_entry(ref)->flags != 0 && (u64)ref != ring_ref;
    return n;
}

static u8 *disk_at(u64 sector)
{
    return disk[sector / PAGE_SECTORS] + sector % PAGE_SECTORS * SECTOR;
}

static u64 leaks;
static bool transfer(unsigned op, unsigned sectors)
{
    u64 sector = lab_random() % (disk_sectors - sectors);
    bool same = true;

    for (unsigned i = 0; i < (MOST_SECTORS + PAGE_SECTORS) * SECTOR / 8; i++)
        ((u64 *)data)[i] = lab_random();
    same &= my_transfer(op, sector, data, sectors) == 0;
    for (unsigned i = 0; i < sectors; i++)
        same &= !memcmp(data + i * SECTOR, disk_at(sector + i), SECTOR);
    leaks += granted();
    return same;
}

static void plain(void)
{
    unsigned reads = 0, writes = 0, count = (unsigned)lab_number("transfers");

    for (unsigned i = 0; i < count; i++) {
        reads += transfer(BLKIF_OP_READ, 1 + (unsigned)(lab_random() % MOST_SECTORS));
        writes += transfer(BLKIF_OP_WRITE, 1 + (unsigned)(lab_random() % MOST_SECTORS));
    }
    lab_fact("reads", "%u", reads);
    lab_fact("writes", "%u", writes);
    lab_fact("writable", "%u", writable_writes);
    lab_fact("bad", "%u", bad_requests);
}

static void deep(void)
{
    seen = most = 0;
    transfer(BLKIF_OP_READ, MOST_SECTORS);
    lab_fact("depth", "%u", most);
    lab_fact("requests", "%u", seen);
}

static void failing(void)
{
    int rc;

    fail_after = 1 + (unsigned)(lab_random() % 5);
    rc = my_transfer(BLKIF_OP_READ, 0, data, MOST_SECTORS);
    fail_after = 0;
    leaks += granted();
    lab_fact("failed", "%d", rc);
    lab_fact("after", "%s", transfer(BLKIF_OP_READ, 30) ? "works" : "broken");
}

void lab_run(void)
{
    int rc;

    if (front_grant_init())
        front_panic("no grant table");
    data = front_page_alloc();
    for (unsigned i = 1; i < MOST_SECTORS / PAGE_SECTORS + 1; i++) {
        if ((u8 *)front_page_alloc() != data + i * FRONT_PAGE_SIZE)
            front_panic("the pool's pages do not follow one another");
    }
    for (unsigned i = 0; i < DISK_PAGES; i++) {
        disk[i] = front_page_alloc();
        for (unsigned b = 0; b < FRONT_PAGE_SIZE / 8; b++)
            ((u64 *)disk[i])[b] = lab_random();
    }
    disk_sectors = DISK_PAGES * PAGE_SECTORS - lab_random() % 7;
    if (front_map(RING_AT, front_va_to_mfn(data), PTE_KERN) || front_unmap(RING_AT))
        front_panic("no tables for the ring"); /* made on the way */
    rc = my_connect();
    lab_fact("connected", "%d, %u and %u%s", rc, front_state, back_state,
             too_early ? ", told too late" : "");
    if (back_state == XenbusStateConnected) {
        plain();
        deep();
        failing();
    }
    lab_fact("left", "%lu", leaks);
    lab_fact("stuck", "%u", stuck);
    rc = my_close();
    lab_fact("closed", "%d, %u and %u", rc, front_state, back_state);
    lab_fact("ring_left", "%s",
             ring_ref < 512 && front_grant_entry((int)ring_ref)->flags ? "granted" : "yours alone");
}
