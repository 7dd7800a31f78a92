/* SPDX-License-Identifier: MIT */
/*
 * Messages: one row for each type in ops.c says its name, its handler and who may send it.
 */
#ifndef XSL_OPS_H
#define XSL_OPS_H

#include "conn.h"

struct request {
    struct conn *conn;
    struct xsd_sockmsg header;
    const char *data; /* header.len bytes */
    struct transaction *tx;
    struct view *view; /* the transaction's, or the store itself */
};

/* Answers one message, always with exactly one reply; header->len is at most 4096. */
void ops_dispatch(struct conn *conn, const struct xsd_sockmsg *header, const char *data);

/* True for messages that change the store for others (see transaction_must_wait). */
bool ops_changes_store(uint32_t type);

/* The reply; -E2BIG (and no reply) if it is longer than a message may be. */
int request_reply(const struct request *r, const void *data, size_t len);
int request_ok(const struct request *r);

/* XS_CONTROL, in control.c. */
int control_handle(struct request *r);

/* Count of requests since the start, for statistics. */
extern unsigned long ops_count;

/* Recount everything after every request and stop the daemon at the first difference (tests). */
extern bool ops_audit_always;

#endif
