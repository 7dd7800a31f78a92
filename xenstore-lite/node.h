/* SPDX-License-Identifier: MIT */
/*
 * Entries of the tree.
 *
 * Nodes are counted and shared: a transaction's snapshot is one reference on the root.  A node may
 * be changed only through store.c, which first makes the whole path to it unshared ("copy on
 * write").
 *
 * Three generations tell a transaction what happened since its snapshot, without comparing:
 *   gen      this node's value or permissions, or the node itself came into being
 *   dir_gen  its list of children
 *   sub_gen  anything at or below it
 * They survive the copies of copy-on-write: a copy that changes nothing changes no generation.
 */
#ifndef XSL_NODE_H
#define XSL_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perms.h"

struct node {
    uint32_t ref;
    uint32_t child_count;
    uint32_t child_cap;
    uint32_t value_len;
    struct node **child; /* sorted by name */
    char *value;
    struct perms *perms;
    uint64_t gen, dir_gen, sub_gen;
    uint32_t name_len;
    char name[]; /* NUL-terminated */
};

/* A node without children and value; takes its own reference on perms. */
struct node *node_new(const char *name, size_t name_len, struct perms *perms, uint64_t gen);
struct node *node_ref(struct node *n);
void node_unref(struct node *n);

/* A private copy that shares the children. */
struct node *node_clone(const struct node *n);

/* The order of children: below 0 if n comes before the name, 0 if it bears it. */
int node_compare(const struct node *n, const char *name, size_t len);

/* The child of that name or NULL; *at is where it is or would be. */
struct node *node_find(const struct node *n, const char *name, size_t len, uint32_t *at);

/* Takes over the caller's reference on child; 0 or -ENOMEM. */
int node_insert(struct node *parent, uint32_t at, struct node *child);

/* Unlinks and hands the reference to the caller. */
struct node *node_take(struct node *parent, uint32_t at);

int node_set_value(struct node *n, const char *value, size_t len);
void node_set_perms(struct node *n, struct perms *perms);

static inline uint16_t node_owner(const struct node *n)
{
    return n->perms->entry[0].domid;
}

/* What the node is charged to its owner, as if nothing were shared. */
size_t node_bytes(const struct node *n);

/* Bytes of all living nodes, snapshots included. */
size_t node_bytes_total(void);

#endif
