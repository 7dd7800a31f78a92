/* SPDX-License-Identifier: MIT */
/*
 * Domains that come and go.
 *
 * Owns: nothing that lasts.
 * Invariants: a domain that is over leaves no node, no list entry, no watch and no connection
 *   behind (XS-8), unless there is no memory to find them: then it stays known.
 * Locks: none, one thread.
 * Leaves to others: the books (domains.c), the ring itself (ring.c), the hypervisor (hv.h).
 */
#include "life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "domains.h"
#include "log.h"
#include "ring.h"
#include "transaction.h"
#include "watch.h"

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
    for (struct domain *d = domains_first(); d; d = d->next_known)
        if (d->target == domid) {
            d->target = -1;
            domain_changed(d);
        }
}

/* The domain is over: connection, tree, books. */
static void purge(struct domain *d)
{
    bool was_introduced = d->introduced;

    if (d->conn)
        client_destroy(d->conn);
    d->conn = NULL;
    d->introduced = false;
    d->ending_told = false;
    d->target = -1;
    domain_changed(d);
    drop_targets(d->domid);
    purge_nodes(d);
    domain_forget_if_unused(d);
    if (was_introduced)
        watch_fire_special("@releaseDomain");
}

int life_introduce_self(void)
{
    struct domain *d = domain_of(0);

    domain_mark_known(d);
    d->introduced = true;
    domain_changed(d);
    return domains_hv()->rings ? ring_open_self(d) : 0;
}

/* The id may have changed hands since we first charged something to it. */
static int check_bearer(struct domain *d)
{
    struct hv_domain_info info;
    int rc = domains_hv()->domain_info(d->domid, &info);

    if (rc == -ESRCH)
        return -ESRCH;
    if (rc == 0 && d->known && d->has_handle && memcmp(d->handle, info.handle, sizeof(d->handle)))
        purge(d);
    if (rc == 0) {
        memcpy(d->handle, info.handle, sizeof(d->handle));
        d->has_handle = true;
        domain_changed(d);
    }
    return 0;
}

static int connect_ring(struct domain *d, uint64_t frame, uint32_t port)
{
    int rc;

    if (!domains_hv()->rings)
        return 0;
    rc = d->conn ? ring_rebind(d->conn, port) : ring_open(d, port);
    if (rc) {
        log_line("domain %u: cannot connect its ring (frame %#lx, port %u): %s", d->domid,
                 (unsigned long)frame, port, strerror(-rc));
        return rc == -ENOMEM ? rc : -EINVAL;
    }
    return 0;
}

int life_introduce(uint16_t domid, uint64_t frame, uint32_t port)
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
    domain_mark_known(d);
    d->introduced = true;
    d->ending_told = false;
    domain_changed(d);
    watch_fire_special("@introduceDomain");
    return 0;
}

/* Of another than the control domain, which stays. */
static int check_introduced(uint16_t domid)
{
    if (domid == 0)
        return -EINVAL;
    return domain_of(domid)->introduced ? 0 : -ENOENT;
}

int life_release(uint16_t domid)
{
    int rc = check_introduced(domid);

    if (!rc)
        purge(domain_of(domid));
    return rc;
}

int life_resume(uint16_t domid)
{
    struct domain *d = domain_of(domid);
    int rc = check_introduced(domid);

    if (rc)
        return rc;
    d->ending_told = false;
    domain_changed(d);
    return 0;
}

int life_set_target(uint16_t domid, uint16_t target)
{
    struct domain *d = domain_of(domid);
    int rc = domid == target ? -EINVAL : check_introduced(domid);

    if (rc)
        return rc;
    if (!domain_of(target)->introduced)
        return -ENOENT;
    d->target = target;
    domain_changed(d);
    return 0;
}

/* A dying domain is let go at once, lest our mapping of its ring keep it from disappearing. */
static void check_death(struct domain *d)
{
    struct hv_domain_info info;
    int rc = domains_hv()->domain_info(d->domid, &info);

    if (rc == -ESRCH || (rc == 0 && (info.dying || (d->has_handle && memcmp(d->handle, info.handle,
                                                                            sizeof(d->handle)))))) {
        purge(d);
        return;
    }
    if (rc == 0 && info.shutdown && d->introduced && !d->ending_told) {
        d->ending_told = true;
        domain_changed(d);
        watch_fire_special("@releaseDomain");
    }
}

void life_check_deaths(void)
{
    struct domain *d, *next;

    for (d = domains_first(); d; d = next) {
        next = d->next_known;
        if (d->domid == 0)
            continue;
        check_death(d);
        /* A purge can make neighbours unknown, too: start again where the list is certain. */
        if (next && !next->known)
            next = domains_first();
    }
}
