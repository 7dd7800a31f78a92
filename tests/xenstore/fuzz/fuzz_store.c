/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: a control-domain client, two guests over sockets' path, and one guest on a
 * ring, driven by the input; after every request the whole store is recounted (XS-5) and asserts
 * are fatal.
 *
 * Input: a sequence of commands.  Byte 0 chooses client and form; then either a raw message (type,
 * transaction, length byte, payload) or one built from a small vocabulary of paths, so that
 * requests meet.  A third form writes raw bytes and indices to the ring page.
 *
 * Sabotage, found from the seeds: in store.c leave out charge(.., -1) where permissions are set.
 */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "client.h"
#include "conn.h"
#include "domains.h"
#include "life.h"
#include "log.h"
#include "ops.h"
#include "quota.h"
#include "ring.h"
#include "transaction.h"
#include "turn.h"
#include "watch.h"

#define CLIENTS 3
#define LIVING 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct input {
    const uint8_t *at;
    size_t left;
};

static struct conn *client[CLIENTS];
static struct conn *ring;
static struct xenstore_domain_interface *page;
static uint8_t handle_of[DOMID_LIMIT];
static bool gone[DOMID_LIMIT];

static int fuzz_info(uint16_t domid, struct hv_domain_info *info)
{
    if (domid >= LIVING || gone[domid])
        return -ESRCH;
    *info = (struct hv_domain_info){0};
    info->handle[0] = handle_of[domid];
    return 0;
}

static const struct hv fuzz_hv = {.rings = false, .domain_info = fuzz_info};

static void no_flush(struct conn *conn)
{
    /* a client that reads now and then */
    if (conn_pending(conn) > 2000)
        conn_sent(conn, conn_pending(conn) - 1000);
}

static void forget_client(struct conn *conn)
{
    for (int i = 0; i < CLIENTS; i++)
        if (client[i] == conn)
            client[i] = NULL;
    if (conn->domain->conn == conn)
        conn->domain->conn = NULL;
    free(conn);
}

static const struct transport fuzz_transport = {.publish = no_flush, .destroy = forget_client};

static struct conn *client_of(int i)
{
    if (client[i])
        return client[i];
    client[i] = calloc(1, sizeof(struct conn));
    if (i) {
        life_introduce((uint16_t)i, 1, 1);
        domain_of((uint16_t)i)->conn = client[i];
    }
    conn_init(client[i], &fuzz_transport, domain_of((uint16_t)i), i == 0);
    return client[i];
}

static uint8_t next(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static void tell(struct conn *conn, uint32_t type, uint32_t tx, const void *payload, size_t len)
{
    struct xsd_sockmsg header = {.type = type, .tx_id = tx, .len = (uint32_t)len};
    char *copy = malloc(len ? len : 1);

    memcpy(copy, payload, len);
    ops_dispatch(conn, &header, copy);
    free(copy);
    if (audit_books())
        abort();
    turn_end();
}

static void raw_message(struct conn *conn, struct input *in)
{
    uint8_t payload[255], type = next(in), tx = next(in), len = next(in);

    for (int i = 0; i < len; i++)
        payload[i] = next(in);
    tell(conn, type, tx % 4, payload, len);
}

static const char *const words[] = {"/",
                                    "/a",
                                    "/a/b",
                                    "/a/b/c",
                                    "/a/d",
                                    "x",
                                    "x/y/z",
                                    "/g",
                                    "/g/h",
                                    "T",
                                    "F",
                                    "n0",
                                    "b1",
                                    "r2",
                                    "n1",
                                    "n2",
                                    "r9",
                                    "tok",
                                    "1",
                                    "2",
                                    "0",
                                    "3",
                                    "@releaseDomain",
                                    ""};

static void worded_message(struct conn *conn, struct input *in)
{
    char payload[256];
    uint8_t type = next(in) % XS_TYPE_COUNT, tx = next(in), count = next(in) % 5;
    size_t len = 0;

    for (int i = 0; i < count; i++) {
        const char *word = words[next(in) % (sizeof(words) / sizeof(words[0]))];

        memcpy(payload + len, word, strlen(word) + 1);
        len += strlen(word) + 1;
    }
    tell(conn, type, tx % 4, payload, len);
}

/* The guest's side of the ring: bytes, indices, the connection field. */
static void ring_step(struct input *in)
{
    uint8_t what = next(in), len = next(in);

    if (!domain_of(3)->introduced)
        life_introduce(3, 1, 1);
    if (!domain_of(3)->conn)
        ring = ring_attach_page(domain_of(3), page);
    switch (what % 4) {
    case 0:
        for (int i = 0; i < len; i++)
            page->req[MASK_XENSTORE_IDX(page->req_prod++)] = (char)next(in);
        break;
    case 1:
        page->req_prod += (uint32_t)len << (what / 4 % 25);
        break;
    case 2:
        page->rsp_cons = len & 1 ? page->rsp_prod : page->rsp_cons + len;
        break;
    default:
        page->connection = len % 3;
    }
    turn_serve_ring(ring);
    turn_serve_ready();
    if (audit_books())
        abort();
    turn_end();
}

static void life_and_death(struct input *in)
{
    uint8_t domid = next(in) % LIVING, how = next(in);

    if (domid == 0)
        return;
    if (how % 3 == 0)
        handle_of[domid]++;
    gone[domid] = how & 4;
    life_check_deaths();
    if (audit_books())
        abort();
    turn_end();
}

static void start(void)
{
    struct perms *root = perms_new(1);

    memset(gone, 0, sizeof(gone));
    memset(page, 0, 4096);
    domains_init(&fuzz_hv);
    if (view_init(&store_main, root) || watch_init())
        abort();
    perms_unref(root);
    domains_apply_ledger(&store_main.ledger);
    life_introduce_self();
    tell(client_of(0), XS_MKDIR, 0, "/g", 3);
    tell(client_of(0), XS_SET_PERMS, 0, "/g\0b1", 6);
}

static void finish(void)
{
    struct conn *conn;

    while ((conn = LIST_FIRST(&conn_all)))
        client_destroy(conn);
    turn_end();
    watch_fini();
    view_fini(&store_main);
    if (node_bytes_total())
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_open("/dev/null");
    page = aligned_alloc(4096, 4096);
    quota_set("nodes", "12");
    quota_set("memory", "4000");
    quota_set("watches", "4");
    quota_set("transactions", "3");
    quota_set("transaction-nodes", "8");
    quota_set("output", "1000");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    start();
    for (int steps = 0; in.left && steps < 200; steps++) {
        uint8_t choice = next(&in);

        switch (choice % 8) {
        case 0:
            raw_message(client_of(choice / 8 % CLIENTS), &in);
            break;
        case 6:
            ring_step(&in);
            break;
        case 7:
            life_and_death(&in);
            break;
        default:
            worded_message(client_of(choice / 8 % CLIENTS), &in);
        }
    }
    finish();
    return 0;
}
