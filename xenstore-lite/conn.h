/* SPDX-License-Identifier: MIT */
/*
 * A client: what it has asked and what still has to reach it.
 *
 * The transport (sock.c, ring.c) has complete messages for ops_dispatch() and is called back to
 * flush.  Replies and events are appended to one output buffer, in order; a connection with output
 * is "dirty" and the end of an event-loop turn (turn.h) gives it one flush, however many messages
 * it got: one send or one notification.
 *
 * A connection that breaks during a turn is only marked dead; the turn's end also buries the dead,
 * so no callback ever loses the connection under its feet (XS-14).
 */
#ifndef XSL_CONN_H
#define XSL_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "domains.h"
#include "journal.h"
#include "wire.h"

struct conn;
struct transaction;
struct watch;

/* A connection in the journal: then come its input and its output. */
struct conn_state {
    uint64_t id;
    uint32_t in_len;
    uint32_t out_dropped, out_len; /* output: so much less in front, so much more behind */
    uint32_t out_next;             /* as in struct outbuf, but from its head */
    uint32_t last_tx_id;
    uint32_t req_cons, rsp_prod, remote_port; /* a ring's */
    uint8_t bad, reconnected, reserved[2];
};

struct transport {
    /* What the journal keeps of the connection's input; *in stays the transport's. */
    void (*describe)(const struct conn *conn, struct conn_state *state, const char **in);
    /* Moves output to where it can be given to the client by one word, by conn_sent(); or NULL. */
    void (*stage)(struct conn *conn);
    /* The turn is committed: the client may see what was staged; may mark the connection dead. */
    void (*publish)(struct conn *conn);
    /* Releases what the transport holds, the connection's memory included. */
    void (*destroy)(struct conn *conn);
};

struct outbuf {
    char *data;
    size_t head; /* first byte not sent */
    size_t next; /* start of the first message of which nothing was sent */
    size_t tail, cap;
    size_t noted;   /* so many bytes from head on are in the journal */
    size_t dropped; /* so many bytes before them are still there, though sent */
};

struct conn {
    LIST_ENTRY(conn) all;
    uint64_t id; /* across the store's deaths: the domain's number; from CONN_SOCKET on, sockets' */
    const struct transport *transport;
    struct domain *domain;
    bool privileged;
    bool dead;
    bool dirty;
    uint32_t failed_commits; /* in a row; see transaction.h on fairness */
    uint32_t last_tx_id;
    struct conn *next_dirty;
    LIST_ENTRY(conn) in_dead;
    struct outbuf out;
    TAILQ_HEAD(watch_list, watch) watches;
    LIST_HEAD(, transaction) transactions;
};

LIST_HEAD(conn_list, conn);
extern struct conn_list conn_all;

void conn_init(struct conn *conn, const struct transport *transport, struct domain *domain,
               bool privileged);

/* The connection ends with this turn of the event loop. */
void conn_kill(struct conn *conn);

/* One that is to be ended (client.h), or NULL. */
struct conn *conn_first_dead(void);

/* It is gone, memory and all; nothing of it may be elsewhere any more. For client_destroy(). */
void conn_fini(struct conn *conn);

static inline size_t conn_pending(const struct conn *conn)
{
    return conn->out.tail - conn->out.head;
}

/* The transport moved this many bytes of the output. */
void conn_sent(struct conn *conn, size_t bytes);

struct conn *conn_find(uint64_t id);

/* Output of an earlier store, as struct conn_state says: 0, -EINVAL or -ENOMEM. */
int conn_restore_output(struct conn *conn, const struct conn_state *state, const char *bytes);

/* Notes in the journal what became of it since the last note; or its whole state, in a new one. */
void conn_note(struct conn *conn);
void conn_note_all(struct conn *conn);
/* As conn_sent(), with a note of its own. */
void conn_note_sent(struct conn *conn, size_t bytes);

/* Appends a message made of two parts; kills the connection if there is no memory. */
void conn_send(struct conn *conn, const struct xsd_sockmsg *header, const void *first,
               size_t first_len, const void *second, size_t second_len);

/*
 * Appends a watch event.  An identical one that is still waiting makes it superfluous; one that
 * does not fit in a message or in the reader's allowance is dropped (a socket client that slow is
 * ended).
 */
void conn_send_event(struct conn *conn, const char *path, const char *token);

/* Asks for a note and a flush at the end of this turn. */
void conn_mark_dirty(struct conn *conn);

/*
 * All dirty ones: before the turn's commit their output goes where the client will find it, and is
 * noted; after it, the client may know.
 */
void conn_stage_all(void);
void conn_publish_all(void);

#endif
