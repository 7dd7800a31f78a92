/* SPDX-License-Identifier: MIT */
/*
 * The tree: walking, copy-on-write, create, change, remove, count.
 *
 * Owns: struct view and its ledger; the generation counter.
 * Invariants: an operation that fails leaves values, permissions, children and ledger as they were
 *   (parts of the path may have become private copies, which nobody can tell); a node reachable
 *   from two views is never written.
 * Locks: none, one thread.
 * Leaves to others: permissions and quotas (ops.c), conflicts (transaction.c), events (watch.c).
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "journal.h"

static uint64_t generation;

uint64_t store_next_generation(void)
{
    return ++generation;
}

uint64_t store_generation(void)
{
    return generation;
}

void store_set_generation(uint64_t at_least)
{
    if (generation < at_least)
        generation = at_least;
}

static void note(const struct view *v, enum journal_type type, int32_t owner, const char *path,
                 const void *bytes, size_t len)
{
    if (v->noted)
        journal_put_node(type, owner, path, bytes, len);
}

const struct ledger_line *ledger_find(const struct ledger *l, uint16_t domid)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->line[i].domid == domid)
            return &l->line[i];
    return NULL;
}

struct ledger_line *ledger_line(struct ledger *l, uint16_t domid)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->line[i].domid == domid)
            return &l->line[i];
    if (l->count == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 4;
        struct ledger_line *line = reallocarray(l->line, cap, sizeof(*line));

        if (!line)
            return NULL;
        l->line = line;
        l->cap = cap;
    }
    l->line[l->count] = (struct ledger_line){.domid = domid};
    return &l->line[l->count++];
}

void ledger_clear(struct ledger *l)
{
    l->count = 0;
}

void ledger_free(struct ledger *l)
{
    free(l->line);
    *l = (struct ledger){0};
}

/*
 * Books one node.  Lines are made first (charge_prepare), so that the booking itself cannot fail
 * and can follow the last step of an operation that could.
 */
static int charge_prepare(struct ledger *l, const struct perms *perms)
{
    for (uint32_t i = 0; i < perms->count; i++)
        if (!ledger_line(l, perms->entry[i].domid))
            return -ENOMEM;
    return 0;
}

static void charge(struct ledger *l, const struct node *n, int sign)
{
    struct ledger_line *line = ledger_line(l, node_owner(n));

    if (line) {
        line->nodes += sign;
        line->bytes += sign * (long)node_bytes(n);
    }
    for (uint32_t i = 1; i < n->perms->count; i++) {
        line = ledger_line(l, n->perms->entry[i].domid);
        if (line)
            line->acls += sign;
    }
}

int view_init(struct view *v, struct perms *root_perms)
{
    *v = (struct view){0};
    v->root = node_new("", 0, root_perms, store_next_generation());
    if (!v->root || charge_prepare(&v->ledger, root_perms))
        return -ENOMEM;
    charge(&v->ledger, v->root, 1);
    return 0;
}

int view_snapshot(struct view *copy, const struct view *of)
{
    *copy = (struct view){.root = node_ref(of->root)};
    return 0;
}

void view_fini(struct view *v)
{
    node_unref(v->root);
    v->root = NULL;
    ledger_free(&v->ledger);
}

/* The component that starts at *at (just behind a slash); moves *at behind it and its slash. */
static size_t next_component(const char **at)
{
    const char *start = *at;
    const char *end = strchrnul(start, '/');

    *at = *end ? end + 1 : end;
    return (size_t)(end - start);
}

void store_walk(const struct view *v, const char *path, struct walk *w)
{
    const char *at = path + 1;

    *w = (struct walk){.node = v->root, .nearest = v->root, .nearest_len = 1};
    while (*at) {
        const char *name = at;
        size_t len = next_component(&at);
        uint32_t index;

        if (w->node)
            w->node = node_find(w->node, name, len, &index);
        if (w->node) {
            w->nearest = w->node;
            w->nearest_len = (size_t)(name - path) + len;
        } else {
            w->missing++;
        }
    }
}

struct node *store_find(const struct view *v, const char *path)
{
    const char *at = path + 1;
    struct node *n = v->root;
    uint32_t index;

    while (n && *at) {
        const char *name = at;
        size_t len = next_component(&at);

        n = node_find(n, name, len, &index);
    }
    return n;
}

/*
 * Makes the first len bytes of path, which exist, private to this view and stamps them with gen as
 * "something below changed".  Returns the last node, or NULL if there is no memory.
 */
static struct node *own_path(struct view *v, const char *path, size_t len, uint64_t gen)
{
    struct node **slot = &v->root;
    const char *at = path + 1;

    for (;;) {
        uint32_t index = 0;
        const char *name = at;
        struct node *n = *slot;
        size_t name_len;

        if (n->ref > 1) {
            n = node_clone(n);
            if (!n)
                return NULL;
            node_unref(*slot);
            *slot = n;
        }
        n->sub_gen = gen;
        if (at >= path + len)
            return n;
        name_len = next_component(&at);
        if (!node_find(n, name, name_len, &index))
            return NULL; /* the caller promised that it exists */
        slot = &n->child[index];
    }
}

/* A chain of new nodes for the components from at on; the deepest gets the value. */
static struct node *new_chain(const char *at, struct perms *perms, uint64_t gen, const char *value,
                              size_t value_len)
{
    struct node *top = NULL, *last = NULL;

    while (*at) {
        const char *name = at;
        size_t len = next_component(&at);
        struct node *n = node_new(name, len, perms, gen);

        if (!n || (!*at && node_set_value(n, value, value_len)) ||
            (last && node_insert(last, 0, n))) {
            node_unref(n);
            node_unref(top);
            return NULL;
        }
        if (!top)
            top = n;
        last = n;
    }
    return top;
}

int store_create(struct view *v, const char *path, int owner, const char *value, size_t len)
{
    struct walk w;

    store_walk(v, path, &w);
    return w.node ? -EEXIST : store_create_missing(v, path, &w, owner, value, len);
}

int store_create_missing(struct view *v, const char *path, const struct walk *w, int owner,
                         const char *value, size_t len)
{
    uint64_t gen = store_next_generation();
    struct node *parent, *chain;
    struct perms *perms;
    uint32_t at;

    perms = owner < 0 ? perms_ref(w->nearest->perms)
                      : perms_with_owner(w->nearest->perms, (uint16_t)owner);
    if (!perms)
        return -ENOMEM;
    chain = new_chain(path + w->nearest_len + (w->nearest_len > 1), perms, gen, value, len);
    parent = chain && !charge_prepare(&v->ledger, perms) ? own_path(v, path, w->nearest_len, gen)
                                                         : NULL;
    perms_unref(perms);
    if (!parent || node_find(parent, chain->name, chain->name_len, &at) ||
        node_insert(parent, at, chain)) {
        node_unref(chain);
        return -ENOMEM;
    }
    parent->dir_gen = gen;
    note(v, JOURNAL_CREATE, owner, path, value, len);
    for (const struct node *n = chain;; n = n->child[0]) {
        charge(&v->ledger, n, 1);
        if (!n->child_count)
            return 0;
    }
}

int store_set_value(struct view *v, const char *path, const char *value, size_t len)
{
    uint64_t gen = store_next_generation();
    struct node *n = own_path(v, path, strlen(path), gen);
    struct ledger_line *line = n ? ledger_line(&v->ledger, node_owner(n)) : NULL;
    uint32_t old_len;

    if (!line)
        return -ENOMEM;
    old_len = n->value_len;
    if (node_set_value(n, value, len))
        return -ENOMEM;
    line->bytes += (long)len - (long)old_len;
    n->gen = gen;
    note(v, JOURNAL_VALUE, 0, path, value, len);
    return 0;
}

int store_set_perms(struct view *v, const char *path, struct perms *perms)
{
    uint64_t gen = store_next_generation();
    struct node *n = own_path(v, path, strlen(path), gen);

    if (!n || charge_prepare(&v->ledger, perms) || charge_prepare(&v->ledger, n->perms))
        return -ENOMEM;
    charge(&v->ledger, n, -1);
    node_set_perms(n, perms);
    charge(&v->ledger, n, 1);
    n->gen = gen;
    note(v, JOURNAL_PERMS, 0, path, perms->entry, perms->count * sizeof(perms->entry[0]));
    return 0;
}

int store_remove(struct view *v, const char *path, struct node **removed)
{
    uint64_t gen = store_next_generation();
    size_t len = strlen(path), parent_len = path_parent_len(path, len);
    const char *name = path + parent_len + (parent_len > 1);
    struct node *parent = own_path(v, path, parent_len, gen);
    struct node *n;
    uint32_t at;

    if (!parent)
        return -ENOMEM;
    n = node_find(parent, name, (size_t)(path + len - name), &at);
    if (!n)
        return -ENOENT;
    if (store_account_tree(&v->ledger, n, path, -1))
        return -ENOMEM;
    *removed = node_take(parent, at);
    parent->dir_gen = gen;
    note(v, JOURNAL_REMOVE, 0, path, NULL, 0);
    return 0;
}

void tree_iter_start(struct tree_iter *it, const struct node *top, const char *path)
{
    it->path_len = strlen(path);
    memcpy(it->path, path, it->path_len + 1);
    it->started = false;
    it->depth = 0;
    it->level[0].node = top;
    it->level[0].next = 0;
    it->level[0].path_len = (uint32_t)it->path_len;
}

const struct node *tree_iter_next(struct tree_iter *it)
{
    const struct node *n, *child;
    size_t base;

    if (!it->started) {
        it->started = true;
        return it->level[0].node;
    }
    while (it->level[it->depth].next >= it->level[it->depth].node->child_count)
        if (it->depth-- == 0) {
            it->depth = 0;
            return NULL;
        }
    n = it->level[it->depth].node;
    child = n->child[it->level[it->depth].next++];
    base = it->level[it->depth].path_len;
    if (base > 1)
        it->path[base++] = '/';
    memcpy(it->path + base, child->name, child->name_len + 1);
    it->path_len = base + child->name_len;
    it->depth++;
    it->level[it->depth].node = child;
    it->level[it->depth].next = 0;
    it->level[it->depth].path_len = (uint32_t)it->path_len;
    return child;
}

void tree_iter_skip(struct tree_iter *it)
{
    it->level[it->depth].next = it->level[it->depth].node->child_count;
}

int store_account_tree(struct ledger *l, const struct node *top, const char *path, int sign)
{
    struct tree_iter it;
    const struct node *n;

    /* Two passes: the first makes every ledger line, so the second cannot fail half-way. */
    tree_iter_start(&it, top, path);
    while ((n = tree_iter_next(&it)))
        if (charge_prepare(l, n->perms))
            return -ENOMEM;
    tree_iter_start(&it, top, path);
    while ((n = tree_iter_next(&it)))
        charge(l, n, sign);
    return 0;
}
