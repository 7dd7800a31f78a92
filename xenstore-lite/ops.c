/* SPDX-License-Identifier: MIT */
/*
 * The messages.
 *
 * Owns: the table of message types; the decision who may do what, and the quotas that apply.
 * Invariants: every message gets exactly one reply, before any event it causes; checks come before
 *   the first change; an operation that fails changes nothing.
 * Locks: none, one thread.
 * Leaves to others: the tree (store.c), conflicts (transaction.c), who hears of it (watch.c).
 */
#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "client.h"
#include "control.h"
#include "journal.h"
#include "life.h"
#include "log.h"
#include "quota.h"
#include "transaction.h"
#include "watch.h"

#define OP_PRIVILEGED 1u /* the control domain only */
#define OP_CHANGES 2u    /* waits while a privileged transaction has the floor */

/* Snapshots may keep this much alive beyond twice the store itself. */
#define SNAPSHOT_BYTES_MAX (16u << 20)

bool ops_audit_always;

static unsigned int access_by_list(const struct conn *conn, const struct perms *p)
{
    if (conn->privileged)
        return ACCESS_ALL;
    return perms_access(p, conn->domain->domid, conn->domain->target);
}

static unsigned int access_to(const struct conn *conn, const struct node *n)
{
    return access_by_list(conn, n->perms);
}

static int touch(const struct request *r, const char *path, size_t len, uint32_t flags)
{
    return r->tx ? transaction_touch(r->tx, path, len, flags) : 0;
}

/* What a missing node answers depends on whether the client may look into its nearest ancestor. */
static int error_for_missing(const struct request *r, const struct walk *w, unsigned int need)
{
    return access_to(r->conn, w->nearest) & need ? -ENOENT : -EACCES;
}

/* Finds an existing node that the client may access; notes that the answer depended on it. */
static int find_node(const struct request *r, const char *path, unsigned int need, uint32_t flags,
                     struct node **n)
{
    struct walk w;
    int rc = touch(r, path, strlen(path), TOUCH_NODE | flags);

    if (rc)
        return rc;
    store_walk(r->view, path, &w);
    if (!w.node)
        return error_for_missing(r, &w, need & (ACCESS_READ | ACCESS_WRITE));
    if ((access_to(r->conn, w.node) & need) != need)
        return -EACCES;
    *n = w.node;
    return 0;
}

/* The only argument: a path. */
static int path_argument(const struct request *r, bool special, char path[PATH_BYTES])
{
    const char *arg[1];

    if (wire_strings(r->data, r->header.len, arg, 1) != 1)
        return -EINVAL;
    return path_canonical(arg[0], r->conn->domain->domid, special, path);
}

/* The first argument, a path, and what follows its NUL. */
static int path_and_rest(const struct request *r, bool special, char path[PATH_BYTES],
                         const char **rest, size_t *rest_len)
{
    const char *nul = memchr(r->data, '\0', r->header.len);

    if (!nul)
        return -EINVAL;
    *rest = nul + 1;
    *rest_len = (size_t)(r->data + r->header.len - *rest);
    return path_canonical(r->data, r->conn->domain->domid, special, path);
}

static int handle_read(struct request *r)
{
    char path[PATH_BYTES];
    struct node *n;
    int rc = path_argument(r, false, path);

    if (!rc)
        rc = find_node(r, path, ACCESS_READ, 0, &n);
    return rc ? rc : request_reply(r, n->value, n->value_len);
}

/* Length of all child names with their NULs. */
static size_t names_size(const struct node *n)
{
    size_t len = 0;

    for (uint32_t i = 0; i < n->child_count; i++)
        len += n->child[i]->name_len + 1;
    return len;
}

static int handle_directory(struct request *r)
{
    char path[PATH_BYTES], names[XENSTORE_PAYLOAD_MAX];
    size_t len = 0;
    struct node *n;
    int rc = path_argument(r, false, path);

    if (!rc)
        rc = find_node(r, path, ACCESS_READ, TOUCH_CHILDREN, &n);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < n->child_count; i++) {
        size_t size = n->child[i]->name_len + 1;

        if (size > sizeof(names) - len)
            return -E2BIG;
        memcpy(names + len, n->child[i]->name, size);
        len += size;
    }
    return request_reply(r, names, len);
}

/*
 * "<generation>|" then names from a byte offset of the whole list on, as many as fit; an empty name
 * marks the end of the list.
 */
static int handle_directory_part(struct request *r)
{
    char path[PATH_BYTES], text[XENSTORE_PAYLOAD_MAX];
    const char *arg[2];
    uint64_t offset;
    size_t at = 0, len;
    struct node *n;
    int rc;

    if (wire_strings(r->data, r->header.len, arg, 2) != 2 ||
        wire_parse_number(arg[1], UINT32_MAX, &offset) ||
        path_canonical(arg[0], r->conn->domain->domid, false, path))
        return -EINVAL;
    rc = find_node(r, path, ACCESS_READ, TOUCH_CHILDREN, &n);
    if (rc)
        return rc;
    len = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)n->dir_gen) + 1;
    if (offset >= names_size(n)) {
        text[len++] = '\0';
        return request_reply(r, text, len);
    }
    for (uint32_t i = 0; i < n->child_count; i++) {
        size_t size = n->child[i]->name_len + 1;

        if (at >= offset) {
            if (size > sizeof(text) - len)
                return request_reply(r, text, len);
            memcpy(text + len, n->child[i]->name, size);
            len += size;
        }
        at += size;
    }
    if (len < sizeof(text))
        text[len++] = '\0';
    return request_reply(r, text, len);
}

/* Room for what an unprivileged client wants to add to its own account: 0 or -ENOSPC. */
static int check_room(const struct request *r, long nodes, long bytes)
{
    const struct domain *d = r->conn->domain;
    const struct ledger_line *line = r->tx ? ledger_find(&r->tx->view.ledger, d->domid) : NULL;

    if (r->conn->privileged)
        return 0;
    if (line) {
        nodes += line->nodes;
        bytes += line->bytes;
    }
    if (nodes > 0 && d->nodes + nodes > (long)quota_limit(QUOTA_NODES))
        return -ENOSPC;
    if (bytes > 0 && (long)domain_memory(d) + bytes > (long)quota_limit(QUOTA_MEMORY))
        return -ENOSPC;
    return 0;
}

static int check_shape(const struct request *r, const char *path, size_t value_len)
{
    if (r->conn->privileged)
        return 0;
    if (strlen(path) > quota_limit(QUOTA_PATH_MAX) || path_depth(path) > quota_limit(QUOTA_DEPTH) ||
        value_len > quota_limit(QUOTA_NODE_SIZE))
        return -ENOSPC;
    return 0;
}

/* Marks every node that will be created, from the first missing one down. */
static int touch_created(const struct request *r, const char *path, const struct walk *w)
{
    size_t at = w->nearest_len;
    int rc = touch(r, path, w->nearest_len, TOUCH_NODE);

    while (rc == 0 && path[at]) {
        at++;
        while (path[at] && path[at] != '/')
            at++;
        rc = touch(r, path, at, TOUCH_NODE | TOUCH_CHANGED);
    }
    return rc;
}

static int create_node(const struct request *r, const char *path, const struct walk *w,
                       const char *value, size_t len)
{
    int owner = r->conn->privileged ? -1 : r->conn->domain->domid;
    long bytes =
        (long)(len + strlen(path) - w->nearest_len + w->missing * (sizeof(struct node) + 64));
    int rc;

    if (!(access_to(r->conn, w->nearest) & ACCESS_WRITE))
        return -EACCES;
    rc = check_shape(r, path, len);
    if (!rc)
        rc = check_room(r, (long)w->missing, bytes);
    if (!rc)
        rc = touch_created(r, path, w);
    return rc ? rc : store_create_missing(r->view, path, w, owner, value, len);
}

/* Events of a change outside of a transaction; inside, commit sends them. */
static void announce(const struct request *r, const char *path, const struct perms *before)
{
    const struct node *n;

    if (r->tx)
        return;
    n = store_find(r->view, path);
    if (n)
        watch_fire(path, before, n->perms);
}

static int finish_change(const struct request *r)
{
    if (!r->tx)
        domains_apply_ledger(&r->view->ledger);
    return request_ok(r);
}

static int overwrite(const struct request *r, const char *path, const struct node *n,
                     const char *value, size_t len)
{
    int rc;

    if (!(access_to(r->conn, n) & ACCESS_WRITE))
        return -EACCES;
    rc = check_shape(r, "/", len);
    if (!rc && node_owner(n) == r->conn->domain->domid)
        rc = check_room(r, 0, (long)len - (long)n->value_len);
    if (!rc)
        rc = touch(r, path, strlen(path), TOUCH_NODE | TOUCH_CHANGED);
    return rc ? rc : store_set_value(r->view, path, value, len);
}

static int handle_write(struct request *r)
{
    char path[PATH_BYTES];
    const char *value;
    size_t len;
    struct walk w;
    int rc = path_and_rest(r, false, path, &value, &len);

    if (rc)
        return rc;
    store_walk(r->view, path, &w);
    rc = w.node ? overwrite(r, path, w.node, value, len) : create_node(r, path, &w, value, len);
    if (rc)
        return rc;
    finish_change(r);
    announce(r, path, NULL);
    return 0;
}

static int handle_mkdir(struct request *r)
{
    char path[PATH_BYTES];
    struct walk w;
    int rc = path_argument(r, false, path);

    if (rc)
        return rc;
    store_walk(r->view, path, &w);
    if (w.node) {
        rc = touch(r, path, strlen(path), TOUCH_NODE);
        if (rc)
            return rc;
        return access_to(r->conn, w.node) & ACCESS_WRITE ? request_ok(r) : -EACCES;
    }
    rc = create_node(r, path, &w, NULL, 0);
    if (rc)
        return rc;
    finish_change(r);
    announce(r, path, NULL);
    return 0;
}

/* Nothing to remove is success if the parent is there. */
static int remove_missing(const struct request *r, const char *path, const struct walk *w)
{
    int rc = touch(r, path, path_parent_len(path, strlen(path)), TOUCH_NODE);

    if (rc)
        return rc;
    if (!(access_to(r->conn, w->nearest) & ACCESS_WRITE))
        return -EACCES;
    return w->missing == 1 ? request_ok(r) : -ENOENT;
}

static int handle_rm(struct request *r)
{
    char path[PATH_BYTES];
    struct node *removed;
    struct walk w;
    int rc = path_argument(r, false, path);

    if (!rc && !path[1])
        rc = -EINVAL;
    if (!rc)
        rc = touch(r, path, strlen(path), TOUCH_NODE);
    if (rc)
        return rc;
    store_walk(r->view, path, &w);
    if (!w.node)
        return remove_missing(r, path, &w);
    if (!(access_to(r->conn, w.node) & ACCESS_WRITE))
        return -EACCES;
    rc = touch(r, path, strlen(path), TOUCH_SUBTREE | TOUCH_REMOVED | TOUCH_CHANGED);
    if (!rc)
        rc = store_remove(r->view, path, &removed);
    if (rc)
        return rc;
    finish_change(r);
    if (!r->tx)
        watch_fire_removed(path, removed);
    node_unref(removed);
    return 0;
}

static int reply_perms(const struct request *r, const struct perms *p)
{
    char text[XENSTORE_PAYLOAD_MAX];
    size_t len = perms_format(p, text, sizeof(text));

    return len ? request_reply(r, text, len) : -E2BIG;
}

static int handle_get_perms(struct request *r)
{
    char path[PATH_BYTES];
    struct node *n;
    int rc = path_argument(r, true, path);

    if (rc)
        return rc;
    if (path_is_special(path)) {
        const struct perms *p = watch_special_perms(path);

        return access_by_list(r->conn, p) & ACCESS_READ ? reply_perms(r, p) : -EACCES;
    }
    rc = find_node(r, path, ACCESS_READ, 0, &n);
    return rc ? rc : reply_perms(r, n->perms);
}

/* Entries for domains that do not exist are left out: their id's next bearer must not profit. */
static int perms_of_living(struct perms *p)
{
    uint32_t kept = 1;

    if (domain_know(domain_of(p->entry[0].domid)))
        return -EINVAL;
    for (uint32_t i = 1; i < p->count; i++)
        if (domain_know(domain_of(p->entry[i].domid)) == 0)
            p->entry[kept++] = p->entry[i];
    p->count = kept;
    return 0;
}

/* May the client replace the list old by the list new? */
static int check_new_perms(const struct request *r, const struct perms *old,
                           const struct perms *new)
{
    if ((access_by_list(r->conn, old) & (ACCESS_OWNER | ACCESS_WRITE)) !=
        (ACCESS_OWNER | ACCESS_WRITE))
        return -EACCES;
    if (r->conn->privileged)
        return 0;
    if (new->entry[0].domid != old->entry[0].domid)
        return -EPERM;
    return new->count > quota_limit(QUOTA_NODE_PERMISSIONS) ? -ENOSPC : 0;
}

static int set_special_perms(struct request *r, const char *name, struct perms *p)
{
    int rc = check_new_perms(r, watch_special_perms(name), p);

    if (!rc)
        rc = perms_of_living(p);
    if (rc)
        return rc;
    watch_set_special_perms(name, p);
    return request_ok(r);
}

static int set_node_perms(struct request *r, const char *path, struct perms *p)
{
    struct perms *before;
    struct node *n;
    int rc = find_node(r, path, ACCESS_WRITE, 0, &n);

    if (!rc)
        rc = check_new_perms(r, n->perms, p);
    if (!rc)
        rc = perms_of_living(p);
    if (!rc)
        rc = check_room(r, 0, ((long)p->count - (long)n->perms->count) * (long)sizeof(p->entry[0]));
    if (!rc)
        rc = touch(r, path, strlen(path), TOUCH_CHANGED);
    if (rc)
        return rc;
    before = perms_ref(n->perms);
    rc = store_set_perms(r->view, path, p);
    if (!rc) {
        finish_change(r);
        announce(r, path, before);
    }
    perms_unref(before);
    return rc;
}

static int handle_set_perms(struct request *r)
{
    char path[PATH_BYTES];
    const char *text;
    size_t len;
    struct perms *p;
    int rc = path_and_rest(r, true, path, &text, &len);

    if (!rc)
        rc = perms_parse(text, len, &p);
    if (rc)
        return rc;
    rc = path_is_special(path) ? set_special_perms(r, path, p) : set_node_perms(r, path, p);
    perms_unref(p);
    return rc;
}

static int watch_depth(const char *text, int *depth)
{
    uint64_t value;

    if (wire_parse_number(text, PATH_DEPTH_MAX, &value))
        return -EINVAL;
    *depth = (int)value;
    return 0;
}

static int handle_watch(struct request *r)
{
    const struct domain *d = r->conn->domain;
    char path[PATH_BYTES];
    const char *arg[3];
    int depth = WATCH_ANY_DEPTH;
    int count = wire_strings(r->data, r->header.len, arg, 3);
    int rc;

    if (count < 2 || (count == 3 && watch_depth(arg[2], &depth)) ||
        path_canonical(arg[0], d->domid, true, path))
        return -EINVAL;
    if (!r->conn->privileged) {
        if (d->watches >= quota_limit(QUOTA_WATCHES) ||
            domain_memory(d) + watch_bytes(path, arg[1]) > quota_limit(QUOTA_MEMORY))
            return -E2BIG;
    }
    rc = watch_add(r->conn, arg[0], path, arg[1], depth);
    if (rc)
        return rc;
    request_ok(r);
    /* It fires once at once, which spares clients the question what happened before. */
    conn_send_event(r->conn, arg[0], arg[1]);
    return 0;
}

static int handle_unwatch(struct request *r)
{
    char path[PATH_BYTES];
    const char *arg[2];
    int rc;

    if (wire_strings(r->data, r->header.len, arg, 2) != 2 ||
        path_canonical(arg[0], r->conn->domain->domid, true, path))
        return -EINVAL;
    rc = watch_remove(r->conn, path, arg[1]);
    return rc ? rc : request_ok(r);
}

static int handle_reset_watches(struct request *r)
{
    client_reset(r->conn);
    r->tx = NULL;
    return request_ok(r);
}

static int handle_transaction_start(struct request *r)
{
    const struct domain *d = r->conn->domain;
    struct transaction *t;
    char id[16];
    int len;

    if (r->tx)
        return -EBUSY;
    if (!r->conn->privileged && (d->transactions >= quota_limit(QUOTA_TRANSACTIONS) ||
                                 domain_memory(d) > quota_limit(QUOTA_MEMORY)))
        return -ENOSPC;
    t = transaction_start(r->conn);
    if (!t)
        return -ENOMEM;
    len = snprintf(id, sizeof(id), "%u", t->id);
    return request_reply(r, id, (size_t)len + 1);
}

static int handle_transaction_end(struct request *r)
{
    const char *arg[1];
    int rc = 0;

    if (wire_strings(r->data, r->header.len, arg, 1) != 1 ||
        (strcmp(arg[0], "T") && strcmp(arg[0], "F")))
        return -EINVAL;
    if (!r->tx)
        return -ENOENT;
    if (arg[0][0] == 'T')
        rc = transaction_commit(r->tx);
    else
        transaction_abort(r->tx);
    r->tx = NULL;
    return rc ? rc : request_ok(r);
}

/* count arguments, the first a domain id, the others numbers up to their limits. */
static int number_arguments(const struct request *r, int count, const uint64_t limit[],
                            uint64_t value[])
{
    const char *arg[3];

    if (wire_strings(r->data, r->header.len, arg, 3) != count)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        if (wire_parse_number(arg[i], limit[i], &value[i]))
            return -EINVAL;
    return 0;
}

static const uint64_t limit_domids[] = {DOMID_LIMIT - 1, DOMID_LIMIT - 1};

static int handle_introduce(struct request *r)
{
    static const uint64_t limit[] = {DOMID_LIMIT - 1, UINT64_MAX, UINT32_MAX};
    uint64_t value[3];
    int rc = number_arguments(r, 3, limit, value);

    if (!rc)
        rc = life_introduce((uint16_t)value[0], value[1], (uint32_t)value[2]);
    return rc ? rc : request_ok(r);
}

static int handle_release(struct request *r)
{
    uint64_t domid;
    int rc = number_arguments(r, 1, limit_domids, &domid);

    if (!rc)
        rc = life_release((uint16_t)domid);
    return rc ? rc : request_ok(r);
}

static int handle_resume(struct request *r)
{
    uint64_t domid;
    int rc = number_arguments(r, 1, limit_domids, &domid);

    if (!rc)
        rc = life_resume((uint16_t)domid);
    return rc ? rc : request_ok(r);
}

static int handle_set_target(struct request *r)
{
    uint64_t value[2];
    int rc = number_arguments(r, 2, limit_domids, value);

    if (!rc)
        rc = life_set_target((uint16_t)value[0], (uint16_t)value[1]);
    return rc ? rc : request_ok(r);
}

static int handle_is_introduced(struct request *r)
{
    uint64_t domid;
    int rc = number_arguments(r, 1, limit_domids, &domid);

    return rc ? rc : request_reply(r, domains_is_introduced((uint16_t)domid) ? "T" : "F", 2);
}

static int handle_get_domain_path(struct request *r)
{
    static const uint64_t limit[] = {UINT16_MAX};
    uint64_t domid;
    char path[32];
    int len, rc = number_arguments(r, 1, limit, &domid);

    if (rc)
        return rc;
    len = snprintf(path, sizeof(path), "/local/domain/%u", (unsigned int)domid);
    return request_reply(r, path, (size_t)len + 1);
}

static const struct op {
    const char *name;
    int (*handle)(struct request *r); /* 0 after replying, or -errno */
    unsigned int flags;
} ops[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {"CONTROL", control_handle, OP_PRIVILEGED},
    [XS_DIRECTORY] = {"DIRECTORY", handle_directory, 0},
    [XS_DIRECTORY_PART] = {"DIRECTORY_PART", handle_directory_part, 0},
    [XS_READ] = {"READ", handle_read, 0},
    [XS_GET_PERMS] = {"GET_PERMS", handle_get_perms, 0},
    [XS_WATCH] = {"WATCH", handle_watch, 0},
    [XS_UNWATCH] = {"UNWATCH", handle_unwatch, 0},
    [XS_RESET_WATCHES] = {"RESET_WATCHES", handle_reset_watches, 0},
    [XS_TRANSACTION_START] = {"TRANSACTION_START", handle_transaction_start, 0},
    [XS_TRANSACTION_END] = {"TRANSACTION_END", handle_transaction_end, OP_CHANGES},
    [XS_INTRODUCE] = {"INTRODUCE", handle_introduce, OP_PRIVILEGED},
    [XS_RELEASE] = {"RELEASE", handle_release, OP_PRIVILEGED},
    [XS_GET_DOMAIN_PATH] = {"GET_DOMAIN_PATH", handle_get_domain_path, 0},
    [XS_WRITE] = {"WRITE", handle_write, OP_CHANGES},
    [XS_MKDIR] = {"MKDIR", handle_mkdir, OP_CHANGES},
    [XS_RM] = {"RM", handle_rm, OP_CHANGES},
    [XS_SET_PERMS] = {"SET_PERMS", handle_set_perms, OP_CHANGES},
    [XS_IS_DOMAIN_INTRODUCED] = {"IS_DOMAIN_INTRODUCED", handle_is_introduced, 0},
    [XS_RESUME] = {"RESUME", handle_resume, OP_PRIVILEGED},
    [XS_SET_TARGET] = {"SET_TARGET", handle_set_target, OP_PRIVILEGED},
};

bool ops_changes_store(uint32_t type)
{
    return type < XS_TYPE_COUNT && (ops[type].flags & OP_CHANGES);
}

static int run(struct request *r)
{
    const struct op *op;

    if (r->header.type >= XS_TYPE_COUNT || !ops[r->header.type].handle)
        return -ENOSYS;
    op = &ops[r->header.type];
    if ((op->flags & OP_PRIVILEGED) && !r->conn->privileged)
        return -EACCES;
    if (r->header.tx_id) {
        r->tx = transaction_find(r->conn, r->header.tx_id);
        if (!r->tx)
            return -ENOENT;
        r->view = &r->tx->view;
    }
    return op->handle(r);
}

static void trace(const struct request *r, int rc)
{
    const char *name = r->header.type < XS_TYPE_COUNT ? ops[r->header.type].name : NULL;
    char first[128];
    size_t len = strnlen(r->data, r->header.len < 100 ? r->header.len : 100);

    for (size_t i = 0; i < len; i++)
        first[i] = r->data[i] >= ' ' && r->data[i] <= '~' ? r->data[i] : '?';
    first[len] = '\0';
    log_line("domain %u tx %u %s %s: %s", r->conn->domain->domid, r->header.tx_id,
             name ? name : "?", first, rc ? wire_error_name(-rc) : "OK");
}

static void audit_or_stop(const struct request *r)
{
    if (audit_books()) {
        log_line("audit failed after message type %u", r->header.type);
        exit(70);
    }
}

void ops_dispatch(struct conn *conn, const struct xsd_sockmsg *header, const char *data)
{
    struct request r = {.conn = conn, .header = *header, .data = data, .view = &store_main};
    int rc;

    journal_serving(conn->id);
    rc = run(&r);
    if (rc) {
        if (r.tx && (rc == -ENOMEM || rc == -ENOSPC))
            transaction_doom(r.tx, rc);
        request_error(&r, -rc);
    }
    if (log_tracing)
        trace(&r, rc);
    transaction_trim(SNAPSHOT_BYTES_MAX);
    if (ops_audit_always)
        audit_or_stop(&r);
}
