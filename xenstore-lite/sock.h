/* SPDX-License-Identifier: MIT */
/*
 * UNIX socket clients: programs of the control domain, all of them privileged.
 */
#ifndef XSL_SOCK_H
#define XSL_SOCK_H

#include <stddef.h>
#include <stdint.h>

struct conn;
struct conn_state;
struct event_base;

void sock_init(struct event_base *events);

/* Serves a connected descriptor, which is ours from here on; 0 or -ENOMEM. */
int sock_client_open(uint64_t id, int fd);

/*
 * After an earlier store's death: a client as it was at the last commit; what was received since;
 * then, when the journal is read, its descriptor; and the end of those who have none.
 */
int sock_client_restore(const struct conn_state *state, const char *in);
int sock_client_received(struct conn *conn, const char *bytes, size_t len);
int sock_client_resume(uint64_t id, int fd);
void sock_end_strays(void);

/* Called after each event of a client, to flush what it caused. */
extern void (*sock_turn_over)(void);

#endif
