/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of the audit. Each looks at a machine where nothing else runs, takes no lock
 * but where it says so, changes nothing, and returns the violations, each logged.
 */
#ifndef TENUE_DIAG_AUDIT_H
#define TENUE_DIAG_AUDIT_H

#include <tenue/vcpu.h>

/* audit.c: somebody holds a general reference of m, with type != PGT_NONE a type reference too. */
void audit_explain(mfn_t m, enum page_type type);
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
