/* SPDX-License-Identifier: MIT */
/*
 * Domains by name and number, their store directory, and their end.
 *
 * domain_announce() makes /local/domain/N and introduces the domain to the store;
 * domain_forget() removes every trace of it there. domain_destroy() is the hypervisor's half. In
 * which order these and the devices go is supervise.c's business (and, when no supervisor is
 * left, domain_destroy_orphan()'s).
 */
#ifndef TENUE_DOMAIN_H
#define TENUE_DOMAIN_H

#include "build.h"
#include "hv.h"
#include "store.h"

#include <stdbool.h>
#include <stdint.h>

enum { DOMAIN_UUID_TEXT = 37 };

void domain_uuid_text(const uint8_t uuid[16], char out[DOMAIN_UUID_TEXT]);

int domain_announce(struct store *st, const struct guest_config *cfg, const uint8_t uuid[16],
                    const struct built *built, struct diag *d) MUST_CHECK;
void domain_forget(struct store *st, uint32_t domid);

/* A domain's name, from the store: "Domain-0" for 0, NULL if it has none. The caller frees it. */
char *domain_name(struct store *st, uint32_t domid);

/* Finds a domain by name or number: 0 with *domid set, or -1 and "no such domain". */
int domain_find(struct hv *hv, struct store *st, const char *what, uint32_t *domid,
                struct diag *d) MUST_CHECK;
bool domain_name_taken(struct store *st, const char *name, uint32_t *domid);

/* Destroys it in the hypervisor and waits until it is gone; the store lets go of it first. */
int domain_destroy(struct hv *hv, struct store *st, uint32_t domid, struct diag *d) MUST_CHECK;

/* The whole way for a domain that nobody supervises. */
int domain_destroy_orphan(struct hv *hv, struct store *st, uint32_t domid,
                          struct diag *d) MUST_CHECK;

/* What /local/domain/0 must hold for us, and for xl's tools. */
int domain_init_control(struct hv *hv, struct store *st, struct diag *d) MUST_CHECK;

#endif
