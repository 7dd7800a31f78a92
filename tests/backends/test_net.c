/* SPDX-License-Identifier: MIT */
/*
 * test_net.c - the network backend's two directions over fake guest pages; a socket pair stands for
 * the tap: packets both ways, offload marks, lying rings, a guest that posts no buffers (BE-2,
 * BE-6, BE-7, BE-10).
 *
 * Guest pages: 0 transmit ring, 1 receive ring, 16.. data.
 *
 * Sabotage: sending the extra slot's response with its id and status OKAY fails "segmentation
 * offload to the tap"; taking slots without the check in collect() (rx.c) fails "no buffers";
 * without backoff_account() "storm of notifications" fails; occupy() without its second page fails
 * "packets of all sizes"; gather_head() that moves nothing fails "headers in several pieces"; an
 * offset of 0 in rsp fails "headroom"; answers_resume() that always writes fails "answers";
 * begin_rings() that does not set req_cons fails "taken over"; as_record() that does not skip the
 * tap's header fails "mirror"; collect() (tx.c) without the limit "a limit"; hold() that asks for
 * slots all the same "a limit on what is received"; tx_serve() without throttle_round() "what waits
 * for a limit changes"; respond() that tells at once fails "an answer at once", net_tell() with an
 * event for each of two rings with one port too; tx_learn_reply() that forgets fails "no answer".
 */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../backends/net/netback.h"
#include "../../backends/net/state.h"
#include "fake/clock.h"
#include "fake/xen.h"
#include "tests.h"

#define DATA 16u

static struct device dev;
static struct netback *nb;
static int tap = -1; /* the network's end */
static int host;
static netif_tx_front_ring_t tx;
static netif_rx_front_ring_t rx;

static const char *more_key, *more_value; /* what front() adds */
static struct journal *journal;           /* NULL: none */

static void front(unsigned state, bool split)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    channel_add(&m, "tx-ring-ref", "0");
    channel_add(&m, "rx-ring-ref", "1");
    if (split) {
        channel_add(&m, "event-channel-tx", "3");
        channel_add(&m, "event-channel-rx", "4");
    } else {
        channel_add(&m, "event-channel", "3");
    }
    channel_add(&m, "request-rx-copy", "1");
    channel_add(&m, "feature-sg", "1");
    channel_add(&m, "feature-gso-tcpv4", "1");
    channel_add(&m, "feature-ipv6-csum-offload", "1");
    if (more_key) {
        channel_add(&m, more_key, more_value);
    }
    device_handle_message(&dev, &m);
}

static void start_backend(int channel)
{
    struct channel_msg start;

    dev = (struct device){.ops = &netback_ops,
                          .state = XenbusStateInitialising,
                          .channel = channel,
                          .domid = 1,
                          .journal = journal};
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&dev.gnt, 1), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_open(&dev.evt, 1), 0);
    channel_init(&start, CHANNEL_START);
    CU_ASSERT_EQUAL_FATAL(netback_ops.init(&dev, &start), 0);
    nb = dev.priv;
}

static void open_guest_with(bool split)
{
    int s[2], t[2];

    fake_reset();
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, t), 0);
    if (t[0] != CHANNEL_DEVICE_FD) {
        if (t[1] == CHANNEL_DEVICE_FD) {
            t[1] = fcntl(t[1], F_DUPFD, 20);
        }
        dup2(t[0], CHANNEL_DEVICE_FD);
        close(t[0]);
    }
    tap = t[1];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    host = s[1];
    start_backend(s[0]);
    SHARED_RING_INIT((netif_tx_sring_t *)fake_page(0));
    SHARED_RING_INIT((netif_rx_sring_t *)fake_page(1));
    FRONT_RING_INIT(&tx, (netif_tx_sring_t *)fake_page(0), 4096);
    FRONT_RING_INIT(&rx, (netif_rx_sring_t *)fake_page(1), 4096);
    front(1, split);
    front(4, split);
    CU_ASSERT_TRUE_FATAL(dev.connected);
}

static void open_guest(void)
{
    open_guest_with(true);
}

static void close_guest(void)
{
    front(6, true);
    CU_ASSERT_EQUAL(fake_mapped(), 0);
    CU_ASSERT_EQUAL(fake_bound(), 0);
    netback_fini(&dev);
    gntdev_close(dev.gnt);
    evtchn_close(dev.evt);
    close(dev.channel);
    close(host);
    close(tap);
    close(CHANNEL_DEVICE_FD);
}

static void send_slot(uint32_t ref, uint16_t offset, uint16_t size, uint16_t flags, uint16_t id)
{
    netif_tx_request_t *r = RING_GET_REQUEST(&tx, tx.req_prod_pvt++);

    *r =
        (netif_tx_request_t){.gref = ref, .offset = offset, .size = size, .flags = flags, .id = id};
}

static void post_buffers(unsigned n, uint32_t first_page)
{
    for (unsigned i = 0; i < n; i++) {
        netif_rx_request_t *r = RING_GET_REQUEST(&rx, rx.req_prod_pvt);

        *r = (netif_rx_request_t){.id = (uint16_t)(rx.req_prod_pvt % 256), .gref = first_page + i};
        rx.req_prod_pvt++;
    }
    RING_PUSH_REQUESTS(&rx);
}

static netif_tx_response_t tx_answer(void)
{
    netif_tx_response_t rsp;

    RING_COPY_RESPONSE(&tx, tx.rsp_cons, &rsp);
    tx.rsp_cons++;
    return rsp;
}

static netif_rx_response_t rx_answer(void)
{
    netif_rx_response_t rsp;

    RING_COPY_RESPONSE(&rx, rx.rsp_cons, &rsp);
    rx.rsp_cons++;
    return rsp;
}

static void tcp4(uint8_t *f, size_t payload)
{
    size_t total = 40 + payload;

    memset(f, 0, 54);
    f[12] = 0x08;
    f[14] = 0x45;
    f[16] = (uint8_t)(total >> 8);
    f[17] = (uint8_t)total;
    f[23] = IPPROTO_TCP;
    f[46] = 0x50;
}

static bool transmit(unsigned queue)
{
    struct net_queue *q = &nb->q[queue];

    tx_serve(q);
    if (dev.connected) {
        net_tell(q);
    }
    return dev.connected && (tx_waits(q) || (!throttle_waits(q, METER_WRITE) && tx_want_event(q)));
}

/* A round of as many packets as there are. */
static bool receive(unsigned queue)
{
    nb->q[queue].rx.expect = NET_BATCH;
    return rx_serve(&nb->q[queue]);
}

static void test_send(void)
{
    uint8_t out[3000];

    open_guest();
    memset(fake_page(DATA), 0x5a, 4096);
    send_slot(DATA, 10, 1000, 0, 42);
    RING_PUSH_REQUESTS(&tx);
    CU_ASSERT_FALSE(transmit(0));
    CU_ASSERT_EQUAL(read(tap, out, sizeof(out)), 1000 + (ssize_t)NET_HEADROOM);
    CU_ASSERT_EQUAL(out[0], 0);
    CU_ASSERT_EQUAL(memcmp(out + NET_HEADROOM, fake_page(DATA) + 10, 1000), 0);
    CU_ASSERT_EQUAL(tx.sring->rsp_prod, 1);
    CU_ASSERT_EQUAL(RING_GET_RESPONSE(&tx, 0)->id, 42);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(fake_notified(), 1);
    CU_ASSERT_EQUAL(dev.meter->queue[0].latency[METER_WRITE].count, 1);
    CU_ASSERT_EQUAL(dev.meter->queue[0].bytes[METER_WRITE], 1000);
    CU_ASSERT_EQUAL(dev.meter->queue[0].notifications, 1);
    close_guest();
}

/* ---- limits, by a clock of our own ---- */

/* Five at once, then one a millisecond; what must wait stays in the ring, and no event is asked
 * for. */
static void test_limit(void)
{
    struct limit_rates r = {.ops = 1000, .ops_burst = 5};
    uint64_t from, left;

    fake_ns = from = 1000000000000u;
    open_guest();
    limit_set(&dev.meter->limit, &r);
    for (uint16_t i = 0; i < 40; i++) {
        send_slot(DATA, 0, 100, 0, i);
    }
    RING_PUSH_REQUESTS(&tx);
    CU_ASSERT_FALSE(transmit(0));
    CU_ASSERT_EQUAL(tx.sring->rsp_prod, 6);
    CU_ASSERT_TRUE(throttle_waits(&nb->q[0], METER_WRITE));
    CU_ASSERT_FALSE(throttle_waits(&nb->q[0], METER_READ));
    CU_ASSERT_TRUE(tx.sring->req_event <= 40);
    CU_ASSERT_EQUAL(dev.meter->throttled, 1);
    while (throttle_time_left(nb, &left)) {
        CU_ASSERT_TRUE_FATAL(left > 0 && left <= 1000000);
        fake_ns += left;
        transmit(0);
        CU_ASSERT_TRUE(tx.sring->rsp_prod <= 6 + (fake_ns - from) / 1000000);
    }
    CU_ASSERT_EQUAL(tx.sring->rsp_prod, 40);
    CU_ASSERT_EQUAL(fake_ns - from, 34 * 1000000u);
    CU_ASSERT_EQUAL(dev.meter->throttled_ns, 34 * 1000000u);
    CU_ASSERT_EQUAL(dev.meter->throttled_in, 0);
    CU_ASSERT_EQUAL(tx.sring->req_event, 41);
    close_guest();
    fake_ns = 0;
}

/* Somebody sends to the guest as fast as can be, and this process wakes up to 200 us late. What the
 * guest got after so many ns of `span`, a first second not counted. */
static RING_IDX received(uint64_t first, uint64_t span)
{
    static uint8_t packet[NET_HEADROOM + 60];
    const uint64_t from = fake_ns;
    RING_IDX at_first = 0;
    unsigned seed = 1, idle = 0;

    while (fake_ns - from < first + span) {
        uint64_t left = 0;
        RING_IDX before = rx.sring->rsp_prod;

        if (fake_ns - from < first) {
            at_first = before;
        }
        while (write(tap, packet, sizeof(packet)) > 0) {
        }
        post_buffers(before + RING_SIZE(&rx) - rx.req_prod_pvt, DATA);
        CU_ASSERT_FALSE_FATAL(receive(0) && throttle_waits(&nb->q[0], METER_READ));
        idle = before == rx.sring->rsp_prod ? idle + 1 : 0;
        CU_ASSERT_TRUE_FATAL(idle < 3); /* it does not spin */
        if (throttle_time_left(nb, &left)) {
            fake_ns += left + (uint64_t)rand_r(&seed) % 200000u;
        }
    }
    return rx.sring->rsp_prod - at_first;
}

/* The same of what the guest gets: one packet is held, the rest stays in the tap. */
static void test_limit_receive(void)
{
    static const struct {
        unsigned rate, ms;
    } cases[] = {{10, 20000}, {47, 5000}, {1000, 2000}, {20000, 1000}, {1000000, 50}};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct limit_rates r = {.ops = cases[i].rate};
        uint64_t want = (uint64_t)cases[i].rate * cases[i].ms / 1000, left;
        RING_IDX got;

        fake_ns = 1000000000000u;
        open_guest();
        limit_set(&dev.meter->limit_in, &r);
        got = received(cases[i].ms * 100000ull, cases[i].ms * 1000000ull);
        if (got + want / 100 + 1 < want || got > want + want / 100 + 1) {
            printf("%u packets, not %lu, at %u a second\n", got, want, cases[i].rate);
            CU_FAIL("limited");
        }
        CU_ASSERT_TRUE(dev.meter->throttled_in > 0 && dev.meter->throttled_in_ns > 0);
        CU_ASSERT_EQUAL(dev.meter->throttled, 0);
        CU_ASSERT_TRUE(nb->q[0].rx.held > 0);
        send_slot(DATA, 0, 100, 0, 1); /* the other way is free */
        RING_PUSH_REQUESTS(&tx);
        transmit(0);
        CU_ASSERT_EQUAL(tx.sring->rsp_prod, 1);
        front(6, true); /* nothing waits any more */
        CU_ASSERT_FALSE(throttle_time_left(nb, &left));
        close_guest();
    }
    fake_ns = 0;
}

/* What waited is another packet now, that goes nowhere: the loop must not wait for it. */
static void test_limit_changed(void)
{
    struct limit_rates r = {.ops = 1};
    uint64_t left;

    fake_ns = 1000000000000u;
    open_guest();
    limit_set(&dev.meter->limit, &r);
    send_slot(DATA, 0, 100, 0, 1);
    send_slot(DATA, 0, 100, 0, 2);
    RING_PUSH_REQUESTS(&tx);
    transmit(0);
    CU_ASSERT_TRUE(throttle_time_left(nb, &left) && left > 0);
    RING_GET_REQUEST(&tx, 1)->size = 5; /* shorter than a header: it is dropped */
    transmit(0);
    CU_ASSERT_EQUAL(tx.sring->rsp_prod, 2);
    CU_ASSERT_FALSE(throttle_time_left(nb, &left));
    CU_ASSERT_EQUAL(tx.sring->req_event, 3);
    close_guest();
    fake_ns = 0;
}

static void test_send_gso(void)
{
    static uint8_t out[70000];
    struct virtio_net_hdr hdr;
    netif_extra_info_t *extra;
    netif_tx_response_t rsp;

    open_guest();
    tcp4(fake_page(DATA), 9000 - 54);
    memset(fake_page(DATA + 1), 1, 4096);
    send_slot(DATA, 0, 9000, NETTXF_csum_blank | NETTXF_more_data | NETTXF_extra_info, 1);
    extra = (void *)RING_GET_REQUEST(&tx, tx.req_prod_pvt++);
    memset(extra, 0, sizeof(netif_tx_request_t));
    extra->type = XEN_NETIF_EXTRA_TYPE_GSO;
    extra->u.gso.size = 1448;
    extra->u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
    send_slot(DATA + 1, 0, 4096, NETTXF_more_data, 2);
    send_slot(DATA + 2, 0, 4000, 0, 3);
    RING_PUSH_REQUESTS(&tx);
    transmit(0);
    CU_ASSERT_EQUAL(read(tap, out, sizeof(out)), 9000 + (ssize_t)NET_HEADROOM);
    memcpy(&hdr, out, sizeof(hdr));
    CU_ASSERT_EQUAL(hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    CU_ASSERT_EQUAL(hdr.gso_size, 1448);
    CU_ASSERT_EQUAL(hdr.csum_start, 34);
    CU_ASSERT_EQUAL(out[NET_HEADROOM + 904 + 100], 1);
    CU_ASSERT_EQUAL(tx_answer().id, 1);
    rsp = tx_answer();
    CU_ASSERT_EQUAL(rsp.status, NETIF_RSP_NULL);
    CU_ASSERT_EQUAL(rsp.id, 0);
    CU_ASSERT_EQUAL(tx_answer().id, 2);
    CU_ASSERT_EQUAL(tx_answer().id, 3);
    close_guest();
}

static void test_send_bad(void)
{
    open_guest();
    send_slot(4000000, 0, 100, 0, 1);
    send_slot(DATA, 0, 100, 0, 2);
    send_slot(DATA, 0, 3, 0, 3);
    RING_PUSH_REQUESTS(&tx);
    transmit(0);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_ERROR);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_ERROR);
    CU_ASSERT_EQUAL(nb->q[0].tx_packets, 1);
    CU_ASSERT_EQUAL(nb->q[0].tx_dropped, 2);
    send_slot(DATA, 4000, 100, 0, 4);
    RING_PUSH_REQUESTS(&tx);
    transmit(0);
    CU_ASSERT_FALSE(dev.connected);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_last_log(), "crosses its page"));
    close_guest();
}

static void test_lying_producers(void)
{
    static const RING_IDX lies[] = {257, 0x80000000, UINT32_MAX};

    for (unsigned i = 0; i < 3; i++) {
        open_guest();
        tx.sring->req_prod = lies[i];
        CU_ASSERT_FALSE(transmit(0));
        CU_ASSERT_FALSE(dev.connected);
        close_guest();
        open_guest();
        rx.sring->req_prod = lies[i];
        CU_ASSERT_FALSE(receive(0));
        CU_ASSERT_FALSE(dev.connected);
        close_guest();
    }
}

static void arrive(size_t len, uint8_t flags, uint8_t gso_type)
{
    static uint8_t in[70000];
    struct virtio_net_hdr hdr = {
        .flags = flags, .gso_type = gso_type, .gso_size = gso_type ? 1448 : 0};

    for (size_t i = 0; i < len; i++) {
        in[NET_HEADROOM + i] = (uint8_t)(i / 3);
    }
    memcpy(in, &hdr, sizeof(hdr));
    CU_ASSERT_EQUAL(write(tap, in, NET_HEADROOM + len), (ssize_t)(NET_HEADROOM + len));
}

static void test_receive(void)
{
    netif_rx_response_t rsp;

    open_guest();
    post_buffers(8, DATA);
    memset(fake_page(DATA), 0xee, 4096);
    arrive(600, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
    receive(0);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 1);
    rsp = rx_answer();
    CU_ASSERT_EQUAL(rsp.status, 600);
    CU_ASSERT_EQUAL(rsp.offset, 0);
    CU_ASSERT_EQUAL(rsp.flags, NETRXF_csum_blank | NETRXF_data_validated);
    CU_ASSERT_EQUAL(fake_page(DATA)[599], (uint8_t)(599 / 3));
    CU_ASSERT_EQUAL(fake_page(DATA)[600], 0xee);
    close_guest();
}

static void test_receive_gso(void)
{
    netif_rx_response_t rsp;
    netif_extra_info_t extra;

    open_guest();
    post_buffers(8, DATA);
    arrive(9000, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4);
    receive(0);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 4);
    rsp = rx_answer();
    CU_ASSERT_EQUAL(rsp.status, 4096);
    CU_ASSERT_EQUAL(rsp.flags, NETRXF_csum_blank | NETRXF_data_validated | NETRXF_extra_info |
                                   NETRXF_more_data);
    memcpy(&extra, RING_GET_RESPONSE(&rx, rx.rsp_cons++), sizeof(extra));
    CU_ASSERT_EQUAL(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    CU_ASSERT_EQUAL(extra.u.gso.size, 1448);
    CU_ASSERT_EQUAL(extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV4);
    rsp = rx_answer();
    CU_ASSERT_EQUAL(rsp.flags, NETRXF_more_data);
    CU_ASSERT_EQUAL(rsp.id, 2);
    rsp = rx_answer();
    CU_ASSERT_EQUAL(rsp.flags, 0);
    CU_ASSERT_EQUAL(rsp.status, 9000 - 8192);
    CU_ASSERT_EQUAL(fake_page(DATA + 3)[9000 - 8192 - 1], (uint8_t)(8999 / 3));
    close_guest();
}

static void test_receive_no_buffers(void)
{
    open_guest();
    post_buffers(1, DATA);
    arrive(100, 0, 0);
    arrive(9000, 0, 0);
    arrive(200, 0, 0);
    receive(0);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 1);
    CU_ASSERT_TRUE(nb->q[0].rx.held > 0);
    CU_ASSERT_EQUAL(rx.sring->req_event, 1 + 3);
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_FALSE(receive(0)); /* nothing is read meanwhile: the tap's queue is the bound */
    }
    CU_ASSERT_EQUAL(nb->q[0].rx_packets, 1);
    rx_answer();
    post_buffers(4, DATA + 1);
    receive(0);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 5);
    CU_ASSERT_EQUAL(rx_answer().status, 4096);
    rx_answer();
    CU_ASSERT_EQUAL(rx_answer().status, 9000 - 8192);
    CU_ASSERT_EQUAL(rx_answer().status, 200);
    CU_ASSERT_EQUAL(nb->q[0].rx.held, 0);
    close_guest();
}

static void test_receive_bad_grant(void)
{
    open_guest();
    post_buffers(1, 4000000);
    post_buffers(1, DATA);
    arrive(100, 0, 0);
    arrive(100, 0, 0);
    receive(0);
    CU_ASSERT_EQUAL(rx_answer().status, NETIF_RSP_ERROR);
    CU_ASSERT_EQUAL(rx_answer().status, 100);
    close_guest();
}

/* The guest's first piece may hold less than the headers. */
static void test_send_short_first(void)
{
    uint8_t frame[5000], out[6000];

    open_guest();
    tcp4(frame, 5000 - 54);
    for (unsigned i = 54; i < 5000; i++) {
        frame[i] = (uint8_t)(i * 7);
    }
    memcpy(fake_page(DATA) + 4000, frame, 20);
    memcpy(fake_page(DATA + 1) + 7, frame + 20, 900);
    memcpy(fake_page(DATA + 2), frame + 920, 4080);
    send_slot(DATA, 4000, 5000, NETTXF_csum_blank | NETTXF_more_data, 1);
    send_slot(DATA + 1, 7, 900, NETTXF_more_data, 2);
    send_slot(DATA + 2, 0, 4080, 0, 3);
    RING_PUSH_REQUESTS(&tx);
    transmit(0);
    CU_ASSERT_EQUAL(read(tap, out, sizeof(out)), 5000 + (ssize_t)NET_HEADROOM);
    CU_ASSERT_EQUAL(memcmp(out + NET_HEADROOM, frame, 50), 0);
    CU_ASSERT_EQUAL(memcmp(out + NET_HEADROOM + 52, frame + 52, 5000 - 52), 0);
    close_guest();
}

static void send_mcast(uint8_t type, uint8_t last)
{
    netif_extra_info_t *extra;

    send_slot(0, 0, 0, NETTXF_extra_info, last);
    extra = (void *)RING_GET_REQUEST(&tx, tx.req_prod_pvt++);
    memset(extra, 0, sizeof(netif_tx_request_t));
    extra->type = type;
    memcpy(extra->u.mcast.addr, "\x01\x00\x5e\x00\x00", 5);
    extra->u.mcast.addr[5] = last;
    RING_PUSH_REQUESTS(&tx);
    transmit(0);
    CU_ASSERT_EQUAL(tx_answer().id, last);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_NULL);
}

static void arrive_from(const char *dest)
{
    uint8_t in[NET_HEADROOM + 60] = {0};

    memcpy(in + NET_HEADROOM, dest, 6);
    CU_ASSERT_EQUAL(write(tap, in, sizeof(in)), (ssize_t)sizeof(in));
}

static void test_mcast_control(void)
{
    open_guest();
    post_buffers(20, DATA);
    arrive_from("\x01\x00\x5e\x00\x00\x05");
    receive(0);
    CU_ASSERT_EQUAL(nb->q[0].rx_packets, 1);
    front(6, true);
    SHARED_RING_INIT(tx.sring);
    SHARED_RING_INIT(rx.sring);
    FRONT_RING_INIT(&tx, tx.sring, 4096);
    FRONT_RING_INIT(&rx, rx.sring, 4096);
    more_key = "request-multicast-control";
    more_value = "1";
    front(1, true);
    front(4, true);
    more_key = NULL;
    post_buffers(20, DATA);
    send_mcast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 5);
    arrive_from("\x01\x00\x5e\x00\x00\x05");
    arrive_from("\x01\x00\x5e\x00\x00\x06");
    arrive_from("\xff\xff\xff\xff\xff\xff");
    arrive_from("\x00\x16\x3e\x00\x00\x01");
    receive(0);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 3);
    send_mcast(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 5);
    arrive_from("\x01\x00\x5e\x00\x00\x05");
    receive(0);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 3);
    close_guest();
}

static void test_headroom(void)
{
    netif_rx_response_t rsp;

    open_guest();
    more_key = "xdp-headroom";
    more_value = "256";
    front(7, true);
    more_key = NULL;
    post_buffers(4, DATA);
    arrive(5000, 0, 0);
    receive(0);
    rsp = rx_answer();
    CU_ASSERT_EQUAL(rsp.offset, 256);
    CU_ASSERT_EQUAL(rsp.status, 4096 - 256);
    rsp = rx_answer();
    CU_ASSERT_EQUAL(rsp.offset, 256);
    CU_ASSERT_EQUAL(rsp.status, 5000 - 3840);
    CU_ASSERT_EQUAL(fake_page(DATA + 1)[256 + 5000 - 3840 - 1], (uint8_t)(4999 / 3));
    close_guest();
    open_guest();
    more_key = "xdp-headroom";
    more_value = "4000";
    front(7, true);
    more_key = NULL;
    CU_ASSERT_FALSE(dev.connected);
    close_guest();
}

/* Packets of many sizes in one round: nothing of one is overwritten by the next one's header. */
static void test_receive_packed(void)
{
    static const size_t sizes[] = {60, 4090, 4096, 14, 8192, 4086, 4087, 1514, 12288, 100};
    const unsigned count = sizeof(sizes) / sizeof(sizes[0]);
    unsigned page = DATA;

    open_guest();
    post_buffers(40, DATA);
    for (unsigned i = 0; i < count; i++) {
        arrive(sizes[i], 0, 0);
    }
    receive(0);
    CU_ASSERT_EQUAL(nb->q[0].rx_packets, count);
    for (unsigned i = 0; i < count; i++) {
        for (size_t at = 0; at < sizes[i]; at += 4096, page++) {
            size_t len = sizes[i] - at < 4096 ? sizes[i] - at : 4096;

            CU_ASSERT_EQUAL(rx_answer().status, (int)len);
            CU_ASSERT_EQUAL(fake_page(page)[0], (uint8_t)(at / 3));
            CU_ASSERT_EQUAL(fake_page(page)[len - 1], (uint8_t)((at + len - 1) / 3));
        }
    }
    close_guest();
}

/* A process that ends anywhere in a round: its successor makes the same answers, once. */
static void test_answers(void)
{
    static uint8_t ring[ANSWERS_MAX * 12];
    RING_IDX rsp_prod;
    const struct answers_ring to = {&rsp_prod, ring, 12, 4};
    struct answers a;

    for (unsigned ended_at = 0; ended_at < 4; ended_at++) {
        memset(&a, 0, sizeof(a));
        memset(ring, 0xee, sizeof(ring));
        a.done = a.upto = rsp_prod = 250;
        for (uint32_t i = 0; i < 10; i++) {
            answers_set(&a, i, &i, 4);
        }
        a.upto = ended_at ? 260 : 250;
        if (ended_at == 2) {
            memset(ring + 250 * 12, 0, 30); /* half of them were written */
        } else if (ended_at == 3) {
            rsp_prod = 260;
            memset(ring, 0x11, sizeof(ring)); /* and the guest has used the slots again */
        }
        CU_ASSERT_TRUE(answers_resume(&a, &to));
        CU_ASSERT_EQUAL(a.done, a.upto);
        CU_ASSERT_EQUAL(rsp_prod, ended_at ? 260 : 250);
        CU_ASSERT_EQUAL(ring[250 * 12], ended_at == 0 ? 0xee : ended_at == 3 ? 0x11 : 0);
        CU_ASSERT_EQUAL(ring[3 * 12], ended_at == 0 ? 0xee : ended_at == 3 ? 0x11 : 9);
        CU_ASSERT_EQUAL(ring[4 * 12], ended_at == 3 ? 0x11 : 0xee);
    }
    a.upto = a.done + ANSWERS_MAX + 1;
    CU_ASSERT_FALSE(answers_resume(&a, &to));
}

/* Each way once; a file that takes no more keeps no frame from its way. */
static void test_mirror(void)
{
    uint8_t in[300] = {0}, out[600];
    uint32_t length;
    int fd;

    open_guest();
    fd = memfd_create("mirror", 0);
    CU_ASSERT_FALSE(mirror_begin(&nb->mirror, "nothing", fd));
    CU_ASSERT_EQUAL(write(fd, in, MIRROR_PCAP_HEAD), MIRROR_PCAP_HEAD);
    CU_ASSERT_TRUE(mirror_begin(&nb->mirror, "pcap", fd));
    memset(fake_page(DATA), 0x5a, 4096);
    send_slot(DATA, 0, 100, 0, 1);
    RING_PUSH_REQUESTS(&tx);
    transmit(0);
    memset(in, 0, NET_HEADROOM);
    memset(in + NET_HEADROOM, 0x77, sizeof(in) - NET_HEADROOM);
    post_buffers(4, DATA);
    CU_ASSERT_TRUE(write(tap, in, sizeof(in)) > 0);
    receive(0);
    CU_ASSERT_EQUAL(pread(fd, out, sizeof(out), MIRROR_PCAP_HEAD),
                    16 + 100 + 16 + 300 - (ssize_t)NET_HEADROOM);
    memcpy(&length, out + 12, 4);
    CU_ASSERT_EQUAL(length, 100);
    CU_ASSERT_EQUAL(out[16], 0x5a);
    memcpy(&length, out + 116 + 12, 4);
    CU_ASSERT_EQUAL(length, 300 - NET_HEADROOM);
    CU_ASSERT_EQUAL(out[116 + 16], 0x77);
    nb->mirror.bytes = MIRROR_MAX - 50;
    send_slot(DATA, 0, 100, 0, 2);
    RING_PUSH_REQUESTS(&tx);
    transmit(0);
    CU_ASSERT_EQUAL(nb->mirror.missed, 1);
    CU_ASSERT_EQUAL(nb->q[0].tx_packets, 2);
    close_guest();
    close(fd);
}

/* The process is gone; another one has the same descriptors and the same journal. */
static void replace_backend(void)
{
    netback_ops.disconnect(&dev);
    netback_fini(&dev);
    gntdev_close(dev.gnt);
    evtchn_close(dev.evt);
    start_backend(dev.channel);
    front(4, true);
}

static void test_taken_over(void)
{
    uint8_t in[300] = {0}, said[CHANNEL_MAX_BYTES];
    unsigned notified;

    journal = calloc(1, JOURNAL_HEAD_BYTES + sizeof(struct net_journal));
    open_guest();
    CU_ASSERT_TRUE(read(host, said, sizeof(said)) > 0); /* InitWait */
    CU_ASSERT_TRUE(read(host, said, sizeof(said)) > 0); /* Connected */
    send_slot(DATA, 0, 100, 0, 1);
    RING_PUSH_REQUESTS(&tx);
    post_buffers(4, DATA);
    CU_ASSERT_TRUE(write(tap, in, sizeof(in)) > 0);
    transmit(0);
    receive(0);
    send_slot(DATA, 0, 200, 0, 2);
    RING_PUSH_REQUESTS(&tx);
    CU_ASSERT_TRUE(write(tap, in, 200) > 0);
    notified = fake_notified();
    replace_backend();
    CU_ASSERT_TRUE_FATAL(dev.connected);
    CU_ASSERT_EQUAL(recv(host, said, sizeof(said), MSG_DONTWAIT), -1); /* nothing has happened */
    CU_ASSERT_EQUAL(fake_notified(), notified + 2);
    transmit(0);
    receive(0);
    CU_ASSERT_EQUAL(tx.sring->rsp_prod, 2);
    CU_ASSERT_EQUAL(tx_answer().id, 1);
    CU_ASSERT_EQUAL(tx_answer().id, 2);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 2);
    CU_ASSERT_EQUAL(rx_answer().status, 300 - (int)NET_HEADROOM);
    CU_ASSERT_EQUAL(rx_answer().status, 200 - (int)NET_HEADROOM);
    /* A journal that is about another place of the ring. */
    nb->journal->q[0].rx.done += 3;
    nb->journal->q[0].rx.upto += 3;
    replace_backend();
    CU_ASSERT_FALSE(dev.connected);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_last_log(), "cannot go on"));
    close_guest();
    free(journal);
    journal = NULL;
}

/* Random slots for ever: the device stops or goes on, and gives everything back. */
static void test_send_random(void)
{
    static uint8_t out[70000];
    unsigned stopped = 0;

    srand(7);
    for (unsigned round = 0; round < 2000; round++) {
        open_guest();
        for (unsigned i = 0; i < 10 && dev.connected; i++) {
            unsigned n = 1 + (unsigned)rand() % 30;

            while (n--) {
                send_slot((uint32_t)rand() % 530, (uint16_t)(rand() % 300),
                          (uint16_t)(rand() % 3000),
                          (uint16_t)(rand() % 16 & (rand() % 200 ? 1 : 15)), (uint16_t)rand());
            }
            RING_PUSH_REQUESTS(&tx);
            while (dev.connected && transmit(0)) {
            }
            tx.rsp_cons = tx.sring->rsp_prod;
            while (read(tap, out, sizeof(out)) > 0) {
            }
        }
        stopped += !dev.connected;
        close_guest();
    }
    CU_ASSERT_TRUE(stopped > 0 && stopped < 2000);
}

static void *serve_all(void *unused)
{
    (void)unused;
    netback_ops.run(&dev);
    return NULL;
}

static void test_storm(void)
{
    struct channel_msg gone;
    pthread_t loop;

    open_guest();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&loop, NULL, serve_all, NULL), 0);
    CU_ASSERT_TRUE(fake_storm_is_slowed(FAKE_PORT, 300));
    channel_init(&gone, CHANNEL_CLOSE);
    CU_ASSERT_EQUAL(channel_send(host, &gone), 0);
    channel_init(&gone, CHANNEL_FRONT);
    channel_add(&gone, "state", "6");
    CU_ASSERT_EQUAL(channel_send(host, &gone), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_join(loop, NULL), 0);
    close_guest();
}

/* ---- a guest that asks, and has the next question there when it hears of the answer ---- */

#define QUESTIONS 10u

static unsigned answers, events_asked;

static void ask(void)
{
    int wanted;

    send_slot(DATA, 0, 100, 0, 7);
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&tx, wanted);
    events_asked += wanted != 0;
}

/* The answer is there as soon as the question is read. */
static void ask_somebody(void)
{
    static const uint8_t reply[NET_HEADROOM + 60];

    ask();
    CU_ASSERT_EQUAL(write(tap, reply, sizeof(reply)), (ssize_t)sizeof(reply));
}

static void hear_answer(int port)
{
    CU_ASSERT_EQUAL(port, FAKE_PORT);
    answers++;
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, answers);
    rx.sring->rsp_event = answers + 1;
    tx.rsp_cons = tx.sring->rsp_prod;
    tx.sring->rsp_event = tx.rsp_cons + 1;
    if (answers < QUESTIONS) {
        ask_somebody();
    }
}

/* One event tells of a question that went, and of its answer; none is sent for the next one. */
static void test_reply(void)
{
    open_guest_with(false);
    events_asked = answers = 0;
    post_buffers(QUESTIONS, DATA + 1);
    fake_on_notify(hear_answer);
    ask_somebody();
    nb->q[0].tx.look = true;
    CU_ASSERT_TRUE_FATAL(net_serve_queue(&nb->q[0]));
    CU_ASSERT_EQUAL(answers, QUESTIONS);
    CU_ASSERT_EQUAL(tx.sring->rsp_prod, QUESTIONS);
    CU_ASSERT_EQUAL(fake_notified(), QUESTIONS);
    CU_ASSERT_EQUAL(events_asked, 1);
    CU_ASSERT_EQUAL(tx.sring->req_event, QUESTIONS + 1);
    close_guest();
}

/* The guest is told as before, and the tap is looked at more and more seldom. */
static void test_no_reply(void)
{
    open_guest();
    events_asked = 0;
    for (unsigned i = 1; i <= 100; i++) {
        ask();
        tx.sring->rsp_event = i;
        nb->q[0].tx.look = true;
        nb->one_way = 0; /* else it would be taken for a stream */
        CU_ASSERT_TRUE_FATAL(net_serve_queue(&nb->q[0]));
        CU_ASSERT_EQUAL(fake_notified(), i);
        tx.rsp_cons = tx.sring->rsp_prod;
    }
    CU_ASSERT_EQUAL(events_asked, 100);
    CU_ASSERT_TRUE(nb->q[0].tx.between >= 31);
    close_guest();
}

void suite_net(void)
{
    CU_pSuite s = CU_add_suite("netback", NULL, NULL);

    CU_add_test(s, "to the tap", test_send);
    CU_add_test(s, "a limit", test_limit);
    CU_add_test(s, "a limit on what is received", test_limit_receive);
    CU_add_test(s, "what waits for a limit changes", test_limit_changed);
    CU_add_test(s, "segmentation offload to the tap", test_send_gso);
    CU_add_test(s, "bad packets to the tap", test_send_bad);
    CU_add_test(s, "lying producers", test_lying_producers);
    CU_add_test(s, "to the guest", test_receive);
    CU_add_test(s, "segmentation offload to the guest", test_receive_gso);
    CU_add_test(s, "no buffers", test_receive_no_buffers);
    CU_add_test(s, "bad grant", test_receive_bad_grant);
    CU_add_test(s, "packets of all sizes in one round", test_receive_packed);
    CU_add_test(s, "headers in several pieces", test_send_short_first);
    CU_add_test(s, "multicast control", test_mcast_control);
    CU_add_test(s, "headroom", test_headroom);
    CU_add_test(s, "answers that were under way", test_answers);
    CU_add_test(s, "mirror", test_mirror);
    CU_add_test(s, "taken over", test_taken_over);
    CU_add_test(s, "random slots", test_send_random);
    CU_add_test(s, "an answer at once", test_reply);
    CU_add_test(s, "no answer", test_no_reply);
    CU_add_test(s, "storm of notifications", test_storm);
}
