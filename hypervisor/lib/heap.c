/* SPDX-License-Identifier: MIT */
/* See heap.h. Timers and run queues are made of these. */
#include <tenue/heap.h>

/* Two roots become one; either's siblings must be detached already. */
static struct heap_node *merge(struct heap_node *a, struct heap_node *b)
{
    if (key_before(b->key, a->key)) {
        struct heap_node *t = a;

        a = b;
        b = t;
    }
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Join a list of siblings into one heap: in pairs left to right, then all into one. */
static struct heap_node *merge_siblings(struct heap_node *first)
{
    struct heap_node *pairs = NULL, *root = NULL;

    while (first) {
        struct heap_node *a = first, *b = first->next;

        first = b ? b->next : NULL;
        a->next = NULL;
        if (b) {
            b->next = NULL;
            a = merge(a, b);
        }
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct heap_node *t = pairs;

        pairs = t->next;
        t->next = NULL;
        root = root ? merge(root, t) : t;
    }
    if (root)
        root->prev = NULL;
    return root;
}

void heap_insert(struct heap_node **root, struct heap_node *n)
{
    n->child = n->next = n->prev = NULL;
    if (*root) {
        *root = merge(*root, n);
        (*root)->prev = NULL;
    } else {
        *root = n;
    }
}

void heap_remove(struct heap_node **root, struct heap_node *n)
{
    struct heap_node *orphans = n->child;

    if (n == *root) {
        *root = orphans ? merge_siblings(orphans) : NULL;
        return;
    }
    if (n->prev->child == n)
        n->prev->child = n->next;
    else
        n->prev->next = n->next;
    if (n->next)
        n->next->prev = n->prev;
    orphans = merge_siblings(orphans);
    if (orphans)
        *root = merge(*root, orphans);
}

/* Down, else along, else up until there is a way along. */
struct heap_node *heap_next(struct heap_node *n)
{
    if (n->child)
        return n->child;
    while (!n->next) {
        while (n->prev && n->prev->child != n)
            n = n->prev;
        n = n->prev;
        if (!n)
            return NULL;
    }
    return n->next;
}
