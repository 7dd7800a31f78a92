/* SPDX-License-Identifier: MIT */
/*
 * A store's end of the wire to its guard (guard.c): clients come from there, and those whose
 * connection has ended are named there, eight bytes each.
 */
#ifndef XSL_GUARDED_H
#define XSL_GUARDED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

union guarded_control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

/* Takes "WIRE,JOURNAL,READY,SIGNAL,NUMBER" of --guarded; false when it is not that. */
bool guarded_parse(const char *numbers);
bool guarded_is(void);
int guarded_wire(void);
int guarded_journal(void);
int guarded_ready(void);       /* where to tell that the store serves, or -1 */
int guarded_death(void);       /* the signal that killed the store before us, or 0 */
uint32_t guarded_number(void); /* the first store is 1 */

/* A new client: 1 and its number and descriptor; 0 when there is none now; -EPIPE: no guard. */
int guarded_next(uint64_t *id, int *fd);

/* The guard closes its descriptor of the client. */
void guarded_let_go(uint64_t id);

#endif
