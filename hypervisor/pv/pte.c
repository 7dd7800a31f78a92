/* SPDX-License-Identifier: MIT */
/*
 * Take and drop one page-table entry (pte.h).
 *
 * The RAM path and the device path never mix (MM-15): a frame that the frame table knows is mapped
 * by reference, write-back only; anything else only for the control domain, without references,
 * with the cache attribute that the entry asks for, and not where the machine layer keeps a device,
 * or RAM, to itself. No locks here.
 */
#include "pte.h"

#include <tenue/vcpu.h>

static uint64_t device_take(const struct domain *d, const struct domain *fd, uint64_t e)
{
    const mfn_t m = pte_mfn(e);

    if (!d->is_control || d != fd || m.n >> (hal_maddr_bits - PAGE_SHIFT) || mfn_is_ram(m) ||
        hal_mmio_is_ours(m))
        return 0;
    return (e | PTE_US) & ~PTE_G;
}

/*
 * Such a processor ignores the present bit, and of the address what lies above its width. Frame 0
 * is nobody's: entries with flags alone are harmless. Kernels that know of L1TF store the
 * complement of the address, which is far above RAM.
 */
bool pte_absent_leaks(uint64_t e, unsigned level)
{
    const uint64_t width = (1ull << (hal_maddr_bits - PAGE_SHIFT)) - 1;
    const uint64_t frame = pte_mfn(e).n & width;

    if (level > 1 && level < 4 && e & PTE_PSE)
        return (frame & ~((1ull << 9 * (level - 1)) - 1)) < frame_count;
    return frame != 0 && frame < frame_count;
}

uint64_t pte_l1_take_slow(struct domain *d, struct domain *fd, uint64_t e)
{
    struct page *p = page_lookup(pte_mfn(e).n);

    if (!p || !page_get_of(p, fd))
        return device_take(d, fd, e);
    page_put_ref(p);
    return 0; /* a frame of RAM is cached as we say */
}

int pte_l1_refusal(uint64_t e)
{
    return page_lookup(pte_mfn(e).n) ? -XEN_EBUSY : -XEN_EPERM;
}

int pte_table_take(struct domain *d, unsigned level, uint64_t e)
{
    if (e & PTE_TABLE_FORBIDDEN)
        return -XEN_EINVAL;
    return page_get_and_type(pte_mfn(e), d, (enum page_type)(PGT_L1 + level - 2));
}

int pte_table_drop(uint64_t e)
{
    return page_put_and_type(pte_mfn(e));
}

/* The entry for va in the table of that level at machine address *at takes its place. False: not
 * present, or there is no table. */
static inline bool step_down(uint64_t *at, uint64_t va, unsigned level)
{
    const uint64_t offset = (va >> (9 * level)) & (PAGE_SIZE - sizeof(uint64_t));
    const struct page *p = page_lookup(*at >> PAGE_SHIFT);
    uint64_t e;

    if (unlikely(!p || !(READ_ONCE(p->count) & C_STATE_MASK)))
        return false; /* also MFN_NONE */
    e = READ_ONCE(*(uint64_t *)maddr_to_ptr(maddr_make(*at + offset)));
    *at = e & PTE_ADDR;
    return e & PTE_P;
}

maddr_t pte_find_l1(mfn_t root, uint64_t va)
{
    uint64_t at = mfn_to_maddr(root).a;

    if (unlikely(!guest_addr_ok(va) || !step_down(&at, va, 4) || !step_down(&at, va, 3) ||
                 !step_down(&at, va, 2)))
        return maddr_make(0); /* our own tables, too, are none of a guest's business */
    return maddr_make(at + (va >> 9 & (PAGE_SIZE - sizeof(uint64_t))));
}

/*
 * Remembered walks. Each table on the way from a root is in use as long as the entry above it
 * stays; so if the root is the vcpu's, and no entry above L1 of any table of the domain changed and
 * no such table ended, the same walk ends at the same place. Both are counted after they are done,
 * and the count is read before the walk: a walk that saw what was before is not believed after.
 */
maddr_t pte_find_l1_of(struct vcpu *v, uint64_t va)
{
    const uint64_t changes = __atomic_load_n(&v->domain->pv.table_changes, __ATOMIC_ACQUIRE);
    const mfn_t root = v->pv.root_kernel;
    struct pv_walk *w = &v->pv.walk;
    maddr_t at;

    if (likely(w->region == va >> 21 && w->root == root.n && w->changes == changes))
        return maddr_make(w->table | (va >> 9 & (PAGE_SIZE - sizeof(uint64_t))));
    at = pte_find_l1(root, va);
    if (at.a)
        *w = (struct pv_walk){va >> 21, root.n, changes, at.a & PAGE_MASK};
    return at;
}

bool pte_walk_l1(mfn_t root, uint64_t va, uint64_t *l1e)
{
    const maddr_t at = pte_find_l1(root, va);

    if (!at.a || !mfn_is_ram(maddr_to_mfn(at)))
        return false;
    *l1e = READ_ONCE(*(uint64_t *)maddr_to_ptr(at));
    return *l1e & PTE_P;
}
