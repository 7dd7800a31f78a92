/* SPDX-License-Identifier: MIT */
/*
 * A vcpu's two roots, and the tables it still has to let go of (root.c).
 */
#ifndef TENUE_PV_ROOT_H
#define TENUE_PV_ROOT_H

#include <tenue/pagetype.h>
#include <tenue/pv.h>
#include <tenue/vcpu.h>

/* Make the frame that a guest names v's root for kernel or user mode, validating it as an L4 where
 * it is not one; loads it when v is current and in that mode, which is a flush even of the same
 * root. 0 says that user mode has none. v is current or does not run. -XEN_EINVAL; -XEN_ERESTART:
 * nothing changed, call again. */
int pv_root_set(struct vcpu *v, uint64_t frame, bool user) must_check;
/* Teardown, or before new context: give up both roots and all owed tables; v is loaded nowhere.
 * -XEN_ERESTART: call again. */
int pv_root_release(struct vcpu *v) must_check;

/*
 * Dropping the last reference of a table may be preempted when the operation that dropped it is
 * already done, or has failed and undoes what it did. The remainder is then owed by the current
 * vcpu, one table per level, and paid before it runs again (SOFTIRQ_TABLES): to the guest
 * a table that it let go of is plain memory at once. pv_pay_old_tables() is in pv.h.
 */
bool pv_may_defer(enum page_type type); /* current's place for that level is free */
void pv_defer(enum page_type type, mfn_t m);
/* Drop a table's general and type reference now, or as far as possible and defer the rest. */
void pv_put_table(mfn_t m, enum page_type type);

static inline bool pv_owes_tables(const struct vcpu *v)
{
    return unlikely(v->pv.owed != 0);
}

#endif
