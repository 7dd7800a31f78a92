/* SPDX-License-Identifier: MIT */
/*
 * Which networks there are and who is on them: files below /run/tenue-net.
 *
 *     lock                 held by whoever looks or changes
 *     forwarding           there when routing was off and we turned it on
 *     NAME/network         its kind and number, JSON
 *     NAME/OWNER.VIF.port  one vif, JSON; locked by its owner for as long as that lives
 *     NAME/hosts dnsmasq.conf dhcp/pid
 *
 * The kernel drops the lock of a process that is killed, so what a port file says is true exactly
 * while its lock is held. The directory is apart from /run/tenue since dnsmasq, which is nobody
 * there, reads its files again at each change.
 */
#ifndef TENUE_NETSTATE_H
#define TENUE_NETSTATE_H

#include "nettext.h"

#define NET_RUN_DIR "/run/tenue-net"

enum { NET_PATH_ROOM = 160 };

struct netstate {
    int lock_fd;
    struct network *nets;
    size_t nr;
};

/* Takes the lock and reads everything; without any network ever made, nr is 0 and nothing is made.
 */
int netstate_open(struct netstate *s, struct diag *d) MUST_CHECK;
/* The same, and makes the directory. */
int netstate_create(struct netstate *s, struct diag *d) MUST_CHECK;
void netstate_close(struct netstate *s);

struct network *netstate_find(struct netstate *s, const char *name);
/* Writes a new network without members. Pointers to others become stale. */
struct network *netstate_add(struct netstate *s, const char *name, enum net_kind kind,
                             unsigned slot, struct diag *d);
/* Removes its files, of which no port may be left. */
void netstate_remove(struct netstate *s, struct network *net);

/* Writes and locks a port's file: the descriptor, or -1. */
int netstate_plug(struct network *net, const struct net_member *m, struct diag *d) MUST_CHECK;
void netstate_unplug(struct network *net, const char *owner, unsigned vif);
/* Takes members away whose owners have died; how many. */
size_t netstate_forget_dead(struct network *net);

/* NET_RUN_DIR/NAME/file */
void netstate_path(const char *name, const char *file, char out[NET_PATH_ROOM]);
/* Replaces a file at once. */
int netstate_write(const char *path, const char *text, struct diag *d) MUST_CHECK;

#endif
