/* SPDX-License-Identifier: MIT */
/*
 * Domains: what each uses of the store, and the life from INTRODUCE to removal.
 *
 * A domain is "known" as soon as anything is charged to its id (a node it owns, a list that names
 * it) and until that is gone; it is "introduced" while it may have a ring.  When a known domain is
 * gone from the hypervisor, or RELEASEd, everything that belongs to its id is removed, so that the
 * next bearer of the id inherits nothing (XS-8).
 */
#ifndef XSL_DOMAINS_H
#define XSL_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv.h"
#include "store.h"

struct conn;
struct ring;

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

/* The control domain's own ring, if its kernel has one: 0 or -errno. */
int domains_introduce_self(void);

/* The messages; 0 or -errno. */
int domains_introduce(uint16_t domid, uint64_t frame, uint32_t port);
int domains_release(uint16_t domid);
int domains_resume(uint16_t domid);
int domains_set_target(uint16_t domid, uint16_t target);
bool domains_is_introduced(uint16_t domid);

/* Some domain ended or died: find out which, and clean up. */
void domains_check_deaths(void);

/*
 * Recounts everything from scratch and compares (XS-5).  Returns the number of differences, each of
 * which is logged.
 */
unsigned int domains_audit(void);

#endif
