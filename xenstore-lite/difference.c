/* SPDX-License-Identifier: MIT */
/*
 * difference.c - two trees that share most of their nodes, side by side.
 *
 * Owns: nothing that lasts.
 * Invariants: children are sorted, so a step compares two names at most; no recursion, since
 *   clients decide how deep the tree is (XS-10); a node of both trees ends the descent.
 */
#include "difference.h"

#include <string.h>

#include "journal.h"
#include "wire.h"

/* A node of the new tree under way, and the old one of that path, or NULL. */
struct level {
    const struct node *was, *is;
    uint32_t old, new; /* children that are done */
    size_t path_len;
};

/* What was removed, and what was made in its place, is one change: value, list, children. */
static void note_node(const struct level *l, const struct level *parent, const char *path)
{
    const struct node *n = l->is;
    const struct perms *had = l->was ? l->was->perms : parent->is->perms;

    if (!l->was)
        journal_put_node(JOURNAL_CREATE, -1, path, n->value, n->value_len);
    else if (n->gen != l->was->gen)
        journal_put_node(JOURNAL_VALUE, 0, path, n->value, n->value_len);
    if (n->perms != had)
        journal_put_node(JOURNAL_PERMS, 0, path, n->perms->entry,
                         n->perms->count * sizeof(n->perms->entry[0]));
}

/* The path of a child, in place; its length. */
static size_t append_name(char *path, size_t len, const struct node *child)
{
    if (len > 1)
        path[len++] = '/';
    memcpy(path + len, child->name, child->name_len + 1);
    return len + child->name_len;
}

/* The next two children, either may be NULL: below 0, the old one comes first, or alone. */
static int order(const struct node *old, const struct node *new)
{
    if (!old || !new)
        return old ? -1 : 1;
    return old == new ? 0 : node_compare(old, new->name, new->name_len);
}

/* One step at l: true if *below is to be gone into. */
static bool step(struct level *l, char *path, struct level *below)
{
    const uint32_t had = l->was ? l->was->child_count : 0;
    const struct node *old = l->old < had ? l->was->child[l->old] : NULL;
    const struct node *new = l->new < l->is->child_count ? l->is->child[l->new] : NULL;
    const int c = order(old, new);

    l->old += c <= 0;
    l->new += c >= 0;
    if (old == new)
        return false;
    if (c < 0) {
        append_name(path, l->path_len, old);
        journal_put_node(JOURNAL_REMOVE, 0, path, NULL, 0);
        path[l->path_len] = '\0';
        return false;
    }
    *below = (struct level){.was = c ? NULL : old, .is = new};
    below->path_len = append_name(path, l->path_len, new);
    note_node(below, l, path);
    return true;
}

static bool done(const struct level *l)
{
    return l->new == l->is->child_count && (!l->was || l->old == l->was->child_count);
}

void difference_note(const struct node *was, const struct node *is)
{
    struct level level[PATH_DEPTH_MAX + 2];
    char path[PATH_BYTES] = "/";
    int depth = 0;

    if (was == is)
        return;
    level[0] = (struct level){.was = was, .is = is, .path_len = 1};
    note_node(&level[0], NULL, path);
    for (; depth >= 0; depth--) {
        path[level[depth].path_len] = '\0';
        while (!done(&level[depth]))
            if (step(&level[depth], path, &level[depth + 1]))
                depth++;
    }
}
