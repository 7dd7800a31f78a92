/* SPDX-License-Identifier: MIT */
/*
 * Domains: the table, and the books about what each uses of the store.
 *
 * A domain is "known" as soon as anything is charged to its id (a node it owns, a list that names
 * it) and until that is gone; it is "introduced" while it may have a ring (life.h).
 */
#ifndef XSL_DOMAINS_H
#define XSL_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv.h"
#include "store.h"

struct conn;

/* A domain in the journal; a domain that is not known has no other fields. */
struct domain_state {
    uint16_t domid;
    uint8_t known, introduced, ending_told, has_handle, reserved[2];
    int32_t target;
    uint8_t handle[16];
};

struct domain {
    uint16_t domid;
    bool known;
    bool introduced;
    bool ending_told; /* its shutdown was already announced */
    bool has_handle;
    int target; /* acts on behalf of this domain too, or -1 */
    long nodes, bytes, acls;
    unsigned long watches, watch_bytes;
    unsigned long transactions, transaction_bytes;
    struct conn *conn; /* its ring's connection, or NULL */
    uint8_t handle[16];
    struct domain *next_known, **prev_known;
    bool changed; /* since the last commit; linked by next_changed */
    struct domain *next_changed;
};

/* The store proper. */
extern struct view store_main;

void domains_init(const struct hv *hv);
const struct hv *domains_hv(void);

/* The record of an id below DOMID_LIMIT; always there, perhaps unknown. */
struct domain *domain_of(uint16_t domid);

/* Iterates over known domains. */
struct domain *domains_first(void);

/* Makes a domain known; -ESRCH if the hypervisor says that it does not exist. */
int domain_know(struct domain *d);

void domain_mark_known(struct domain *d);
/* Forgets a domain to which nothing is charged any more. */
void domain_forget_if_unused(struct domain *d);
/* What was found out or decided about it goes to the journal with the end of the turn. */
void domain_changed(struct domain *d);

/* The journal: those that changed, all of them; back from it. */
void domains_note_changes(void);
void domains_note_all(void);
void domains_restore(const struct domain_state *state);

/* Books what the last operation on the store proper did. */
void domains_apply_ledger(struct ledger *l);

/* All bytes charged to the domain. */
unsigned long domain_memory(const struct domain *d);

/* Bytes of all nodes of the store proper, as charged. */
size_t domains_bytes(void);

bool domains_is_introduced(uint16_t domid);

#endif
