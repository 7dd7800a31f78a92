/* SPDX-License-Identifier: MIT */
/*
 * What a backend that lies can do to any driver over fake.h's machine, and what must be true when
 * the driver has closed.
 */
#ifndef TESTS_FRONTENDS_FUZZ_BACKEND_H
#define TESTS_FRONTENDS_FUZZ_BACKEND_H

#include "../fake.h"
#include "hostile.h"

/* Each target's own: what its backend does when it is sent an event or the guest sleeps, and when
 * the frontend's state changes. */
void backend_turn(void);
void backend_sees(unsigned state);

/* Nothing is kept yet. */
void backend_begin(void);
/* Is this byte in a page that the backend was granted to write? */
bool backend_writes(const u8 *at);
/* One of: a byte of a page that it may write; a grant kept, or let go; a node. `nodes` are those
 * that it, or the toolstack in its favour, can write. True: it was a byte. */
bool backend_mischief(const char *const *nodes, unsigned nr_nodes);
/* No byte of the guest's but payload in what was granted for reading (FE-3). */
void backend_looks(void);
/* What is still out is what the backend keeps (FE-2, FE-5). */
void nothing_left_but_kept(void);
/* Stops when a check of the machine's failed. */
void demand_checks(void);

#endif
