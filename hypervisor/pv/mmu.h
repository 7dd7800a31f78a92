/* SPDX-License-Identifier: MIT */
/*
 * Changing validated page tables: what mmu_update, update_va_mapping, emulated stores and grant
 * mappings share (mmu.c), so that there is one validator (EMU-6).
 */
#ifndef TENUE_PV_MMU_H
#define TENUE_PV_MMU_H

#include <tenue/domain.h>
#include <tenue/pagetype.h>
#include <tenue/vcpu.h>

#include "pte.h"

enum mmu_write {
    MMU_SET,         /* *slot = val */
    MMU_PRESERVE_AD, /* *slot = val | accessed and dirty of the old entry, atomically */
    MMU_COMPARE,     /* only if the slot holds *old */
};

/*
 * Change the entry at a machine address in an L1 table, which d must own. Frames that val maps
 * belong to fd. *old (may be NULL but for MMU_COMPARE) receives the former entry. 0; -XEN_ENOENT:
 * not such a table; -XEN_EINVAL: val refused; -XEN_EAGAIN: MMU_COMPARE and the slot held something
 * else, now in *old.
 */
int mmu_l1_write(struct domain *d, struct domain *fd, maddr_t at, uint64_t val, enum mmu_write how,
                 uint64_t *old) must_check;
/* The same with MMU_SET when nobody asks for the former entry: the short way for a new frame, or
 * none. */
int mmu_l1_set(struct domain *d, struct domain *fd, maddr_t at, uint64_t val) must_check;
/* For an entry in another table of d or in its plain memory. 0; -XEN_EINVAL; -XEN_ERESTART: nothing
 * changed, call again. */
int mmu_other_write(struct domain *d, maddr_t at, uint64_t val, enum mmu_write how) must_check;

/* For one or the other. */
static inline int mmu_write_at(struct domain *d, struct domain *fd, uint64_t maddr, uint64_t val,
                               enum mmu_write how)
{
    const maddr_t at = maddr_make(maddr);
    const int rc = how == MMU_SET ? mmu_l1_set(d, fd, at, val)
                                  : mmu_l1_write(d, fd, at, val, how, NULL);

    return unlikely(rc == -XEN_ENOENT) ? mmu_other_write(d, at, val, how) : rc;
}

/*
 * Where the L1 entry that va names (aligned down) lies, if va is mapped read-only, through the
 * kernel root of v, which is current, and in an L1 table of v's domain: then *entry is what it
 * holds. Else 0. mmu_l1_write(MMU_COMPARE) changes it; a store of less than 8 bytes is a loop of
 * merge and that.
 */
maddr_t ptwr_find(struct vcpu *v, uint64_t va, uint64_t *entry) must_check;

/*
 * Exclusive use of a validated table of d: entries stay as they are, the type stays (MM-19).
 * Nothing that may be preempted, and no other table's lock, while it is held. False: not such.
 */
static inline void mmu_table_unlock(struct page *p)
{
    __atomic_fetch_and(&p->type, ~T_LOCKED, __ATOMIC_SEQ_CST);
}
/* MMUEXT_(UN)PIN. 0, -XEN_EINVAL, -XEN_ERESTART. */
int mmu_pin(struct domain *d, mfn_t m, enum page_type type) must_check;
int mmu_unpin(struct domain *d, mfn_t m) must_check;
/* Teardown: unpin as often as needed; -XEN_ERESTART leaves the pin in place. */
int mmu_unpin_dying(struct page *p) must_check;

/* Flush what a guest asks for: all, or one page, an address of ours left alone; where vcpus of d
 * are, all or those in a guest's bitmap of just enough 64-bit words. 0 or -XEN_EFAULT. */
int mmu_flush(const struct domain *d, const guest_va *bitmap, bool page, uint64_t va) must_check;

/* Waits, and looks twice. */
bool mmu_table_lock_slow(struct page *p, const struct domain *d, enum page_type type) must_check;

static inline bool mmu_table_lock(struct page *p, const struct domain *d, enum page_type type)
{
    uint64_t x = READ_ONCE(p->type);

    /* The owner cannot change while a type reference exists, and one does until we unlock. */
    if (likely(type_is_free_table(x, type) && word_cas(&p->type, &x, x | T_LOCKED))) {
        if (likely((READ_ONCE(p->count) ^ d->pages.live) >> 32 == 0))
            return true;
        mmu_table_unlock(p);
    }
    return mmu_table_lock_slow(p, d, type);
}

/* The two domains that mmu_update, update_va_mapping and mmuext_op name. */
struct mmu_domains {
    struct domain *tables, *frames; /* whose tables are changed, whose frames are mapped */
    bool tables_counted, frames_counted;
};
/* domid as the ABI packs it: frames' owner in the low half, tables' owner + 1 above. Others than
 * the caller, self, need privilege (MM-14). 0, -XEN_EPERM, -XEN_ESRCH. */
int mmu_domains_find(struct mmu_domains *md, uint32_t domid) must_check;

static inline int mmu_domains_get(struct mmu_domains *md, struct domain *self, uint32_t domid)
{
    md->frames_counted = md->tables_counted = false;
    md->tables = md->frames = self;
    return likely(domid == DOMID_SELF) ? 0 : mmu_domains_find(md, domid);
}

static inline void mmu_domains_put(struct mmu_domains *md)
{
    if (unlikely(md->tables_counted))
        domain_put(md->tables);
    if (unlikely(md->frames_counted))
        domain_put(md->frames);
}

#endif
