/* SPDX-License-Identifier: MIT */
/*
 * UNIX socket clients: programs of the control domain, all of them privileged.
 */
#ifndef XSL_SOCK_H
#define XSL_SOCK_H

struct event_base;

/* Listens at path, mode 0600, replacing a socket that nobody serves; 0 or -errno. */
int sock_listen(struct event_base *base, const char *path);
void sock_close(void);

/* Serves a connected descriptor. */
int sock_accept_fd(struct event_base *base, int fd);

/* Called after each event of a client, to flush what it caused. */
extern void (*sock_turn_over)(void);

#endif
