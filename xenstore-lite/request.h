/* SPDX-License-Identifier: MIT */
/*
 * A message on its way through its handler, and the one reply that it gets.
 */
#ifndef XSL_REQUEST_H
#define XSL_REQUEST_H

#include "conn.h"

struct request {
    struct conn *conn;
    struct xsd_sockmsg header;
    const char *data; /* header.len bytes */
    struct transaction *tx;
    struct view *view; /* the transaction's, or the store itself */
};

/* The reply; -E2BIG (and no reply) if it is longer than a message may be. */
int request_reply(const struct request *r, const void *data, size_t len);
int request_ok(const struct request *r);
void request_error(const struct request *r, int err);

/* How many were answered since the start, for statistics. */
unsigned long request_count(void);

#endif
