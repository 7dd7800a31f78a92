/* SPDX-License-Identifier: MIT */
/*
 * Domains.
 *
 * Owns: the table of domains, the store proper (store_main) and the books about it.
 * Invariants: a domain's nodes, bytes and acls equal a recount of store_main (audit_books); an
 *   unknown domain has zero everywhere.
 * Locks: none, one thread.
 * Leaves to others: how domains come and go (life.c), recounts (audit.c), limits (ops.c).
 */
#include "domains.h"

#include <errno.h>
#include <string.h>

#include "journal.h"

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

void domain_changed(struct domain *d)
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

void domain_mark_known(struct domain *d)
{
    if (d->known)
        return;
    domain_changed(d);
    d->known = true;
    d->next_known = known;
    d->prev_known = &known;
    if (known)
        known->prev_known = &d->next_known;
    known = d;
}

void domain_forget_if_unused(struct domain *d)
{
    if (!d->known || d->introduced || d->nodes || d->acls || d->watches || d->transactions ||
        d->domid == 0)
        return;
    *d->prev_known = d->next_known;
    if (d->next_known)
        d->next_known->prev_known = d->prev_known;
    *d = (struct domain){
        .domid = d->domid, .target = -1, .changed = d->changed, .next_changed = d->next_changed};
    domain_changed(d);
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
        domain_mark_known(d);
    else
        domain_forget_if_unused(d);
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
    domain_mark_known(d);
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
            domain_mark_known(d);
        else
            domain_forget_if_unused(d);
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

bool domains_is_introduced(uint16_t domid)
{
    return domain_of(domid)->introduced;
}
