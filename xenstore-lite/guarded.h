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

/* What a guard tells the store that it starts. */
struct guarded {
    uint32_t number;   /* the first store is 1; 0: we have no guard */
    int wire, journal; /* descriptors */
    int ready;         /* where to tell that the store serves, or -1 */
    int death;         /* the signal that killed the store before us, or 0 */
};

extern struct guarded guarded;

/* Takes "WIRE,JOURNAL,READY,SIGNAL,NUMBER" of --guarded; false when it is not that. */
bool guarded_parse(const char *numbers);

/* A new client: 1 and its number and descriptor; 0 when there is none now; -EPIPE: no guard. */
int guarded_next(uint64_t *id, int *fd);

/* The guard closes its descriptor of the client. */
void guarded_let_go(uint64_t id);

#endif
