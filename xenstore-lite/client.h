/* SPDX-License-Identifier: MIT */
/*
 * The end of a client, or of all it has asked for: what watch.c and transaction.c hold of a
 * connection goes with it.
 */
#ifndef XSL_CLIENT_H
#define XSL_CLIENT_H

#include "conn.h"

/* Forgets watches and transactions, but no output: a reconnecting ring, RESET_WATCHES. */
void client_reset(struct conn *conn);

/* Ends it now; only for owners of the transport outside of callbacks (else conn_kill()). */
void client_destroy(struct conn *conn);

/* Ends all that were killed. */
void client_bury_dead(void);

#endif
