/* SPDX-License-Identifier: MIT */
/*
 * Resuming.
 *
 * Owns: nothing that lasts. Knows how each note of the journal is done again, and how the state is
 * told as notes.
 * Invariants: notes are done by the functions that did them the first time, so books and watches
 *   need no second description; no event leaves on the way, for whoever was to hear has heard, or
 *   has it in his output. A transaction is the one thing that does not come back whole: its
 *   snapshot is gone, its commit answers EAGAIN, which every client must be ready for.
 * Locks: none, one thread.
 * Leaves to others: format and commits (journal.c, turn.c), the transports' own part (ring.c,
 *   sock.c).
 */
#include "resume.h"

#include <errno.h>
#include <string.h>

#include "client.h"
#include "journal.h"
#include "log.h"
#include "quota.h"
#include "ring.h"
#include "transaction.h"
#include "watch.h"

static const struct resume_sockets *socket_clients;

/* The parts of a note. */
struct reader {
    const char *at;
    size_t left;
};

static int take_bytes(struct reader *r, void *to, size_t len)
{
    if (len > r->left)
        return -EINVAL;
    memcpy(to, r->at, len);
    r->at += len;
    r->left -= len;
    return 0;
}

/* NULL when it does not end. */
static const char *take_string(struct reader *r)
{
    const char *s = r->at, *nul = memchr(s, '\0', r->left);

    if (!nul)
        return NULL;
    r->left -= (size_t)(nul + 1 - s);
    r->at = nul + 1;
    return s;
}

/* ---- the tree ---- */

static int set_perms(const char *path, const struct reader *entries)
{
    const uint32_t count = (uint32_t)(entries->left / sizeof(struct perm));
    struct perms *p;
    int rc = 0;

    if (!count || entries->left % sizeof(struct perm))
        return -EINVAL;
    p = perms_new(count);
    if (!p)
        return -ENOMEM;
    memcpy(p->entry, entries->at, entries->left);
    if (path_is_special(path))
        watch_set_special_perms(path, p);
    else
        rc = store_set_perms(&store_main, path, p);
    perms_unref(p);
    return rc;
}

static int apply_tree(enum journal_type type, struct reader r)
{
    struct node *removed = NULL;
    const char *path;
    int32_t owner;
    int rc = take_bytes(&r, &owner, sizeof(owner));

    path = rc ? NULL : take_string(&r);
    if (!path)
        return -EINVAL;
    switch (type) {
    case JOURNAL_CREATE:
        rc = store_create(&store_main, path, owner, r.at, r.left);
        break;
    case JOURNAL_VALUE:
        rc = store_set_value(&store_main, path, r.at, r.left);
        break;
    case JOURNAL_PERMS:
        rc = set_perms(path, &r);
        break;
    default:
        rc = store_remove(&store_main, path, &removed);
        node_unref(removed);
    }
    if (!rc)
        domains_apply_ledger(&store_main.ledger);
    return rc;
}

/* ---- connections ---- */

static int apply_conn(struct reader r)
{
    struct conn_state state;
    struct conn *conn;
    const char *in;
    int rc = take_bytes(&r, &state, sizeof(state));

    if (rc || r.left < state.in_len || r.left - state.in_len != state.out_len)
        return -EINVAL;
    in = r.at;
    if (state.id < CONN_SOCKET)
        rc = ring_restore(domain_of((uint16_t)state.id), &state, in);
    else
        rc = socket_clients ? socket_clients->restore(&state, in) : -EINVAL;
    conn = conn_find(state.id);
    if (rc || !conn)
        return rc ? rc : -EINVAL;
    conn->last_tx_id = state.last_tx_id;
    return conn_restore_output(conn, &state, in + state.in_len);
}

static int apply_to_conn(enum journal_type type, uint64_t id)
{
    struct conn *conn = conn_find(id);

    if (!conn)
        return 0; /* it came and went within one turn */
    if (type == JOURNAL_GONE)
        client_destroy(conn);
    else
        client_reset(conn);
    return 0;
}

static int apply_sent(uint64_t id, size_t bytes)
{
    struct conn *conn = conn_find(id);

    if (!conn || bytes > conn_pending(conn))
        return conn ? -EINVAL : 0;
    conn_sent(conn, bytes);
    return 0;
}

static int apply_watch(struct reader r)
{
    struct watch_state state;
    const char *path, *token;
    struct conn *conn;

    if (take_bytes(&r, &state, sizeof(state)) || !(path = take_string(&r)) ||
        !(token = take_string(&r)) || state.prefix_len > strlen(path))
        return -EINVAL;
    conn = conn_find(state.conn);
    return conn ? watch_add(conn, path + state.prefix_len, path, token, state.depth) : 0;
}

static int apply_unwatch(struct reader r)
{
    const char *path, *token;
    struct conn *conn;
    uint64_t id;

    if (take_bytes(&r, &id, sizeof(id)) || !(path = take_string(&r)) || !(token = take_string(&r)))
        return -EINVAL;
    conn = conn_find(id);
    return conn ? watch_remove(conn, path, token) : 0;
}

static int apply_transaction(enum journal_type type, const struct journal_transaction *note)
{
    struct conn *conn = conn_find(note->conn);
    struct transaction *t = conn ? transaction_find(conn, note->id) : NULL;

    if (!conn)
        return 0;
    if (type == JOURNAL_START)
        return t ? -EINVAL : transaction_restore(conn, note->id);
    if (t)
        transaction_abort(t);
    return 0;
}

/* ---- all notes ---- */

static struct journal_turn last_turn;

static int apply_fixed(enum journal_type type, struct reader r)
{
    union {
        struct journal_turn turn;
        struct journal_sent sent;
        struct journal_transaction transaction;
        struct journal_quota quota;
        struct domain_state domain;
        uint64_t conn;
    } note;
    static const size_t size[] = {
        [JOURNAL_COMMIT] = sizeof(note.turn),     [JOURNAL_DOMAIN] = sizeof(note.domain),
        [JOURNAL_SENT] = sizeof(note.sent),       [JOURNAL_GONE] = sizeof(note.conn),
        [JOURNAL_RESET] = sizeof(note.conn),      [JOURNAL_START] = sizeof(note.transaction),
        [JOURNAL_END] = sizeof(note.transaction), [JOURNAL_QUOTA] = sizeof(note.quota),
    };

    if (r.left != size[type] || take_bytes(&r, &note, size[type]))
        return -EINVAL;
    switch (type) {
    case JOURNAL_COMMIT:
        last_turn = note.turn;
        return 0;
    case JOURNAL_DOMAIN:
        if (note.domain.domid >= DOMID_LIMIT)
            return -EINVAL;
        domains_restore(&note.domain);
        return 0;
    case JOURNAL_SENT:
        return apply_sent(note.sent.conn, note.sent.bytes);
    case JOURNAL_QUOTA:
        if (note.quota.id >= QUOTA_COUNT)
            return -EINVAL;
        quota_table[note.quota.id].limit = note.quota.limit;
        return 0;
    case JOURNAL_START:
    case JOURNAL_END:
        return apply_transaction(type, &note.transaction);
    default:
        return apply_to_conn(type, note.conn);
    }
}

static int apply(enum journal_type type, const char *data, size_t len)
{
    const struct reader r = {.at = data, .left = len};

    switch (type) {
    case JOURNAL_CREATE:
    case JOURNAL_VALUE:
    case JOURNAL_PERMS:
    case JOURNAL_REMOVE:
        return apply_tree(type, r);
    case JOURNAL_CONN:
        return apply_conn(r);
    case JOURNAL_WATCH:
        return apply_watch(r);
    case JOURNAL_UNWATCH:
        return apply_unwatch(r);
    default:
        return type <= JOURNAL_QUOTA ? apply_fixed(type, r) : -EINVAL;
    }
}

/* What happened between the last commit and the death, which only the kernel knows. */
static int apply_slots(void)
{
    const char *bytes;
    struct conn *conn;
    uint64_t id;
    size_t len = journal_unnoted_sent(last_turn.sent, &id);
    int rc = len ? apply_sent(id, len) : 0;

    len = journal_unnoted_received(last_turn.received, &id, &bytes);
    if (rc || !len || !socket_clients)
        return rc;
    conn = conn_find(id);
    if (!conn) { /* its first request: the descriptor comes later */
        const struct conn_state fresh = {.id = id};

        rc = socket_clients->restore(&fresh, NULL);
        conn = conn_find(id);
    }
    return rc || !conn ? rc : socket_clients->received(conn, bytes, len);
}

static void end_blamed(uint64_t id)
{
    struct conn *conn = id ? conn_find(id) : NULL;

    if (!conn)
        return;
    log_line("connection %#lx: serving it ended the store again and again, it is served no more",
             (unsigned long)id);
    if (id < CONN_SOCKET)
        ring_blame(conn);
    else
        conn_kill(conn);
}

int resume_state(const struct resume_sockets *sockets)
{
    const uint64_t blamed = journal_blamed();
    int rc;

    socket_clients = sockets;
    last_turn = (struct journal_turn){0};
    rc = journal_replay(apply);
    if (!rc)
        rc = apply_slots();
    if (rc)
        return rc;
    store_set_generation(last_turn.generation);
    end_blamed(blamed);
    return 0;
}

void resume_rings(void)
{
    struct conn *conn, *next;
    int rc;

    for (conn = LIST_FIRST(&conn_all); conn; conn = next) {
        next = LIST_NEXT(conn, all);
        if (conn->id >= CONN_SOCKET || (rc = ring_resume(conn)) == 0)
            continue;
        log_line("domain %u: its ring cannot be connected again: %s", conn->domain->domid,
                 strerror(-rc));
        client_destroy(conn);
    }
}

/* ---- the state as notes ---- */

static void write_perms(const char *path, const struct perms *p)
{
    journal_put_node(JOURNAL_PERMS, 0, path, p->entry, p->count * sizeof(p->entry[0]));
}

/* A new node takes its parent's list: most have it. The root is made by whoever starts a store. */
static void write_tree(void)
{
    const struct perms *above[PATH_DEPTH_MAX + 2];
    struct tree_iter it;
    const struct node *n;

    tree_iter_start(&it, store_main.root, "/");
    while ((n = tree_iter_next(&it))) {
        above[it.depth] = n->perms;
        if (it.depth || n->value_len)
            journal_put_node(it.depth ? JOURNAL_CREATE : JOURNAL_VALUE, -1, it.path, n->value,
                             n->value_len);
        if (!it.depth || n->perms != above[it.depth - 1])
            write_perms(it.path, n->perms);
    }
}

/* The oldest first, as they came to be. */
static void write_conn(struct conn *conn)
{
    const struct transaction *t;

    conn_note_all(conn);
    watch_note_all(conn);
    LIST_FOREACH(t, &conn->transactions, in_conn)
    {
        const struct journal_transaction note = {.conn = conn->id, .id = t->id};

        journal_put(JOURNAL_START, &note, sizeof(note), NULL, 0, NULL, 0);
    }
}

void resume_write_all(void)
{
    struct conn *conn;

    for (unsigned i = 0; i < QUOTA_COUNT; i++)
        quota_note((enum quota_id)i);
    write_tree();
    write_perms("@introduceDomain", watch_special_perms("@introduceDomain"));
    write_perms("@releaseDomain", watch_special_perms("@releaseDomain"));
    domains_note_all();
    LIST_FOREACH(conn, &conn_all, all)
    if (!conn->dead)
        write_conn(conn);
}
