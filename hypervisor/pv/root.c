/* SPDX-License-Identifier: MIT */
/*
 * Roots (MM-17, MM-18) and owed tables (root.h).
 *
 * A root held in pv.root_kernel or pv.root_user has a general and an L4 type reference, taken
 * before it is recorded and dropped only after another one has been loaded. What is in CR3 while a
 * vcpu runs is its root of the mode it is in; nothing else loads guest roots. No locks: a vcpu's
 * roots are changed by itself, or while it does not run.
 */
#include "root.h"

bool pv_may_defer(enum page_type type)
{
    const struct vcpu *v = current_vcpu();

    return v && type >= PGT_L1 && type <= PGT_L4 && !v->pv.old_tables[type - PGT_L1].n;
}

void pv_defer(enum page_type type, mfn_t m)
{
    struct pv_vcpu *pv = &current_vcpu()->pv;

    pv->old_tables[type - PGT_L1] = m;
    pv->owed |= (uint8_t)(1u << (type - PGT_L1));
    softirq_raise(SOFTIRQ_TABLES);
}

void pv_put_table(mfn_t m, enum page_type type)
{
    while (page_put_and_type(m) != 0) {
        if (pv_may_defer(type)) {
            pv_defer(type, m);
            return;
        }
    }
}

int pv_pay_old_tables(struct vcpu *v)
{
    for (unsigned i = 0; i < ARRAY_LEN(v->pv.old_tables); i++) {
        const mfn_t m = v->pv.old_tables[i];
        int rc;

        if (!m.n)
            continue;
        rc = page_put_and_type(m);
        if (rc)
            return rc;
        v->pv.old_tables[i] = mfn_make(0);
        v->pv.owed &= (uint8_t) ~(1u << i);
    }
    return 0;
}

/* Guest kernels read the machine-to-physical table; their user mode has no business in it. A frame
 * that serves as both kinds of root shows it. */
static void root_show_m2p(mfn_t m, bool show)
{
    uint64_t *slot = (uint64_t *)mfn_to_ptr(m) + HV_L4_FIRST;
    const uint64_t entry = show ? hal_root_template[HV_L4_FIRST] : 0;

    if (*slot != entry)
        WRITE_ONCE(*slot, entry);
}

/* From here on. If v is not current, the vcpu that is has a flush too many. */
static inline void root_in_force(struct vcpu *v, mfn_t m, bool user)
{
    if (v == current_vcpu() && v->pv.kernel_mode != user)
        hal_load_root(m);
    else
        tlb_tag_owes(!user);
}

int pv_root_set(struct vcpu *v, uint64_t frame, bool user)
{
    mfn_t *root = user ? &v->pv.root_user : &v->pv.root_kernel;
    const mfn_t old = *root, m = frame == 0 && user ? MFN_NONE : mfn_make(frame);

    if (frame == MFN_NONE.n)
        return -XEN_EINVAL;
    if (mfn_eq(old, m)) {
        root_in_force(v, m, user);
        return 0;
    }
    if (!mfn_is_none(m)) {
        int rc = page_get_and_type(m, v->domain, PGT_L4);

        if (rc)
            return rc;
        root_show_m2p(m, !user || mfn_eq(m, v->pv.root_kernel));
    }
    *root = m;
    root_in_force(v, m, user);
    if (!mfn_is_none(old))
        pv_put_table(old, PGT_L4);
    return 0;
}

static int root_drop(mfn_t *root)
{
    const int rc = mfn_is_none(*root) ? 0 : page_put_and_type(*root);

    if (rc == 0) /* else the reference is still counted, and still ours */
        *root = MFN_NONE;
    return rc;
}

int pv_root_release(struct vcpu *v)
{
    int rc = root_drop(&v->pv.root_kernel);

    if (rc == 0)
        rc = root_drop(&v->pv.root_user);
    if (rc == 0)
        rc = pv_pay_old_tables(v);
    return rc;
}
