/* SPDX-License-Identifier: MIT */
/*
 * Explaining references to the audit (audit.c), for those who hold some outside page tables, pins
 * and vcpus: add a source that explains each of its references, one call each.
 */
#ifndef TENUE_PV_AUDIT_H
#define TENUE_PV_AUDIT_H

#include <tenue/frame.h>
#include <tenue/pagetype.h>

/* Somebody holds a general reference of m, and with type != PGT_NONE a type reference too. */
void audit_explain(mfn_t m, enum page_type type);
/* Called at each audit; at most AUDIT_SOURCES, at bring-up. */
#define AUDIT_SOURCES 4u
void audit_add_source(void (*explain_all)(void));

#endif
