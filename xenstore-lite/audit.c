/* SPDX-License-Identifier: MIT */
/*
 * The audit.
 *
 * Owns: nothing.
 * Leaves to others: the books themselves (domains.c, watch.c, transaction.c).
 */
#include "audit.h"

#include "domains.h"
#include "log.h"
#include "transaction.h"
#include "watch.h"

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

unsigned int audit_books(void)
{
    struct ledger l = {0};
    unsigned int wrong = 0;

    if (store_account_tree(&l, store_main.root, "/", 1)) {
        log_line("audit: no memory to recount");
        ledger_free(&l);
        return 0;
    }
    for (const struct domain *d = domains_first(); d; d = d->next_known)
        wrong += audit_domain(d, &l);
    for (uint32_t i = 0; i < l.count; i++)
        if (!domain_of(l.line[i].domid)->known) {
            log_line("audit: domain %u owns nodes but is unknown", l.line[i].domid);
            wrong++;
        }
    ledger_free(&l);
    return wrong;
}
