/* SPDX-License-Identifier: MIT */
/*
 * Watches.
 *
 * Owns: struct watch, the table of watched paths, the permission lists of the special names.
 * Invariants: a watch is in its connection's list and in exactly one bucket; the cost of an event
 *   depends on the depth of the path and on the watches that match, not on how many there are.
 * Leaves to others: queues and their limits (conn.c), who may register how many (ops.c).
 */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"

#define BUCKETS 4096u

struct watch {
    LIST_ENTRY(watch) in_bucket;
    TAILQ_ENTRY(watch) in_conn;
    struct conn *conn;
    int depth;
    uint32_t path_len;
    uint32_t prefix_len; /* bytes of the path that the client did not write */
    const char *token;
    char path[]; /* then the token */
};

LIST_HEAD(bucket, watch);
static struct bucket buckets[BUCKETS];

static struct {
    const char *name;
    struct perms *perms;
} specials[] = {{"@introduceDomain", NULL}, {"@releaseDomain", NULL}};

#define SPECIALS (sizeof(specials) / sizeof(specials[0]))
#define HASH_START 14695981039346656037ull

static uint64_t hash_add(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 1099511628211ull;
}

static struct bucket *bucket_of(uint64_t hash)
{
    return &buckets[(hash ^ (hash >> 29)) % BUCKETS];
}

static struct bucket *bucket_of_path(const char *path)
{
    uint64_t hash = HASH_START;

    for (; *path; path++)
        hash = hash_add(hash, *path);
    return bucket_of(hash);
}

size_t watch_bytes(const char *canonical, const char *token)
{
    return sizeof(struct watch) + strlen(canonical) + strlen(token) + 2;
}

static struct watch *find(struct conn *conn, const char *canonical, const char *token)
{
    struct watch *w;

    LIST_FOREACH(w, bucket_of_path(canonical), in_bucket)
    if (w->conn == conn && !strcmp(w->path, canonical) && !strcmp(w->token, token))
        return w;
    return NULL;
}

static void note(const struct watch *w)
{
    const struct watch_state state = {
        .conn = w->conn->id, .depth = w->depth, .prefix_len = w->prefix_len};

    journal_put(JOURNAL_WATCH, &state, sizeof(state), w->path, w->path_len + 1, w->token,
                strlen(w->token) + 1);
}

void watch_note_all(const struct conn *conn)
{
    const struct watch *w;

    TAILQ_FOREACH(w, &conn->watches, in_conn)
    note(w);
}

int watch_add(struct conn *conn, const char *path, const char *canonical, const char *token,
              int depth)
{
    size_t path_len = strlen(canonical), token_len = strlen(token);
    struct watch *w;

    if (find(conn, canonical, token))
        return -EEXIST;
    w = malloc(sizeof(*w) + path_len + token_len + 2);
    if (!w)
        return -ENOMEM;
    w->conn = conn;
    w->depth = depth;
    w->path_len = (uint32_t)path_len;
    w->prefix_len = (uint32_t)(path_len - strlen(path));
    memcpy(w->path, canonical, path_len + 1);
    w->token = w->path + path_len + 1;
    memcpy(w->path + path_len + 1, token, token_len + 1);
    TAILQ_INSERT_TAIL(&conn->watches, w, in_conn);
    LIST_INSERT_HEAD(bucket_of_path(canonical), w, in_bucket);
    conn->domain->watches++;
    conn->domain->watch_bytes += watch_bytes(canonical, token);
    note(w);
    return 0;
}

static void discard(struct watch *w)
{
    w->conn->domain->watches--;
    w->conn->domain->watch_bytes -= watch_bytes(w->path, w->token);
    TAILQ_REMOVE(&w->conn->watches, w, in_conn);
    LIST_REMOVE(w, in_bucket);
    free(w);
}

int watch_remove(struct conn *conn, const char *canonical, const char *token)
{
    struct watch *w = find(conn, canonical, token);

    if (!w)
        return -ENOENT;
    journal_put(JOURNAL_UNWATCH, &conn->id, sizeof(conn->id), canonical, strlen(canonical) + 1,
                token, strlen(token) + 1);
    discard(w);
    return 0;
}

void watch_remove_all(struct conn *conn)
{
    struct watch *w;

    while ((w = TAILQ_FIRST(&conn->watches)))
        discard(w);
}

static bool may_read(const struct conn *conn, const struct perms *p)
{
    return p && (conn->privileged ||
                 (perms_access(p, conn->domain->domid, conn->domain->target) & ACCESS_READ));
}

static bool is_on(const struct watch *w, const char *path, size_t len)
{
    return w->path_len == len && !memcmp(w->path, path, len);
}

/* Tells the watches on exactly the first len bytes of path, which lie levels above the change. */
static void fire_at(struct bucket *bucket, const char *path, size_t len, int levels,
                    const struct perms *before, const struct perms *after)
{
    struct watch *w;

    LIST_FOREACH(w, bucket, in_bucket)
    {
        if (!is_on(w, path, len))
            continue;
        if (w->depth != WATCH_ANY_DEPTH && levels > w->depth)
            continue;
        if (may_read(w->conn, before) || may_read(w->conn, after))
            conn_send_event(w->conn, path + w->prefix_len, w->token);
    }
}

/* The first len bytes of a path: a path themselves. */
struct prefix {
    size_t len;
    uint64_t hash;
};

/* From {0} to "/", and on by a name each time. False: it was the whole path. */
static bool next_prefix(struct prefix *p, const char *path)
{
    if (p->len && !path[p->len])
        return false;
    if (!p->len)
        p->hash = HASH_START;
    do
        p->hash = hash_add(p->hash, path[p->len++]);
    while (p->len > 1 && path[p->len] && path[p->len] != '/');
    return true;
}

bool watch_heard(const char *path)
{
    const struct watch *w;

    for (struct prefix p = {0}; next_prefix(&p, path);) {
        LIST_FOREACH(w, bucket_of(p.hash), in_bucket)
        {
            if (is_on(w, path, p.len))
                return true;
        }
    }
    return false;
}

void watch_fire(const char *path, const struct perms *before, const struct perms *after)
{
    int levels = (int)path_depth(path);

    for (struct prefix p = {0}; next_prefix(&p, path); levels--)
        fire_at(bucket_of(p.hash), path, p.len, levels, before, after);
}

void watch_fire_removed(const char *path, const struct node *subtree)
{
    struct tree_iter it;
    const struct node *n;

    watch_fire(path, subtree->perms, NULL);
    tree_iter_start(&it, subtree, path);
    tree_iter_next(&it); /* the top is done */
    while ((n = tree_iter_next(&it)))
        fire_at(bucket_of_path(it.path), it.path, it.path_len, 0, n->perms, NULL);
}

void watch_fire_special(const char *name)
{
    fire_at(bucket_of_path(name), name, strlen(name), 0, watch_special_perms(name), NULL);
}

struct perms *watch_special_perms(const char *name)
{
    for (size_t i = 0; i < SPECIALS; i++)
        if (!strcmp(specials[i].name, name))
            return specials[i].perms;
    return NULL;
}

void watch_set_special_perms(const char *name, struct perms *perms)
{
    for (size_t i = 0; i < SPECIALS; i++)
        if (!strcmp(specials[i].name, name)) {
            perms_ref(perms);
            perms_unref(specials[i].perms);
            specials[i].perms = perms;
            journal_put_node(JOURNAL_PERMS, 0, name, perms->entry,
                             perms->count * sizeof(perms->entry[0]));
        }
}

int watch_init(void)
{
    for (size_t i = 0; i < SPECIALS; i++) {
        specials[i].perms = perms_new(1); /* owned by the control domain, nothing for others */
        if (!specials[i].perms)
            return -ENOMEM;
    }
    return 0;
}

void watch_fini(void)
{
    for (size_t i = 0; i < SPECIALS; i++) {
        perms_unref(specials[i].perms);
        specials[i].perms = NULL;
    }
}

void watch_count(const struct conn *conn, unsigned long *watches, unsigned long *bytes)
{
    const struct watch *w;

    TAILQ_FOREACH(w, &conn->watches, in_conn)
    {
        (*watches)++;
        *bytes += watch_bytes(w->path, w->token);
    }
}
