/* SPDX-License-Identifier: MIT */
/*
 * test_arena.c - pages of the guest that stay mapped: what is copied where, what the guest may do
 * to the directory meanwhile, and the network backend with and without (BE-1, BE-2).
 *
 * Guest pages: 0 transmit ring, 1 receive ring, 2 directory, 16.. data.
 *
 * Sabotage: in arena.c, bucket_of() that does not go on fails "every page"; find() without
 * the - 1 fails it too; arena_copy() without place[] fails "some in it"; in
 * connect.c, disconnect_queue() without arena_unmap() fails "packets"; map_arena() without looking
 * at n->arena fails "not offered".
 */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../backends/net/netback.h"
#include "../../backends/net/state.h"
#include "fake/xen.h"
#include "tests.h"

#define DIRECTORY 2u
#define DATA 16u
#define LAST (FAKE_PAGES - 1)

static struct gntdev *g;
static struct arena a;

static void list(unsigned first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        memcpy(fake_page(DIRECTORY) + 4 * i, &(uint32_t){first + i}, 4);
    }
}

static void begin(unsigned first, unsigned n)
{
    fake_reset();
    memset(&a, 0, sizeof(a));
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&g, 1), 0);
    list(first, n);
    CU_ASSERT_TRUE_FATAL(arena_map(&a, g, DIRECTORY, n));
    CU_ASSERT_EQUAL(fake_mapped(), n);
}

static void end(void)
{
    arena_unmap(&a, g);
    arena_unmap(&a, g);
    CU_ASSERT_EQUAL(fake_mapped(), 0);
    gntdev_close(g);
}

/* Found by reference, whatever the directory says by now; no grant is needed any more. */
static void test_every_page(void)
{
    uint32_t got;
    bool bad;

    begin(DATA, FAKE_PAGES - DATA);
    memset(fake_page(DIRECTORY), 0, GNT_PAGE);
    for (uint32_t ref = DATA; ref <= LAST; ref++) {
        memcpy(fake_page(ref) + 8, &ref, sizeof(ref));
        fake_grant(ref, false, false);
    }
    for (uint32_t ref = DATA; ref <= LAST; ref++) {
        const struct gnt_copy from = {&got, ref, 8, sizeof(got)};
        const struct gnt_copy to = {&ref, ref, GNT_PAGE - sizeof(ref), sizeof(ref)};

        got = 0;
        bad = true;
        CU_ASSERT_EQUAL(arena_copy(&a, g, false, &from, 1, &bad), 0);
        CU_ASSERT_FALSE(bad);
        CU_ASSERT_EQUAL(got, ref);
        CU_ASSERT_EQUAL(arena_copy(&a, g, true, &to, 1, &bad), 0);
        CU_ASSERT_EQUAL(memcmp(fake_page(ref) + GNT_PAGE - sizeof(ref), &ref, sizeof(ref)), 0);
    }
    end();
}

/* Pieces in it, granted ones and a bad one in one call: each gets its own verdict. */
static void test_some(void)
{
    char got[4][4];
    struct gnt_copy pieces[4];
    bool bad[4];
    const uint32_t refs[4] = {DATA + 40, DATA, LAST, DATA + 1};

    begin(DATA, 2);
    fake_grant(LAST, false, false);
    for (unsigned i = 0; i < 4; i++) {
        memcpy(fake_page(refs[i]), &refs[i], 4);
        pieces[i] = (struct gnt_copy){got[i], refs[i], 0, 4};
    }
    CU_ASSERT_NOT_EQUAL(arena_copy(&a, g, false, pieces, 4, bad), 0);
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(bad[i], refs[i] == LAST);
        CU_ASSERT_TRUE(bad[i] || !memcmp(got[i], &refs[i], 4));
    }
    end();
}

/* The same page many times: the last entry counts, and everything is given back. */
static void test_twice(void)
{
    char got[4];
    const struct gnt_copy from = {got, DATA, 0, 4};
    bool bad;

    begin(DATA, 1);
    end();
    fake_reset();
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&g, 1), 0);
    for (unsigned i = 0; i < ARENA_PAGES_MAX; i++) {
        memcpy(fake_page(DIRECTORY) + 4 * i, &(uint32_t){DATA}, 4);
    }
    CU_ASSERT_TRUE_FATAL(arena_map(&a, g, DIRECTORY, ARENA_PAGES_MAX));
    memcpy(fake_page(DATA), "twin", 4);
    CU_ASSERT_EQUAL(arena_copy(&a, g, false, &from, 1, &bad), 0);
    CU_ASSERT_EQUAL(memcmp(got, "twin", 4), 0);
    end();
}

static void test_refused(void)
{
    fake_reset();
    memset(&a, 0, sizeof(a));
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&g, 1), 0);
    list(DATA, 8);
    fake_grant(DATA + 3, true, false); /* to be read only */
    CU_ASSERT_FALSE(arena_map(&a, g, DIRECTORY, 8));
    CU_ASSERT_FALSE(arena_map(&a, g, FAKE_PAGES, 8));
    end();
}

/* ---- the backend ---- */

static struct device dev;
static struct netback *nb;
static int host, tap;
static netif_tx_front_ring_t tx;
static netif_rx_front_ring_t rx;

static void front(unsigned state, const char *directory, const char *pages)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    channel_add(&m, "tx-ring-ref", "0");
    channel_add(&m, "rx-ring-ref", "1");
    channel_add(&m, "event-channel", "3");
    channel_add(&m, "request-rx-copy", "1");
    channel_add(&m, "arena-ref", directory);
    channel_add(&m, "arena-pages", pages);
    device_handle_message(&dev, &m);
}

static void start(const char *offered)
{
    struct channel_msg m;
    int s[2], t[2];

    fake_reset();
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, t), 0);
    tap = fcntl(t[1], F_DUPFD, 20);
    if (t[0] != CHANNEL_DEVICE_FD) {
        dup2(t[0], CHANNEL_DEVICE_FD);
        close(t[0]);
    }
    if (t[1] != CHANNEL_DEVICE_FD) {
        close(t[1]);
    }
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    host = s[1];
    dev = (struct device){
        .ops = &netback_ops, .state = XenbusStateInitialising, .channel = s[0], .domid = 1};
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&dev.gnt, 1), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_open(&dev.evt, 1), 0);
    channel_init(&m, CHANNEL_START);
    channel_add(&m, "arena", offered);
    CU_ASSERT_EQUAL_FATAL(netback_ops.init(&dev, &m), 0);
    nb = dev.priv;
    SHARED_RING_INIT((netif_tx_sring_t *)fake_page(0));
    SHARED_RING_INIT((netif_rx_sring_t *)fake_page(1));
    FRONT_RING_INIT(&tx, (netif_tx_sring_t *)fake_page(0), 4096);
    FRONT_RING_INIT(&rx, (netif_rx_sring_t *)fake_page(1), 4096);
    list(DATA, 8);
    front(1, "2", "8");
}

static void stop(void)
{
    front(6, "2", "8");
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

static int16_t send_one(uint32_t ref)
{
    netif_tx_request_t *r = RING_GET_REQUEST(&tx, tx.req_prod_pvt++);

    *r = (netif_tx_request_t){.gref = ref, .size = 200};
    RING_PUSH_REQUESTS(&tx);
    tx_serve(&nb->q[0]);
    return RING_GET_RESPONSE(&tx, tx.rsp_cons++)->status;
}

static int16_t receive_one(uint32_t ref, const uint8_t *frame, size_t len)
{
    netif_rx_request_t *r = RING_GET_REQUEST(&rx, rx.req_prod_pvt++);

    r->gref = ref;
    RING_PUSH_REQUESTS(&rx);
    CU_ASSERT_EQUAL_FATAL(write(tap, frame, len), (ssize_t)len);
    rx_serve(&nb->q[0]);
    return RING_GET_RESPONSE(&rx, rx.rsp_cons++)->status;
}

/* Both ways; a page of the arena needs its grant only once, another each time. */
static void test_packets(void)
{
    uint8_t frame[NET_HEADROOM + 300] = {0}, out[1000];

    start("1");
    front(4, "2", "8");
    CU_ASSERT_TRUE_FATAL(dev.connected);
    CU_ASSERT_EQUAL(fake_mapped(), 10);
    for (uint32_t i = 0; i < 16; i++) {
        memset(fake_page(DATA + i), 0x40 + (int)i, GNT_PAGE);
        fake_grant(DATA + i, false, false);
    }
    CU_ASSERT_EQUAL(send_one(DATA + 7), NETIF_RSP_OKAY);
    CU_ASSERT_EQUAL(read(tap, out, sizeof(out)), 200 + (ssize_t)NET_HEADROOM);
    CU_ASSERT_EQUAL(memcmp(out + NET_HEADROOM, fake_page(DATA + 7), 200), 0);
    CU_ASSERT_EQUAL(send_one(DATA + 8), NETIF_RSP_ERROR);

    memset(frame + NET_HEADROOM, 0x77, 300);
    CU_ASSERT_EQUAL(receive_one(DATA + 3, frame, sizeof(frame)), 300);
    CU_ASSERT_EQUAL(memcmp(fake_page(DATA + 3), frame + NET_HEADROOM, 300), 0);
    CU_ASSERT_EQUAL(receive_one(DATA + 8, frame, sizeof(frame)), NETIF_RSP_ERROR);
    stop();
}

static void test_bad_keys(void)
{
    static const struct {
        const char *directory, *pages;
    } bad[] = {{"2", "513"}, {"2", "0"}, {"2", "many"}, {"x", "8"}, {"600", "8"}, {"2", "200"}};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        start("1");
        front(4, bad[i].directory, bad[i].pages); /* page 200's entries are 0: the rings' */
        CU_ASSERT_EQUAL(dev.connected, i == 5);
        stop();
    }
}

static void test_not_offered(void)
{
    start("0");
    front(4, "2", "8");
    CU_ASSERT_TRUE(dev.connected);
    CU_ASSERT_EQUAL(fake_mapped(), 2);
    stop();
}

void suite_arena(void)
{
    CU_pSuite s = CU_add_suite("arena", NULL, NULL);

    CU_add_test(s, "every page", test_every_page);
    CU_add_test(s, "some in it", test_some);
    CU_add_test(s, "a page twice", test_twice);
    CU_add_test(s, "refused", test_refused);
    CU_add_test(s, "packets", test_packets);
    CU_add_test(s, "bad keys", test_bad_keys);
    CU_add_test(s, "not offered", test_not_offered);
}
