/* SPDX-License-Identifier: MIT */
/*
 * Entries of the tree: make, share, copy, link, free.
 *
 * Owns: struct node and the count of bytes in all of them.
 * Invariants: children are sorted and unique; a child's reference belongs to its parent; freeing
 *   never recurses (XS-10), since clients decide how deep the tree is.
 * Locks: none, one thread.
 * Leaves to others: who may change a shared node (store.c: nobody).
 */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t bytes_total;

size_t node_bytes(const struct node *n)
{
    return sizeof(*n) + n->name_len + 1 + n->value_len + sizeof(*n->perms) +
           n->perms->count * sizeof(n->perms->entry[0]) + sizeof(n);
}

size_t node_bytes_total(void)
{
    return bytes_total;
}

/* What bytes_total counts: memory this node holds by itself. */
static size_t own_bytes(const struct node *n)
{
    return sizeof(*n) + n->name_len + 1 + n->value_len + n->child_cap * sizeof(n->child[0]);
}

struct node *node_new(const char *name, size_t name_len, struct perms *perms, uint64_t gen)
{
    struct node *n = calloc(1, sizeof(*n) + name_len + 1);

    if (!n)
        return NULL;
    n->ref = 1;
    n->name_len = (uint32_t)name_len;
    memcpy(n->name, name, name_len);
    n->perms = perms_ref(perms);
    n->gen = n->dir_gen = n->sub_gen = gen;
    bytes_total += own_bytes(n);
    return n;
}

struct node *node_ref(struct node *n)
{
    n->ref++;
    return n;
}

static void free_one(struct node *n)
{
    bytes_total -= own_bytes(n);
    perms_unref(n->perms);
    free(n->child);
    free(n->value);
    free(n);
}

/*
 * Dead nodes wait on a list threaded through their value pointer, which is released first; so depth
 * costs neither stack nor memory that might not be there.
 */
static void push_dead(struct node **dead, struct node *n)
{
    bytes_total -= n->value_len;
    n->value_len = 0;
    free(n->value);
    n->value = (char *)*dead;
    *dead = n;
}

void node_unref(struct node *n)
{
    struct node *dead = NULL;

    if (!n || --n->ref)
        return;
    push_dead(&dead, n);
    while (dead) {
        n = dead;
        dead = (struct node *)(void *)n->value;
        n->value = NULL;
        for (uint32_t i = 0; i < n->child_count; i++)
            if (--n->child[i]->ref == 0)
                push_dead(&dead, n->child[i]);
        free_one(n);
    }
}

struct node *node_clone(const struct node *n)
{
    struct node *copy = node_new(n->name, n->name_len, n->perms, n->gen);

    if (!copy)
        return NULL;
    copy->dir_gen = n->dir_gen;
    copy->sub_gen = n->sub_gen;
    if (n->child_count) {
        copy->child = malloc(n->child_cap * sizeof(n->child[0]));
        if (!copy->child)
            goto fail;
        copy->child_cap = n->child_cap;
        bytes_total += n->child_cap * sizeof(n->child[0]);
    }
    if (node_set_value(copy, n->value, n->value_len))
        goto fail;
    for (uint32_t i = 0; i < n->child_count; i++)
        copy->child[i] = node_ref(n->child[i]);
    copy->child_count = n->child_count;
    return copy;

fail:
    node_unref(copy);
    return NULL;
}

int node_compare(const struct node *n, const char *name, size_t len)
{
    size_t common = n->name_len < len ? n->name_len : len;
    int c = (unsigned char)n->name[0] - (unsigned char)name[0];

    if (c)
        return c; /* most that differ do so at once; no name is empty */
    c = memcmp(n->name, name, common);
    return c ? c : (n->name_len > len) - (n->name_len < len);
}

struct node *node_find(const struct node *n, const char *name, size_t len, uint32_t *at)
{
    uint32_t low = 0, high = n->child_count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = node_compare(n->child[mid], name, len);

        if (c == 0) {
            *at = mid;
            return n->child[mid];
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *at = low;
    return NULL;
}

static int grow_children(struct node *parent)
{
    uint32_t cap = parent->child_cap ? parent->child_cap * 2 : 4;
    struct node **child;

    if (parent->child_count < parent->child_cap)
        return 0;
    child = reallocarray(parent->child, cap, sizeof(child[0]));
    if (!child)
        return -ENOMEM;
    bytes_total += (cap - parent->child_cap) * sizeof(child[0]);
    parent->child = child;
    parent->child_cap = cap;
    return 0;
}

int node_insert(struct node *parent, uint32_t at, struct node *child)
{
    if (grow_children(parent))
        return -ENOMEM;
    memmove(parent->child + at + 1, parent->child + at, (parent->child_count - at) * sizeof(child));
    parent->child[at] = child;
    parent->child_count++;
    return 0;
}

struct node *node_take(struct node *parent, uint32_t at)
{
    struct node *child = parent->child[at];

    parent->child_count--;
    memmove(parent->child + at, parent->child + at + 1, (parent->child_count - at) * sizeof(child));
    return child;
}

int node_set_value(struct node *n, const char *value, size_t len)
{
    char *copy = NULL;

    if (len) {
        copy = malloc(len);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, value, len);
    }
    bytes_total += len;
    bytes_total -= n->value_len;
    free(n->value);
    n->value = copy;
    n->value_len = (uint32_t)len;
    return 0;
}

void node_set_perms(struct node *n, struct perms *perms)
{
    perms_ref(perms);
    perms_unref(n->perms);
    n->perms = perms;
}
