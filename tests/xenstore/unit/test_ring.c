/* SPDX-License-Identifier: MIT */
/*
 * The ring as a hostile guest sees it (XS-1, XS-2, XS-12): any split, wrap-around, wrong indices,
 * oversized messages, never reading, reconnecting.
 *
 * Sabotage: in take() drop the check of available; in collect() drop the check of the length; in
 * ring_request() go on while output is pending; in ring_publish() look at nothing again; let
 * turn_serve_ready() ask for the next ring before it serves one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "ring.h"

static struct xenstore_domain_interface *page;
static struct conn *conn;
static uint32_t guest_req_prod, guest_rsp_cons;

static void prepare(void)
{
    struct client *dom0;

    harness_reset();
    dom0 = client_new(0);
    free(page);
    page = aligned_alloc(4096, 4096);
    memset(page, 0, 4096);
    guest_req_prod = guest_rsp_cons = 0;
    life_introduce(1, 1, 1);
    do_mkdir(dom0, 0, "/local/domain/1");
    do_perms(dom0, 0, "/local/domain/1|n1");
    conn = ring_attach_page(domain_of(1), page);
}

static size_t put(const void *bytes, size_t len)
{
    size_t room = XENSTORE_RING_SIZE - (guest_req_prod - page->req_cons);

    if (len > room)
        len = room;
    for (size_t i = 0; i < len; i++)
        page->req[MASK_XENSTORE_IDX(guest_req_prod + i)] = ((const char *)bytes)[i];
    guest_req_prod += (uint32_t)len;
    page->req_prod = guest_req_prod;
    return len;
}

static size_t get(char *bytes, size_t max)
{
    size_t len = page->rsp_prod - guest_rsp_cons;

    CU_ASSERT(len <= XENSTORE_RING_SIZE);
    if (len > max)
        len = max;
    for (size_t i = 0; i < len; i++)
        bytes[i] = page->rsp[MASK_XENSTORE_IDX(guest_rsp_cons + i)];
    guest_rsp_cons += (uint32_t)len;
    page->rsp_cons = guest_rsp_cons;
    return len;
}

static void turn(void)
{
    turn_serve_ring(conn);
    turn_serve_ready();
    turn_end();
}

/* Sends in portions of the given size and reads all that comes; returns bytes of output. */
static size_t exchange(const char *out, size_t len, size_t portion, char *in, size_t max)
{
    size_t have = 0;

    for (int idle = 0; idle < 4;) {
        size_t n = put(out, len < portion ? len : portion);
        size_t m;

        out += n;
        len -= n;
        turn();
        m = get(in + have, max - have);
        have += m;
        idle = n || m ? 0 : idle + 1;
    }
    return have;
}

static size_t message(char *to, uint32_t type, uint32_t id, const void *data, uint32_t len)
{
    struct xsd_sockmsg header = {.type = type, .req_id = id, .len = len};

    memcpy(to, &header, sizeof(header));
    memcpy(to + sizeof(header), data, len);
    return sizeof(header) + len;
}

static void test_every_split(void)
{
    char out[512], in[512];
    struct xsd_sockmsg header;

    for (size_t portion = 1; portion < 80; portion++) {
        size_t len = 0;

        prepare();
        len += message(out + len, XS_WRITE, 1, "data\0value", 10);
        len += message(out + len, XS_READ, 2, "data", 5);
        CU_ASSERT_EQUAL_FATAL(exchange(out, len, portion, in, sizeof(in)), 16 + 3 + 16 + 5);
        memcpy(&header, in + 19, sizeof(header));
        CU_ASSERT_EQUAL(header.req_id, 2);
        CU_ASSERT_EQUAL(memcmp(in + 35, "value", 5), 0);
    }
}

/* Messages larger than the ring both ways, at every position of the ring. */
static void test_wrap(void)
{
    static char out[8192], in[8192], value[2048];

    prepare();
    memset(value, 'v', sizeof(value));
    memcpy(value, "data", 5);
    for (int i = 0; i < 200; i++) {
        size_t len = message(out, XS_WRITE, 1, value, 1500 + (uint32_t)i);

        len += message(out + len, XS_READ, 2, "data", 5);
        CU_ASSERT_EQUAL(exchange(out, len, 1024, in, sizeof(in)),
                        16 + 3 + 16 + 1500 + (size_t)i - 5);
    }
}

static void test_bad_indices(void)
{
    static const uint32_t ahead[] = {1025, 2048, 0x7fffffff, 0x80000000, 0xffffffff};

    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        prepare();
        page->req_prod = ahead[i];
        turn();
        CU_ASSERT_EQUAL(page->error, XENSTORE_ERROR_RINGIDX);
        CU_ASSERT_EQUAL(page->req_cons, 0);
        CU_ASSERT_FALSE(conn->dead); /* kept until the domain is gone */
        /* ignored from now on, even when the indices look right again */
        page->req_prod = 0;
        guest_req_prod = 0;
        put("\2\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0/", 18);
        turn();
        CU_ASSERT_EQUAL(page->rsp_prod, 0);
    }
    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        prepare();
        page->rsp_cons = 0u - ahead[i];
        put("\2\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0/", 18);
        turn();
        CU_ASSERT_EQUAL(page->error, XENSTORE_ERROR_RINGIDX);
        CU_ASSERT_EQUAL(page->rsp_prod, 0);
    }
}

static void test_bad_length(void)
{
    static const uint32_t lengths[] = {4097, 65536, 0x7fffffff, 0x80000000, 0xffffffff};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct xsd_sockmsg header = {.type = XS_READ, .len = lengths[i]};

        prepare();
        put(&header, sizeof(header));
        turn();
        CU_ASSERT_EQUAL(page->error, XENSTORE_ERROR_PROTO);
        CU_ASSERT_EQUAL(page->rsp_prod, 0);
    }
}

/* The largest legal message passes. */
static void test_largest(void)
{
    static char out[8192], in[8192], path[4096];
    size_t len;

    prepare();
    memset(path, 'x', sizeof(path));
    len = message(out, XS_READ, 1, path, sizeof(path));
    CU_ASSERT_EQUAL(exchange(out, len, 1024, in, sizeof(in)), 16 + 7);
    CU_ASSERT_EQUAL(memcmp(in + 16, "EINVAL", 7), 0);
}

/* Never reading: the guest fills its ring and then only waits; we hold one reply at most. */
static void test_never_reads(void)
{
    char out[64];
    size_t len, taken = 0;

    prepare();
    len = message(out, XS_READ, 1, "x", 2);
    for (int i = 0; i < 1000; i++) {
        taken += put(out, len) == len;
        turn();
    }
    CU_ASSERT(taken < 150);
    CU_ASSERT(conn_pending(conn) <= WIRE_MESSAGE_MAX);
}

/* One guest with requests without end gets its turn, not the whole daemon. */
static void test_turns_are_bounded(void)
{
    char out[1024];
    unsigned long before;
    size_t len = 0;

    prepare();
    while (len + 16 <= sizeof(out))
        len += message(out + len, 99, 1, "", 0);
    put(out, len);
    before = request_count();
    turn_serve_ring(conn);
    CU_ASSERT(request_count() - before <= 32);
    CU_ASSERT(request_count() - before > 0);
}

static void test_reconnect(void)
{
    char out[512], in[512];
    size_t len;

    prepare();
    CU_ASSERT(page->server_features & XENSTORE_SERVER_FEATURE_RECONNECTION);
    len = message(out, XS_WATCH, 1, "data\0t", 7);
    len += message(out + len, XS_TRANSACTION_START, 2, "", 1);
    exchange(out, len, 1024, in, sizeof(in));
    CU_ASSERT_EQUAL(domain_of(1)->watches, 1);
    CU_ASSERT_EQUAL(domain_of(1)->transactions, 1);
    page->req_prod += 5000;
    turn();
    CU_ASSERT_EQUAL(page->error, XENSTORE_ERROR_RINGIDX);
    page->connection = XENSTORE_RECONNECT;
    turn();
    CU_ASSERT_EQUAL(page->connection, XENSTORE_CONNECTED);
    CU_ASSERT_EQUAL(page->error, XENSTORE_ERROR_NONE);
    CU_ASSERT_EQUAL(page->req_prod + page->req_cons + page->rsp_prod + page->rsp_cons, 0);
    CU_ASSERT_EQUAL(domain_of(1)->watches, 0);
    CU_ASSERT_EQUAL(domain_of(1)->transactions, 0);
    guest_req_prod = guest_rsp_cons = 0;
    len = message(out, XS_READ, 1, "nope", 5);
    CU_ASSERT_EQUAL(exchange(out, len, 1024, in, sizeof(in)), 16 + 7);
}

/* While a privileged transaction has the floor, reads are served and changes wait. */
static void test_waits_for_the_floor(void)
{
    struct client *dom0;
    char out[512], in[512];
    size_t len;
    uint32_t t;

    prepare();
    dom0 = client_new(0);
    dom0->conn.failed_commits = FLOOR_AFTER_FAILURES;
    t = do_start(dom0);
    len = message(out, XS_READ, 1, "nope", 5);
    CU_ASSERT_EQUAL(exchange(out, len, 1024, in, sizeof(in)), 16 + 7);
    len = message(out, XS_WRITE, 2, "data\0v", 6);
    CU_ASSERT_EQUAL(exchange(out, len, 1024, in, sizeof(in)), 0);
    EXPECT(do_end(dom0, t, true), "OK");
    ring_wake_waiting();
    CU_ASSERT_EQUAL(exchange("", 0, 1, in, sizeof(in)), 16 + 3);
}

/* A ring of domid with more requests than one turn serves; tail follows them. */
static struct xenstore_domain_interface *busy_ring(uint16_t domid, const char *tail, size_t len)
{
    struct xenstore_domain_interface *busy = aligned_alloc(4096, 4096);
    struct xsd_sockmsg header = {.type = 99};

    memset(busy, 0, 4096);
    for (; busy->req_prod < 40 * sizeof(header); busy->req_prod += sizeof(header))
        memcpy(busy->req + busy->req_prod, &header, sizeof(header));
    if (len)
        memcpy(busy->req + busy->req_prod, tail, len);
    busy->req_prod += (uint32_t)len;
    turn_serve_ring(ring_attach_page(domain_of(domid), busy));
    return busy;
}

/*
 * A guest signals only what it must: a request into a ring that it sees empty, room in one that it
 * saw full. What it does before our indices are published it does not signal.
 */
static void test_unheard(void)
{
    char out[2][64], in[XENSTORE_RING_SIZE];
    size_t len[2], have;

    prepare();
    for (unsigned i = 0; i < 2; i++)
        len[i] = message(out[i], XS_GET_DOMAIN_PATH, i + 1, "1", 2);
    put(out[0], len[0]);
    turn_serve_ring(conn);
    put(out[1], len[1]); /* it sees the first one still there */
    turn_end();
    have = get(in, sizeof(in));
    CU_ASSERT(ring_count_ready() > 0);
    turn_serve_ready();
    turn_end();
    CU_ASSERT_EQUAL(get(in, sizeof(in)), have);
    CU_ASSERT_EQUAL(ring_count_ready(), 0);
}

/* As above for answers: more than a ring full of them, of which it takes some early. */
static void test_room_unheard(void)
{
    char out[64], in[XENSTORE_RING_SIZE];
    size_t len = message(out, XS_GET_DOMAIN_PATH, 1, "1", 2), answers = 0;

    prepare();
    while (put(out, len) == len)
        answers++;
    turn();
    CU_ASSERT(conn_pending(conn) > 0);
    CU_ASSERT_EQUAL(ring_count_ready(), 0); /* full: it will tell us */
    get(in, 100);
    turn_serve_ring(conn);
    get(in, 100); /* not full any more when it looks */
    turn_end();
    CU_ASSERT(ring_count_ready() > 0);
    CU_ASSERT(answers > 20);
}

/* The control domain's kernel releases domains whose rings wait for their own turn (XS-14). */
static void test_release_while_ready(void)
{
    struct xenstore_domain_interface *rings[3];
    char out[64];
    size_t len;

    prepare();
    for (uint16_t i = 2; i < 4; i++)
        life_introduce(i, 1, 1);
    len = message(out, XS_RELEASE, 1, "3", 2);
    len += message(out + len, XS_RELEASE, 2, "2", 2);
    rings[0] = busy_ring(0, out, len);
    rings[1] = busy_ring(2, NULL, 0);
    rings[2] = busy_ring(3, NULL, 0);
    turn_serve_ready();
    CU_ASSERT_EQUAL(ring_count_ready(), 0);
    CU_ASSERT_FALSE(domains_is_introduced(2));
    CU_ASSERT_FALSE(domains_is_introduced(3));
    /* the queue is sound: others still get their turns */
    free(rings[1]);
    rings[1] = busy_ring(4, NULL, 0);
    CU_ASSERT(rings[1]->req_cons < rings[1]->req_prod);
    turn_serve_ready();
    CU_ASSERT_EQUAL(ring_count_ready(), 0);
    turn_end();
    CU_ASSERT_EQUAL(rings[1]->req_cons, rings[1]->req_prod);
    for (int i = 0; i < 3; i++)
        free(rings[i]);
}

void suite_ring(void)
{
    CU_pSuite s = CU_add_suite("ring", NULL, NULL);

    ADD(s, test_every_split);
    ADD(s, test_wrap);
    ADD(s, test_bad_indices);
    ADD(s, test_bad_length);
    ADD(s, test_largest);
    ADD(s, test_never_reads);
    ADD(s, test_turns_are_bounded);
    ADD(s, test_reconnect);
    ADD(s, test_waits_for_the_floor);
    ADD(s, test_unheard);
    ADD(s, test_room_unheard);
    ADD(s, test_release_while_ready);
}
