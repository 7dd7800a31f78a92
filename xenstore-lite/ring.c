/* SPDX-License-Identifier: MIT */
/*
 * Domain rings.
 *
 * Owns: struct ring, the table of local ports, the queue of rings that deserve another turn.
 * Invariants: what a turn did shows in the page's indices only once the turn is committed
 *   (ring_publish), so the guest never sees what a store that is killed does not remember; the page
 *   is shared with a guest that may lie: each index is read once per decision
 *   into a local, checked, and our own two indices are kept privately and only ever written to the
 *   page; bytes are copied to private memory before anybody looks at them (R-1, XS-2).  One request
 *   at a time is taken, and none while output is pending, so a guest that does not read stops being
 *   served.
 * Locks: none, one thread.
 * Leaves to others: who is served when (turn.c), meaning (ops.c), hypervisor calls (hv.h).
 */
#include "ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "conn.h"
#include "hv.h"
#include "log.h"

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

struct ring {
    struct conn conn; /* first, so that one pointer serves for both */
    struct hv_ring_page map;
    bool own_page; /* map came from hv and goes back there */
    bool bound;
    uint32_t port;
    uint32_t req_cons, rsp_prod; /* ours; the page only gets copies */
    bool bad;                    /* broke the protocol: ignored until it reconnects or dies */
    bool notify;                 /* something changed that the guest must hear */
    bool reconnected;            /* the page's indices start over when this turn is published */
    uint32_t remote_port;
    bool waiting; /* for the floor */
    bool ready;
    TAILQ_ENTRY(ring) in_ready;
    size_t in_len;
    char in[WIRE_MESSAGE_MAX];
};

static TAILQ_HEAD(, ring) ready_rings = TAILQ_HEAD_INITIALIZER(ready_rings);
static uint32_t ready_count;
static struct ring **by_port;
static uint32_t port_count;

static struct ring *ring_of(struct conn *conn)
{
    return (struct ring *)(void *)conn;
}

/* The guest may write these bytes while we copy: each is loaded exactly once. */
static void copy_from_page(char *to, const char *from, size_t len)
{
    const volatile char *shared = from;

    for (size_t i = 0; i < len; i++)
        to[i] = shared[i];
}

static void fail(struct ring *r, uint32_t error, const char *why)
{
    log_client("domain %u: %s, ring ignored until it reconnects", r->conn.domain->domid, why);
    r->bad = true;
    r->notify = true;
    WRITE_ONCE(r->map.page->error, error);
    conn_mark_dirty(&r->conn);
}

/* Takes up to want bytes out of the request ring; returns how many there were. */
static size_t take(struct ring *r, char *to, size_t want)
{
    struct xenstore_domain_interface *page = r->map.page;
    uint32_t available = READ_ONCE(page->req_prod) - r->req_cons;
    size_t done = 0;

    if (available > XENSTORE_RING_SIZE) {
        fail(r, XENSTORE_ERROR_RINGIDX, "request index out of range");
        return 0;
    }
    atomic_thread_fence(memory_order_acquire);
    if (want > available)
        want = available;
    while (done < want) {
        uint32_t at = MASK_XENSTORE_IDX(r->req_cons);
        size_t part = XENSTORE_RING_SIZE - at;

        if (part > want - done)
            part = want - done;
        copy_from_page(to + done, page->req + at, part);
        done += part;
        r->req_cons += (uint32_t)part;
    }
    if (done) {
        r->notify = true;
        conn_mark_dirty(&r->conn);
    }
    return done;
}

/* Copies what fits of the output into the response ring, where it does not count yet. */
static void push(struct ring *r)
{
    struct xenstore_domain_interface *page = r->map.page;
    uint32_t used = r->rsp_prod - READ_ONCE(page->rsp_cons);
    size_t room = XENSTORE_RING_SIZE - used, done = 0, pending = conn_pending(&r->conn);
    const char *from;

    if (!pending || r->bad)
        return;
    from = r->conn.out.data + r->conn.out.head;
    if (used > XENSTORE_RING_SIZE) {
        fail(r, XENSTORE_ERROR_RINGIDX, "response index out of range");
        return;
    }
    atomic_thread_fence(memory_order_acquire);
    if (room > pending)
        room = pending;
    while (done < room) {
        uint32_t at = MASK_XENSTORE_IDX(r->rsp_prod);
        size_t part = XENSTORE_RING_SIZE - at;

        if (part > room - done)
            part = room - done;
        memcpy(page->rsp + at, from + done, part);
        done += part;
        r->rsp_prod += (uint32_t)part;
    }
    if (!done)
        return;
    r->notify = true;
    conn_sent(&r->conn, done);
    conn_mark_dirty(&r->conn);
}

static void ring_stage(struct conn *conn)
{
    push(ring_of(conn));
}

static void start_page_over(struct xenstore_domain_interface *page)
{
    WRITE_ONCE(page->req_cons, 0);
    WRITE_ONCE(page->req_prod, 0);
    WRITE_ONCE(page->rsp_cons, 0);
    WRITE_ONCE(page->rsp_prod, 0);
    WRITE_ONCE(page->error, XENSTORE_ERROR_NONE);
    atomic_thread_fence(memory_order_release);
    WRITE_ONCE(page->connection, XENSTORE_CONNECTED);
}

static void make_ready(struct ring *r)
{
    if (r->ready)
        return;
    r->ready = true;
    ready_count++;
    TAILQ_INSERT_TAIL(&ready_rings, r, in_ready);
}

static void drop_ready(struct ring *r)
{
    if (!r->ready)
        return;
    r->ready = false;
    ready_count--;
    TAILQ_REMOVE(&ready_rings, r, in_ready);
}

/*
 * A guest signals a request only if it saw the ring empty, and what it took only if it saw the ring
 * full. Until our indices were published it saw neither: whatever it did meanwhile is ours to find.
 */
static bool went_on_unheard(const struct ring *r)
{
    const struct xenstore_domain_interface *page = r->map.page;

    atomic_thread_fence(memory_order_seq_cst);
    if (r->bad || r->waiting)
        return false;
    if (conn_pending(&r->conn))
        return r->rsp_prod - READ_ONCE(page->rsp_cons) < XENSTORE_RING_SIZE;
    return READ_ONCE(page->req_prod) != r->req_cons;
}

static void ring_publish(struct conn *conn)
{
    struct ring *r = ring_of(conn);

    if (r->reconnected) {
        start_page_over(r->map.page);
        r->reconnected = false;
    } else {
        atomic_thread_fence(memory_order_release);
        WRITE_ONCE(r->map.page->req_cons, r->req_cons);
        WRITE_ONCE(r->map.page->rsp_prod, r->rsp_prod);
    }
    if (r->notify && r->bound)
        domains_hv()->notify(r->port);
    r->notify = false;
    if (went_on_unheard(r))
        make_ready(r);
}

static void ring_describe(const struct conn *conn, struct conn_state *state, const char **in)
{
    const struct ring *r = (const struct ring *)(const void *)conn;

    state->req_cons = r->req_cons;
    state->rsp_prod = r->rsp_prod;
    state->remote_port = r->remote_port;
    state->bad = r->bad;
    state->reconnected = r->reconnected;
    state->in_len = (uint32_t)r->in_len;
    *in = r->in;
}

/* The guest starts over (a new kernel after kexec, firmware handing over): so do we. */
static void reconnect(struct ring *r)
{
    client_reset(&r->conn);
    conn_sent(&r->conn, conn_pending(&r->conn));
    r->in_len = 0;
    r->bad = false;
    r->req_cons = r->rsp_prod = 0;
    r->reconnected = true;
    r->notify = true;
    conn_mark_dirty(&r->conn);
}

/* Collects one message in r->in; true when it is whole. */
static bool collect(struct ring *r, struct xsd_sockmsg *header)
{
    if (r->in_len < WIRE_HEADER)
        r->in_len += take(r, r->in + r->in_len, WIRE_HEADER - r->in_len);
    if (r->in_len < WIRE_HEADER || r->bad)
        return false;
    memcpy(header, r->in, sizeof(*header));
    if (header->len > XENSTORE_PAYLOAD_MAX) {
        fail(r, XENSTORE_ERROR_PROTO, "message too long");
        return false;
    }
    /* take() wraps at the ring's size; a long message comes in several turns */
    r->in_len += take(r, r->in + r->in_len, WIRE_HEADER + header->len - r->in_len);
    return !r->bad && r->in_len == WIRE_HEADER + header->len;
}

bool ring_begin_turn(struct conn *conn)
{
    struct ring *r = ring_of(conn);

    if (!r->reconnected && READ_ONCE(r->map.page->connection) == XENSTORE_RECONNECT)
        reconnect(r);
    if (r->reconnected)
        return false; /* what the page says counts from the end of this turn on */
    r->waiting = false;
    return true;
}

const char *ring_request(struct conn *conn, struct xsd_sockmsg *header)
{
    struct ring *r = ring_of(conn);

    if (r->bad || conn->dead)
        return NULL;
    push(r);
    return conn_pending(conn) || !collect(r, header) ? NULL : r->in + WIRE_HEADER;
}

void ring_take_request(struct conn *conn)
{
    ring_of(conn)->in_len = 0;
}

void ring_wait_for_floor(struct conn *conn)
{
    ring_of(conn)->waiting = true;
}

void ring_wait_for_turn(struct conn *conn)
{
    make_ready(ring_of(conn));
}

struct conn *ring_of_port(uint32_t port)
{
    return port < port_count && by_port[port] ? &by_port[port]->conn : NULL;
}

uint32_t ring_count_ready(void)
{
    return ready_count;
}

struct conn *ring_next_ready(void)
{
    struct ring *r = TAILQ_FIRST(&ready_rings);

    if (!r)
        return NULL;
    drop_ready(r);
    return &r->conn;
}

void ring_wake_waiting(void)
{
    for (struct domain *d = domains_first(); d; d = d->next_known)
        if (d->conn && ring_of(d->conn)->waiting)
            make_ready(ring_of(d->conn));
}

static int register_port(struct ring *r, uint32_t port)
{
    if (port >= port_count) {
        uint32_t count = port + 64;
        struct ring **table = reallocarray(by_port, count, sizeof(*table));

        if (!table)
            return -ENOMEM;
        memset(table + port_count, 0, (count - port_count) * sizeof(*table));
        by_port = table;
        port_count = count;
    }
    by_port[port] = r;
    r->port = port;
    r->bound = true;
    return 0;
}

static void unbind(struct ring *r)
{
    if (!r->bound)
        return;
    by_port[r->port] = NULL;
    domains_hv()->unbind(r->port);
    r->bound = false;
}

static int bind_port(struct ring *r, uint32_t remote_port)
{
    int port = domains_hv()->bind(r->conn.domain->domid, remote_port);
    int rc;

    if (port < 0)
        return port;
    r->remote_port = remote_port;
    rc = register_port(r, (uint32_t)port);
    if (rc)
        domains_hv()->unbind((uint32_t)port);
    return rc;
}

static void ring_destroy(struct conn *conn)
{
    struct ring *r = ring_of(conn);

    unbind(r);
    drop_ready(r);
    if (r->own_page && r->map.page)
        domains_hv()->unmap_ring(&r->map);
    if (conn->domain->conn == conn)
        conn->domain->conn = NULL;
    free(r);
}

static const struct transport ring_transport = {ring_describe, ring_stage, ring_publish,
                                                ring_destroy};

/* Says what we can do and takes over the indices that a previous store left. */
static void connect_page(struct ring *r)
{
    struct xenstore_domain_interface *page = r->map.page;

    r->req_cons = READ_ONCE(page->req_cons);
    r->rsp_prod = READ_ONCE(page->rsp_prod);
    WRITE_ONCE(page->server_features,
               XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
    WRITE_ONCE(page->error, XENSTORE_ERROR_NONE);
    WRITE_ONCE(page->connection, XENSTORE_CONNECTED);
}

static struct ring *ring_new(struct domain *d)
{
    struct ring *r = calloc(1, sizeof(*r));

    if (r)
        conn_init(&r->conn, &ring_transport, d, d->domid == 0);
    return r;
}

/* Common end: bind, publish, and tell a kernel that waits for a first sign of life. */
static int finish_open(struct ring *r, uint32_t remote_port)
{
    int rc;

    r->own_page = true;
    rc = bind_port(r, remote_port);
    if (rc) {
        client_destroy(&r->conn);
        return rc;
    }
    connect_page(r);
    r->conn.domain->conn = &r->conn;
    r->notify = true;
    conn_note(&r->conn); /* before all that it asks for */
    conn_mark_dirty(&r->conn);
    make_ready(r); /* requests may be waiting already */
    return 0;
}

int ring_open(struct domain *d, uint32_t remote_port)
{
    struct ring *r = ring_new(d);
    int rc;

    if (!r)
        return -ENOMEM;
    rc = domains_hv()->map_ring(d->domid, &r->map);
    if (rc) {
        client_destroy(&r->conn);
        return rc;
    }
    return finish_open(r, remote_port);
}

int ring_open_self(struct domain *d)
{
    struct ring *r = ring_new(d);
    uint32_t remote_port;
    int rc;

    if (!r)
        return -ENOMEM;
    rc = domains_hv()->own_ring(&r->map, &remote_port);
    if (rc) {
        client_destroy(&r->conn);
        return rc;
    }
    return finish_open(r, remote_port);
}

int ring_rebind(struct conn *conn, uint32_t remote_port)
{
    struct ring *r = ring_of(conn);

    unbind(r);
    if (bind_port(r, remote_port))
        return -EINVAL;
    r->notify = true;
    conn_mark_dirty(conn);
    make_ready(r);
    return 0;
}

int ring_restore(struct domain *d, const struct conn_state *state, const char *in)
{
    struct ring *r = d->conn ? ring_of(d->conn) : ring_new(d);

    if (!r)
        return -ENOMEM;
    if (state->in_len > sizeof(r->in))
        return -EINVAL;
    r->own_page = true;
    r->req_cons = state->req_cons;
    r->rsp_prod = state->rsp_prod;
    r->remote_port = state->remote_port;
    r->bad = state->bad;
    r->reconnected = state->reconnected;
    r->in_len = state->in_len;
    memcpy(r->in, in, r->in_len);
    d->conn = &r->conn;
    return 0;
}

static int map_again(struct ring *r)
{
    if (r->conn.domain->domid != 0)
        return domains_hv()->map_ring(r->conn.domain->domid, &r->map);
    return domains_hv()->own_ring(&r->map, &r->remote_port);
}

/* The guest has seen all, some or nothing of the last turn that was committed. */
int ring_resume(struct conn *conn)
{
    struct ring *r = ring_of(conn);
    int rc = map_again(r);

    if (rc) {
        r->map.page = NULL;
        return rc;
    }
    if (r->reconnected && READ_ONCE(r->map.page->connection) != XENSTORE_RECONNECT)
        r->reconnected = false;
    if (r->bad && READ_ONCE(r->map.page->error) == XENSTORE_ERROR_NONE)
        WRITE_ONCE(r->map.page->error, XENSTORE_ERROR_PROTO);
    rc = bind_port(r, r->remote_port);
    if (rc)
        return rc;
    r->notify = true;
    conn_mark_dirty(conn);
    make_ready(r);
    return 0;
}

void ring_blame(struct conn *conn)
{
    ring_of(conn)->bad = true; /* ring_resume() tells the guest */
}

struct conn *ring_attach_page(struct domain *d, void *page)
{
    struct ring *r = ring_new(d);

    if (!r)
        return NULL;
    r->map.page = page;
    connect_page(r);
    d->conn = &r->conn;
    return &r->conn;
}
