/* SPDX-License-Identifier: MIT */
/*
 * Changes to validated page tables, and pins (mmu.h).
 *
 * Each change: take what the new entry stands for, exchange it with the old one while the table's
 * lock bit keeps others (and the table's end) away, then drop what the old one stood for. So at
 * every moment each entry has its references, and a refused change has changed nothing (MM-9).
 * Changes that touch neither frame, present nor write bit move no references (MM-3).
 *
 * Flushing after a change is the guest's business; what it must not be trusted with is covered by
 * stamps (pagetype.c). Lock: the table's bit (RANK_PAGE_TYPE), one at a time. A table dropped by a
 * finished change may be owed (root.h).
 */
#include "mmu.h"

#include "root.h"

/* --- the table's lock bit --- */

bool mmu_table_lock_slow(struct page *p, const struct domain *d, enum page_type type)
{
    uint64_t x = READ_ONCE(p->type);

    for (;;) {
        if (type_of(x) != type || !(x & T_VALID))
            return false;
        if (unlikely(x & T_LOCKED)) {
            hal_spin_wait();
            x = READ_ONCE(p->type);
            continue;
        }
        if (likely(word_cas(&p->type, &x, x | T_LOCKED)))
            break;
    }
    if (likely((READ_ONCE(p->count) & (C_DOM | C_OWNER_MASK)) == count_owner_tag(d->domid)))
        return true;
    mmu_table_unlock(p);
    return false;
}

/* Store val under the lock. False: MMU_COMPARE and *old was not there. *old is what was. */
static inline bool slot_write(uint64_t *slot, uint64_t val, enum mmu_write how, uint64_t *old)
{
    uint64_t seen;

    switch (how) {
    case MMU_SET:
        *old = __atomic_exchange_n(slot, val, __ATOMIC_SEQ_CST);
        return true;
    case MMU_COMPARE:
        return word_cas(slot, old, val);
    case MMU_PRESERVE_AD:
        break;
    }
    seen = READ_ONCE(*slot);
    while (!word_cas(slot, &seen, val | (seen & (PTE_A | PTE_D))))
        ;
    *old = seen;
    return true;
}

/* --- L1 --- */

/* Another frame, or none before or after: the plain case. */
static inline bool l1_replaces(uint64_t old, uint64_t val)
{
    return !(old & val & PTE_P) || (old ^ val) & ~(PTE_L1_HARMLESS | PTE_RW);
}

/* What a change from one entry to another does to references. */
enum l1_change {
    L1_HARMLESS,  /* nothing */
    L1_LOCK_DOWN, /* same RAM frame, was writable: its writable type reference goes */
    L1_OPEN_UP,   /* same RAM frame, becomes writable: it needs one */
    L1_REPLACE,   /* everything else */
};

static enum l1_change l1_classify(uint64_t old, uint64_t val, const struct domain *fd)
{
    const uint64_t diff = (old ^ val) & ~PTE_L1_HARMLESS;
    const struct page *p;

    if (l1_replaces(old, val))
        return L1_REPLACE;
    if (!diff)
        return L1_HARMLESS;
    p = page_lookup(pte_mfn(val).n);
    if (!p || !(READ_ONCE(p->count) & C_DOM))
        return L1_REPLACE; /* device memory */
    if (!(val & PTE_RW))
        return L1_LOCK_DOWN;
    /* Somebody else's frame (a read-only grant) does not become writable by a table update. */
    return count_owner(READ_ONCE(p->count)) == fd->domid ? L1_OPEN_UP : L1_REPLACE;
}

/* Take what a new entry stands for; *val becomes the one to store. */
static inline int l1_take_new(struct domain *d, struct domain *fd, uint64_t *val)
{
    const uint64_t wanted = *val;

    if (!(wanted & PTE_P))
        return pte_absent_ok(wanted, 1) ? 0 : -XEN_EINVAL;
    *val = pte_l1_take(d, fd, wanted);
    return likely(*val) ? 0 : pte_l1_refusal(wanted);
}

/* The same of a changed one. */
static int l1_take_change(struct domain *d, struct domain *fd, enum l1_change change, uint64_t *val)
{
    if (change == L1_REPLACE)
        return l1_take_new(d, fd, val);
    *val = (*val | PTE_US) & ~PTE_G;
    return change != L1_OPEN_UP || page_get_writable(page_of(pte_mfn(*val))) ? 0 : -XEN_EBUSY;
}

/* Give back what the entry e, before or after the change, stands for beyond the other. `held`: the
 * change of its write bit alone of which that is true. */
static inline void l1_give_back(enum l1_change change, enum l1_change held, uint64_t e)
{
    if (change == held)
        page_put_writable(page_of(pte_mfn(e)));
    else if (change == L1_REPLACE && e & PTE_P)
        pte_l1_drop(e);
}

/* Any change, by the holder of the table's lock, which it gives up. */
static int l1_write_locked(struct page *p, struct domain *d, struct domain *fd, uint64_t *slot,
                           uint64_t val, enum mmu_write how, uint64_t *old)
{
    uint64_t was = READ_ONCE(*slot), before = was;
    enum l1_change change;
    bool stored;
    int rc;

    if (how == MMU_COMPARE && was != *old) {
        mmu_table_unlock(p);
        *old = was;
        return -XEN_EAGAIN;
    }
    change = l1_classify(was, val, fd);
    rc = l1_take_change(d, fd, change, &val);
    if (unlikely(rc)) {
        mmu_table_unlock(p);
        return rc;
    }
    /* Only accessed and dirty may differ from `was` by now: the CPU sets them. */
    stored = slot_write(slot, val, how, &before);
    mmu_table_unlock(p);
    if (old)
        *old = before;
    if (unlikely(!stored)) {
        l1_give_back(change, L1_OPEN_UP, val);
        return -XEN_EAGAIN;
    }
    l1_give_back(change, L1_LOCK_DOWN, was);
    return 0;
}

int mmu_l1_write(struct domain *d, struct domain *fd, maddr_t at, uint64_t val, enum mmu_write how,
                 uint64_t *old)
{
    struct page *p = page_lookup(maddr_to_mfn(at).n);

    if (unlikely(!p || !mmu_table_lock(p, d, PGT_L1)))
        return -XEN_ENOENT;
    return l1_write_locked(p, d, fd, maddr_to_ptr(at), val, how, old);
}

int mmu_l1_set(struct domain *d, struct domain *fd, maddr_t at, uint64_t val)
{
    struct page *p = page_lookup(maddr_to_mfn(at).n);
    uint64_t *slot, was;
    int rc;

    if (unlikely(!p || !mmu_table_lock(p, d, PGT_L1)))
        return -XEN_ENOENT;
    slot = maddr_to_ptr(at);
    was = READ_ONCE(*slot);
    if (unlikely(!l1_replaces(was, val)))
        return l1_write_locked(p, d, fd, slot, val, MMU_SET, NULL);
    rc = l1_take_new(d, fd, &val);
    if (unlikely(rc)) {
        mmu_table_unlock(p);
        return rc;
    }
    __atomic_exchange_n(slot, val, __ATOMIC_SEQ_CST);
    mmu_table_unlock(p);
    if (was & PTE_P)
        pte_l1_drop(was);
    return 0;
}

/* --- L2 .. L4 --- */

static int table_write(struct domain *d, struct page *p, enum page_type type, unsigned index,
                       uint64_t val, enum mmu_write how)
{
    const unsigned level = (unsigned)(type - PGT_L1) + 1;
    const enum page_type child = (enum page_type)(type - 1);
    uint64_t *slot = (uint64_t *)mfn_to_ptr(page_mfn(p)) + index;
    uint64_t old = READ_ONCE(*slot);
    bool replace;

    if (unlikely((level == 4 && root_slot_is_ours(index)) ||
                 (!(val & PTE_P) && !pte_absent_ok(val, level))))
        return -XEN_EINVAL;
    replace = !(old & val & PTE_P) || (old ^ val) & ~PTE_TABLE_HARMLESS;
    if (val & PTE_P && replace) {
        int rc = pte_table_take(d, level, val); /* long, so before the lock */

        if (rc)
            return rc;
    }
    if (val & PTE_P)
        val |= PTE_US;
    if (!mmu_table_lock(p, d, type)) {
        if (val & PTE_P && replace)
            pv_put_table(pte_mfn(val), child);
        return -XEN_EINVAL;
    }
    /* Another vcpu may have changed the entry since: a harmless change no longer is one then. */
    if (!replace && (READ_ONCE(*slot) ^ old) & ~PTE_TABLE_HARMLESS) {
        mmu_table_unlock(p);
        return -XEN_EINVAL;
    }
    slot_write(slot, val, how, &old);
    mmu_table_unlock(p);
    if (level == 4)
        hal_root_changed(page_mfn(p));
    if (replace && old & PTE_P) {
        pte_tables_changed(d);
        pv_put_table(pte_mfn(old), child);
    }
    return 0;
}

/* An entry of a frame that is no table: plain memory of the guest, so it may write it. */
static int plain_write(struct domain *d, struct page *p, uint64_t *slot, uint64_t val)
{
    if (unlikely(!page_get_of(p, d)))
        return -XEN_EINVAL;
    if (unlikely(!page_get_writable(p))) {
        page_put_ref(p);
        return -XEN_EINVAL;
    }
    WRITE_ONCE(*slot, val);
    page_put_writable(p);
    page_put_ref(p);
    return 0;
}

int mmu_other_write(struct domain *d, maddr_t at, uint64_t val, enum mmu_write how)
{
    struct page *p = page_lookup(maddr_to_mfn(at).n);
    enum page_type type;

    if (unlikely(!p))
        return -XEN_EINVAL;
    /* A table before it is pinned: a fork fills it so. */
    type = type_of(READ_ONCE(p->type));
    if (likely(type < PGT_L2 || type > PGT_L4 || !(READ_ONCE(p->type) & T_VALID)))
        return plain_write(d, p, maddr_to_ptr(at), val);
    if (count_owner(READ_ONCE(p->count)) != d->domid)
        return -XEN_EINVAL;
    return table_write(d, p, type, maddr_offset(at) / sizeof(uint64_t), val, how);
}

/* --- pins --- */

/* Set or clear the pin bit once nobody has the word to himself. False: it was so already. */
static bool pin_bit_change(struct page *p, bool set)
{
    uint64_t x = READ_ONCE(p->type);

    for (;;) {
        if ((x & (T_LOCKED | T_VALID)) == T_LOCKED) {
            hal_spin_wait();
            x = READ_ONCE(p->type);
            continue;
        }
        if (!!(x & T_PINNED) == set)
            return false;
        if (word_cas(&p->type, &x, x ^ T_PINNED))
            return true;
    }
}

int mmu_pin(struct domain *d, mfn_t m, enum page_type type)
{
    int rc;

    if (domain_is_dying(d))
        return -XEN_EINVAL;
    rc = page_get_and_type(m, d, type);
    if (rc)
        return rc;
    if (pin_bit_change(page_of(m), true)) {
        /* The end of a foreign domain may have begun since, and its search for pins be over. */
        if (likely(!domain_is_dying(d)) || !pin_bit_change(page_of(m), false))
            return 0;
    }
    pv_put_table(m, type); /* pinned before: not the last reference, unless unpinned just now */
    return -XEN_EINVAL;
}

int mmu_unpin(struct domain *d, mfn_t m)
{
    struct page *p = page_lookup(m.n);
    enum page_type type;
    int rc = -XEN_EINVAL;

    if (!p || !page_get_owned(p, d->domid))
        return -XEN_EINVAL;
    type = type_of(READ_ONCE(p->type));
    /* A preempted devalidation shows the pin bit only in teardown (below). */
    if (pin_bit_change(p, false)) {
        pv_put_table(m, type);
        rc = 0;
    }
    page_put_ref(p);
    return rc;
}

int mmu_unpin_dying(struct page *p)
{
    int rc;

    if (!pin_bit_change(p, false))
        return 0;
    rc = page_put_and_type(page_mfn(p));
    if (rc)
        pin_bit_change(p, true); /* still counted: found again by the next pass */
    return rc;
}

/* --- who --- */

static int other_domain(uint16_t domid, struct domain **d, bool *counted)
{
    if (!current_domain()->is_control)
        return -XEN_EPERM;
    *d = domain_get(domid);
    *counted = *d != NULL;
    return *counted ? 0 : -XEN_ESRCH;
}

int mmu_domains_find(struct mmu_domains *md, uint32_t domid)
{
    const struct domain *self = current_domain();
    const uint16_t frames = (uint16_t)domid;
    const uint32_t tables = domid >> 16; /* plus one */
    int rc = 0;

    if (tables && tables - 1 != self->domid)
        rc = other_domain((uint16_t)(tables - 1), &md->tables, &md->tables_counted);
    /* Device frames are the control domain's own; who means itself, says so. */
    if (rc || frames == DOMID_SELF || (frames == DOMID_IO && self->is_control))
        return rc;
    rc = frames == self->domid ? -XEN_ESRCH
                               : other_domain(frames, &md->frames, &md->frames_counted);
    if (rc)
        mmu_domains_put(md);
    return rc;
}
