/* SPDX-License-Identifier: MIT */
/*
 * Domain rings: the shared page of xs_wire.h as a transport.
 */
#ifndef XSL_RING_H
#define XSL_RING_H

#include <stdbool.h>
#include <stdint.h>

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

/* A local port fired. */
void ring_port_fired(uint32_t port);

/* Rings that used up their turn get another; whether there are rings that wait for one. */
void ring_run_ready(void);
bool ring_any_ready(void);

/* Requests that had to wait for a privileged transaction may go on. */
void ring_wake_waiting(void);

/* A ring over any page, with no event channel: for tests. */
struct conn *ring_attach_page(struct domain *d, void *page);
void ring_process_page(struct conn *conn);

#endif
