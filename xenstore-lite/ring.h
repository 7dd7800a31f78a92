/* SPDX-License-Identifier: MIT */
/*
 * Domain rings: the shared page of xs_wire.h as a transport.
 */
#ifndef XSL_RING_H
#define XSL_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

struct conn;
struct conn_state;
struct domain;

/* Maps the page, binds the port, connects; 0 or -errno with nothing left behind. */
int ring_open(struct domain *d, uint32_t remote_port);

/* The same for the control domain's own kernel. */
int ring_open_self(struct domain *d);

/* INTRODUCE of a domain that is introduced: a new event channel for the old page. */
int ring_rebind(struct conn *conn, uint32_t remote_port);

/*
 * After an earlier store's death: a ring as it was at its last commit, without its page; then, when
 * the journal is read, page and port. 0 or -errno.
 */
int ring_restore(struct domain *d, const struct conn_state *state, const char *in);
int ring_resume(struct conn *conn);
/* Its request is not served again. */
void ring_blame(struct conn *conn);

/*
 * Serving a ring: a turn begins, false when nothing counts before it ends; the next request's
 * bytes, until it is taken the same again, NULL when none is whole or the guest has to read first;
 * the ring goes on when the floor is free, or after the others' turns.
 */
bool ring_begin_turn(struct conn *conn);
const char *ring_request(struct conn *conn, struct xsd_sockmsg *header);
void ring_take_request(struct conn *conn);
void ring_wait_for_floor(struct conn *conn);
void ring_wait_for_turn(struct conn *conn);

/* The ring of a local port, or NULL. */
struct conn *ring_of_port(uint32_t port);

/* Rings that used up their turn, and the first of them, which then is none of them any more. */
uint32_t ring_count_ready(void);
struct conn *ring_next_ready(void);

/* Requests that had to wait for a privileged transaction may go on. */
void ring_wake_waiting(void);

/* A ring over any page, with no event channel: for tests. */
struct conn *ring_attach_page(struct domain *d, void *page);

#endif
