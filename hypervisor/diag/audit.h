/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of the audit. Each looks at a machine where nothing else runs, takes no lock
 * but where it says so, changes nothing, and returns the violations, each logged.
 */
#ifndef TENUE_DIAG_AUDIT_H
#define TENUE_DIAG_AUDIT_H

#include <tenue/vcpu.h>

/* tally.c: begins to count, from nothing; false without memory. */
bool tally_begin(void);
void audit_violation(mfn_t m, const char *what);
/* Somebody holds a general reference of m, with type != PGT_NONE a type reference too. */
void audit_explain(mfn_t m, enum page_type type);
/* Marks what a list holds, frames of d, each on one list once: how many. */
uint32_t tally_list(const struct domain *d, uint32_t first);
/* What was counted beside what was found. The violations of all of tally.c. */
unsigned tally_compare(void);
/* Ports and their peers, virtual and physical interrupts (EV-1, EV-3). */
unsigned evtchn_audit(void);
/* Which vcpu is loaded where, the root in force (MM-18), run queues. */
unsigned cpu_audit(void);
unsigned sched_audit(void); /* the last of these alone */
/* The allocator's lists. */
unsigned heap_audit(void);
/* Every handle names a pinned entry, and a granter's pins are exactly its handles (GT-1).
 * References that handles hold themselves (device maps) are explained one by one. */
unsigned grant_audit(void);
/* Has mapper a grant of owner's frame m in use, one to write when rw? */
bool grant_covers(struct domain *owner, uint16_t mapper, mfn_t m, bool rw);

#endif
