/* SPDX-License-Identifier: MIT */
/*
 * block: the block backend against a guest that the input makes (BE-1 to BE-5, BE-8). The input is
 * a list of what the guest does: requests with some sense or none, a producer that lies, bytes
 * poked into ring and descriptors, grants taken back, states. At the end everything must have come
 * back, and the image must have its size.
 *
 * Guest pages: 0..3 ring, 4..7 indirect descriptors, 8.. data.
 *
 * Sabotage, each found from the seeds: in request.c let an indirect request have one segment more
 * than fits; in blkback.c leave out ring_producer_valid() or pool_give(), or read the sector a
 * second time from the ring after it was checked (clang's build).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../backends/block/blkback.h"
#include "../../../backends/common/ring.h"
#include "../fake/xen.h"
#include "guest.h"
#include "image.h"

#include <xen/io/blkif.h>

#define INDIRECT 4u
#define DATA 8u
#define PAGES 64u
#define TURNS_MAX 10000u

static struct device dev;
static int host;
static blkif_sring_t *sring;
static RING_IDX prod;
static unsigned order;

static void start_device(void)
{
    struct channel_msg start;
    int s[2];

    fake_reset();
    open_image();
    demand(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s), "a channel");
    host = s[1];
    dev = (struct device){
        .ops = &blkback_ops, .state = XenbusStateInitialising, .channel = s[0], .domid = 1};
    channel_init(&start, CHANNEL_START);
    channel_add(&start, "discard-granularity", "4096");
    demand(!gntdev_open(&dev.gnt, 1) && !evtchn_open(&dev.evt, 1) &&
               !blkback_ops.init(&dev, &start),
           "a device");
    blkback_arm(&dev);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* The host hears everything, else the backend takes it for dead. */
static void hear(void)
{
    char message[CHANNEL_MAX_BYTES];

    while (recv(host, message, sizeof(message), MSG_DONTWAIT) > 0) {
    }
}

static void front(unsigned state, bool persistent)
{
    struct channel_msg m;
    char key[24];

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    channel_add(&m, "event-channel", "5");
    channel_add(&m, "feature-persistent", persistent ? "1" : "0");
    channel_addf(&m, "ring-page-order", "%u", order);
    for (unsigned i = 0; i < 1u << order; i++) {
        snprintf(key, sizeof(key), "ring-ref%u", i);
        channel_addf(&m, key, "%u", i);
    }
    device_handle_message(&dev, &m);
    hear();
}

static blkif_request_t *slot(void)
{
    blkif_back_ring_t ring;

    BACK_RING_INIT(&ring, sring, 4096u << order);
    return (blkif_request_t *)RING_GET_REQUEST(&ring, prod++);
}

/* ---- what the guest does ---- */

static void sensible_request(struct input *in)
{
    blkif_request_t *r = slot();
    uint8_t what = take8(in);

    memset(r, 0, sizeof(*r));
    r->operation = what & 7;
    r->nr_segments = take8(in) % 13;
    r->sector_number = take16(in) % (SECTORS + 16);
    r->id = take8(in);
    for (unsigned i = 0; i < r->nr_segments && i < 11; i++) {
        uint8_t span = take8(in);

        r->seg[i].gref = DATA + take8(in) % (PAGES - DATA);
        r->seg[i].first_sect = what & 0x80 ? span & 7 : 0;
        r->seg[i].last_sect = what & 0x80 ? span >> 3 & 15 : 7;
    }
}

static void indirect_request(struct input *in)
{
    blkif_request_indirect_t *r = (blkif_request_indirect_t *)slot();
    unsigned pages = 1 + take8(in) % 5;

    memset(r, 0, sizeof(*r));
    r->operation = BLKIF_OP_INDIRECT;
    r->indirect_op = take8(in) % 8;
    r->nr_segments = take16(in) % 300;
    r->sector_number = take16(in) % SECTORS;
    r->id = take8(in);
    for (unsigned i = 0; i < 8 && i < pages; i++)
        r->indirect_grefs[i] = INDIRECT + i;
    for (unsigned i = 0; i < 512; i++) {
        struct blkif_request_segment *seg =
            (struct blkif_request_segment *)(void *)fake_page(INDIRECT) + i;

        *seg = (struct blkif_request_segment){.gref = DATA + i % (PAGES - DATA), .last_sect = 7};
    }
    for (unsigned n = take8(in) % 4; n--;)
        take(in, fake_page(INDIRECT) + take16(in) % 4096u / 8 * 8, 8);
}

static void run(void)
{
    struct blkback_usage u;
    unsigned turns = 0;

    if (!dev.connected)
        return;
    sring->req_prod = prod;
    fake_kick(FAKE_PORT);
    do {
        reader_enter();
        blkback_turn(&dev);
        blkback_usage(&dev, &u);
        hear();
        demand(turns++ < TURNS_MAX, "an end of the work");
    } while (dev.connected && u.inflight);
}

static void act(struct input *in, bool persistent)
{
    uint8_t what = take8(in);

    switch (what % 10) {
    case 0:
        take(in, slot(), sizeof(blkif_request_t));
        break;
    case 1:
    case 2:
        sensible_request(in);
        break;
    case 3:
        indirect_request(in);
        break;
    case 4:
    case 5:
        run();
        break;
    case 6:
        prod = take8(in) & 1 ? take32(in) : prod + take8(in);
        break;
    case 7:
        take(in, fake_page(take8(in) % DATA) + take16(in) % 4088u, 1 + what / 10 % 8);
        break;
    case 8:
        fake_grant(INDIRECT + take8(in) % (PAGES - INDIRECT), what & 16, what & 32);
        break;
    case 9:
        front(take8(in) % 8, persistent);
        break;
    }
}

static void finish(void)
{
    struct blkback_usage u;
    struct stat st;

    reader_leave();
    front(6, false);
    blkback_usage(&dev, &u);
    demand(!u.inflight && !u.inflight_writes && !u.pool_pages && !u.mapped, "everything back");
    demand(!fake_mapped() && !fake_bound(), "no page mapped, no port bound");
    demand(!fstat(CHANNEL_DEVICE_FD, &st) && st.st_size == SECTORS * 512l, "the image's size");
    demand(!dev.exit, "a device that goes on");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t mode = take8(&in);
    bool persistent = mode & 1;

    if (!dev.ops)
        start_device();
    order = mode >> 1 & 1 ? 2 : 0;
    for (uint32_t page = 0; page < PAGES; page++) {
        fake_grant(page, true, true);
        memset(fake_page(page), 0, 4096);
    }
    sring = (blkif_sring_t *)(void *)fake_page(0);
    SHARED_RING_INIT(sring);
    prod = 0;
    front(1, persistent);
    front(3, persistent);
    demand(dev.connected, "a connection");
    lies(mode & 4 ? take32(&in) | 1 : 0, 0, guest_writes);
    reader_enter();
    while (in.left)
        act(&in, persistent);
    run();
    finish();
    return 0;
}
