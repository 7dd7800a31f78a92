/* SPDX-License-Identifier: MIT */
/*
 * Transactions: a snapshot to work on, and a record of what was touched.
 *
 * Starting one costs a reference on the root.  Operations work on the transaction's own view; each
 * notes which nodes its answer depended on.  At commit only those are compared between the snapshot
 * and the present store: if none changed, the modified nodes are replayed on the store, all of them
 * or none; otherwise the client hears EAGAIN.  docs/adr/0010 says why.
 *
 * Fairness (XS-13): a privileged client that lost several commits in a row gets the floor with its
 * next transaction: changes by guests wait until it ends, or for FLOOR_SECONDS at most.
 */
#ifndef XSL_TRANSACTION_H
#define XSL_TRANSACTION_H

#include "conn.h"
#include "store.h"

/* What an answer depended on; TOUCH_NODE includes "it exists" and "it does not". */
#define TOUCH_NODE 1u     /* value, permissions, existence */
#define TOUCH_CHILDREN 2u /* the list of children */
#define TOUCH_SUBTREE 4u  /* anything below */
#define TOUCH_CHANGED 8u  /* this transaction created or changed it */
#define TOUCH_REMOVED 16u /* this transaction removed it (perhaps to create it again) */

#define FLOOR_AFTER_FAILURES 3u
#define FLOOR_SECONDS 1

struct touch {
    char *path;
    uint64_t hash;
    uint32_t flags;
};

struct transaction {
    LIST_ENTRY(transaction) in_conn;
    struct conn *conn;
    uint32_t id;
    int doomed; /* the error END will answer, or 0 */
    bool has_floor;
    struct view view;  /* what the client sees */
    struct node *base; /* what it started from */
    struct touch *touch;
    uint32_t touch_count, touch_cap;
    uint32_t *slot; /* hash table: index + 1 into touch */
    uint32_t slot_count;
    size_t bytes; /* charged to the connection's domain */
};

/* A new transaction, or NULL if there is no memory. */
struct transaction *transaction_start(struct conn *conn);
/* One of an earlier store, whose snapshot died with it: its commit will answer EAGAIN. */
int transaction_restore(struct conn *conn, uint32_t id);
struct transaction *transaction_find(struct conn *conn, uint32_t id);

/* Notes a dependency; 0, -ENOMEM or -ENOSPC (more nodes than a transaction may touch). */
int transaction_touch(struct transaction *t, const char *path, size_t len, uint32_t flags);

/* The client was refused something for want of room: its commit must fail with the same. */
void transaction_doom(struct transaction *t, int err);

/* Ends it, whatever the outcome: 0, -EAGAIN, or the reason of its doom. */
int transaction_commit(struct transaction *t);
void transaction_abort(struct transaction *t);
void transaction_abort_all(struct conn *conn);

/* Transactions that would bring a removed domain's id back must fail. */
void transaction_doom_domain(uint16_t domid);

/* True while a change by this client has to wait for a privileged transaction. */
bool transaction_must_wait(const struct conn *conn);

/* Called when the floor is taken (true) and given back (false): runs the clock, wakes waiters. */
extern void (*transaction_floor_changed)(bool taken);

/* Time is up. */
void transaction_revoke_floor(void);

void transaction_count(const struct conn *conn, unsigned long *transactions, unsigned long *bytes);

/* If snapshots keep more memory alive than this many bytes, dooms the oldest of guests. */
void transaction_trim(size_t limit);

#endif
