/* SPDX-License-Identifier: MIT */
/*
 * The store as the toolstack uses it: a connection and short forms of what we ask.
 *
 * Reads come in two kinds: of nodes that only the control domain can write (its own directory,
 * backend directories, /local/domain/N/{name,vm,...}), and of nodes the guest can write. The
 * second kind is only ever shown, never acted upon (XS-15).
 */
#ifndef TENUE_STORE_H
#define TENUE_STORE_H

#include "diag.h"

#include <stdbool.h>
#include <stdint.h>

#include <tenue/xsclient.h>

/* While xs is NULL (the daemon is away) reads find nothing and writes fail. */
struct store {
    struct xsc *xs;
};

/* Who may use a node: the guest reads it, or owns it. */
enum store_access { STORE_GUEST_READS, STORE_GUEST_OWNS };

/* Fails with one line that says the daemon is not there. */
int store_open(struct store *st, struct diag *d) MUST_CHECK;
void store_close(struct store *st);

/* A node's value, or NULL; the caller frees it. */
char *store_read(struct store *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Its children; *n is 0 if there are none or no such node. The caller frees the array. */
char **store_list(struct store *st, unsigned *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Removes a node and all below it; a missing one is fine. */
void store_remove(struct store *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes one value outside any transaction. */
bool store_write(struct store *st, const char *path, const char *value) MUST_CHECK;

/*
 * Several writes as one. Failures are remembered and reported by store_batch_end(), which tells
 * to run the whole batch again if somebody interfered.
 */
struct store_batch {
    struct store *st;
    uint32_t t;
    bool failed;
};
bool store_batch_begin(struct store_batch *b, struct store *st) MUST_CHECK;
void store_put(struct store_batch *b, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void store_grant(struct store_batch *b, const char *path, uint32_t domid, enum store_access access);
/* 0: done. 1: again. -1: failed. */
int store_batch_end(struct store_batch *b) MUST_CHECK;

#endif
