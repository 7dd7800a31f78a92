/* SPDX-License-Identifier: MIT */
/*
 * A network interface over the netif protocol: one queue, frames copied into and out of pages of
 * the driver's own, each granted for as long as the interface is open. The backend sees those and
 * the rings: frames that went to it before, and never a page of the caller's (FE-3).
 *
 * The backend is not trusted. Indices may not run ahead of what was asked; an answer must carry the
 * number of the buffer that was posted in its slot (FE-1); offsets and lengths stay within the
 * page. Indices or numbers that cannot be make the interface broken for good (-XEN_EIO); a frame
 * that cannot be is dropped and counted. A frame is copied out before anybody looks at it, so it
 * cannot change under a reader. A page that the backend still holds is never given back (FE-2). An
 * interface that does not open, or was closed, leaves nothing and can be opened again (FE-5).
 */
#include "device.h"

#include <tenue-front/port.h>
#include <xen/errno.h>

#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>

#define NR_TX 64u
#define NR_RX 64u
#define MAX_SLOTS XEN_NETIF_NR_SLOTS_MIN
#define RING_SLOTS 256u /* of either ring, one page each */

struct buffer {
    void *page;
    int ref;
};

struct front_net {
    struct front_dev dev;
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    void *tx_ring, *rx_ring;
    int tx_ref, rx_ref;
    evtchn_port_t port;
    struct buffer tx_buf[NR_TX], rx_buf[NR_RX];
    bool tx_out[NR_TX];        /* the backend has it */
    u16 tx_free;               /* how many it has not */
    u16 rx_posted[RING_SLOTS]; /* the buffer in each slot */
    struct front_net_stats stats;
    u8 mac[6];
    u16 mtu;
    bool used, sg, broken;
};

static struct front_net nets[4];

static int fail(struct front_net *n)
{
    n->broken = true;
    return -XEN_EIO;
}

/* ---- opening and closing ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_mac(struct front_net *n)
{
    char path[DEV_PATH_MAX + 8], text[24];
    int rc;

    front_snprintf(path, sizeof(path), "%s/mac", n->dev.node);
    rc = front_xs_read(path, text, sizeof(text));
    if (rc)
        return rc;
    for (unsigned i = 0; i < 6; i++) {
        int high = hex(text[i * 3]), low = high < 0 ? -1 : hex(text[i * 3 + 1]);

        if (low < 0 || text[i * 3 + 2] != (i < 5 ? ':' : '\0'))
            return -XEN_EINVAL;
        n->mac[i] = (u8)(high << 4 | low);
    }
    return 0;
}

static int make_buffers(struct front_net *n, struct buffer *buf, unsigned count, bool readonly)
{
    for (unsigned i = 0; i < count; i++) {
        buf[i].page = front_port_page_get();
        if (!buf[i].page)
            return -XEN_ENOMEM;
        buf[i].ref =
            front_grant_access(n->dev.backend_id, front_port_page_mfn(buf[i].page), readonly);
        if (buf[i].ref < 0)
            return buf[i].ref;
    }
    return 0;
}

/* A page whose grant does not end stays with the backend, and out of the pool. */
static void drop_page(void *page, int ref)
{
    if (page && (ref < 0 || !front_grant_end(ref)))
        front_port_page_put(page);
}

static void let_go(struct front_net *n)
{
    if (n->port)
        front_evtchn_close(n->port);
    drop_page(n->tx_ring, n->tx_ref);
    drop_page(n->rx_ring, n->rx_ref);
    for (unsigned i = 0; i < NR_TX; i++)
        drop_page(n->tx_buf[i].page, n->tx_buf[i].ref);
    for (unsigned i = 0; i < NR_RX; i++)
        drop_page(n->rx_buf[i].page, n->rx_buf[i].ref);
    memset(n, 0, sizeof(*n));
}

static int share_page(struct front_net *n, void **page, int *ref)
{
    *page = front_port_page_get();
    if (!*page)
        return -XEN_ENOMEM;
    *ref = front_grant_access(n->dev.backend_id, front_port_page_mfn(*page), false);
    return *ref < 0 ? *ref : 0;
}

static int share(struct front_net *n)
{
    int rc, port;

    n->tx_ref = n->rx_ref = -1;
    rc = share_page(n, &n->tx_ring, &n->tx_ref);
    if (!rc)
        rc = share_page(n, &n->rx_ring, &n->rx_ref);
    if (!rc)
        rc = make_buffers(n, n->tx_buf, NR_TX, true);
    if (!rc)
        rc = make_buffers(n, n->rx_buf, NR_RX, false);
    if (rc)
        return rc;
    SHARED_RING_INIT((netif_tx_sring_t *)n->tx_ring);
    FRONT_RING_INIT(&n->tx, (netif_tx_sring_t *)n->tx_ring, FRONT_PAGE_SIZE);
    SHARED_RING_INIT((netif_rx_sring_t *)n->rx_ring);
    FRONT_RING_INIT(&n->rx, (netif_rx_sring_t *)n->rx_ring, FRONT_PAGE_SIZE);
    n->tx_free = NR_TX;
    port = front_evtchn_alloc(n->dev.backend_id);
    if (port < 0)
        return port;
    n->port = (evtchn_port_t)port;
    front_evtchn_unmask(n->port);
    return 0;
}

static void post(struct front_net *n, unsigned buffer)
{
    RING_IDX at = n->rx.req_prod_pvt++;
    netif_rx_request_t req = {.id = (u16)buffer, .gref = (grant_ref_t)n->rx_buf[buffer].ref};

    n->rx_posted[at % RING_SLOTS] = (u16)buffer;
    memcpy(RING_GET_REQUEST(&n->rx, at), &req, sizeof(req));
}

static void push_posted(struct front_net *n)
{
    int notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&n->rx, notify);
    if (notify)
        front_evtchn_send(n->port);
}

static int tell_backend(struct front_net *n)
{
    static const char *const flags[] = {"request-rx-copy", "feature-rx-notify", "feature-sg"};
    int rc = front_dev_set(&n->dev, "tx-ring-ref", (u64)n->tx_ref);

    if (!rc)
        rc = front_dev_set(&n->dev, "rx-ring-ref", (u64)n->rx_ref);
    if (!rc)
        rc = front_dev_set(&n->dev, "event-channel", n->port);
    for (unsigned i = 0; !rc && i < FRONT_ARRAY_SIZE(flags); i++)
        rc = front_dev_set(&n->dev, flags[i], 1);
    if (!rc)
        rc = front_dev_set(&n->dev, "feature-no-csum-offload", 0);
    return rc ? rc : front_dev_set(&n->dev, "state", XenbusStateConnected);
}

static int connect(struct front_net *n)
{
    u64 mtu = 0;
    int rc = read_mac(n);

    if (!rc)
        rc = front_dev_begin(&n->dev);
    if (!rc)
        rc = share(n);
    if (rc)
        return rc;
    n->sg = front_dev_flag(n->dev.backend, "feature-sg");
    n->mtu = 1500;
    if (front_dev_get(n->dev.node, "mtu", &mtu) == 0 && mtu >= 68 && mtu <= 65517)
        n->mtu = (u16)mtu;
    for (unsigned i = 0; i < NR_RX; i++)
        post(n, i);
    push_posted(n); /* nobody listens yet: the backend looks when it connects */
    rc = tell_backend(n);
    return rc ? rc : front_dev_wait(&n->dev, XenbusStateConnected, XenbusStateConnected);
}

static struct front_net *free_net(void)
{
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(nets); i++) {
        if (!nets[i].used)
            return &nets[i];
    }
    return NULL;
}

int front_net_open(unsigned index, struct front_net **net)
{
    struct front_net *n = free_net();
    int rc;

    if (!n)
        return -XEN_ENOSPC;
    rc = front_dev_find(&n->dev, "vif", index);
    if (rc)
        return rc;
    rc = connect(n);
    if (rc) {
        front_dev_set(&n->dev, "state", XenbusStateClosed); /* what is shared goes next */
        let_go(n);
        return rc;
    }
    n->used = true;
    *net = n;
    return 0;
}

int front_net_close(struct front_net *net)
{
    int rc = front_dev_close(&net->dev);

    let_go(net);
    return rc;
}

const u8 *front_net_mac(const struct front_net *net)
{
    return net->mac;
}

unsigned front_net_mtu(const struct front_net *net)
{
    return net->mtu;
}

struct front_net_stats front_net_stats(const struct front_net *net)
{
    return net->stats;
}

/* ---- sending ---- */

/* Take back the buffers of frames that have been sent. */
static int reap(struct front_net *n)
{
    RING_IDX prod = READ_ONCE(n->tx.sring->rsp_prod);

    front_rmb();
    if (prod - n->tx.rsp_cons > n->tx.req_prod_pvt - n->tx.rsp_cons)
        return fail(n);
    while (n->tx.rsp_cons != prod) {
        netif_tx_response_t got;

        memcpy(&got, RING_GET_RESPONSE(&n->tx, n->tx.rsp_cons), sizeof(got));
        front_barrier();
        if (got.id >= NR_TX || !n->tx_out[got.id])
            return fail(n);
        n->tx_out[got.id] = false;
        n->tx_free++;
        n->tx.rsp_cons++;
        if (got.status != NETIF_RSP_OKAY)
            n->stats.tx_refused++;
    }
    return 0;
}

static unsigned take_tx_buffer(struct front_net *n)
{
    unsigned i = 0;

    while (n->tx_out[i])
        i++;
    n->tx_out[i] = true;
    n->tx_free--;
    return i;
}

/* The first slot says how long the whole frame is, the others how long their pieces are. */
static void put_frame(struct front_net *n, const u8 *frame, unsigned len, u16 flags)
{
    for (unsigned at = 0; at < len;) {
        unsigned i = take_tx_buffer(n);
        unsigned piece = len - at < FRONT_PAGE_SIZE ? len - at : FRONT_PAGE_SIZE;
        netif_tx_request_t req = {.gref = (grant_ref_t)n->tx_buf[i].ref,
                                  .id = (u16)i,
                                  .size = (u16)(at ? piece : len),
                                  .flags = at ? 0 : flags};

        if (at + piece < len)
            req.flags |= NETTXF_more_data;
        memcpy(n->tx_buf[i].page, frame + at, piece);
        memcpy(RING_GET_REQUEST(&n->tx, n->tx.req_prod_pvt++), &req, sizeof(req));
        at += piece;
    }
}

int front_net_send(struct front_net *net, const void *frame, unsigned len, unsigned flags)
{
    unsigned slots = (len + FRONT_PAGE_SIZE - 1) / FRONT_PAGE_SIZE;
    u16 tx_flags = flags & FRONT_NET_CSUM_BLANK ? NETTXF_csum_blank | NETTXF_data_validated : 0;
    int notify, rc;

    if (net->broken)
        return -XEN_EIO;
    if (len < 14 || len > XEN_NETIF_MAX_TX_SIZE || (slots > 1 && !net->sg))
        return -XEN_EINVAL;
    rc = reap(net);
    if (rc)
        return rc;
    if (net->tx_free < slots)
        return -XEN_EAGAIN;
    put_frame(net, frame, len, tx_flags);
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net->tx, notify);
    if (notify)
        front_evtchn_send(net->port);
    net->stats.tx_frames++;
    return 0;
}

/* ---- receiving ---- */

/* One slot: its piece is copied behind what is there. Returns its flags; a frame that cannot be
 * becomes longer than any buffer. */
static int take_slot(struct front_net *n, u8 *buf, size_t size, size_t *len)
{
    RING_IDX at = n->rx.rsp_cons++;
    unsigned i = n->rx_posted[at % RING_SLOTS];
    netif_rx_response_t got;

    memcpy(&got, RING_GET_RESPONSE(&n->rx, at), sizeof(got));
    front_barrier();
    if (got.id != i || (got.flags & NETRXF_extra_info))
        return fail(n); /* extra slots come only to those who asked for them */
    if (got.status < 0 || got.offset > FRONT_PAGE_SIZE ||
        (u16)got.status > FRONT_PAGE_SIZE - got.offset || *len > size ||
        (u16)got.status > size - *len) {
        *len = size + 1;
    } else {
        memcpy(buf + *len, (u8 *)n->rx_buf[i].page + got.offset, (u16)got.status);
        *len += (u16)got.status;
    }
    post(n, i);
    return got.flags;
}

/* The slots of one frame; `left` of them have been answered. Backends push whole frames. */
static int take_frame(struct front_net *n, u8 *buf, size_t size, RING_IDX left, unsigned *flags)
{
    size_t len = 0;
    int got, first = 0;

    for (unsigned slot = 0;; slot++) {
        if (slot == MAX_SLOTS || slot == left)
            return fail(n);
        got = take_slot(n, buf, size, &len);
        if (got < 0)
            return got;
        if (!slot)
            first = got;
        if (!(got & NETRXF_more_data))
            break;
    }
    if (flags)
        *flags = (first & NETRXF_csum_blank ? FRONT_NET_CSUM_BLANK : 0) |
                 (first & NETRXF_data_validated ? FRONT_NET_CSUM_GOOD : 0);
    return len > size || len < 14 ? 0 : (int)len;
}

int front_net_receive(struct front_net *net, void *buf, unsigned size, unsigned *flags)
{
    if (net->broken)
        return -XEN_EIO;
    for (;;) {
        RING_IDX prod = READ_ONCE(net->rx.sring->rsp_prod), left = prod - net->rx.rsp_cons;
        int len;

        front_rmb();
        if (left > net->rx.req_prod_pvt - net->rx.rsp_cons)
            return fail(net);
        if (!left)
            return 0;
        len = take_frame(net, buf, size, left, flags);
        if (len < 0)
            return len;
        push_posted(net);
        if (len) {
            net->stats.rx_frames++;
            return len;
        }
        net->stats.rx_dropped++;
    }
}

int front_net_wait(struct front_net *net, u64 deadline_ns)
{
    int more;

    for (;;) {
        if (net->broken)
            return -XEN_EIO;
        front_irq_disable();
        RING_FINAL_CHECK_FOR_RESPONSES(&net->rx, more);
        if (more || front_port_now() >= deadline_ns) {
            front_irq_enable();
            return more ? 0 : -XEN_ETIMEDOUT;
        }
        front_port_sleep(deadline_ns);
    }
}
