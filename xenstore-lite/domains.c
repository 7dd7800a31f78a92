/* SPDX-License-Identifier: MIT */
/*
 * Domains.
 *
 * Owns: the table of domains, the store proper (store_main) and the books about it.
 * Invariants: a domain's nodes, bytes and acls equal a recount of store_main (domains_audit); an
 *   unknown domain has zero everywhere.
 * Locks: none, one thread.
 * Leaves to others: the ring itself (ring.c), the hypervisor (hv.h), limits (ops.c).
 */
#include "domains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "conn.h"
#include "journal.h"
#include "log.h"
#include "ring.h"
#include "transaction.h"
#include "watch.h"

struct view store_main;

static struct domain table[DOMID_LIMIT];
static struct domain *known;
static const struct hv *hypervisor;
static struct domain *changed_list;
static size_t all_bytes;

void domains_init(const struct hv *hv)
{
    hypervisor = hv;
    for (uint32_t i = 0; i < DOMID_LIMIT; i++) {
        if (table[i].known)
            table[i] = (struct domain){0};
    }
    known = changed_list = NULL;
    all_bytes = 0;
}

const struct hv *domains_hv(void)
{
    return hypervisor;
}

struct domain *domain_of(uint16_t domid)
{
    struct domain *d = &table[domid % DOMID_LIMIT];

    if (!d->known) {
        d->domid = domid;
        d->target = -1;
    }
    return d;
}

struct domain *domains_first(void)
{
    return known;
}

/* What was found out or decided about it goes to the journal with the end of the turn. */
static void changed(struct domain *d)
{
    if (d->changed || !journal_is_on())
        return;
    d->changed = true;
    d->next_changed = changed_list;
    changed_list = d;
}

static void note(const struct domain *d)
{
    struct domain_state state = {
        .domid = d->domid,
        .known = d->known,
        .introduced = d->introduced,
        .ending_told = d->ending_told,
        .has_handle = d->has_handle,
        .target = d->target,
    };

    memcpy(state.handle, d->handle, sizeof(state.handle));
    journal_put(JOURNAL_DOMAIN, &state, sizeof(state), NULL, 0, NULL, 0);
}

void domains_note_changes(void)
{
    struct domain *d;

    while ((d = changed_list)) {
        changed_list = d->next_changed;
        d->changed = false;
        note(d);
    }
}

void domains_note_all(void)
{
    for (const struct domain *d = known; d; d = d->next_known)
        note(d);
}

static void mark_known(struct domain *d)
{
    if (d->known)
        return;
    changed(d);
    d->known = true;
    d->next_known = known;
    d->prev_known = &known;
    if (known)
        known->prev_known = &d->next_known;
    known = d;
}

/* Forgets a domain to which nothing is charged any more. */
static void forget_if_unused(struct domain *d)
{
    if (!d->known || d->introduced || d->nodes || d->acls || d->watches || d->transactions ||
        d->domid == 0)
        return;
    *d->prev_known = d->next_known;
    if (d->next_known)
        d->next_known->prev_known = d->prev_known;
    *d = (struct domain){
        .domid = d->domid, .target = -1, .changed = d->changed, .next_changed = d->next_changed};
    changed(d);
}

void domains_restore(const struct domain_state *state)
{
    struct domain *d = domain_of(state->domid);

    d->introduced = state->introduced;
    d->ending_told = state->ending_told;
    d->has_handle = state->has_handle;
    d->target = state->target;
    memcpy(d->handle, state->handle, sizeof(d->handle));
    if (state->known)
        mark_known(d);
    else
        forget_if_unused(d);
}

int domain_know(struct domain *d)
{
    struct hv_domain_info info;

    if (d->known)
        return 0;
    switch (hypervisor->domain_info(d->domid, &info)) {
    case -ESRCH:
        return -ESRCH;
    case 0:
        memcpy(d->handle, info.handle, sizeof(d->handle));
        d->has_handle = true;
    }
    mark_known(d);
    return 0;
}

void domains_apply_ledger(struct ledger *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct domain *d = domain_of(l->line[i].domid);

        d->nodes += l->line[i].nodes;
        d->bytes += l->line[i].bytes;
        all_bytes += (size_t)l->line[i].bytes;
        d->acls += l->line[i].acls;
        if (d->nodes || d->acls)
            mark_known(d);
        else
            forget_if_unused(d);
    }
    ledger_clear(l);
}

size_t domains_bytes(void)
{
    return all_bytes;
}

unsigned long domain_memory(const struct domain *d)
{
    return (unsigned long)d->bytes + d->watch_bytes + d->transaction_bytes;
}

/* A path that has something to do with a dying domain; made in a first pass, used in a second. */
struct mention {
    struct mention *next;
    bool owned;
    char path[];
};

static bool mention_add(struct mention ***tail, const struct tree_iter *it, bool owned)
{
    struct mention *m = malloc(sizeof(*m) + it->path_len + 1);

    if (!m)
        return false;
    m->next = NULL;
    m->owned = owned;
    memcpy(m->path, it->path, it->path_len + 1);
    **tail = m;
    *tail = &m->next;
    return true;
}

static struct mention *find_mentions(const struct domain *d)
{
    struct mention *list = NULL, **tail = &list;
    struct tree_iter it;
    const struct node *n;

    tree_iter_start(&it, store_main.root, "/");
    while ((n = tree_iter_next(&it))) {
        bool owned = node_owner(n) == d->domid;

        if (!owned && !perms_mentions(n->perms, d->domid))
            continue;
        if (!mention_add(&tail, &it, owned))
            break;
        if (owned && it.path_len > 1)
            tree_iter_skip(&it);
    }
    return list;
}

static void remove_owned(const char *path)
{
    struct node *removed = NULL;

    if (store_remove(&store_main, path, &removed))
        return;
    domains_apply_ledger(&store_main.ledger);
    watch_fire_removed(path, removed);
    node_unref(removed);
}

/* The root cannot go away: it falls back to the control domain. */
static void remove_from_list(const char *path, uint16_t domid)
{
    struct node *n = store_find(&store_main, path);
    struct perms *without = n ? perms_without(n->perms, domid) : NULL;

    if (!without)
        return;
    if (without->entry[0].domid == domid)
        without->entry[0].domid = 0;
    if (store_set_perms(&store_main, path, without) == 0)
        domains_apply_ledger(&store_main.ledger);
    perms_unref(without);
}

static void purge_special(const char *name, uint16_t domid)
{
    const struct perms *p = watch_special_perms(name);
    struct perms *without;

    if (!perms_mentions(p, domid) && p->entry[0].domid != domid)
        return;
    without = perms_without(p, domid);
    if (!without)
        return;
    if (without->entry[0].domid == domid)
        without->entry[0].domid = 0;
    watch_set_special_perms(name, without);
    perms_unref(without);
}

static void purge_mentions(struct mention *m, uint16_t domid)
{
    while (m) {
        struct mention *next = m->next;

        if (m->owned && m->path[1])
            remove_owned(m->path);
        else
            remove_from_list(m->path, domid);
        free(m);
        m = next;
    }
}

/*
 * Removes the id from the tree: nodes it owns, lists that name it.  Without memory some may stay;
 * then the domain stays known, and the next check for deaths tries again.
 */
static void purge_nodes(struct domain *d)
{
    purge_special("@introduceDomain", d->domid);
    purge_special("@releaseDomain", d->domid);
    transaction_doom_domain(d->domid);
    while (d->nodes || d->acls) {
        long before = d->nodes + d->acls;

        purge_mentions(find_mentions(d), d->domid);
        if (d->nodes + d->acls == before) {
            log_line("domain %u: no memory to remove its nodes", d->domid);
            return;
        }
    }
}

static void drop_targets(uint16_t domid)
{
    for (struct domain *d = known; d; d = d->next_known)
        if (d->target == domid) {
            d->target = -1;
            changed(d);
        }
}

/* The domain is over: connection, tree, books. */
static void domain_purge(struct domain *d)
{
    bool was_introduced = d->introduced;

    if (d->conn)
        client_destroy(d->conn);
    d->conn = NULL;
    d->introduced = false;
    d->ending_told = false;
    d->target = -1;
    changed(d);
    drop_targets(d->domid);
    purge_nodes(d);
    forget_if_unused(d);
    if (was_introduced)
        watch_fire_special("@releaseDomain");
}

int domains_introduce_self(void)
{
    struct domain *d = domain_of(0);

    mark_known(d);
    d->introduced = true;
    changed(d);
    return hypervisor->rings ? ring_open_self(d) : 0;
}

/* The id may have changed hands since we first charged something to it. */
static int check_bearer(struct domain *d)
{
    struct hv_domain_info info;
    int rc = hypervisor->domain_info(d->domid, &info);

    if (rc == -ESRCH)
        return -ESRCH;
    if (rc == 0 && d->known && d->has_handle && memcmp(d->handle, info.handle, sizeof(d->handle)))
        domain_purge(d);
    if (rc == 0) {
        memcpy(d->handle, info.handle, sizeof(d->handle));
        d->has_handle = true;
        changed(d);
    }
    return 0;
}

static int connect_ring(struct domain *d, uint64_t frame, uint32_t port)
{
    int rc;

    if (!hypervisor->rings)
        return 0;
    rc = d->conn ? ring_rebind(d->conn, port) : ring_open(d, port);
    if (rc) {
        log_line("domain %u: cannot connect its ring (frame %#lx, port %u): %s", d->domid,
                 (unsigned long)frame, port, strerror(-rc));
        return rc == -ENOMEM ? rc : -EINVAL;
    }
    return 0;
}

int domains_introduce(uint16_t domid, uint64_t frame, uint32_t port)
{
    struct domain *d = domain_of(domid);
    int rc;

    if (domid == 0)
        return -EINVAL;
    if (!d->introduced && check_bearer(d))
        return -EINVAL;
    rc = connect_ring(d, frame, port);
    if (rc || d->introduced)
        return rc;
    mark_known(d);
    d->introduced = true;
    d->ending_told = false;
    changed(d);
    watch_fire_special("@introduceDomain");
    return 0;
}

int domains_release(uint16_t domid)
{
    struct domain *d = domain_of(domid);

    if (domid == 0)
        return -EINVAL;
    if (!d->introduced)
        return -ENOENT;
    domain_purge(d);
    return 0;
}

int domains_resume(uint16_t domid)
{
    struct domain *d = domain_of(domid);

    if (domid == 0)
        return -EINVAL;
    if (!d->introduced)
        return -ENOENT;
    d->ending_told = false;
    changed(d);
    return 0;
}

int domains_set_target(uint16_t domid, uint16_t target)
{
    struct domain *d = domain_of(domid);

    if (domid == 0 || domid == target)
        return -EINVAL;
    if (!d->introduced || !domain_of(target)->introduced)
        return -ENOENT;
    d->target = target;
    changed(d);
    return 0;
}

bool domains_is_introduced(uint16_t domid)
{
    return domain_of(domid)->introduced;
}

/* A dying domain is let go at once, lest our mapping of its ring keep it from disappearing. */
static void check_death(struct domain *d)
{
    struct hv_domain_info info;
    int rc = hypervisor->domain_info(d->domid, &info);

    if (rc == -ESRCH || (rc == 0 && (info.dying || (d->has_handle && memcmp(d->handle, info.handle,
                                                                            sizeof(d->handle)))))) {
        domain_purge(d);
        return;
    }
    if (rc == 0 && info.shutdown && d->introduced && !d->ending_told) {
        d->ending_told = true;
        changed(d);
        watch_fire_special("@releaseDomain");
    }
}

void domains_check_deaths(void)
{
    struct domain *d, *next;

    for (d = known; d; d = next) {
        next = d->next_known;
        if (d->domid == 0)
            continue;
        check_death(d);
        /* A purge can make neighbours unknown, too: start again where the list is certain. */
        if (next && !next->known)
            next = known;
    }
}

static unsigned int compare(const char *what, unsigned int domid, long stored, long counted)
{
    if (stored == counted)
        return 0;
    log_line("audit: domain %u: %s is %ld, recount says %ld", domid, what, stored, counted);
    return 1;
}

static unsigned int audit_domain(const struct domain *d, const struct ledger *l)
{
    static const struct ledger_line none;
    const struct ledger_line *line = ledger_find(l, d->domid);
    unsigned long watches = 0, watch_size = 0, transactions = 0, transaction_size = 0;
    unsigned int wrong = 0;
    const struct conn *conn;

    if (!line)
        line = &none;
    LIST_FOREACH(conn, &conn_all, all)
    if (conn->domain == d) {
        watch_count(conn, &watches, &watch_size);
        transaction_count(conn, &transactions, &transaction_size);
    }
    wrong += compare("nodes", d->domid, d->nodes, line->nodes);
    wrong += compare("bytes", d->domid, d->bytes, line->bytes);
    wrong += compare("acls", d->domid, d->acls, line->acls);
    wrong += compare("watches", d->domid, (long)d->watches, (long)watches);
    wrong += compare("watch bytes", d->domid, (long)d->watch_bytes, (long)watch_size);
    wrong += compare("transactions", d->domid, (long)d->transactions, (long)transactions);
    wrong +=
        compare("transaction bytes", d->domid, (long)d->transaction_bytes, (long)transaction_size);
    return wrong;
}

unsigned int domains_audit(void)
{
    struct ledger l = {0};
    unsigned int wrong = 0;

    if (store_account_tree(&l, store_main.root, "/", 1)) {
        log_line("audit: no memory to recount");
        ledger_free(&l);
        return 0;
    }
    for (const struct domain *d = known; d; d = d->next_known)
        wrong += audit_domain(d, &l);
    for (uint32_t i = 0; i < l.count; i++)
        if (!domain_of(l.line[i].domid)->known) {
            log_line("audit: domain %u owns nodes but is unknown", l.line[i].domid);
            wrong++;
        }
    ledger_free(&l);
    return wrong;
}
