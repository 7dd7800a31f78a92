/* SPDX-License-Identifier: MIT */
/*
 * A store that dies and is gone on with (XS-16). Three guests on rings and three clients ask at
 * random; the store dies between turns, before a turn's commit, or in the middle of what follows
 * it, when some guests have been told and others not. Before and after a death between turns
 * everything that can be asked must be the same; after each death every guest gets each answer
 * once, in order.
 *
 * Sabotage, each seen: leave watch_note_all() out of resume.c, or write_perms() of nodes whose list
 * is their own; let ring_stage() write the page's indices; do not restore a ring's half message;
 * let watch.c not note what is no longer watched; in difference.c, note no removals, no new lists
 * of nodes that were there, or no new values of them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness.h"
#include "journal.h"
#include "resume.h"
#include "ring.h"

#define RINGS 3u /* of the control domain and two guests */
#define CLIENTS 3u
#define DEATHS 300u
#define DUMP_BYTES (4u << 20)

struct guest {
    struct xenstore_domain_interface *page;
    uint32_t req_prod, rsp_cons;
    uint32_t asked, answered; /* request ids: each is answered once, in order */
    size_t in_len, out_len, out_at;
    char in[2 * WIRE_MESSAGE_MAX], out[WIRE_MESSAGE_MAX];
};

static struct guest guests[RINGS];
static uint32_t notifications, die_in; /* die in the so manieth notification from now, 0: not */
static bool die_noting;                /* all rings are staged, nothing is committed */
static jmp_buf death;
static void *memory;
static uint64_t chance;

static uint32_t pick(uint32_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (uint32_t)(chance >> 11) % below;
}

/* ---- a hypervisor ---- */

static int info(uint16_t domid, struct hv_domain_info *i)
{
    *i = (struct hv_domain_info){.handle = {(uint8_t)domid}};
    return domid < 10 ? 0 : -ESRCH;
}

static int map_ring(uint16_t domid, struct hv_ring_page *ring)
{
    ring->page = guests[domid].page;
    return 0;
}

static int own_ring(struct hv_ring_page *ring, uint32_t *remote_port)
{
    *remote_port = 9;
    return map_ring(0, ring);
}

static void unmap_ring(struct hv_ring_page *ring)
{
    ring->page = NULL;
}

static int bind_port(uint16_t domid, uint32_t remote_port)
{
    (void)remote_port;
    return 10 + domid;
}

static void unbind_port(uint32_t port)
{
    (void)port;
}

static void notify_port(uint32_t port)
{
    (void)port;
    notifications++;
    if (die_in && --die_in == 0)
        longjmp(death, 1);
}

static const struct hv hv = {
    .rings = true,
    .domain_info = info,
    .map_ring = map_ring,
    .unmap_ring = unmap_ring,
    .bind = bind_port,
    .unbind = unbind_port,
    .notify = notify_port,
    .own_ring = own_ring,
};

/* ---- clients that are not rings ---- */

static struct client *clients[CLIENTS];

static void describe(const struct conn *conn, struct conn_state *state, const char **in)
{
    (void)conn;
    if (die_noting)
        longjmp(death, 1);
    state->in_len = 0;
    *in = NULL;
}

static void publish(struct conn *conn)
{
    (void)conn;
}

static void forget(struct conn *conn)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if ((void *)clients[i] == (void *)conn)
            clients[i] = NULL;
    free(conn);
}

static const struct transport plain = {.describe = describe, .publish = publish, .destroy = forget};

static void client_at(unsigned i)
{
    clients[i] = calloc(1, sizeof(*clients[i]));
    conn_init(&clients[i]->conn, &plain, domain_of(0), true);
    clients[i]->conn.id = CONN_SOCKET + i;
    conn_note(&clients[i]->conn);
    conn_mark_dirty(&clients[i]->conn);
}

static int restore(const struct conn_state *state, const char *in)
{
    (void)in;
    if (!clients[state->id - CONN_SOCKET])
        client_at((unsigned)(state->id - CONN_SOCKET));
    return 0;
}

static int received(struct conn *conn, const char *bytes, size_t len)
{
    (void)conn;
    (void)bytes;
    (void)len;
    return -EINVAL;
}

static const struct resume_sockets sockets = {restore, received};

/* ---- lives of the store ---- */

static void start(bool resumes)
{
    struct perms *root = perms_new(1);

    domains_init(&hv);
    CU_ASSERT_EQUAL_FATAL(view_init(&store_main, root), 0);
    perms_unref(root);
    CU_ASSERT_EQUAL_FATAL(watch_init(), 0);
    domains_apply_ledger(&store_main.ledger);
    CU_ASSERT_EQUAL_FATAL(journal_attach(memory), resumes);
    if (resumes) {
        CU_ASSERT_EQUAL_FATAL(resume_state(&sockets), 0);
        resume_rings();
    } else {
        CU_ASSERT_EQUAL_FATAL(life_introduce_self(), 0);
    }
    store_main.noted = true;
    CU_ASSERT_EQUAL(audit_books(), 0);
}

/* What a process takes with it. */
static void die(void)
{
    die_in = 0;
    die_noting = false;
    journal_detach();
    harness_end();
}

/* ---- everything that can be asked, as text ---- */

static char *dump_at, *dump_end;

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(dump_at, (size_t)(dump_end - dump_at), format, args);
    va_end(args);
    CU_ASSERT_FATAL(n >= 0 && n < dump_end - dump_at);
    dump_at += n;
}

static void say_perms(const struct perms *p)
{
    char text[512];
    size_t len = perms_format(p, text, sizeof(text));

    for (size_t i = 0; i < len; i++)
        say("%c", text[i] ? text[i] : ' ');
}

static void say_conn(struct conn *c)
{
    say("conn %lx tx %u in a row, %zu pending:", c->id, c->last_tx_id, conn_pending(c));
    for (size_t i = c->out.head; i < c->out.tail; i++)
        say("%02x", (unsigned char)c->out.data[i]);
    for (uint32_t id = 1; id <= c->last_tx_id; id++)
        if (transaction_find(c, id))
            say(" transaction %u", id);
    say("\n");
}

static void dump(char *to)
{
    struct tree_iter it;
    const struct node *n;

    dump_at = to;
    dump_end = to + DUMP_BYTES;
    tree_iter_start(&it, store_main.root, "/");
    while ((n = tree_iter_next(&it))) {
        say("%s = %.*s ", it.path, (int)n->value_len, n->value ? n->value : "");
        say_perms(n->perms);
        say("\n");
    }
    for (uint16_t i = 0; i < 10; i++) {
        const struct domain *d = domain_of(i);

        if (!d->known)
            continue;
        say("domain %u: %d %d %d target %d; %ld nodes %ld bytes %ld acls %lu watches %lu bytes "
            "%lu\n",
            i, d->introduced, d->ending_told, d->has_handle, d->target, d->nodes, d->bytes, d->acls,
            d->watches, d->watch_bytes, d->transactions);
    }
    for (unsigned i = 0; i < RINGS + CLIENTS; i++) {
        struct conn *c = conn_find(i < RINGS ? i : CONN_SOCKET + i - RINGS);

        if (c)
            say_conn(c);
    }
    say_perms(watch_special_perms("@releaseDomain"));
    for (unsigned i = 0; i < QUOTA_COUNT; i++)
        say(" %lu", quota_table[i].limit);
    say("\n");
}

/* ---- requests ---- */

static size_t arguments(char *data, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(data, XENSTORE_PAYLOAD_MAX, format, args);
    va_end(args);
    for (int i = 0; i < n; i++)
        if (data[i] == '|')
            data[i] = '\0';
    return (size_t)n;
}

/* A request that makes sense now and then. */
static size_t request(char *message, uint32_t id, const struct conn *c)
{
    static const char *const places[] = {"/a", "/a/b", "/b/c/d", "/b",
                                         "/e", "mine", "mine/x", "/a/f"};
    struct xsd_sockmsg header = {.req_id = id};
    char *data = message + sizeof(header);
    const char *path = places[pick(8)];
    const struct transaction *t = c ? LIST_FIRST(&c->transactions) : NULL;
    size_t len;

    if (t && pick(2))
        header.tx_id = t->id;
    switch (pick(14)) {
    case 0:
    case 1:
    case 2:
    case 3:
        header.type = XS_WRITE;
        len = arguments(data, "%s|%0*u", path, (int)pick(pick(8) ? 40 : 1500) + 1, pick(1000));
        break;
    case 4:
        header.type = XS_READ;
        len = arguments(data, "%s|", path);
        break;
    case 5:
        header.type = XS_MKDIR;
        len = arguments(data, "%s/m%u|", path, pick(3));
        break;
    case 6:
        header.type = XS_RM;
        len = arguments(data, "%s|", path);
        break;
    case 7:
        header.type = XS_SET_PERMS;
        len = arguments(data, "%s|%c%u|%c%u|", pick(8) ? path : "@releaseDomain", "nrwb"[pick(4)],
                        pick(3), "nrwb"[pick(4)], pick(3));
        break;
    case 8:
    case 9:
        header.type = pick(3) ? XS_WATCH : XS_UNWATCH;
        len = arguments(data, "%s|token%u|", path, pick(4));
        break;
    case 10:
        header.type = XS_TRANSACTION_START;
        header.tx_id = 0;
        len = arguments(data, "|");
        break;
    case 11:
    case 12:
        header.type = XS_TRANSACTION_END;
        len = arguments(data, pick(4) ? "T|" : "F|");
        break;
    default:
        header.type = pick(20) ? XS_GET_PERMS : pick(2) ? XS_RESET_WATCHES : XS_CONTROL;
        len = header.type == XS_CONTROL ? arguments(data, "quota|set|watches|%u|", 100 + pick(100))
                                        : arguments(data, "%s|", path);
    }
    header.len = (uint32_t)len;
    memcpy(message, &header, sizeof(header));
    return sizeof(header) + len;
}

static void client_asks(struct client *c)
{
    char message[WIRE_MESSAGE_MAX];
    struct xsd_sockmsg header;

    request(message, 1, &c->conn);
    memcpy(&header, message, sizeof(header));
    ops_dispatch(&c->conn, &header, message + sizeof(header));
    /* What it has read is gone at once: the way there and back is the real transports' matter. */
    if (pick(3))
        conn_sent(&c->conn, conn_pending(&c->conn));
    conn_mark_dirty(&c->conn);
}

/* Puts some bytes of a request into the ring. */
static void guest_asks(uint16_t domid)
{
    struct guest *g = &guests[domid];
    uint32_t room = XENSTORE_RING_SIZE - (g->req_prod - g->page->req_cons);
    uint32_t portion = pick(3) ? XENSTORE_RING_SIZE : 1 + pick(30);

    if (g->out_at == g->out_len) {
        g->out_len = request(g->out, ++g->asked, conn_find(domid));
        g->out_at = 0;
    }
    for (; room && portion && g->out_at < g->out_len; room--, portion--)
        g->page->req[MASK_XENSTORE_IDX(g->req_prod++)] = g->out[g->out_at++];
    g->page->req_prod = g->req_prod;
}

/* Takes what has come; each answer must be the next one. */
static void guest_reads(struct guest *g)
{
    struct xsd_sockmsg header;

    while (g->rsp_cons != g->page->rsp_prod && g->in_len < sizeof(g->in))
        g->in[g->in_len++] = g->page->rsp[MASK_XENSTORE_IDX(g->rsp_cons++)];
    g->page->rsp_cons = g->rsp_cons;
    while (g->in_len >= sizeof(header)) {
        memcpy(&header, g->in, sizeof(header));
        CU_ASSERT_FATAL(header.len <= XENSTORE_PAYLOAD_MAX);
        if (g->in_len < sizeof(header) + header.len)
            break;
        if (header.type != XS_WATCH_EVENT)
            CU_ASSERT_EQUAL_FATAL(header.req_id, ++g->answered);
        g->in_len -= sizeof(header) + header.len;
        memmove(g->in, g->in + sizeof(header) + header.len, g->in_len);
    }
}

/* ---- the test ---- */

static void one_turn(void)
{
    for (uint16_t i = 0; i < RINGS; i++) {
        if (pick(2))
            guest_asks(i);
        if (pick(4))
            guest_reads(&guests[i]);
        turn_port_fired(10u + i);
    }
    if (clients[pick(CLIENTS)])
        client_asks(clients[pick(CLIENTS)]);
    turn_serve_ready();
}

/* By what they see in their rings; nobody serves them now. */
static void guests_go_on(void)
{
    for (uint16_t i = 0; i < RINGS; i++) {
        guest_reads(&guests[i]);
        guest_asks(i);
    }
}

static void live_and_die(unsigned kind)
{
    unsigned turns = 1 + pick(20);

    if (setjmp(death))
        return;
    while (turns--) {
        one_turn();
        if (kind == 1 && !turns)
            return; /* nothing of this turn was committed */
        if (kind == 2 && !turns)
            die_in = 1 + pick(RINGS);
        die_noting = kind == 3 && !turns;
        turn_end();
    }
}

static void prepare(void)
{
    harness_reset(); /* default quotas */
    harness_end();
    if (!memory)
        memory = mmap(NULL, journal_size(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CU_ASSERT_FATAL(memory != MAP_FAILED);
    for (unsigned i = 0; i < RINGS; i++) {
        guests[i] = (struct guest){.page = aligned_alloc(4096, 4096)};
        memset(guests[i].page, 0, 4096);
    }
    start(false);
    for (unsigned i = 0; i < CLIENTS; i++)
        client_at(i);
    for (uint16_t i = 1; i < RINGS; i++) {
        char path[32];

        CU_ASSERT_EQUAL(life_introduce(i, 1, 7), 0);
        snprintf(path, sizeof(path), "/local/domain/%u", i);
        CU_ASSERT_EQUAL(store_create(&store_main, path, i, NULL, 0), 0);
        domains_apply_ledger(&store_main.ledger);
    }
    turn_end();
}

static void end(void)
{
    die();
    for (unsigned i = 0; i < RINGS; i++)
        free(guests[i].page);
    munmap(memory, journal_size());
    memory = NULL;
    domains_init(&hv);
}

static void compare(const char *before, const char *after, unsigned i)
{
    size_t at = 0;

    if (!strcmp(before, after))
        return;
    while (before[at] == after[at])
        at++;
    while (at && before[at - 1] != '\n')
        at--;
    printf("\ndeath %u: \"%.200s\"\nbecame \"%.200s\"\n", i, before + at, after + at);
    CU_FAIL_FATAL("another state than before");
}

static void test_deaths(void)
{
    char *before = malloc(DUMP_BYTES), *after = malloc(DUMP_BYTES);
    unsigned answered = 0;

    chance = 20261121;
    prepare();
    for (unsigned i = 0; i < DEATHS; i++) {
        const unsigned kind = i % 4;

        live_and_die(kind);
        dump(before);
        die();
        guests_go_on();
        start(true);
        dump(after);
        if (kind == 0)
            compare(before, after, i);
        turn_end();
    }
    for (unsigned i = 0; i < RINGS; i++)
        answered += guests[i].answered;
    CU_ASSERT(answered > 1000);
    end();
    free(before);
    free(after);
}

static void client_ask(struct client *c, uint32_t type, uint32_t t, const char *format,
                       const char *path)
{
    struct xsd_sockmsg header = {.type = type, .tx_id = t, .req_id = 1};
    char data[XENSTORE_PAYLOAD_MAX];

    header.len = (uint32_t)arguments(data, format, path);
    ops_dispatch(&c->conn, &header, data);
}

/* Changes within t, of everything that a tree can differ in. */
static void change(struct client *c, uint32_t t)
{
    static const char *const places[] = {"/a", "/a/b", "/a/b/c", "/a/d", "/b", "/b/c/d/e"};
    static const char *const values[] = {"%s|", "%s|1", "%s|another", "%s|and another"};
    static const char *const lists[] = {"%s|n0|", "%s|n1|r2|", "%s|b2|"};
    const char *path = places[pick(6)];

    switch (pick(5)) {
    case 0:
        client_ask(c, XS_RM, t, "%s|", path);
        break;
    case 1:
        client_ask(c, XS_SET_PERMS, t, lists[pick(3)], path);
        break;
    case 2:
        client_ask(c, XS_MKDIR, t, "%s|", path);
        break;
    default:
        client_ask(c, XS_WRITE, t, values[pick(4)], path);
    }
}

/* Nobody else changes anything, so that each commit puts the transaction's tree in place. */
static void test_adopted(void)
{
    char *before = malloc(DUMP_BYTES), *after = malloc(DUMP_BYTES);
    const struct transaction *t;

    chance = 20261122;
    prepare();
    for (unsigned i = 0; i < DEATHS; i++) {
        client_ask(clients[0], XS_TRANSACTION_START, 0, "%s|", "");
        t = LIST_FIRST(&clients[0]->conn.transactions);
        CU_ASSERT_PTR_NOT_NULL_FATAL(t);
        for (unsigned n = 1 + pick(12); n; n--)
            change(clients[0], t->id);
        CU_ASSERT_PTR_EQUAL_FATAL(t->base, store_main.root);
        client_ask(clients[0], XS_TRANSACTION_END, t->id, "%s|", "T");
        CU_ASSERT_EQUAL(clients[0]->conn.failed_commits, 0);
        conn_sent(&clients[0]->conn, conn_pending(&clients[0]->conn));
        conn_mark_dirty(&clients[0]->conn);
        turn_end();
        CU_ASSERT_EQUAL(audit_books(), 0);
        dump(before);
        die();
        start(true);
        dump(after);
        compare(before, after, i);
        turn_end();
    }
    end();
    free(before);
    free(after);
}

/* The journal is written anew when it is long, in the middle of everything. */
static void test_rewriting(void)
{
    const char *value = "0123456789";
    char *before = malloc(DUMP_BYTES), *after = malloc(DUMP_BYTES);

    prepare();
    for (unsigned i = 0; i < 100000; i++) {
        char path[32];

        snprintf(path, sizeof(path), "/r%u", i % 50);
        if (store_find(&store_main, path))
            store_set_value(&store_main, path, value, 1 + i % 10);
        else
            store_create(&store_main, path, -1, value, 3);
        domains_apply_ledger(&store_main.ledger);
        if (i % 7 == 0)
            turn_end();
    }
    turn_end();
    dump(before);
    die();
    start(true);
    dump(after);
    CU_ASSERT_STRING_EQUAL(before, after);
    end();
    free(before);
    free(after);
}

/* A request that ends the store each time is not tried for ever. */
static void test_blame(void)
{
    prepare();
    journal_serving(2);
    die();
    journal_blame_in(memory);
    start(true);
    CU_ASSERT_EQUAL(guests[2].page->error, XENSTORE_ERROR_PROTO);
    CU_ASSERT_EQUAL(guests[1].page->error, XENSTORE_ERROR_NONE);
    turn_end();
    end();
}

void suite_resume(void)
{
    CU_pSuite s = CU_add_suite("resume", NULL, NULL);

    ADD(s, test_deaths);
    ADD(s, test_adopted);
    ADD(s, test_rewriting);
    ADD(s, test_blame);
}
