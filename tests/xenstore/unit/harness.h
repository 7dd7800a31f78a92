/* SPDX-License-Identifier: MIT */
/*
 * A store in a test program: fake clients that speak the daemon's own ops_dispatch(), and a fake
 * hypervisor that knows which domains exist.  Every request is followed by the audit (XS-5), so
 * each test is also a test of the books.
 */
#ifndef XSL_TEST_HARNESS_H
#define XSL_TEST_HARNESS_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "audit.h"
#include "client.h"
#include "conn.h"
#include "domains.h"
#include "life.h"
#include "ops.h"
#include "quota.h"
#include "request.h"
#include "transaction.h"
#include "turn.h"
#include "watch.h"

#define EVENTS_MAX 64

struct client {
    struct conn conn; /* first */
    uint32_t type;    /* of the last reply */
    uint32_t len;
    char reply[XENSTORE_PAYLOAD_MAX + 1];
    int event_count;
    char event[EVENTS_MAX][128]; /* "path token" */
};

/* A new, nearly empty store ("/" only), default quotas, domains 0 to 9 exist. */
void harness_reset(void);
void harness_end(void);

/* What the hypervisor says of a domain; shutdown is the state before death. */
void fake_domain(uint16_t domid, bool exists);
void fake_domain_handle(uint16_t domid, uint8_t handle);
void fake_domain_shutdown(uint16_t domid, bool shutdown);

/* A client of domid; the control domain's are privileged.  Guests are introduced by it. */
struct client *client_new(uint16_t domid);
void client_end(struct client *c);

/* Sends and waits; returns "OK" or the name of the error. */
const char *ask(struct client *c, uint32_t type, uint32_t tx, const void *data, size_t len);

/* Short forms; strings go without their quotes' worries: |-separated arguments, each NUL-ended. */
const char *ask_args(struct client *c, uint32_t type, uint32_t tx, const char *args);
const char *do_write(struct client *c, uint32_t tx, const char *path, const char *value);
const char *do_read(struct client *c, uint32_t tx, const char *path); /* error name or value */
const char *do_mkdir(struct client *c, uint32_t tx, const char *path);
const char *do_rm(struct client *c, uint32_t tx, const char *path);
const char *do_perms(struct client *c, uint32_t tx, const char *args); /* "path|n0|r1" */
const char *do_watch(struct client *c, const char *path, const char *token);
const char *do_list(struct client *c, uint32_t tx, const char *path); /* names joined by spaces */
uint32_t do_start(struct client *c);                                  /* 0 if refused */
const char *do_end(struct client *c, uint32_t tx, bool commit);

/* Moves events that arrived meanwhile into c->event; how many there are; forgets them. */
int events(struct client *c);
bool heard(struct client *c, const char *event);
void forget_events(struct client *c);

void expect_string(const char *got, const char *wanted, int line, const char *file);
#define EXPECT(got, wanted) expect_string(got, wanted, __LINE__, __FILE__)

/* The suites. */
void suite_wire(void);
void suite_store(void);
void suite_ops(void);
void suite_perms(void);
void suite_quota(void);
void suite_transaction(void);
void suite_watch(void);
void suite_domains(void);
void suite_ring(void);
void suite_memory(void);
void suite_death(void);
void suite_resume(void);

#define ADD(suite, test) CU_add_test(suite, #test, test)

#endif
