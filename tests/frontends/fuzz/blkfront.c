/* SPDX-License-Identifier: MIT */
/*
 * blkfront: the SDK's disk driver against a backend that the input makes (FE-1 to FE-5). The input
 * is a list of what guest and backend do, also while a call of the driver's runs. Every request
 * ends once and is not touched afterwards; no page that the backend keeps is used again or given
 * back; at the end all else has come back, and the next device, with an honest backend, works.
 *
 * Sabotage, each found from the seeds: in blkfront.c leave out the number in answers(); let
 * give_back(), or let_go(), forget what front_grant_end() says; let read_features() believe any
 * number of segments; leave out front_evtchn_close().
 */
#include "backend.h"

#include <stdlib.h>
#include <xen/errno.h>

#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#define FRONT "device/vbd/51712"
#define BACK "/local/domain/0/backend/vbd/1/51712"
#define SECTORS 12000u
#define NR_IOS 40u
#define IO_SECTORS 300u
#define NR_SLOTS 32u

/* A request of the guest's: gone as soon as it has ended, so that who touches it then is seen. */
struct request {
    struct front_blk_io io; /* first */
    unsigned n;
};

static struct front_blk *blk;
static struct request *out[NR_IOS];
static blkif_back_ring_t ring;
static bool honest;
static bool forged; /* the rings may hold anything */
static unsigned deep;
static unsigned done_well, ended_well; /* as the backend said, as the guest was told */

static void submit(void);

/* ---- the backend ---- */

static void answer(bool wrong)
{
    blkif_request_t req;
    blkif_response_t rsp;
    u64 id;

    if (!ring.sring)
        return;
    memcpy(&req, RING_GET_REQUEST(&ring, ring.req_cons++), sizeof(req));
    rsp = (blkif_response_t){.id = req.id, .operation = req.operation};
    if (req.operation == BLKIF_OP_DISCARD)
        rsp.id = ((blkif_request_discard_t *)(void *)&req)->id;
    if (req.operation == BLKIF_OP_INDIRECT)
        rsp.id = ((blkif_request_indirect_t *)(void *)&req)->id;
    id = rsp.id;
    if (wrong) {
        u8 what = take8();

        rsp.id += what & 1 ? NR_SLOTS * (1 + take8()) : 0;
        rsp.operation ^= what & 2 ? take8() & 7 : 0;
        rsp.status = what & 4 ? (s16)(take8() - 3) : rsp.status;
    }
    if (!rsp.status && rsp.operation == req.operation && rsp.id == id)
        done_well++;
    memcpy(RING_GET_RESPONSE(&ring, ring.rsp_prod_pvt++), &rsp, sizeof(rsp));
    RING_PUSH_RESPONSES(&ring);
}

static void act(void)
{
    static const char *const nodes[] = {BACK "/state",
                                        BACK "/sectors",
                                        BACK "/feature-max-indirect-segments",
                                        BACK "/feature-flush-cache",
                                        BACK "/feature-discard",
                                        FRONT "/backend-id"};
    u8 what = take8();

    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        answer(false);
        break;
    case 3:
        answer(true);
        break;
    case 4:
        forged = true;
        if (ring.sring)
            ring.sring->rsp_prod = what & 8 ? take32() : ring.sring->rsp_prod + take8() % 40;
        break;
    case 5:
        forged = true;
        if (ring.sring)
            poke((u8 *)ring.sring, FRONT_PAGE_SIZE);
        break;
    default:
        forged |= backend_mischief(nodes, FRONT_ARRAY_SIZE(nodes));
        break;
    }
}

/* An event, or the guest sleeps. */
void backend_turn(void)
{
    bool was = reader_pause();

    backend_looks();
    while (honest && ring.req_cons != ring.sring->req_prod)
        answer(false);
    for (unsigned n = honest ? 0 : take8() & 3; n; n--)
        act();
    reader_resume(was);
}

void backend_sees(unsigned state)
{
    bool was = reader_pause();
    char *back = fake_node(BACK "/state", true);

    if (state == XenbusStateInitialised) {
        BACK_RING_INIT(&ring, (blkif_sring_t *)fake_shared(FRONT "/ring-ref"), FRONT_PAGE_SIZE);
        snprintf(fake_node(BACK "/sectors", true), 16, "%u", SECTORS);
    }
    if (!honest && take8() > 240)
        strcpy(back, odd_text());
    else
        strcpy(back, state == XenbusStateInitialising ? "2"
                     : state > XenbusStateConnected   ? "6"
                                                      : "4");
    if (state == XenbusStateClosed)
        ring.sring = NULL;
    reader_resume(was);
}

/* ---- the guest ---- */

static void ended(struct front_blk_io *io)
{
    bool was = reader_pause();
    struct request *r = (struct request *)io;

    demand(r->n < NR_IOS && out[r->n] == r, "a request ends once");
    demand(io->result != FRONT_BLK_PENDING, "it has a result");
    ended_well += !io->result;
    demand(forged || ended_well <= done_well, "it ends well only if the backend said so");
    out[r->n] = NULL;
    free(io->data);
    free(r);
    if (!honest && deep < 3 && take8() & 1) {
        deep++;
        submit();
        deep--;
    }
    reader_resume(was);
}

static void submit(void)
{
    unsigned n = take8() % NR_IOS;
    struct request *r;
    u8 what = take8();
    int rc;

    if (!blk || out[n])
        return;
    r = calloc(1, sizeof(*r));
    demand(r, "memory");
    r->n = n;
    r->io.op = (enum front_blk_op)(what % 16 < 5 ? what % 16 : what & 1);
    r->io.sectors = take16() % IO_SECTORS;
    r->io.sector = take16();
    r->io.done = ended;
    r->io.data = malloc(r->io.sectors * 512 + 1);
    demand(r->io.data, "memory");
    memset(r->io.data, what % SECRET, r->io.sectors * 512);
    out[n] = r;
    reader_enter();
    rc = front_blk_submit(blk, &r->io);
    reader_leave();
    if (!rc)
        return;
    demand(out[n] == r, "what was refused is not completed");
    out[n] = NULL;
    free(r->io.data);
    free(r);
}

static void one_by_one(u8 what)
{
    unsigned sectors = take8() % 10;
    u8 *page = malloc(sectors * 512 + 1);
    u64 sector = take16();

    demand(page, "memory");
    memset(page, 0, sectors * 512);
    reader_enter();
    if (what & 8)
        front_blk_read(blk, sector, page, sectors);
    else if (what & 16)
        front_blk_write(blk, sector, page, sectors);
    else if (what & 32)
        front_blk_flush(blk);
    else
        front_blk_discard(blk, sector, take32());
    reader_leave();
    free(page);
}

static void open_device(void)
{
    reader_enter();
    if (front_blk_open(51712, &blk)) {
        reader_leave();
        blk = NULL;
        ring.sring = NULL;
        nothing_left_but_kept();
        return;
    }
    reader_leave();
    demand(front_blk_max_sectors(blk) >= 88 && front_blk_max_sectors(blk) <= 256,
           "as many sectors as there are segments");
}

static void close_device(void)
{
    reader_enter();
    front_blk_close(blk);
    reader_leave();
    blk = NULL;
    ring.sring = NULL;
    for (unsigned i = 0; i < NR_IOS; i++)
        demand(!out[i], "what is out ends when it is closed");
    nothing_left_but_kept();
}

static void step_guest(void)
{
    u8 what = take8();

    if (!blk) {
        open_device();
        return;
    }
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        submit();
        break;
    case 3:
    case 4:
        reader_enter();
        if (what & 8)
            front_blk_poll(blk);
        else
            front_blk_wait(blk, front_port_now() + 1000);
        reader_leave();
        break;
    case 5:
        one_by_one(what);
        break;
    case 6:
        act();
        break;
    case 7:
        if (what > 200)
            close_device();
        else
            act();
        break;
    }
}

/* The next one, whose backend does as it should. */
static void afterwards(void)
{
    static u8 page[FRONT_PAGE_SIZE];

    honest = true;
    backend_begin();
    fake_reset(FRONT, BACK);
    lies(0, LIES, backend_writes);
    open_device();
    demand(blk && front_blk_sectors(blk) == SECTORS, "the next device opens");
    demand(!front_blk_write(blk, 5, page, 8) && !front_blk_read(blk, 5, page, 8), "and works");
    close_device();
    demand(!fake_grants_active() && !fake_pages_used(), "and leaves nothing");
    honest = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u8 mode;

    input_is(data, size);
    backend_begin();
    fake_reset(FRONT, BACK);
    done_well = ended_well = 0;
    mode = take8();
    forged = mode & 16;
    strcpy(fake_node(BACK "/feature-flush-cache", true), "1");
    strcpy(fake_node(BACK "/feature-discard", true), mode & 1 ? "1" : "0");
    if (mode & 2)
        strcpy(fake_node(BACK "/feature-max-indirect-segments", true), mode & 4 ? "20" : "256");
    if (mode & 8)
        fail_at = take8();
    lies(mode & 16 ? take32() | 1 : 0, LIES, backend_writes);
    while (input_left())
        step_guest();
    if (blk)
        close_device();
    afterwards();
    return 0;
}
