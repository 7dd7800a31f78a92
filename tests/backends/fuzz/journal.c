/* SPDX-License-Identifier: MIT */
/*
 * journal: what a process that died anywhere, or scribbled before it died, can leave in its
 * device's journal (ADR 0050). The input changes a journal that is right; then a backend comes, and
 * either goes on or closes the device with a reason. Whatever it goes on with stays within the
 * image and the guest's grants, and everything comes back at the end.
 *
 * Guest pages: 0 ring, 1.. data.
 *
 * Sabotage, found from the seeds: in request_sound() without segments_sound(), more segments than
 * there is room for.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../backends/block/blkback.h"
#include "../../../backends/block/state.h"
#include "../../../backends/common/ring.h"
#include "../fake/xen.h"
#include "../process.h"
#include "guest.h"
#include "image.h"

#include <xen/io/blkif.h>

#define DATA 1u
#define PAGES 64u
#define REQUESTS 8u
#define TURNS_MAX 10000u

static struct journal *journal;
static struct meter meter;
static struct device dev;
static int host;

/* ---- a device, its process and the next one ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    journal = calloc(1, JOURNAL_BYTES);
    return 0;
}

static void begin(void)
{
    struct channel_msg start;
    int s[2];

    demand(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s), "a channel");
    host = s[1];
    dev = (struct device){.ops = &blkback_ops,
                          .state = XenbusStateInitialising,
                          .channel = s[0],
                          .domid = 1,
                          .journal = journal,
                          .meter = &meter,
                          .limits = {&meter.limit},
                          .nr_limits = 1};
    channel_init(&start, CHANNEL_START);
    channel_add(&start, "discard-granularity", "4096");
    demand(!gntdev_open(&dev.gnt, 1) && !evtchn_open(&dev.evt, 1) &&
               !blkback_ops.init(&dev, &start),
           "a device");
    blkback_arm(&dev);
}

static void front(unsigned state)
{
    struct channel_msg m;
    char message[CHANNEL_MAX_BYTES];

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    channel_add(&m, "event-channel", "5");
    channel_add(&m, "feature-persistent", "1");
    channel_add(&m, "ring-ref", "0");
    device_handle_message(&dev, &m);
    while (recv(host, message, sizeof(message), MSG_DONTWAIT) > 0) {
    }
}

/* Some requests are taken, none answered. */
static void take_some(void)
{
    blkif_sring_t *sring = (blkif_sring_t *)(void *)fake_page(0);
    blkif_back_ring_t ring;

    SHARED_RING_INIT(sring);
    front(1);
    front(3);
    demand(dev.connected, "a connection");
    BACK_RING_INIT(&ring, sring, 4096u);
    for (unsigned i = 0; i < REQUESTS; i++) {
        blkif_request_t *r = (blkif_request_t *)RING_GET_REQUEST(&ring, i);

        memset(r, 0, sizeof(*r));
        r->operation = i % 4 == 3 ? BLKIF_OP_FLUSH_DISKCACHE : i % 2;
        r->nr_segments = i % 4 == 3 ? 0 : 3;
        r->sector_number = 64 * i;
        r->id = i;
        for (unsigned k = 0; k < r->nr_segments; k++) {
            r->seg[k].gref = DATA + 3 * i + k;
            r->seg[k].last_sect = 7;
        }
    }
    sring->req_prod = REQUESTS;
    fake_kick(FAKE_PORT);
    blkback_turn(&dev);
}

/* Bytes of the head, of the indices, or of an entry, at a place and of a width of its own. */
static void scribble(struct input *in)
{
    struct queue_journal *j = ((struct blk_journal *)journal_body(journal))->queue;
    uint8_t what = take8(in), *at;
    size_t room;

    if (what % 8 == 0) {
        at = (uint8_t *)journal;
        room = sizeof(*journal);
    } else if (what % 8 == 1) {
        at = (uint8_t *)j;
        room = offsetof(struct queue_journal, entry);
    } else {
        at = (uint8_t *)&j->entry[take8(in) % (REQUESTS + 2)];
        room = what & 0x80 ? sizeof(struct queue_entry) : 160;
    }
    take(in, at + take16(in) % room, 1 + (what >> 3) % 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct blkback_usage u;
    unsigned turns = 0;

    memset(journal, 0, JOURNAL_HEAD_BYTES + sizeof(struct queue_journal));
    fake_reset();
    for (uint32_t page = PAGES; page < FAKE_PAGES; page++) {
        fake_grant(page, false, false);
    }
    open_image();
    begin();
    take_some();
    while (in.left) {
        scribble(&in);
    }
    process_ends(&dev, host);
    begin();
    front(4);
    while (dev.connected) {
        fake_kick(FAKE_PORT);
        blkback_turn(&dev);
        blkback_usage(&dev, &u);
        demand(turns++ < TURNS_MAX, "an end of the work");
        if (!u.inflight && turns > 4) {
            break;
        }
    }
    front(6);
    blkback_usage(&dev, &u);
    demand(!u.inflight && !u.pool_pages && !u.mapped, "everything back");
    demand(!fake_mapped() && !fake_bound(), "no page mapped, no port bound");
    demand(!dev.exit, "a device that goes on");
    process_ends(&dev, host);
    return 0;
}
