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
 * without backoff_account() "storm of notifications" fails.
 */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../backends/net/netback.h"
#include "fake/xen.h"
#include "tests.h"

#define DATA 16u

static struct device dev;
static struct netback *nb;
static int tap = -1; /* the network's end */
static int host;
static netif_tx_front_ring_t tx;
static netif_rx_front_ring_t rx;

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
    device_handle_message(&dev, &m);
}

static void open_guest(void)
{
    struct channel_msg start;
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
    dev = (struct device){
        .ops = &netback_ops, .state = XenbusStateInitialising, .channel = s[0], .domid = 1};
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&dev.gnt, 1), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_open(&dev.evt, 1), 0);
    channel_init(&start, CHANNEL_START);
    CU_ASSERT_EQUAL_FATAL(netback_ops.init(&dev, &start), 0);
    nb = dev.priv;
    SHARED_RING_INIT((netif_tx_sring_t *)fake_page(0));
    SHARED_RING_INIT((netif_rx_sring_t *)fake_page(1));
    FRONT_RING_INIT(&tx, (netif_tx_sring_t *)fake_page(0), 4096);
    FRONT_RING_INIT(&rx, (netif_rx_sring_t *)fake_page(1), 4096);
    front(1, true);
    front(4, true);
    CU_ASSERT_TRUE_FATAL(dev.connected);
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

static void test_send(void)
{
    uint8_t out[3000];

    open_guest();
    memset(fake_page(DATA), 0x5a, 4096);
    send_slot(DATA, 10, 1000, 0, 42);
    RING_PUSH_REQUESTS(&tx);
    CU_ASSERT_FALSE(tx_serve(nb));
    CU_ASSERT_EQUAL(read(tap, out, sizeof(out)), 1000 + (ssize_t)NET_HEADROOM);
    CU_ASSERT_EQUAL(out[0], 0);
    CU_ASSERT_EQUAL(memcmp(out + NET_HEADROOM, fake_page(DATA) + 10, 1000), 0);
    CU_ASSERT_EQUAL(tx.sring->rsp_prod, 1);
    CU_ASSERT_EQUAL(RING_GET_RESPONSE(&tx, 0)->id, 42);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(fake_notified(), 1);
    close_guest();
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
    tx_serve(nb);
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
    tx_serve(nb);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_ERROR);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(tx_answer().status, NETIF_RSP_ERROR);
    CU_ASSERT_EQUAL(nb->tx_packets, 1);
    CU_ASSERT_EQUAL(nb->tx_dropped, 2);
    send_slot(DATA, 4000, 100, 0, 4);
    RING_PUSH_REQUESTS(&tx);
    tx_serve(nb);
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
        CU_ASSERT_FALSE(tx_serve(nb));
        CU_ASSERT_FALSE(dev.connected);
        close_guest();
        open_guest();
        rx.sring->req_prod = lies[i];
        CU_ASSERT_FALSE(rx_serve(nb));
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
    rx_serve(nb);
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
    rx_serve(nb);
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
    rx_serve(nb);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 1);
    CU_ASSERT_TRUE(nb->rx.held > 0);
    CU_ASSERT_EQUAL(rx.sring->req_event, 1 + 3);
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_FALSE(rx_serve(nb)); /* nothing is read meanwhile: the tap's queue is the bound */
    }
    CU_ASSERT_EQUAL(nb->rx_packets, 1);
    rx_answer();
    post_buffers(4, DATA + 1);
    rx_serve(nb);
    CU_ASSERT_EQUAL(rx.sring->rsp_prod, 5);
    CU_ASSERT_EQUAL(rx_answer().status, 4096);
    rx_answer();
    CU_ASSERT_EQUAL(rx_answer().status, 9000 - 8192);
    CU_ASSERT_EQUAL(rx_answer().status, 200);
    CU_ASSERT_EQUAL(nb->rx.held, 0);
    close_guest();
}

static void test_receive_bad_grant(void)
{
    open_guest();
    post_buffers(1, 4000000);
    post_buffers(1, DATA);
    arrive(100, 0, 0);
    arrive(100, 0, 0);
    rx_serve(nb);
    CU_ASSERT_EQUAL(rx_answer().status, NETIF_RSP_ERROR);
    CU_ASSERT_EQUAL(rx_answer().status, 100);
    close_guest();
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
            while (dev.connected && tx_serve(nb)) {
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

void suite_net(void)
{
    CU_pSuite s = CU_add_suite("netback", NULL, NULL);

    CU_add_test(s, "to the tap", test_send);
    CU_add_test(s, "segmentation offload to the tap", test_send_gso);
    CU_add_test(s, "bad packets to the tap", test_send_bad);
    CU_add_test(s, "lying producers", test_lying_producers);
    CU_add_test(s, "to the guest", test_receive);
    CU_add_test(s, "segmentation offload to the guest", test_receive_gso);
    CU_add_test(s, "no buffers", test_receive_no_buffers);
    CU_add_test(s, "bad grant", test_receive_bad_grant);
    CU_add_test(s, "random slots", test_send_random);
    CU_add_test(s, "storm of notifications", test_storm);
}
