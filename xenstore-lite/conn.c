/* SPDX-License-Identifier: MIT */
/*
 * Connections: their output on its way to the client, and to the journal.
 *
 * Owns: struct conn, its output buffer, the lists of all, of dirty and of dead connections.
 * Invariants: output consists of whole messages (its head may be inside one that is half sent);
 *   pending events are bounded by the "output" quota, replies by the transports, which take no
 *   further request while output is pending.
 * Leaves to others: reading requests (sock.c, ring.c), meaning (ops.c), the end (client.c).
 */
#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "log.h"
#include "quota.h"

/* A privileged client may lag this far; beyond it, something is wrong with it. */
#define PRIVILEGED_OUTPUT_MAX (1u << 20)

/* Buffers larger than this are given back when empty. */
#define OUTPUT_KEEP 8192u

struct conn_list conn_all = LIST_HEAD_INITIALIZER(conn_all);

static struct conn *dirty_list;
static LIST_HEAD(, conn) dead_list = LIST_HEAD_INITIALIZER(dead_list);

void conn_init(struct conn *conn, const struct transport *transport, struct domain *domain,
               bool privileged)
{
    conn->transport = transport;
    conn->id = domain->domid;
    conn->domain = domain;
    conn->privileged = privileged;
    TAILQ_INIT(&conn->watches);
    LIST_INIT(&conn->transactions);
    LIST_INSERT_HEAD(&conn_all, conn, all);
}

void conn_kill(struct conn *conn)
{
    if (conn->dead)
        return;
    conn->dead = true;
    LIST_INSERT_HEAD(&dead_list, conn, in_dead);
}

struct conn *conn_first_dead(void)
{
    return LIST_FIRST(&dead_list);
}

void conn_mark_dirty(struct conn *conn)
{
    if (conn->dirty)
        return;
    conn->dirty = true;
    conn->next_dirty = dirty_list;
    dirty_list = conn;
}

static void unlink_dirty(struct conn *conn)
{
    for (struct conn **at = &dirty_list; *at; at = &(*at)->next_dirty)
        if (*at == conn) {
            *at = conn->next_dirty;
            break;
        }
    conn->dirty = false;
}

void conn_fini(struct conn *conn)
{
    if (conn->dirty)
        unlink_dirty(conn);
    if (conn->dead)
        LIST_REMOVE(conn, in_dead);
    LIST_REMOVE(conn, all);
    free(conn->out.data);
    conn->transport->destroy(conn);
}

/* Start of the message after the one at offset at. */
static size_t message_end(const struct outbuf *out, size_t at)
{
    struct xsd_sockmsg header;

    memcpy(&header, out->data + at, sizeof(header));
    return at + sizeof(header) + header.len;
}

void conn_sent(struct conn *conn, size_t bytes)
{
    struct outbuf *out = &conn->out;
    size_t noted;

    out->head += bytes;
    noted = bytes < out->noted ? bytes : out->noted;
    out->noted -= noted;
    out->dropped += noted;
    if (out->head < out->tail) {
        while (out->next < out->head)
            out->next = message_end(out, out->next);
        return;
    }
    out->head = out->next = out->tail = 0;
    if (out->cap > OUTPUT_KEEP) {
        free(out->data);
        out->data = NULL;
        out->cap = 0;
    }
}

/* Makes room: by moving to the front if that leaves half the buffer free, else by doubling. */
static bool out_reserve(struct outbuf *out, size_t more)
{
    size_t used = out->tail - out->head, cap;
    char *data = out->data;

    if (out->cap - out->tail >= more)
        return true;
    for (cap = out->cap ? out->cap : 1024; cap / 2 < used + more; cap *= 2)
        continue;
    if (cap != out->cap) {
        data = malloc(cap);
        if (!data)
            return false;
    }
    if (used)
        memmove(data, out->data + out->head, used);
    if (data != out->data) {
        free(out->data);
        out->data = data;
        out->cap = cap;
    }
    out->next -= out->head; /* never before head */
    out->head = 0;
    out->tail = used;
    return true;
}

static void append(struct outbuf *out, const void *bytes, size_t len)
{
    if (len)
        memcpy(out->data + out->tail, bytes, len);
    out->tail += len;
}

void conn_send(struct conn *conn, const struct xsd_sockmsg *header, const void *first,
               size_t first_len, const void *second, size_t second_len)
{
    if (conn->dead)
        return;
    if (!out_reserve(&conn->out, sizeof(*header) + first_len + second_len)) {
        log_client("domain %u: no memory for a reply, connection ended", conn->domain->domid);
        conn_kill(conn);
        return;
    }
    append(&conn->out, header, sizeof(*header));
    append(&conn->out, first, first_len);
    append(&conn->out, second, second_len);
    conn_mark_dirty(conn);
}

static bool event_is_pending(const struct outbuf *out, const struct xsd_sockmsg *header,
                             const char *path, size_t path_len, const char *token)
{
    for (size_t at = out->next; at < out->tail; at = message_end(out, at)) {
        const char *body = out->data + at + sizeof(*header);

        if (!memcmp(out->data + at, header, sizeof(*header)) && !memcmp(body, path, path_len) &&
            !memcmp(body + path_len, token, header->len - path_len))
            return true;
    }
    return false;
}

void conn_send_event(struct conn *conn, const char *path, const char *token)
{
    size_t path_len = strlen(path) + 1, token_len = strlen(token) + 1;
    struct xsd_sockmsg header = {.type = XS_WATCH_EVENT, .len = (uint32_t)(path_len + token_len)};
    size_t limit = conn->privileged ? PRIVILEGED_OUTPUT_MAX : quota_limit(QUOTA_OUTPUT);

    if (path_len + token_len > XENSTORE_PAYLOAD_MAX)
        return;
    if (event_is_pending(&conn->out, &header, path, path_len, token))
        return;
    if (conn_pending(conn) + sizeof(header) + header.len > limit) {
        log_client("domain %u does not read its events: one dropped", conn->domain->domid);
        if (!conn->domain->conn || conn->domain->conn != conn)
            conn_kill(conn);
        return;
    }
    conn_send(conn, &header, path, path_len, token, token_len);
}

struct conn *conn_find(uint64_t id)
{
    struct conn *conn;

    LIST_FOREACH(conn, &conn_all, all)
    if (conn->id == id)
        return conn;
    return NULL;
}

int conn_restore_output(struct conn *conn, const struct conn_state *state, const char *bytes)
{
    struct outbuf *out = &conn->out;

    if (state->out_dropped > conn_pending(conn))
        return -EINVAL;
    out->head += state->out_dropped;
    if (!out_reserve(out, state->out_len))
        return -ENOMEM;
    append(out, bytes, state->out_len);
    if (state->out_next > conn_pending(conn))
        return -EINVAL;
    out->next = out->head + state->out_next;
    return 0;
}

void conn_note(struct conn *conn)
{
    struct outbuf *out = &conn->out;
    struct conn_state state = {
        .id = conn->id,
        .last_tx_id = conn->last_tx_id,
        .out_dropped = (uint32_t)out->dropped,
        .out_len = (uint32_t)(conn_pending(conn) - out->noted),
        .out_next = (uint32_t)(out->next - out->head),
    };
    const char *in = NULL;

    if (!journal_is_on() || !conn->transport->describe)
        return;
    conn->transport->describe(conn, &state, &in);
    journal_put(JOURNAL_CONN, &state, sizeof(state), in, state.in_len,
                out->data + out->head + out->noted, state.out_len);
    out->noted = conn_pending(conn);
    out->dropped = 0;
}

void conn_note_all(struct conn *conn)
{
    conn->out.noted = conn->out.dropped = 0;
    conn_note(conn);
}

void conn_note_sent(struct conn *conn, size_t bytes)
{
    const struct journal_sent note = {.conn = conn->id, .bytes = bytes};

    journal_put(JOURNAL_SENT, &note, sizeof(note), NULL, 0, NULL, 0);
    conn_sent(conn, bytes);
    conn->out.dropped = 0;
}

void conn_stage_all(void)
{
    struct conn *conn;

    for (conn = dirty_list; conn; conn = conn->next_dirty)
        if (!conn->dead && conn->transport->stage)
            conn->transport->stage(conn);
    for (conn = dirty_list; conn; conn = conn->next_dirty)
        if (!conn->dead)
            conn_note(conn);
}

void conn_publish_all(void)
{
    struct conn *conn;

    while ((conn = dirty_list)) {
        dirty_list = conn->next_dirty;
        conn->dirty = false;
        if (!conn->dead)
            conn->transport->publish(conn);
    }
}
