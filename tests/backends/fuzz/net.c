/* SPDX-License-Identifier: MIT */
/*
 * net: the network backend against a guest, and a network, that the input makes (BE-1, BE-2, BE-5
 * to BE-8): slots with some sense or none, producers that lie, bytes poked into the rings, grants
 * taken back, states, frames from the tap. At the end everything must have come back.
 *
 * Guest pages: 0 transmit ring, 1 receive ring, 2.. data.
 *
 * Sabotage, each found from the seeds: in tx.c copy all slots that there are, or leave out
 * ring_producer_valid(), or read a slot's offset a second time after it was checked (clang's
 * build); in rx.c leave out ring_producer_valid().
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../backends/net/netback.h"
#include "../../../backends/net/state.h"
#include "../fake/xen.h"
#include "guest.h"

#define DATA 2u
#define PAGES 40u
#define ARENA 16u /* of which so many may be mapped for good */
#define ROUNDS_MAX 10000u
#define RING_ENTRIES 256u

static struct device dev;
static struct netback *nb;
static int host, network;
static netif_tx_sring_t *tx;
static netif_rx_sring_t *rx;
static RING_IDX tx_prod, rx_prod;

static void start_device(void)
{
    struct channel_msg start;
    int s[2], t[2];

    fake_reset();
    demand(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, t) &&
               dup2(t[0], CHANNEL_DEVICE_FD) == CHANNEL_DEVICE_FD &&
               !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s),
           "a tap and a channel");
    close(t[0]);
    network = t[1];
    host = s[1];
    dev = (struct device){
        .ops = &netback_ops, .state = XenbusStateInitialising, .channel = s[0], .domid = 1};
    channel_init(&start, CHANNEL_START);
    demand(!gntdev_open(&dev.gnt, 1) && !evtchn_open(&dev.evt, 1) &&
               !netback_ops.init(&dev, &start),
           "a device");
    nb = dev.priv;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static void hear(void)
{
    static char message[70000];

    while (recv(host, message, sizeof(message), MSG_DONTWAIT) > 0) {
    }
    while (recv(network, message, sizeof(message), MSG_DONTWAIT) > 0) {
    }
}

static void front(unsigned state, uint8_t features)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    channel_add(&m, "tx-ring-ref", "0");
    channel_add(&m, "rx-ring-ref", "1");
    channel_add(&m, features & 1 ? "event-channel-tx" : "event-channel", "3");
    if (features & 1)
        channel_add(&m, "event-channel-rx", "4");
    channel_add(&m, "request-rx-copy", "1");
    channel_add(&m, "feature-sg", features & 2 ? "1" : "0");
    channel_add(&m, "feature-gso-tcpv4", features & 4 ? "1" : "0");
    channel_add(&m, "feature-gso-tcpv6", features & 8 ? "1" : "0");
    channel_add(&m, "feature-ipv6-csum-offload", features & 16 ? "1" : "0");
    if (features & 128) {
        for (unsigned i = 0; i < ARENA; i++)
            memcpy(fake_page(DATA) + 4 * i, &(uint32_t){DATA + i}, 4);
        channel_addf(&m, "arena-ref", "%u", DATA);
        channel_addf(&m, "arena-pages", "%u", ARENA);
    }
    device_handle_message(&dev, &m);
    /* Of a station that is all zero, which is what most fuzzed frames come from. */
    nb->guard.on = features & 32;
    nb->guard.nr_v4 = nb->guard.nr_v6 = features >> 6 & 1;
    hear();
}

static netif_tx_request_t *tx_slot(void)
{
    return &tx->ring[tx_prod++ % RING_ENTRIES].req;
}

/* A chain: first slot with the whole size, perhaps an extra, the rest. */
static void send_packet(struct input *in)
{
    uint8_t what = take8(in);
    unsigned slots = 1 + what % 4;
    uint16_t size = (uint16_t)(take16(in) % 9000);

    for (unsigned i = 0; i < slots; i++) {
        netif_tx_request_t *r = tx_slot();

        *r = (netif_tx_request_t){.gref = DATA + take8(in) % (PAGES - DATA),
                                  .offset = what & 0x80 ? take16(in) % 4096 : 0,
                                  .size = i ? (uint16_t)(size / slots) : size,
                                  .id = (uint16_t)tx_prod};
        r->flags = (uint16_t)((i + 1 < slots ? NETTXF_more_data : 0) |
                              (!i && what & 0x10 ? NETTXF_csum_blank | NETTXF_data_validated : 0) |
                              (!i && what & 0x20 ? NETTXF_extra_info : 0));
        if (!i && what & 0x20) {
            struct netif_extra_info *x = (struct netif_extra_info *)(void *)tx_slot();

            *x = (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO};
            x->u.gso.size = take16(in) % 2000;
            x->u.gso.type = take8(in) % 3;
            x->flags = what & 0x40 ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
        }
    }
}

static void post_buffers(struct input *in)
{
    for (unsigned n = 1 + take8(in) % 32; n--; rx_prod++) {
        rx->ring[rx_prod % RING_ENTRIES].req = (netif_rx_request_t){
            .id = (uint16_t)rx_prod, .gref = DATA + (rx_prod + n) % (PAGES - DATA)};
    }
}

/* The kernel's header is the kernel's word; the frame behind it is anybody's. */
static void frame_arrives(struct input *in)
{
    static uint8_t frame[66000];
    uint8_t what = take8(in);
    size_t len = 10 + 14 + take16(in) % (what & 1 ? 65000u : 1500u);
    size_t known = in->left < 64 ? in->left : 64;

    memset(frame, 0, len);
    take(in, frame + 10, known < len - 10 ? known : len - 10);
    if (what & 2) {
        frame[0] = 1; /* checksum missing */
        frame[1] = what & 4 ? 4 : 1;
        frame[4] = (uint8_t)(what | 64);
        frame[5] = 5;
    }
    /* A full socket is a full tap. */
    (void)!send(network, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void run(void)
{
    unsigned rounds = 0;
    bool more = true;

    const RING_IDX tx_cons = nb->q[0].tx.ring.req_cons, rx_cons = nb->q[0].rx.ring.req_cons;

    tx->req_prod = tx_prod;
    rx->req_prod = rx_prod;
    while (dev.connected && more) {
        reader_enter();
        nb->q[0].tx.look = nb->q[0].rx.look = true;
        more = net_serve_queue(&nb->q[0]) && (nb->q[0].tx.look || nb->q[0].rx.look);
        hear();
        demand(rounds++ < ROUNDS_MAX, "an end of the work");
    }
    demand(!dev.connected || tx_prod - tx_cons <= RING_ENTRIES ||
               nb->q[0].tx.ring.req_cons == tx_cons,
           "no slot taken from a transmit ring that lies");
    demand(!dev.connected || rx_prod - rx_cons <= RING_ENTRIES ||
               nb->q[0].rx.ring.req_cons == rx_cons,
           "no slot taken from a receive ring that lies");
}

static void act(struct input *in, uint8_t features)
{
    uint8_t what = take8(in);

    switch (what % 10) {
    case 0:
        take(in, tx_slot(), sizeof(netif_tx_request_t));
        break;
    case 1:
    case 2:
        send_packet(in);
        break;
    case 3:
        post_buffers(in);
        break;
    case 4:
        frame_arrives(in);
        break;
    case 5:
        run();
        break;
    case 6:
        *(what & 32 ? &tx_prod : &rx_prod) = what & 64 ? take32(in) : take8(in);
        break;
    case 7:
        take(in, fake_page(what / 10 % DATA) + take16(in) % 4088u, 1 + what % 8u);
        break;
    case 8:
        fake_grant(DATA + take8(in) % (PAGES - DATA), what & 16, what & 32);
        break;
    case 9:
        front(take8(in) % 8, features);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t features = take8(&in), mode = take8(&in);

    if (!dev.ops)
        start_device();
    for (uint32_t page = 0; page < PAGES; page++) {
        fake_grant(page, true, true);
        memset(fake_page(page), 0x45, 4096); /* IPv4's first byte, among others */
    }
    tx = (netif_tx_sring_t *)(void *)fake_page(0);
    rx = (netif_rx_sring_t *)(void *)fake_page(1);
    SHARED_RING_INIT(tx);
    SHARED_RING_INIT(rx);
    tx_prod = rx_prod = 0;
    front(1, features);
    front(4, features);
    demand(dev.connected, "a connection");
    lies(mode & 4 ? take32(&in) | 1 : 0, 0, guest_writes);
    reader_enter();
    while (in.left)
        act(&in, features);
    run();
    reader_leave();
    front(6, features);
    demand(!fake_mapped() && !fake_bound(), "no page mapped, no port bound");
    demand(!dev.exit, "a device that goes on");
    return 0;
}
