/* SPDX-License-Identifier: MIT */
/*
 * What a frame is used as, and how often. The safety argument is the prose atop pv/pagetype.c.
 * A frame has at most one type with references; writable never coexists with a table type (MM-1).
 */
#ifndef TENUE_PAGETYPE_H
#define TENUE_PAGETYPE_H

#include <tenue/abi.h>
#include <tenue/frame.h>

struct domain;
struct vcpu;

enum page_type {
    PGT_NONE,
    PGT_WRITABLE,
    PGT_L1,
    PGT_L2,
    PGT_L3,
    PGT_L4,
    PGT_DESC,
};

/*
 * Take a type reference, promoting (and validating, for tables and descriptor frames) when the
 * frame has none. The caller holds a general reference and keeps it. 0; -XEN_EINVAL: busy as
 * another type or contents invalid; -XEN_ERESTART: preempted, call again; progress is kept.
 */
int page_get_type(mfn_t m, enum page_type type) must_check;
/* Drop one; the last one of a table devalidates it. -XEN_ERESTART: preempted, call again. */
int page_put_type(mfn_t m) must_check;
/* Ownership check, general and type reference in one; page_put_and_type() undoes both. */
int page_get_and_type(mfn_t m, struct domain *d, enum page_type type) must_check;
int page_put_and_type(mfn_t m) must_check;

#endif
