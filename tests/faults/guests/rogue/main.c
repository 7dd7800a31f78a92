/* SPDX-License-Identifier: MIT */
/*
 * The badly behaved guest. The first word of its command line names what it does; each mode is one
 * way to go wrong that a guest has in its own hands. It says "rogue: MODE" on its console before it
 * starts, and "rogue: answers: ..." where the other end had to answer something. It never ends in
 * an orderly way: it crashes, or goes on until it is destroyed.
 *
 * Run by tests/system/scenarios/faults; what has to hold is written there. On its own this guest
 * proves nothing.
 */
#include "rogue.h"

#include <tenue-front/port.h>

#include <xen/errno.h>
#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

#define XVDA 51712
#define SECOND 1000000000UL
#define REFUSED_NS (20 * SECOND)

static u8 *data;

/* ---- ends that nobody handles ---- */

static void no_handler(void)
{
    hc_set_trap_table(0);
    __asm__ volatile("ud2");
}

/* The nearest thing to a triple fault: an exception, and no stack that could take its frame. */
static void no_stack(void)
{
    char *stack = front_page_alloc();

    front_page_ro(stack);
    __asm__ volatile("lea 4096(%0), %%rsp\n"
                     "ud2\n"
                     :
                     : "r"(stack)
                     : "memory");
}

/* The root table that the processor runs on is emptied under it, own code and stack included. */
static void no_tables(void)
{
    u64 root = front_root_mfn();

    front_mmuext1(MMUEXT_UNPIN_TABLE, root);
    for (u64 i = 0; i < 512; i++)
        front_set_pte((root << FRONT_PAGE_SHIFT) + i * 8, 0, MMU_NORMAL_PT_UPDATE);
    front_mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0);
    no_handler();
}

static void spin(void)
{
    front_irq_disable();
    for (;;)
        __asm__ volatile("");
}

static void flood(void)
{
    static const char line[] = "rogue: and again, and again, and again, and again, and again\n";

    for (;;)
        front_console_write(line, sizeof(line) - 1);
}

/* ---- the two rings that the builder made ---- */

static void junk_console(void)
{
    struct xencons_interface *ring = front_port_map(front_si->console.domU.mfn);

    front_console_drain();
    for (u32 i = 0;; i++) {
        WRITE_ONCE(ring->out_prod, 0x80000000u + i * 77777);
        WRITE_ONCE(ring->out_cons, i * 3);
        WRITE_ONCE(ring->in_prod, ~i);
        WRITE_ONCE(ring->in_cons, i * 5);
        front_evtchn_send(front_si->console.domU.evtchn);
        hc_sched_op(SCHEDOP_yield, 0);
    }
}

static void junk_store(void)
{
    struct xenstore_domain_interface *ring = front_port_map(front_si->store_mfn);
    struct xsd_sockmsg head = {.type = 200, .len = 0xffffffff};

    for (u32 i = 0;; i++) {
        memcpy(ring->req, &head, sizeof(head));
        WRITE_ONCE(ring->req_prod, ring->req_cons + (i % 2 ? 0x7fffffffu : sizeof(head)));
        WRITE_ONCE(ring->rsp_cons, i * 77777);
        front_evtchn_send(front_si->store_evtchn);
        hc_sched_op(SCHEDOP_yield, 0);
    }
}

/* ---- devices ---- */

/* One device, as its two directories in the store name it. */
static char node[64], backend[128];

static int device_find(const char *kind, unsigned number)
{
    char path[96];
    int rc = front_xs_init();

    if (!rc)
        rc = front_grant_init();
    front_snprintf(node, sizeof(node), "device/%s/%u", kind, number);
    front_snprintf(path, sizeof(path), "%s/backend", node);
    return rc ? rc : front_xs_read(path, backend, sizeof(backend));
}

static int backend_state(u64 state, u64 limit)
{
    char path[160];

    front_snprintf(path, sizeof(path), "%s/state", backend);
    return front_xs_wait_u64(path, state, state, limit);
}

static int say(const char *leaf, u64 value)
{
    char path[96];

    front_snprintf(path, sizeof(path), "%s/%s", node, leaf);
    return front_xs_printf(path, "%lu", value);
}

/* Everything else has been said: have the backend connect. */
static int device_connect(void)
{
    int rc = say("state", XenbusStateInitialised);

    if (!rc)
        rc = backend_state(XenbusStateConnected, REFUSED_NS);
    return rc ? rc : say("state", XenbusStateConnected);
}

/* The backend should give this device up: wait for it to say so. */
static void report_refusal(void)
{
    int rc = backend_state(XenbusStateClosing, REFUSED_NS);

    if (rc)
        rc = backend_state(XenbusStateClosed, SECOND);
    front_printf("rogue: answers: the backend %s\n", rc ? "did not close" : "closed");
}

/* ---- a disk's ring ---- */

static struct {
    blkif_sring_t *sring;
    blkif_front_ring_t ring;
    int ring_ref;
    evtchn_port_t port;
} disk;

static int disk_connect(void)
{
    int rc = device_find("vbd", XVDA);

    if (!rc)
        rc = backend_state(XenbusStateInitWait, REFUSED_NS);
    if (rc)
        return rc;
    disk.sring = front_port_page_get();
    SHARED_RING_INIT(disk.sring);
    FRONT_RING_INIT(&disk.ring, disk.sring, FRONT_PAGE_SIZE);
    disk.ring_ref = front_grant_access(0, front_port_page_mfn(disk.sring), false);
    disk.port = (evtchn_port_t)front_evtchn_alloc(0);
    front_evtchn_unmask(disk.port);
    rc = say("ring-ref", (u64)disk.ring_ref);
    if (!rc)
        rc = say("event-channel", disk.port);
    return rc ? rc : device_connect();
}

static void disk_open(void)
{
    int rc = disk_connect();

    data = front_port_page_get();
    if (rc)
        front_panic("rogue: no disk: %d", rc);
}

/* One well-formed read, to be spoiled by the caller. */
static blkif_request_t *request_next(void)
{
    static int ref;
    blkif_request_t *req = RING_GET_REQUEST(&disk.ring, disk.ring.req_prod_pvt);

    if (!ref)
        ref = front_grant_access(0, front_port_page_mfn(data), false);
    memset(req, 0, sizeof(*req));
    req->operation = BLKIF_OP_READ;
    req->nr_segments = 1;
    req->handle = XVDA;
    req->id = disk.ring.req_prod_pvt;
    req->sector_number = 8;
    req->seg[0].gref = (grant_ref_t)ref;
    req->seg[0].last_sect = 7;
    disk.ring.req_prod_pvt++;
    return req;
}

static void push(void)
{
    RING_PUSH_REQUESTS(&disk.ring);
    front_evtchn_send(disk.port);
}

/* Status of the next answer; 1 when none came within a few seconds. */
static int answer_next(void)
{
    u64 end = front_port_now() + 5 * SECOND;
    int status;

    while (READ_ONCE(disk.sring->rsp_prod) == disk.ring.rsp_cons) {
        if (front_port_now() > end)
            return 1;
        hc_sched_op(SCHEDOP_yield, 0);
    }
    status = RING_GET_RESPONSE(&disk.ring, disk.ring.rsp_cons)->status;
    disk.ring.rsp_cons++;
    return status;
}

static void junk_index(void)
{
    disk_open();
    WRITE_ONCE(disk.sring->req_prod, 0x40000000);
    front_evtchn_send(disk.port);
    report_refusal();
    for (u32 i = 0;; i += 12345) {
        WRITE_ONCE(disk.sring->req_prod, i);
        WRITE_ONCE(disk.sring->rsp_prod, ~i);
        front_evtchn_send(disk.port);
        hc_sched_op(SCHEDOP_yield, 0);
    }
}

/* Each wrong in one way: every one must be answered with an error, and the good one after them
 * with success. */
static void bad_requests(void)
{
    int wrong = 0, status;

    disk_open();
    request_next()->seg[0].gref = 511;        /* never granted */
    request_next()->seg[0].gref = 0x7fffffff; /* beyond any table */
    request_next()->nr_segments = 255;
    request_next()->nr_segments = 0;
    request_next()->sector_number = ~0UL - 3;
    request_next()->sector_number = 1UL << 40;
    request_next()->operation = 77;
    request_next()->seg[0].last_sect = 8;
    request_next()->seg[0].first_sect = 9;
    request_next()->operation = BLKIF_OP_INDIRECT; /* its fields now mean something else */
    push();
    for (int i = 0; i < 10; i++) {
        status = answer_next();
        if (status != BLKIF_RSP_ERROR && status != BLKIF_RSP_EOPNOTSUPP) {
            front_printf("rogue: answer %d is %d\n", i, status);
            wrong++;
        }
    }
    request_next();
    push();
    status = answer_next();
    front_printf("rogue: answers: %d wrong, then a good request: %d\n", wrong, status);
    no_handler();
}

/* The grant of the ring is taken back and the page itself given to the hypervisor, while the
 * backend has both in use. */
static void take_ring_away(void)
{
    xen_pfn_t pfn;
    struct xen_memory_reservation give = {.nr_extents = 1, .domid = DOMID_SELF};
    long rc;

    disk_open();
    request_next();
    push();
    answer_next();
    WRITE_ONCE(front_grant_entry(disk.ring_ref)->flags, 0);
    pfn = front_port_page_mfn(disk.sring);
    set_xen_guest_handle(give.extent_start, &pfn);
    front_unmap((u64)disk.sring);
    front_page_set(disk.sring, 0);
    rc = hc_memory_op(XENMEM_decrease_reservation, &give);
    front_evtchn_send(disk.port);
    front_printf("rogue: answers: the page was %s\n", rc == 1 ? "given back" : "kept");
    for (;;) {
        front_evtchn_send(disk.port);
        hc_sched_op(SCHEDOP_yield, 0);
    }
}

/* Requests that change between one look of the backend at them and the next. Only reads, so that
 * the disk's contents stay what they were. */
static void flip(void)
{
    static const u8 ops[] = {BLKIF_OP_READ, BLKIF_OP_INDIRECT, 99, BLKIF_OP_FLUSH_DISKCACHE};
    u64 end = front_port_now() + 3 * SECOND;

    disk_open();
    for (u32 i = 0; front_port_now() < end; i++) {
        blkif_request_t *req = &disk.sring->ring[i % 32].req;

        if (disk.ring.req_prod_pvt - READ_ONCE(disk.sring->rsp_prod) < 32) {
            request_next();
            push();
        }
        WRITE_ONCE(req->operation, ops[i / 32 % 4]);
        WRITE_ONCE(req->nr_segments, (u8)(i * 7));
        WRITE_ONCE(req->seg[0].gref, i % 3 ? i : 0x7ffffff);
        WRITE_ONCE(req->seg[0].last_sect, (u8)i);
        WRITE_ONCE(req->sector_number, (u64)i << 33);
    }
    front_printf("rogue: answers: %u requests flipped\n", disk.ring.req_prod_pvt);
    no_handler();
}

/* ---- a network card's rings ---- */

static struct {
    netif_tx_sring_t *sring;
    netif_tx_front_ring_t ring;
    netif_rx_sring_t *rx;
    evtchn_port_t port;
} net;

static int net_connect(void)
{
    int rc = device_find("vif", 0);

    if (!rc)
        rc = backend_state(XenbusStateInitWait, REFUSED_NS);
    if (rc)
        return rc;
    net.sring = front_port_page_get();
    net.rx = front_port_page_get();
    SHARED_RING_INIT(net.sring);
    SHARED_RING_INIT(net.rx);
    FRONT_RING_INIT(&net.ring, net.sring, FRONT_PAGE_SIZE);
    net.port = (evtchn_port_t)front_evtchn_alloc(0);
    front_evtchn_unmask(net.port);
    rc = say("tx-ring-ref", (u64)front_grant_access(0, front_port_page_mfn(net.sring), false));
    if (!rc)
        rc = say("rx-ring-ref", (u64)front_grant_access(0, front_port_page_mfn(net.rx), false));
    if (!rc)
        rc = say("event-channel", net.port);
    if (!rc)
        rc = say("request-rx-copy", 1);
    return rc ? rc : device_connect();
}

static void net_open(void)
{
    int rc = net_connect();

    data = front_port_page_get();
    if (rc)
        front_panic("rogue: no network card: %d", rc);
}

static void junk_net(void)
{
    net_open();
    WRITE_ONCE(net.rx->req_prod, 0x40000000);
    front_evtchn_send(net.port);
    report_refusal();
    for (u32 i = 0;; i += 12345) {
        WRITE_ONCE(net.sring->req_prod, i);
        WRITE_ONCE(net.rx->req_prod, ~i);
        front_evtchn_send(net.port);
        hc_sched_op(SCHEDOP_yield, 0);
    }
}

/* One well-formed frame to everybody, to be spoiled by the caller. */
static netif_tx_request_t *packet_next(void)
{
    static int ref;
    netif_tx_request_t *req = RING_GET_REQUEST(&net.ring, net.ring.req_prod_pvt);

    if (!ref) {
        memset(data, 0xff, 6);
        ref = front_grant_access(0, front_port_page_mfn(data), true);
    }
    memset(req, 0, sizeof(*req));
    req->gref = (grant_ref_t)ref;
    req->size = 60;
    req->id = (u16)net.ring.req_prod_pvt;
    net.ring.req_prod_pvt++;
    return req;
}

/* Sends what packet_next() made and waits for an answer to each; returns the last one's status. */
static int packets_answered(int want, int *wrong)
{
    u64 end = front_port_now() + 5 * SECOND;
    int status = 1;

    RING_PUSH_REQUESTS(&net.ring);
    front_evtchn_send(net.port);
    while (net.ring.rsp_cons != net.ring.req_prod_pvt && front_port_now() < end) {
        if (READ_ONCE(net.sring->rsp_prod) == net.ring.rsp_cons) {
            hc_sched_op(SCHEDOP_yield, 0);
            continue;
        }
        status = RING_GET_RESPONSE(&net.ring, net.ring.rsp_cons)->status;
        net.ring.rsp_cons++;
        *wrong += status != want;
    }
    return net.ring.rsp_cons == net.ring.req_prod_pvt ? status : 1;
}

/* Packets that cannot be sent are answered with an error; the chain that breaks the protocol, after
 * which nobody knows where the next packet starts, ends the device. */
static void bad_packets(void)
{
    int wrong = 0, status;

    net_open();
    packet_next()->gref = 511;        /* never granted */
    packet_next()->gref = 0x7fffffff; /* beyond any table */
    packet_next()->size = 0;
    packet_next()->size = 13; /* not even a header */
    packets_answered(NETIF_RSP_ERROR, &wrong);
    packet_next();
    status = packets_answered(NETIF_RSP_OKAY, &wrong);
    front_printf("rogue: answers: %d wrong, then a good packet: %d\n", wrong, status);
    packet_next()->offset = 4095;
    RING_PUSH_REQUESTS(&net.ring);
    front_evtchn_send(net.port);
    report_refusal();
    no_handler();
}

/* ---- the store ---- */

static void fill_store(void)
{
    char path[32];
    unsigned n = 0;
    int rc = front_xs_init();

    for (; !rc && n < 100000; n++) {
        front_snprintf(path, sizeof(path), "data/%u", n);
        rc = front_xs_write(path, "full of it");
    }
    front_printf("rogue: answers: node %u is refused: %d\n", n, rc);
    no_handler();
}

/* ---- hypercalls at random: random.c ---- */

/* The word behind the mode's name is the seed. */
static void random_seeded(void)
{
    const char *word = (const char *)front_si->cmd_line + strlen("random-calls");
    u64 seed = 0;

    while (*word == ' ')
        word++;
    for (; *word >= '0' && *word <= '9'; word++)
        seed = seed * 10 + (u64)(*word - '0');
    random_calls(seed);
}

/* ---- which one ---- */

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"no-handler", no_handler},
    {"no-stack", no_stack},
    {"no-tables", no_tables},
    {"spin", spin},
    {"flood", flood},
    {"junk-console", junk_console},
    {"junk-store", junk_store},
    {"junk-index", junk_index},
    {"bad-requests", bad_requests},
    {"take-ring-away", take_ring_away},
    {"flip", flip},
    {"junk-net", junk_net},
    {"bad-packets", bad_packets},
    {"fill-store", fill_store},
    {"random-calls", random_seeded},
};

void front_main(void)
{
    const char *words = (const char *)front_si->cmd_line;

    front_irq_enable();
    for (size_t i = 0; i < FRONT_ARRAY_SIZE(modes); i++) {
        size_t len = strlen(modes[i].name);

        if (strncmp(words, modes[i].name, len) || (words[len] && words[len] != ' '))
            continue;
        front_printf("rogue: %s\n", words);
        modes[i].run();
        front_panic("rogue: %s is over", words);
    }
    front_panic("rogue: no such mode: %s", words);
}

/* A panic of this guest is a crash, not an orderly end. */
void front_dying(const char *why)
{
    front_printf("rogue: dying: %s\n", why);
    front_console_drain();
    front_shutdown(SHUTDOWN_crash);
}
