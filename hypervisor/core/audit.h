/* SPDX-License-Identifier: MIT */
/*
 * The audit's part that is about core's own state (audit.c): called by pv/audit.c, on a machine
 * where nothing else runs. Each returns the violations, each logged.
 */
#ifndef TENUE_CORE_AUDIT_H
#define TENUE_CORE_AUDIT_H

#include <tenue/abi.h>
#include <tenue/frame.h>

struct domain;

/* Ports and their peers, virtual and physical interrupts (EV-1, EV-3). */
unsigned evtchn_audit(void);
/* Which vcpu is loaded where, and the root in force (MM-18). */
unsigned cpu_audit(void);
/* The allocator's lists (pagealloc.c). */
unsigned heap_audit(void);
/* Has mapper a grant of owner's frame m in use, one to write when rw (grant.c)? */
bool grant_covers(struct domain *owner, uint16_t mapper, mfn_t m, bool rw);

#endif
