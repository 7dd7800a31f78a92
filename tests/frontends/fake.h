/* SPDX-License-Identifier: MIT */
/*
 * The machine around a driver under test: a store, a grant table, ports, pages and a clock, all in
 * this process. What goes wrong can be chosen step by step: of all the calls that may fail, the
 * one numbered `fail_at` does. The test supplies the other end, as two functions.
 */
#ifndef TESTS_FRONTENDS_FAKE_H
#define TESTS_FRONTENDS_FAKE_H

#include "check.h"

#include <string.h>
#include <tenue-front/front.h>
#include <tenue-front/port.h>

#define PAGES 384 /* half of them: what lies between two is nobody's */
#define REFS 512
#define SECRET 0xee /* what a page that is nobody's business is full of */

struct fake_grant {
    bool active, readonly, mapped;
    u64 mfn;
};
extern struct fake_grant grants[REFS];
extern u8 pages[PAGES][FRONT_PAGE_SIZE];
extern unsigned ports_open, step, fail_at;
extern bool fake_writable[PAGES]; /* by the other end, which is granted it */

/* The other end: the frontend's state was written; an event was sent to it. */
extern void (*fake_state)(unsigned state);
extern void (*fake_event)(void);
/* The driver sleeps; may be NULL. */
extern void (*fake_sleep)(void);

/* An empty store but for where the device's ends are; all pages free and full of secrets. */
void fake_reset(const char *front, const char *back);
char *fake_node(const char *path, bool make);
unsigned fake_node_u(const char *path);
/* The page that the frontend granted under the reference in this node. */
void *fake_shared(const char *path);
void fake_nothing_left(const char *what);
unsigned fake_pages_used(void);
unsigned fake_grants_active(void);

#endif
