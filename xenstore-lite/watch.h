/* SPDX-License-Identifier: MIT */
/*
 * Watches: who is told what.
 *
 * A watch on a path hears of changes at and below it; removing a subtree is one event for watches
 * at or above its top, and one each for watches inside.  An event goes only to a client that may
 * read the node, or could before (XS-6).  The special names have permission lists of their own.
 */
#ifndef XSL_WATCH_H
#define XSL_WATCH_H

#include "conn.h"
#include "store.h"

#define WATCH_ANY_DEPTH (-1)

struct watch;

/* A watch in the journal: then come its canonical path and its token. */
struct watch_state {
    uint64_t conn;
    int32_t depth;
    uint32_t prefix_len; /* of the path: what the client did not write */
};

/* path as the client wrote it, canonical as path_canonical() made it; 0, -EEXIST or -ENOMEM. */
int watch_add(struct conn *conn, const char *path, const char *canonical, const char *token,
              int depth);
int watch_remove(struct conn *conn, const char *canonical, const char *token);
void watch_remove_all(struct conn *conn);

/* Notes all of conn's in the journal, in an order that makes the same list of them again. */
void watch_note_all(const struct conn *conn);

/* The path changed; either list may be NULL if the node did not exist then. */
void watch_fire(const char *path, const struct perms *before, const struct perms *after);

/* True if watch_fire() may have somebody to tell of the path. */
bool watch_heard(const char *path);

/* The subtree at path went away. */
void watch_fire_removed(const char *path, const struct node *subtree);

/* @introduceDomain, @releaseDomain */
void watch_fire_special(const char *name);
struct perms *watch_special_perms(const char *name);
void watch_set_special_perms(const char *name, struct perms *perms);
int watch_init(void);
void watch_fini(void);

/* Bytes a watch is charged to its domain. */
size_t watch_bytes(const char *canonical, const char *token);

/* Recount for the audit. */
void watch_count(const struct conn *conn, unsigned long *watches, unsigned long *bytes);

#endif
