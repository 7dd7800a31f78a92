/* SPDX-License-Identifier: MIT */
/*
 * The SDK's network driver, hosted, between a store, a grant table and a backend that lies.
 *
 * Contract: frames of any length go out and come in whole, in one slot or several, however often
 * the rings go round; an answer with a number that was not posted, or an index that runs ahead,
 * ends the interface and is never a frame (FE-1); a length or place outside the page is a dropped
 * frame; pages that the backend holds are not given back (FE-2); the backend never sees a byte that
 * is not of a frame sent to it (FE-3); an open that fails at any step leaves nothing behind (FE-5).
 *
 * Sabotage: in netfront.c, leave out the comparison of got.id in take_slot() ("another number");
 * the bound on got.offset + got.status ("past the page"); the look at tx_out in reap() ("answered
 * twice"); let_go() in front_net_open() ("fails at step"); push_posted()
 * in front_net_receive() ("in: a thousand frames").
 */
#include "fake.h"

#include <xen/errno.h>

#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>

#define FRONT "device/vif/0"
#define BACK "/local/domain/0/backend/vif/1/0"
#define FRAME_MAX 65535u

static netif_tx_back_ring_t tx;
static netif_rx_back_ring_t rx;
static bool connected, deaf, leaked;
static u8 sent[FRAME_MAX]; /* the last frame that the backend saw, and how long it was */
static unsigned sent_len, sent_count;
static u16 sent_flags;

/* ---- the backend ---- */

static void see_state(unsigned state)
{
    char *back = fake_node(BACK "/state", true);

    if (state == XenbusStateInitialising) {
        strcpy(back, "2");
    } else if (state == XenbusStateConnected) {
        BACK_RING_INIT(&tx, (netif_tx_sring_t *)fake_shared(FRONT "/tx-ring-ref"), FRONT_PAGE_SIZE);
        BACK_RING_INIT(&rx, (netif_rx_sring_t *)fake_shared(FRONT "/rx-ring-ref"), FRONT_PAGE_SIZE);
        connected = true;
        strcpy(back, "4");
    } else {
        connected = false;
        strcpy(back, "6");
    }
}

static void answer_tx(u16 id, int status)
{
    netif_tx_response_t rsp = {.id = id, .status = (s16)status};

    memcpy(RING_GET_RESPONSE(&tx, tx.rsp_prod_pvt++), &rsp, sizeof(rsp));
}

/* Takes what the driver sent; every granted byte outside frames must be of earlier frames or zero.
 */
static void serve(void)
{
    unsigned at = 0;

    while (connected && !deaf && tx.req_cons != tx.sring->req_prod) {
        netif_tx_request_t req;
        unsigned piece;

        memcpy(&req, RING_GET_REQUEST(&tx, tx.req_cons++), sizeof(req));
        CHECK("out: pages are granted for reading", grants[req.gref].readonly);
        if (!at) {
            sent_len = req.size;
            sent_flags = req.flags;
        }
        piece = at ? req.size : (sent_len < FRONT_PAGE_SIZE ? sent_len : (unsigned)FRONT_PAGE_SIZE);
        memcpy(sent + at, pages[grants[req.gref].mfn] + req.offset, piece);
        for (unsigned i = piece; i < FRONT_PAGE_SIZE; i++)
            leaked |= pages[grants[req.gref].mfn][i] == SECRET;
        at += piece;
        answer_tx(req.id, NETIF_RSP_OKAY);
        if (!(req.flags & NETTXF_more_data)) {
            CHECK("out: pieces make up the frame", at == sent_len);
            sent_count++;
            at = 0;
        }
    }
    if (!connected)
        return;
    RING_PUSH_RESPONSES(&tx);
    tx.sring->req_event = tx.req_cons + 1;
}

/* One slot of a frame to the driver, as it is told; not pushed yet. False: no buffer posted. */
static bool put_slot(const u8 *data, int len, unsigned offset, unsigned flags, unsigned id_off)
{
    netif_rx_request_t req;
    netif_rx_response_t rsp;

    if (rx.req_cons == rx.sring->req_prod)
        return false;
    memcpy(&req, RING_GET_REQUEST(&rx, rx.req_cons++), sizeof(req));
    CHECK("in: pages are granted for writing", !grants[req.gref].readonly);
    if (data && len > 0 && offset + (unsigned)len <= FRONT_PAGE_SIZE)
        memcpy(pages[grants[req.gref].mfn] + offset, data, (size_t)len);
    rsp = (netif_rx_response_t){.id = (u16)(req.id + id_off),
                                .offset = (u16)offset,
                                .flags = (u16)flags,
                                .status = (s16)len};
    memcpy(RING_GET_RESPONSE(&rx, rx.rsp_prod_pvt++), &rsp, sizeof(rsp));
    return true;
}

static bool put_frame(const u8 *frame, unsigned len)
{
    for (unsigned at = 0; at < len; at += FRONT_PAGE_SIZE) {
        unsigned piece = len - at < FRONT_PAGE_SIZE ? len - at : (unsigned)FRONT_PAGE_SIZE;

        if (!put_slot(frame + at, (int)piece, 0, at + piece < len ? NETRXF_more_data : 0, 0))
            return false;
    }
    RING_PUSH_RESPONSES(&rx);
    return true;
}

/* ---- tests ---- */

static u8 mine[FRAME_MAX + 1], back[FRAME_MAX + 1];

static void fill(unsigned len, unsigned seed)
{
    for (unsigned i = 0; i < len; i++)
        mine[i] = (u8)((i * 7 + seed) % SECRET);
}

static void set_up(void)
{
    fake_reset(FRONT, BACK);
    strcpy(fake_node(FRONT "/mac", true), "00:16:3e:0a:Bc:7f");
    strcpy(fake_node(BACK "/feature-sg", true), "1");
    fake_state = see_state;
    fake_event = serve;
    connected = deaf = leaked = false;
    sent_count = 0;
}

static struct front_net *opened(const char *what)
{
    struct front_net *n = NULL;

    set_up();
    CHECK(what, front_net_open(0, &n) == 0);
    return n;
}

static void test_out(void)
{
    static const unsigned lengths[] = {14, 60, 1514, 4096, 4097, 9014, 65535};
    struct front_net *n = opened("out");

    CHECK("its address", !memcmp(front_net_mac(n), "\x00\x16\x3e\x0a\xbc\x7f", 6));
    CHECK("its mtu", front_net_mtu(n) == 1500);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned len = lengths[i % FRONT_ARRAY_SIZE(lengths)];

        fill(len, i);
        if (front_net_send(n, mine, len, FRONT_NET_CSUM_BLANK) || sent_len != len ||
            memcmp(sent, mine, len)) {
            CHECK("out: a thousand frames", i == 1000);
            break;
        }
    }
    CHECK("out: a thousand frames", sent_count == 1000);
    CHECK("out: flags",
          sent_flags == (NETTXF_csum_blank | NETTXF_data_validated | NETTXF_more_data));
    CHECK("nothing but frames", !leaked);
    CHECK("out: too long", front_net_send(n, mine, 65536, 0) == -XEN_EINVAL);
    CHECK("out: too short", front_net_send(n, mine, 13, 0) == -XEN_EINVAL);
    CHECK("close", front_net_close(n) == 0);
    fake_nothing_left("after a close");
}

static void test_full(void)
{
    struct front_net *n = opened("full");
    unsigned i;

    deaf = true;
    for (i = 0; i < 1000 && front_net_send(n, mine, 100, 0) == 0; i++)
        ;
    CHECK("as many as there are buffers", i == 64);
    CHECK("full", front_net_send(n, mine, 100, 0) == -XEN_EAGAIN);
    deaf = false;
    serve();
    CHECK("not full any more", front_net_send(n, mine, 100, 0) == 0);
    front_net_close(n);
    set_up();
    strcpy(fake_node(BACK "/feature-sg", true), "0");
    CHECK("a backend without pieces", front_net_open(0, &n) == 0);
    CHECK("a backend without pieces", front_net_send(n, mine, 4097, 0) == -XEN_EINVAL);
    front_net_close(n);
}

static void test_in(void)
{
    static const unsigned lengths[] = {14, 1514, 4096, 4097, 65535, 60};
    struct front_net *n = opened("in");
    unsigned flags = 9;

    CHECK("nothing yet", front_net_receive(n, back, FRAME_MAX, &flags) == 0);
    CHECK("nothing yet", front_net_wait(n, front_port_now() + 5) == -XEN_ETIMEDOUT);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned len = lengths[i % FRONT_ARRAY_SIZE(lengths)];

        fill(len, i);
        memset(back, 0, sizeof(back));
        if (!put_frame(mine, len) || front_net_wait(n, 0) ||
            front_net_receive(n, back, FRAME_MAX, &flags) != (int)len || memcmp(mine, back, len)) {
            CHECK("in: a thousand frames", i == 1000);
            break;
        }
    }
    CHECK("in: flags", flags == 0);
    put_slot(mine, 60, 96, NETRXF_csum_blank | NETRXF_data_validated, 0);
    RING_PUSH_RESPONSES(&rx);
    CHECK("in: away from the page's begin", front_net_receive(n, back, FRAME_MAX, &flags) == 60);
    CHECK("in: flags", flags == (FRONT_NET_CSUM_BLANK | FRONT_NET_CSUM_GOOD));
    CHECK("in: the same bytes", !memcmp(mine, back, 60));
    front_net_close(n);
    fake_nothing_left("in");
}

/* Bad frames are dropped and counted, and good ones behind them arrive. */
static void test_dropped(void)
{
    static const struct {
        const char *what;
        int status;
        unsigned offset;
    } bad[] = {{"an error", -1, 0},
               {"past the page", 4000, 97},
               {"far past the page", 100, 65000},
               {"longer than a page", 4097, 0},
               {"the longest", 32767, 0},
               {"a stub", 13, 0},
               {"nothing", 0, 0}};
    struct front_net *n = opened("dropped");

    fill(2000, 3);
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        memset(back, 0x77, sizeof(back));
        put_slot(mine, bad[i].status, bad[i].offset, 0, 0);
        put_frame(mine, 100);
        CHECK(bad[i].what, front_net_receive(n, back, FRAME_MAX, NULL) == 100);
        CHECK(bad[i].what, !memcmp(mine, back, 100));
        CHECK(bad[i].what, front_net_stats(n).rx_dropped == i + 1);
    }
    memset(back, 0x77, sizeof(back));
    put_frame(mine, 101);
    CHECK("longer than the buffer", front_net_receive(n, back, 100, NULL) == 0);
    CHECK("longer than the buffer", back[100] == 0x77);
    put_slot(mine, 80, 0, NETRXF_more_data, 0); /* fits, then not, then would again */
    put_slot(mine, 80, 0, NETRXF_more_data, 0);
    put_slot(mine, 10, 0, 0, 0);
    RING_PUSH_RESPONSES(&rx);
    CHECK("its second piece is too long", front_net_receive(n, back, 100, NULL) == 0);
    CHECK("its second piece is too long", back[100] == 0x77);
    for (unsigned i = 0; i < 300; i++) /* and buffers do not run out */
        put_frame(mine, 1), front_net_receive(n, back, 100, NULL);
    CHECK("buffers come back", put_frame(mine, 100));
    CHECK("buffers come back", front_net_receive(n, back, 100, NULL) == 100);
    front_net_close(n);
    fake_nothing_left("dropped");
}

static void test_lies(void)
{
    enum { NUMBER, EXTRA, AHEAD, UNFINISHED, LONG_CHAIN, LIES };
    static const char *const names[] = {"another number", "an extra nobody asked for",
                                        "an index far ahead", "a frame without an end",
                                        "nineteen pieces"};

    for (int lie = 0; lie < LIES; lie++) {
        struct front_net *n = opened(names[lie]);

        for (unsigned i = 0; i < (lie == LONG_CHAIN ? 19 : 1); i++)
            put_slot(mine, 60, 0,
                     lie == EXTRA                             ? NETRXF_extra_info
                     : lie == UNFINISHED || lie == LONG_CHAIN ? NETRXF_more_data
                                                              : 0,
                     lie == NUMBER);
        if (lie == AHEAD)
            rx.rsp_prod_pvt += 1000;
        RING_PUSH_RESPONSES(&rx);
        CHECK(names[lie], front_net_receive(n, back, FRAME_MAX, NULL) == -XEN_EIO);
        CHECK(names[lie], front_net_receive(n, back, FRAME_MAX, NULL) == -XEN_EIO);
        CHECK(names[lie], front_net_send(n, mine, 60, 0) == -XEN_EIO);
        CHECK(names[lie], front_net_wait(n, ~0UL) == -XEN_EIO);
        front_net_close(n);
        fake_nothing_left(names[lie]);
    }
}

static void test_tx_lies(void)
{
    struct front_net *n = opened("answers for what was not sent");

    answer_tx(3, NETIF_RSP_OKAY);
    RING_PUSH_RESPONSES(&tx);
    CHECK("answers for what was not sent", front_net_send(n, mine, 60, 0) == -XEN_EIO);
    front_net_close(n);

    n = opened("answered twice");
    deaf = true;
    front_net_send(n, mine, 60, 0);
    front_net_send(n, mine, 60, 0);
    answer_tx(0, NETIF_RSP_OKAY);
    answer_tx(0, NETIF_RSP_OKAY);
    RING_PUSH_RESPONSES(&tx);
    CHECK("answered twice", front_net_send(n, mine, 60, 0) == -XEN_EIO);
    front_net_close(n);

    n = opened("a number that is none");
    deaf = true;
    front_net_send(n, mine, 60, 0);
    answer_tx(64, NETIF_RSP_OKAY);
    RING_PUSH_RESPONSES(&tx);
    CHECK("a number that is none", front_net_send(n, mine, 60, 0) == -XEN_EIO);
    front_net_close(n);

    n = opened("refused");
    deaf = true;
    front_net_send(n, mine, 60, 0);
    answer_tx(0, NETIF_RSP_ERROR);
    RING_PUSH_RESPONSES(&tx);
    CHECK("refused", front_net_send(n, mine, 60, 0) == 0);
    CHECK("refused", front_net_stats(n).tx_refused == 1);
    front_net_close(n);
    fake_nothing_left("refused");
}

static void test_holds(void)
{
    struct front_net *n = opened("holds pages");

    grants[fake_node_u(FRONT "/tx-ring-ref")].mapped = true;
    grants[fake_node_u(FRONT "/tx-ring-ref") + 9].mapped = true;
    front_net_close(n);
    CHECK("holds pages", fake_pages_used() == 2 && fake_grants_active() == 2 && ports_open == 0);
}

static void test_steps(void)
{
    struct front_net *n = NULL;
    char what[32];

    set_up();
    for (unsigned at = 1; at < 300; at++) {
        int rc;

        snprintf(what, sizeof(what), "fails at step %u", at);
        step = 0;
        fail_at = at;
        rc = front_net_open(0, &n);
        if (rc)
            fake_nothing_left(what);
        else
            CHECK(what, at > 250); /* only features may be missing, and not before the pages */
        fail_at = 0;
        CHECK(what, rc == 0 || front_net_open(0, &n) == 0);
        CHECK(what, front_net_send(n, mine, 100, 0) == 0 && sent_len == 100);
        CHECK(what, front_net_close(n) == 0);
        fake_nothing_left(what);
    }
}

static void test_addresses(void)
{
    static const char *const bad[] = {"00:16:3e:0a:bc",      "00:16:3e:0a:bc:7",
                                      "00:16:3e:0a:bc:7f:1", "0016:3e:0a:bc:7f",
                                      "00:16:3e:0a:bc:g0",   ""};
    struct front_net *n;

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        set_up();
        strcpy(fake_node(FRONT "/mac", true), bad[i]);
        CHECK(bad[i], front_net_open(0, &n) < 0);
        fake_nothing_left(bad[i]);
    }
}

int main(void)
{
    test_out();
    test_full();
    test_in();
    test_dropped();
    test_lies();
    test_tx_lies();
    test_holds();
    test_steps();
    test_addresses();
    printf("netfront: %u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
