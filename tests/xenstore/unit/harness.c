/* SPDX-License-Identifier: MIT */
/* The test harness: see harness.h. */
#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
    bool exists, shutdown;
    uint8_t handle;
} fake[DOMID_LIMIT];

static struct quota quota_defaults[QUOTA_COUNT];
static bool defaults_saved;

static int fake_info(uint16_t domid, struct hv_domain_info *info)
{
    if (!fake[domid].exists)
        return -ESRCH;
    *info = (struct hv_domain_info){.shutdown = fake[domid].shutdown};
    info->handle[0] = fake[domid].handle;
    return 0;
}

static const struct hv fake_hv = {.rings = false, .domain_info = fake_info};

void fake_domain(uint16_t domid, bool exists)
{
    fake[domid].exists = exists;
}

void fake_domain_handle(uint16_t domid, uint8_t handle)
{
    fake[domid].handle = handle;
}

void fake_domain_shutdown(uint16_t domid, bool shutdown)
{
    fake[domid].shutdown = shutdown;
}

void harness_end(void)
{
    struct conn *conn;

    while ((conn = LIST_FIRST(&conn_all)))
        client_destroy(conn);
    turn_end();
    watch_fini();
    if (store_main.root)
        view_fini(&store_main);
    store_main.root = NULL;
}

void harness_reset(void)
{
    struct perms *root = perms_new(1);

    harness_end();
    if (!defaults_saved)
        memcpy(quota_defaults, quota_table, sizeof(quota_table));
    defaults_saved = true;
    memcpy(quota_table, quota_defaults, sizeof(quota_table));
    memset(fake, 0, sizeof(fake));
    for (uint16_t i = 0; i < 10; i++)
        fake[i].exists = true;
    domains_init(&fake_hv);
    CU_ASSERT_EQUAL_FATAL(view_init(&store_main, root), 0);
    perms_unref(root);
    domains_apply_ledger(&store_main.ledger);
    CU_ASSERT_EQUAL_FATAL(watch_init(), 0);
    CU_ASSERT_EQUAL_FATAL(life_introduce_self(), 0);
}

static void no_flush(struct conn *conn)
{
    (void)conn;
}

static void free_client(struct conn *conn)
{
    if (conn->domain->conn == conn)
        conn->domain->conn = NULL;
    free(conn);
}

static const struct transport fake_transport = {.publish = no_flush, .destroy = free_client};

struct client *client_new(uint16_t domid)
{
    struct client *c = calloc(1, sizeof(*c));

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    if (domid && !domains_is_introduced(domid))
        CU_ASSERT_EQUAL(life_introduce(domid, 1, 1), 0);
    conn_init(&c->conn, &fake_transport, domain_of(domid), domid == 0);
    if (domid)
        c->conn.domain->conn = &c->conn;
    return c;
}

void client_end(struct client *c)
{
    client_destroy(&c->conn);
}

/* Takes messages off the output: keeps the one reply (discards all if nobody asks) and events. */
static void drain(struct client *c, bool *replied)
{
    while (conn_pending(&c->conn)) {
        const char *at = c->conn.out.data + c->conn.out.head;
        struct xsd_sockmsg header;

        memcpy(&header, at, sizeof(header));
        at += sizeof(header);
        CU_ASSERT_FATAL(header.len <= XENSTORE_PAYLOAD_MAX);
        if (header.type == XS_WATCH_EVENT) {
            if (c->event_count < EVENTS_MAX)
                snprintf(c->event[c->event_count++], sizeof(c->event[0]), "%s %s", at,
                         at + strlen(at) + 1);
        } else {
            CU_ASSERT_FALSE(replied && *replied);
            if (replied)
                *replied = true;
            c->type = header.type;
            c->len = header.len;
            memcpy(c->reply, at, header.len);
            c->reply[header.len] = '\0';
        }
        conn_sent(&c->conn, sizeof(header) + header.len);
    }
}

const char *ask(struct client *c, uint32_t type, uint32_t tx, const void *data, size_t len)
{
    struct xsd_sockmsg header = {.type = type, .req_id = 7, .tx_id = tx, .len = (uint32_t)len};
    char *copy = malloc(len ? len : 1); /* exactly as long: the sanitizer sees a read beyond it */
    bool replied = false;

    drain(c, &replied);
    CU_ASSERT_FALSE(replied);
    memcpy(copy, data, len);
    ops_dispatch(&c->conn, &header, copy);
    free(copy);
    drain(c, &replied);
    CU_ASSERT_TRUE(replied);
    CU_ASSERT_EQUAL(audit_books(), 0);
    return c->type == XS_ERROR ? c->reply : "OK";
}

const char *ask_args(struct client *c, uint32_t type, uint32_t tx, const char *args)
{
    char data[XENSTORE_PAYLOAD_MAX];
    size_t len = strlen(args) + 1;

    CU_ASSERT_FATAL(len <= sizeof(data));
    memcpy(data, args, len);
    for (size_t i = 0; i < len; i++)
        if (data[i] == '|')
            data[i] = '\0';
    return ask(c, type, tx, data, len);
}

const char *do_write(struct client *c, uint32_t tx, const char *path, const char *value)
{
    char data[XENSTORE_PAYLOAD_MAX];
    size_t path_len = strlen(path) + 1, value_len = strlen(value);

    CU_ASSERT_FATAL(path_len + value_len <= sizeof(data));
    memcpy(data, path, path_len);
    memcpy(data + path_len, value, value_len);
    return ask(c, XS_WRITE, tx, data, path_len + value_len);
}

const char *do_read(struct client *c, uint32_t tx, const char *path)
{
    ask(c, XS_READ, tx, path, strlen(path) + 1);
    return c->reply;
}

const char *do_mkdir(struct client *c, uint32_t tx, const char *path)
{
    return ask(c, XS_MKDIR, tx, path, strlen(path) + 1);
}

const char *do_rm(struct client *c, uint32_t tx, const char *path)
{
    return ask(c, XS_RM, tx, path, strlen(path) + 1);
}

const char *do_perms(struct client *c, uint32_t tx, const char *args)
{
    return ask_args(c, XS_SET_PERMS, tx, args);
}

const char *do_watch(struct client *c, const char *path, const char *token)
{
    char args[XENSTORE_PAYLOAD_MAX];

    snprintf(args, sizeof(args), "%s|%s", path, token);
    return ask_args(c, XS_WATCH, 0, args);
}

const char *do_list(struct client *c, uint32_t tx, const char *path)
{
    if (strcmp(ask(c, XS_DIRECTORY, tx, path, strlen(path) + 1), "OK") == 0)
        for (uint32_t i = 0; i + 1 < c->len; i++)
            if (c->reply[i] == '\0')
                c->reply[i] = ' ';
    return c->reply;
}

uint32_t do_start(struct client *c)
{
    return strcmp(ask(c, XS_TRANSACTION_START, 0, "", 1), "OK") ? 0 : (uint32_t)atoi(c->reply);
}

const char *do_end(struct client *c, uint32_t tx, bool commit)
{
    return ask(c, XS_TRANSACTION_END, tx, commit ? "T" : "F", 2);
}

int events(struct client *c)
{
    drain(c, NULL);
    return c->event_count;
}

bool heard(struct client *c, const char *event)
{
    events(c);
    for (int i = 0; i < c->event_count; i++)
        if (!strcmp(c->event[i], event))
            return true;
    return false;
}

void forget_events(struct client *c)
{
    events(c);
    c->event_count = 0;
}

void expect_string(const char *got, const char *wanted, int line, const char *file)
{
    if (strcmp(got, wanted)) {
        printf("\n%s:%d: got \"%s\", wanted \"%s\"", file, line, got, wanted);
        CU_FAIL("different strings");
    } else {
        CU_PASS("same");
    }
}
