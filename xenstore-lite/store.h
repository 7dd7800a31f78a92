/* SPDX-License-Identifier: MIT */
/*
 * The tree as the messages see it: paths in, nodes out.
 *
 * A view is a root and a ledger.  The store proper is one view, each transaction has another that
 * began as a reference on the same root; the functions below work on either and never change a node
 * that another view can see.  What an operation did to each domain's usage is noted in the view's
 * ledger; the owner of the view decides when those changes count (domains.c for the store itself,
 * at once; transaction.c at commit).
 *
 * Paths given here are canonical (wire.h).  Nothing here knows permissions or quotas.
 */
#ifndef XSL_STORE_H
#define XSL_STORE_H

#include "node.h"
#include "wire.h"

/* Changes of one domain's usage; acls counts appearances in permission lists beside ownership. */
struct ledger_line {
    uint16_t domid;
    long nodes, bytes, acls;
};

struct ledger {
    uint32_t count, cap;
    struct ledger_line *line;
};

struct view {
    struct node *root;
    struct ledger ledger;
    bool noted; /* changes go to the journal: the store proper, and what is about to become it */
};

/* What lies along a path. */
struct walk {
    struct node *node;    /* the node, or NULL */
    struct node *nearest; /* deepest existing node on the path; the node itself if it exists */
    size_t nearest_len;   /* length of nearest's path */
    unsigned int missing; /* components that do not exist */
};

/* The line of domid, added if need be; NULL if there is no memory. */
struct ledger_line *ledger_line(struct ledger *l, uint16_t domid);
const struct ledger_line *ledger_find(const struct ledger *l, uint16_t domid);
void ledger_clear(struct ledger *l);
void ledger_free(struct ledger *l);

int view_init(struct view *v, struct perms *root_perms);
int view_snapshot(struct view *copy, const struct view *of);
void view_fini(struct view *v);

/* A number never given before; every change carries one. */
uint64_t store_next_generation(void);
uint64_t store_generation(void); /* the last one given */
void store_set_generation(uint64_t at_least);

void store_walk(const struct view *v, const char *path, struct walk *w);
struct node *store_find(const struct view *v, const char *path);

/*
 * Creates path with the given value, and its missing parents with empty ones; each takes the
 * nearest ancestor's list, and the given owner unless owner is -1.  0, -EEXIST or -ENOMEM; all or
 * nothing.
 */
int store_create(struct view *v, const char *path, int owner, const char *value, size_t len);

/* The same of a path that a walk just now did not find. */
int store_create_missing(struct view *v, const char *path, const struct walk *w, int owner,
                         const char *value, size_t len);

/* These need the node to exist: 0 or -ENOMEM, with nothing changed. */
int store_set_value(struct view *v, const char *path, const char *value, size_t len);
int store_set_perms(struct view *v, const char *path, struct perms *perms);

/* Unlinks path (not "/") with all below it and hands the subtree's reference to the caller. */
int store_remove(struct view *v, const char *path, struct node **removed);

/*
 * A walk over a subtree in path order without recursion.  next() answers NULL at the end and keeps
 * the current node's path in iter->path; skip() makes the next step leave out the children.
 */
struct tree_iter {
    char path[PATH_BYTES];
    size_t path_len;
    bool started;
    unsigned int depth;
    struct {
        const struct node *node;
        uint32_t next;
        uint32_t path_len;
    } level[PATH_DEPTH_MAX + 2];
};

void tree_iter_start(struct tree_iter *it, const struct node *top, const char *path);
const struct node *tree_iter_next(struct tree_iter *it);
void tree_iter_skip(struct tree_iter *it);

/* Adds (sign 1) or takes away (sign -1) a whole subtree's usage: the audit, and removals. */
int store_account_tree(struct ledger *l, const struct node *top, const char *path, int sign);

#endif
