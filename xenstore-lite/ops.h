/* SPDX-License-Identifier: MIT */
/*
 * Messages: one row for each type in ops.c says its name, its handler and who may send it.
 */
#ifndef XSL_OPS_H
#define XSL_OPS_H

#include "conn.h"

/* Answers one message, always with exactly one reply; header->len is at most 4096. */
void ops_dispatch(struct conn *conn, const struct xsd_sockmsg *header, const char *data);

/* True for messages that change the store for others (see transaction_must_wait). */
bool ops_changes_store(uint32_t type);

/* Recount everything after every request and stop the daemon at the first difference (tests). */
extern bool ops_audit_always;

#endif
