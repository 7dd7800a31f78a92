/* SPDX-License-Identifier: MIT */
/*
 * A turn of the event loop, from what woke it to its commit: what happens in between has happened
 * as a whole or not at all (journal.h).
 */
#ifndef XSL_TURN_H
#define XSL_TURN_H

#include <stdint.h>

struct conn;

/* A local port fired. */
void turn_port_fired(uint32_t port);

/* A ring's requests, as many as one may have served before others are. */
void turn_serve_ring(struct conn *conn);

/* Once each ring that is ready now. */
void turn_serve_ready(void);

/* The commit, one flush for every dirty connection, the burial of the dead. */
void turn_end(void);

#endif
