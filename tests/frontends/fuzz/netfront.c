/* SPDX-License-Identifier: MIT */
/*
 * netfront: the SDK's network driver against a backend that the input makes (FE-1 to FE-5): answers
 * to buffers that were not posted, pieces outside their page, frames without end, indices anywhere,
 * also while a call of the driver's runs. What is received fits the reader's buffer; no page that
 * the backend keeps is given back; at the end all else has come back, and the next interface, with
 * an honest backend, works.
 *
 * Sabotage, each found from the seeds: in netfront.c leave out got.id >= NR_TX in reap(); *len >
 * size, or the bound on got.status, in take_slot(); len < 14 in take_frame(); the greatest mtu; let
 * drop_page() forget what front_grant_end() says.
 */
#include "backend.h"

#include <stdlib.h>
#include <xen/errno.h>

#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>

#define FRONT "device/vif/0"
#define BACK "/local/domain/0/backend/vif/1/0"
#define FRAME_MAX 65536u

static struct front_net *net;
static netif_tx_back_ring_t tx;
static netif_rx_back_ring_t rx;
static bool honest, connected;

/* ---- the backend ---- */

static void answer_tx(bool wrong)
{
    netif_tx_request_t req;
    netif_tx_response_t rsp;

    memcpy(&req, RING_GET_REQUEST(&tx, tx.req_cons++), sizeof(req));
    rsp = (netif_tx_response_t){.id = req.id, .status = NETIF_RSP_OKAY};
    if (wrong) {
        rsp.id = (u16)(rsp.id + take8() % 80);
        rsp.status = (s16)(take8() - 2);
    }
    memcpy(RING_GET_RESPONSE(&tx, tx.rsp_prod_pvt++), &rsp, sizeof(rsp));
    RING_PUSH_RESPONSES(&tx);
}

static void answer_rx(bool wrong)
{
    netif_rx_request_t req;
    netif_rx_response_t rsp;

    memcpy(&req, RING_GET_REQUEST(&rx, rx.req_cons++), sizeof(req));
    rsp =
        (netif_rx_response_t){.id = req.id, .status = (s16)(14 + (honest ? 46 : take16() % 4082))};
    if (!honest)
        rsp.flags = take8() & 7;
    if (wrong) {
        u8 what = take8();

        rsp.id = (u16)(rsp.id + (what & 1 ? take8() : 0));
        rsp.offset = what & 2 ? take16() : 0;
        rsp.flags = what & 4 ? take16() : rsp.flags;
        rsp.status = what & 8 ? (s16)take16() : what & 16 ? (s16)(take8() % 20) : rsp.status;
    }
    memcpy(RING_GET_RESPONSE(&rx, rx.rsp_prod_pvt++), &rsp, sizeof(rsp));
    RING_PUSH_RESPONSES(&rx);
}

static void lie_in_rings(u8 what)
{
    if (what & 8)
        poke((u8 *)(what & 16 ? (void *)tx.sring : (void *)rx.sring), FRONT_PAGE_SIZE);
    else if (what & 16)
        tx.sring->rsp_prod = what & 32 ? take32() : tx.sring->rsp_prod + take8();
    else
        rx.sring->rsp_prod = what & 32 ? take32() : rx.sring->rsp_prod + take8();
}

static void act(void)
{
    static const char *const nodes[] = {BACK "/state", BACK "/feature-sg", FRONT "/mac",
                                        FRONT "/mtu", FRONT "/backend-id"};
    u8 what = take8();

    if (!connected || what % 8 > 5)
        backend_mischief(nodes, FRONT_ARRAY_SIZE(nodes));
    else if (what % 8 == 5)
        lie_in_rings(what);
    else if (what % 8 < 2)
        answer_tx(what & 8);
    else
        answer_rx(what % 8 == 4);
}

void backend_turn(void)
{
    bool was = reader_pause();

    while (honest && connected && tx.req_cons != tx.sring->req_prod)
        answer_tx(false);
    if (connected)
        tx.sring->req_event = tx.req_cons + 1;
    for (unsigned n = honest ? 0 : take8() & 3; n; n--)
        act();
    reader_resume(was);
}

void backend_sees(unsigned state)
{
    bool was = reader_pause();
    char *back = fake_node(BACK "/state", true);

    connected = state == XenbusStateConnected;
    if (connected) {
        BACK_RING_INIT(&tx, (netif_tx_sring_t *)fake_shared(FRONT "/tx-ring-ref"), FRONT_PAGE_SIZE);
        BACK_RING_INIT(&rx, (netif_rx_sring_t *)fake_shared(FRONT "/rx-ring-ref"), FRONT_PAGE_SIZE);
    }
    if (!honest && take8() > 240)
        strcpy(back, odd_text());
    else
        strcpy(back, state == XenbusStateInitialising ? "2" : connected ? "4" : "6");
    reader_resume(was);
}

/* ---- the guest ---- */

static void open_interface(void)
{
    int rc;

    reader_enter();
    rc = front_net_open(0, &net);
    reader_leave();
    if (rc) {
        net = NULL;
        connected = false;
        nothing_left_but_kept();
        return;
    }
    demand(front_net_mtu(net) >= 68 && front_net_mtu(net) <= 65517, "an mtu that can be");
}

static void close_interface(void)
{
    reader_enter();
    front_net_close(net);
    reader_leave();
    net = NULL;
    connected = false;
    nothing_left_but_kept();
}

static int send(unsigned len, u8 fill)
{
    u8 *frame = malloc(len + 1);
    int rc;

    demand(frame, "memory");
    memset(frame, fill % SECRET, len);
    reader_enter();
    rc = front_net_send(net, frame, len, fill & FRONT_NET_CSUM_BLANK);
    reader_leave();
    free(frame);
    if (take8() & 1)
        backend_looks();
    return rc;
}

static int receive(unsigned size)
{
    struct front_net_stats before = front_net_stats(net), after;
    u8 *buf = malloc(size ? size : 1); /* so that a byte beyond is seen */
    unsigned flags = 0;
    int len;

    demand(buf, "memory");
    reader_enter();
    len = front_net_receive(net, buf, size, &flags);
    reader_leave();
    free(buf);
    after = front_net_stats(net);
    demand(len <= (int)size && (len <= 0 || len >= 14), "a frame that fits");
    demand(after.rx_frames == before.rx_frames + (len > 0), "frames are counted");
    return len;
}

static void step_guest(void)
{
    u8 what = take8();

    if (!net) {
        open_interface();
        return;
    }
    switch (what % 8) {
    case 0:
        send(what & 8 ? take16() : take16() % 2000, what);
        break;
    case 1:
    case 2:
        receive(what & 8 ? FRAME_MAX : take16() % 9000);
        break;
    case 3:
        reader_enter();
        front_net_wait(net, front_port_now() + 1000);
        reader_leave();
        break;
    case 4:
        if (what > 200)
            close_interface();
        break;
    default:
        act();
        break;
    }
}

/* Before the input's backend, and after it: one that does as it should. */
static void set_up(void)
{
    fake_reset(FRONT, BACK);
    strcpy(fake_node(FRONT "/mac", true), "00:16:3e:0a:bc:7f");
    strcpy(fake_node(BACK "/feature-sg", true), "1");
}

static void afterwards(void)
{
    honest = true;
    backend_begin();
    set_up();
    lies(0, LIES, backend_writes);
    open_interface();
    demand(net, "the next interface opens");
    for (unsigned i = 0; i < 5; i++) {
        demand(!send(100, 0), "and sends");
        answer_rx(false);
        demand(receive(100) == 60, "and receives");
    }
    close_interface();
    demand(!fake_grants_active() && !fake_pages_used(), "and leaves nothing");
    honest = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u8 mode;

    input_is(data, size);
    backend_begin();
    set_up();
    mode = take8();
    if (mode & 1)
        strcpy(fake_node(FRONT "/mtu", true), "9000");
    if (mode & 8)
        fail_at = take16() % 400;
    lies(mode & 16 ? take32() | 1 : 0, LIES, backend_writes);
    while (input_left())
        step_guest();
    if (net)
        close_interface();
    afterwards();
    return 0;
}
