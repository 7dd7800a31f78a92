/* SPDX-License-Identifier: MIT */
/*
 * UNIX socket clients.
 *
 * Owns: struct sock_client, what was received but is not yet a whole message.
 * Invariants: one recv and one send for each turn, however many messages they carry; the answers
 *   leave when the turn is committed; no further request is read while output is pending, so what a
 *   client can make us hold is bounded.
 * Locks: none, one thread.
 * Leaves to others: accepting (guard.c), meaning (ops.c), the end of a connection (client.c).
 */
#include "sock.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "conn.h"
#include "guarded.h"
#include "journal.h"
#include "log.h"
#include "ops.h"

#define OUTPUT_PAUSE (64u << 10) /* more output than this ends the turn */

struct sock_client {
    struct conn conn; /* first, so that one pointer serves for both */
    int fd;
    struct event *readable, *writable;
    char *rest; /* received, not yet processed */
    size_t rest_len;
    bool paused; /* whole messages are among it, too much output came before them */
};

void (*sock_turn_over)(void);

static struct event_base *base;

static struct sock_client *client_of(struct conn *conn)
{
    return (struct sock_client *)(void *)conn;
}

/* Reading stops while output is pending, and starts again behind it. */
static void wait_for_writable(struct sock_client *c, bool blocked)
{
    if (blocked) {
        event_del(c->readable);
        event_add(c->writable, NULL);
    } else {
        event_del(c->writable);
        event_add(c->readable, NULL);
    }
}

static bool is_blocked(const struct sock_client *c)
{
    return event_pending(c->writable, EV_WRITE, NULL);
}

/* The bytes are gone, whatever becomes of us: a small turn of its own. */
static void sent(struct conn *conn, size_t bytes)
{
    conn_note_sent(conn, bytes);
    journal_commit(store_generation());
}

/* Sends what it can; true if all is gone. */
static bool send_pending(struct sock_client *c)
{
    struct conn *conn = &c->conn;
    ssize_t n;

    while (conn_pending(conn)) {
        n = journal_send(conn->id, c->fd, conn->out.data + conn->out.head, conn_pending(conn));
        if (n > 0) {
            sent(conn, (size_t)n);
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            conn_kill(conn);
            return true;
        }
    }
    return true;
}

/* What was not served for too much output before it is served when the output is gone. */
static void sock_publish(struct conn *conn)
{
    struct sock_client *c = client_of(conn);

    if (!is_blocked(c) && (!send_pending(c) || c->paused))
        wait_for_writable(c, true);
}

static void sock_describe(const struct conn *conn, struct conn_state *state, const char **in)
{
    const struct sock_client *c = (const struct sock_client *)(const void *)conn;

    state->in_len = (uint32_t)c->rest_len;
    *in = c->rest;
}

static void sock_destroy(struct conn *conn)
{
    struct sock_client *c = client_of(conn);

    if (c->readable)
        event_free(c->readable);
    if (c->writable)
        event_free(c->writable);
    if (c->fd >= 0)
        close(c->fd);
    guarded_let_go(conn->id);
    free(c->rest);
    free(c);
}

static const struct transport sock_transport = {sock_describe, NULL, sock_publish, sock_destroy};

/* Serves the whole messages at the front of data; returns how many bytes they were. */
static size_t serve(struct sock_client *c, const char *data, size_t len)
{
    struct xsd_sockmsg header;
    size_t done = 0;

    c->paused = false;
    while (len - done >= sizeof(header) && !c->conn.dead) {
        memcpy(&header, data + done, sizeof(header));
        if (header.len > XENSTORE_PAYLOAD_MAX) {
            log_client("a socket client sent a message of %u bytes and was disconnected",
                       header.len);
            conn_kill(&c->conn);
            break;
        }
        if (len - done - sizeof(header) < header.len)
            break;
        if (conn_pending(&c->conn) >= OUTPUT_PAUSE) {
            c->paused = true;
            break;
        }
        ops_dispatch(&c->conn, &header, data + done + sizeof(header));
        done += sizeof(header) + header.len;
    }
    return done;
}

static void keep_rest(struct sock_client *c, const char *data, size_t len)
{
    char *rest = NULL;

    if (len) {
        rest = malloc(len);
        if (!rest) {
            conn_kill(&c->conn);
            len = 0;
        } else {
            memcpy(rest, data, len);
        }
    }
    free(c->rest);
    c->rest = rest;
    c->rest_len = len;
}

static void take(struct sock_client *c, char *data, size_t len)
{
    size_t done = serve(c, data, len);

    if (done != len || c->rest)
        keep_rest(c, data + done, len - done);
    conn_mark_dirty(&c->conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct sock_client *c = arg;
    size_t len = c->rest_len, size;
    char *receive = journal_receive_room(&size);
    ssize_t n;

    (void)what;
    n = journal_receive(c->conn.id, fd, receive + len, size - len);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            conn_kill(&c->conn);
        sock_turn_over();
        return;
    }
    if (len)
        memcpy(receive, c->rest, len);
    take(c, receive, len + (size_t)n);
    sock_turn_over();
}

static void serve_rest(struct sock_client *c)
{
    size_t len = c->rest_len, size;
    char *receive = journal_receive_room(&size);

    if (c->conn.dead || !len)
        return;
    memcpy(receive, c->rest, len);
    take(c, receive, len);
}

/* The client reads again: serve what it had asked meanwhile, then listen again. */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct sock_client *c = arg;

    (void)fd;
    (void)what;
    if (!send_pending(c))
        return;
    wait_for_writable(c, false);
    serve_rest(c);
    sock_turn_over();
}

static struct sock_client *client_new(uint64_t id)
{
    struct sock_client *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->fd = -1;
    conn_init(&c->conn, &sock_transport, domain_of(0), true);
    c->conn.id = id;
    return c;
}

/* On failure the connection ends, and with it the descriptor. */
static int connect_client(struct sock_client *c, int fd)
{
    c->fd = fd;
    c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    if (c->readable && c->writable && event_add(c->readable, NULL) == 0)
        return 0;
    client_destroy(&c->conn);
    return -ENOMEM;
}

int sock_client_open(uint64_t id, int fd)
{
    struct sock_client *c = client_new(id);

    if (!c) {
        close(fd);
        return -ENOMEM;
    }
    conn_note(&c->conn); /* before all that it asks for */
    return connect_client(c, fd);
}

int sock_client_restore(const struct conn_state *state, const char *in)
{
    struct conn *conn = conn_find(state->id);
    struct sock_client *c = conn ? client_of(conn) : client_new(state->id);

    if (!c)
        return -ENOMEM;
    keep_rest(c, in, state->in_len);
    return c->conn.dead ? -ENOMEM : 0;
}

int sock_client_resume(uint64_t id, int fd)
{
    struct conn *conn = conn_find(id);

    if (!conn)
        return sock_client_open(id, fd);
    if (connect_client(client_of(conn), fd))
        return -ENOMEM;
    serve_rest(client_of(conn));
    conn_mark_dirty(conn);
    return 0;
}

/* What an earlier store had received when it died, behind what it remembered. */
int sock_client_received(struct conn *conn, const char *bytes, size_t len)
{
    struct sock_client *c = client_of(conn);
    char *all = malloc(c->rest_len + len);

    if (!all)
        return -ENOMEM;
    if (c->rest_len)
        memcpy(all, c->rest, c->rest_len);
    memcpy(all + c->rest_len, bytes, len);
    free(c->rest);
    c->rest = all;
    c->rest_len += len;
    return 0;
}

/* The guard forgot it, or it never came: nobody is at the other end. */
void sock_end_strays(void)
{
    struct conn *conn, *next;

    for (conn = LIST_FIRST(&conn_all); conn; conn = next) {
        next = LIST_NEXT(conn, all);
        if (conn->transport == &sock_transport && client_of(conn)->fd < 0)
            client_destroy(conn);
    }
}

void sock_init(struct event_base *events)
{
    base = events;
}
