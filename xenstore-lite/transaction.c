/* SPDX-License-Identifier: MIT */
/*
 * Transactions.
 *
 * Owns: struct transaction, its record of touched nodes, the floor.
 * Invariants: base is the store as it was at the start; view differs from base only in nodes marked
 *   changed or removed; a commit changes the store wholly or not at all (XS-9).
 * Locks: none, one thread.
 * Leaves to others: permissions and the per-operation quotas (ops.c).
 */
#include "transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "difference.h"
#include "domains.h"
#include "journal.h"
#include "quota.h"
#include "watch.h"

void (*transaction_floor_changed)(bool taken);

static struct transaction *floor_holder;

static void charge(struct transaction *t, size_t bytes)
{
    t->bytes += bytes;
    t->conn->domain->transaction_bytes += bytes;
}

static uint32_t unused_id(struct conn *conn)
{
    do
        conn->last_tx_id++;
    while (conn->last_tx_id == 0 || transaction_find(conn, conn->last_tx_id));
    return conn->last_tx_id;
}

static void note(const struct transaction *t, enum journal_type type)
{
    const struct journal_transaction note = {.conn = t->conn->id, .id = t->id};

    journal_put(type, &note, sizeof(note), NULL, 0, NULL, 0);
}

static struct transaction *begin(struct conn *conn, uint32_t id)
{
    struct transaction *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->conn = conn;
    t->id = id;
    t->base = node_ref(store_main.root);
    view_snapshot(&t->view, &store_main);
    LIST_INSERT_HEAD(&conn->transactions, t, in_conn);
    conn->domain->transactions++;
    charge(t, sizeof(*t));
    note(t, JOURNAL_START);
    return t;
}

int transaction_restore(struct conn *conn, uint32_t id)
{
    struct transaction *t = begin(conn, id);

    if (t)
        transaction_doom(t, -EAGAIN);
    return t ? 0 : -ENOMEM;
}

struct transaction *transaction_start(struct conn *conn)
{
    struct transaction *t = begin(conn, unused_id(conn));

    if (!t)
        return NULL;
    if (conn->privileged && conn->failed_commits >= FLOOR_AFTER_FAILURES && !floor_holder) {
        t->has_floor = true;
        floor_holder = t;
        if (transaction_floor_changed)
            transaction_floor_changed(true);
    }
    return t;
}

struct transaction *transaction_find(struct conn *conn, uint32_t id)
{
    struct transaction *t;

    LIST_FOREACH(t, &conn->transactions, in_conn)
    if (t->id == id)
        return t;
    return NULL;
}

static uint64_t hash_path(const char *path, size_t len)
{
    uint64_t hash = 14695981039346656037ull;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)path[i]) * 1099511628211ull;
    return hash ^ (hash >> 32);
}

static bool same_path(const struct touch *touch, uint64_t hash, const char *path, size_t len)
{
    return touch->hash == hash && !strncmp(touch->path, path, len) && !touch->path[len];
}

/* The slot of a path: where it is, or the empty one where it belongs. */
static uint32_t *find_slot(struct transaction *t, uint64_t hash, const char *path, size_t len)
{
    uint32_t at = (uint32_t)hash & (t->slot_count - 1);

    while (t->slot[at] && !same_path(&t->touch[t->slot[at] - 1], hash, path, len))
        at = (at + 1) & (t->slot_count - 1);
    return &t->slot[at];
}

static int grow_touches(struct transaction *t)
{
    uint32_t cap = t->touch_cap ? t->touch_cap * 2 : 16;
    struct touch *touch;
    uint32_t *slot;

    if (t->touch_count < t->touch_cap)
        return 0;
    touch = reallocarray(t->touch, cap, sizeof(*touch));
    if (!touch)
        return -ENOMEM;
    t->touch = touch;
    slot = calloc(cap * 2, sizeof(*slot));
    if (!slot)
        return -ENOMEM;
    free(t->slot);
    t->slot = slot;
    t->slot_count = cap * 2;
    charge(t, (cap - t->touch_cap) * (sizeof(*touch) + 2 * sizeof(*slot)));
    t->touch_cap = cap;
    for (uint32_t i = 0; i < t->touch_count; i++)
        *find_slot(t, touch[i].hash, touch[i].path, strlen(touch[i].path)) = i + 1;
    return 0;
}

int transaction_touch(struct transaction *t, const char *path, size_t len, uint32_t flags)
{
    uint64_t hash = hash_path(path, len);
    uint32_t *slot;

    if (grow_touches(t))
        return -ENOMEM;
    slot = find_slot(t, hash, path, len);
    if (!*slot) {
        char *copy;

        if (!t->conn->privileged && t->touch_count >= quota_limit(QUOTA_TRANSACTION_NODES))
            return -ENOSPC;
        copy = strndup(path, len);
        if (!copy)
            return -ENOMEM;
        t->touch[t->touch_count] = (struct touch){.path = copy, .hash = hash};
        *slot = ++t->touch_count;
        charge(t, len + 1);
    }
    t->touch[*slot - 1].flags |= flags;
    return 0;
}

void transaction_doom(struct transaction *t, int err)
{
    if (!t->doomed)
        t->doomed = err;
}

/* Did anything that this answer depended on change since the snapshot? */
static bool touch_conflicts(const struct transaction *t, const struct touch *touch)
{
    const struct view base = {.root = t->base};
    const struct node *then = store_find(&base, touch->path);
    const struct node *now = store_find(&store_main, touch->path);

    if (then == now)
        return false; /* shared, hence unchanged; or absent both times */
    if (!then || !now)
        return true;
    return ((touch->flags & TOUCH_NODE) && then->gen != now->gen) ||
           ((touch->flags & TOUCH_CHILDREN) && then->dir_gen != now->dir_gen) ||
           ((touch->flags & TOUCH_SUBTREE) && then->sub_gen != now->sub_gen);
}

static bool conflicts(const struct transaction *t)
{
    if (t->base == store_main.root)
        return false;
    for (uint32_t i = 0; i < t->touch_count; i++)
        if (touch_conflicts(t, &t->touch[i]))
            return true;
    return false;
}

/* The domain's present usage plus what the transaction adds must be within its limits. */
static int check_quota(const struct transaction *t)
{
    const struct domain *d = t->conn->domain;
    const struct ledger_line *line = ledger_find(&t->view.ledger, d->domid);

    if (t->conn->privileged || !line)
        return 0;
    if (line->nodes > 0 && (unsigned long)(d->nodes + line->nodes) > quota_limit(QUOTA_NODES))
        return -ENOSPC;
    if (line->bytes > 0 &&
        domain_memory(d) + (unsigned long)line->bytes > quota_limit(QUOTA_MEMORY))
        return -ENOSPC;
    return 0;
}

/* Brings one changed node, as the transaction sees it, into the view to. */
static int replay_node(struct view *to, const char *path, const struct node *n)
{
    int rc;

    if (store_find(to, path))
        rc = store_set_value(to, path, n->value, n->value_len);
    else
        rc = store_create(to, path, -1, n->value, n->value_len);
    if (rc == 0 && store_find(to, path)->perms != n->perms)
        rc = store_set_perms(to, path, n->perms);
    return rc;
}

/*
 * Removals first, then everything changed that exists.  The order does not matter otherwise: a
 * parent created on the way gets its own value and list when its turn comes.
 */
static int replay(const struct transaction *t, struct view *to)
{
    int rc = 0;

    for (uint32_t i = 0; i < t->touch_count && rc == 0; i++) {
        struct node *removed = NULL;

        if (!(t->touch[i].flags & TOUCH_REMOVED) || !store_find(to, t->touch[i].path))
            continue;
        rc = store_remove(to, t->touch[i].path, &removed);
        node_unref(removed);
    }
    for (uint32_t i = 0; i < t->touch_count && rc == 0; i++) {
        const struct node *n;

        if (!(t->touch[i].flags & TOUCH_CHANGED))
            continue;
        n = store_find(&t->view, t->touch[i].path);
        if (n)
            rc = replay_node(to, t->touch[i].path, n);
    }
    return rc;
}

/* Events in the order in which the nodes were first touched, one for each. */
static void fire_events(const struct transaction *t, const struct view *before)
{
    for (uint32_t i = 0; i < t->touch_count; i++) {
        const struct touch *touch = &t->touch[i];
        const struct node *old, *new;

        if (!(touch->flags & (TOUCH_CHANGED | TOUCH_REMOVED)))
            continue;
        if (!(touch->flags & TOUCH_REMOVED) && !watch_heard(touch->path))
            continue;
        old = store_find(before, touch->path);
        new = store_find(&store_main, touch->path);
        if ((touch->flags & TOUCH_REMOVED) && old && !new)
            watch_fire_removed(touch->path, old);
        else if (new)
            watch_fire(touch->path, old ? old->perms : NULL, new->perms);
    }
}

static bool changes_anything(const struct transaction *t)
{
    for (uint32_t i = 0; i < t->touch_count; i++)
        if (t->touch[i].flags & (TOUCH_CHANGED | TOUCH_REMOVED))
            return true;
    return false;
}

/*
 * The store becomes next, which has the changes of the ledger; what it was is given back, for the
 * events.
 */
static struct node *put_in_place(struct node *next, struct ledger *ledger)
{
    struct node *before = store_main.root;

    store_main.root = next;
    domains_apply_ledger(ledger);
    return before;
}

/* Nothing else has changed since the snapshot: the client's view is what the store is to be. */
static struct node *adopt(struct transaction *t)
{
    if (store_main.noted)
        difference_note(store_main.root, t->view.root);
    return put_in_place(node_ref(t->view.root), &t->view.ledger);
}

/*
 * Others have changed the store elsewhere. The replay works on a copy of the store's view, which
 * costs a reference; if it fails, the copy is dropped and the store is as it was.
 */
static int merge(const struct transaction *t, struct node **before)
{
    const size_t mark = journal_mark();
    struct view next;
    int rc;

    view_snapshot(&next, &store_main);
    next.noted = store_main.noted;
    rc = replay(t, &next);
    if (rc) {
        journal_forget(mark);
        view_fini(&next);
        return rc;
    }
    *before = put_in_place(next.root, &next.ledger);
    ledger_free(&next.ledger);
    return 0;
}

static int apply(struct transaction *t)
{
    struct view before = {0};
    int rc = 0;

    if (!changes_anything(t))
        return 0;
    if (t->base == store_main.root)
        before.root = adopt(t);
    else
        rc = merge(t, &before.root);
    if (rc)
        return rc;
    fire_events(t, &before);
    node_unref(before.root);
    return 0;
}

int transaction_commit(struct transaction *t)
{
    struct conn *conn = t->conn;
    int rc = t->doomed;

    if (!rc && conflicts(t))
        rc = -EAGAIN;
    if (!rc)
        rc = check_quota(t);
    if (!rc)
        rc = apply(t);
    if (rc == -EAGAIN)
        conn->failed_commits++;
    else
        conn->failed_commits = 0;
    transaction_abort(t);
    return rc;
}

static void give_back_floor(struct transaction *t)
{
    t->has_floor = false;
    floor_holder = NULL;
    if (transaction_floor_changed)
        transaction_floor_changed(false);
}

void transaction_revoke_floor(void)
{
    if (floor_holder)
        give_back_floor(floor_holder);
}

void transaction_abort(struct transaction *t)
{
    if (t->has_floor)
        give_back_floor(t);
    note(t, JOURNAL_END);
    t->conn->domain->transactions--;
    t->conn->domain->transaction_bytes -= t->bytes;
    LIST_REMOVE(t, in_conn);
    view_fini(&t->view);
    node_unref(t->base);
    for (uint32_t i = 0; i < t->touch_count; i++)
        free(t->touch[i].path);
    free(t->touch);
    free(t->slot);
    free(t);
}

void transaction_abort_all(struct conn *conn)
{
    struct transaction *t;

    while ((t = LIST_FIRST(&conn->transactions)))
        transaction_abort(t);
}

void transaction_doom_domain(uint16_t domid)
{
    struct conn *conn;
    struct transaction *t;

    LIST_FOREACH(conn, &conn_all, all)
    LIST_FOREACH(t, &conn->transactions, in_conn)
    if (ledger_find(&t->view.ledger, domid))
        transaction_doom(t, -EAGAIN);
}

bool transaction_must_wait(const struct conn *conn)
{
    return floor_holder && !conn->privileged;
}

void transaction_count(const struct conn *conn, unsigned long *transactions, unsigned long *bytes)
{
    const struct transaction *t;

    LIST_FOREACH(t, &conn->transactions, in_conn)
    {
        (*transactions)++;
        *bytes += t->bytes;
    }
}

/* The guests' transaction with the oldest snapshot that still holds one of its own. */
static struct transaction *oldest_of_guests(void)
{
    struct transaction *t, *oldest = NULL;
    struct conn *conn;

    LIST_FOREACH(conn, &conn_all, all)
    LIST_FOREACH(t, &conn->transactions, in_conn)
    if (!conn->privileged && t->base != store_main.root &&
        (!oldest || t->base->sub_gen < oldest->base->sub_gen))
        oldest = t;
    return oldest;
}

void transaction_trim(size_t limit)
{
    struct transaction *t;

    while (node_bytes_total() > limit + 2 * domains_bytes() && (t = oldest_of_guests())) {
        transaction_doom(t, -EAGAIN);
        node_unref(t->base);
        t->base = node_ref(store_main.root);
        ledger_free(&t->view.ledger);
        node_unref(t->view.root);
        t->view.root = node_ref(store_main.root);
    }
}
