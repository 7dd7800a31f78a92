/* SPDX-License-Identifier: MIT */
/*
 * A turn of the event loop, from what woke it to its commit: what happens in between has happened
 * as a whole or not at all (journal.h).
 */
#ifndef XSL_TURN_H
#define XSL_TURN_H

/* The commit, one flush for every dirty connection, the burial of the dead. */
void turn_end(void);

#endif
