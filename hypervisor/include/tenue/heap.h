/* SPDX-License-Identifier: MIT */
/*
 * Pairing heaps threaded through what they hold: no capacity, inserting cannot fail, the smallest
 * key is at the root. Keys of one heap lie within 2^63 of each other and compare by their
 * difference, so that they may wrap. The caller's lock covers heap and nodes; a key does not change
 * while its node is in a heap.
 */
#ifndef TENUE_HEAP_H
#define TENUE_HEAP_H

#include <tenue/abi.h>

struct heap_node {
    uint64_t key;
    struct heap_node *child, *next; /* first child, next sibling */
    struct heap_node *prev;         /* previous sibling, or the parent of a first child */
};

static inline bool key_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

void heap_insert(struct heap_node **root, struct heap_node *n);
void heap_remove(struct heap_node **root, struct heap_node *n);
/* Some other node: all of them are seen when started at the root. NULL after the last. */
struct heap_node *heap_next(struct heap_node *n);

#endif
