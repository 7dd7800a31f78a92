/* SPDX-License-Identifier: MIT */
/*
 * The page-table side of a domain's end: no pin, no half-done validation and no owed table is left,
 * so that dropping the roots and the reservation frees everything (LC-4, MM-22). Preemptible; the
 * walk over the domain's frames keeps its place as a reference on the frame it has reached, and
 * begins each call with that frame again, which by then may have nothing left to do. A half-done
 * devalidation whose remaining reference belongs to a table met later is finished with that one.
 * The domain is dying and its vcpus run nowhere.
 */

#include "mmu.h"
#include "root.h"

static int finish_frame(struct page *p)
{
    int rc = 0;

    if (READ_ONCE(p->type) & T_PINNED)
        rc = mmu_unpin_dying(p);
    if (rc == 0)
        rc = page_undo_partial(p);
    return rc;
}

int pv_domain_unpin_all(struct domain *d)
{
    struct page *p;
    int rc;

    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        rc = d->vcpus[i] ? pv_pay_old_tables(d->vcpus[i]) : 0;
        if (rc)
            return rc;
    }
    for (bool again = true;; again = false) {
        rc = domain_walk_frames(d, T_PINNED | T_PARTIAL, again, &p);
        if (rc <= 0)
            return rc;
        rc = finish_frame(p);
        if (rc)
            return rc;
        /* The first frame may have been done before: not yet progress (HC-6). */
        if (!again && hal_preempt_point())
            return -XEN_ERESTART;
    }
}
