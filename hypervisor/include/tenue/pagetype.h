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
 * A general and a type reference of a frame of d, promoting it (and validating, for tables and
 * descriptor frames) when it has no type. 0; -XEN_EINVAL: not d's, busy as another type or contents
 * invalid; -XEN_ERESTART: preempted, call again; progress is kept.
 */
int page_get_and_type(mfn_t m, struct domain *d, enum page_type type) must_check;
/* Drop both; the last one of a table devalidates it. -XEN_ERESTART: preempted, call again. */
int page_put_and_type(mfn_t m) must_check;

#endif
