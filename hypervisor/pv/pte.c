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

#include <tenue/domain.h>
#include <tenue/guestmem.h>
#include <tenue/page.h>

static int device_take(const struct domain *d, const struct domain *fd, uint64_t *e)
{
    const mfn_t m = pte_mfn(*e);

    if (!d->is_control || d != fd || m.n >> (hal_maddr_bits() - PAGE_SHIFT) || mfn_is_ram(m) ||
        hal_mmio_is_ours(m))
        return -XEN_EINVAL;
    if (hal_mmio_is_readonly(m))
        *e &= ~PTE_RW;
    *e = (*e | PTE_US) & ~PTE_G;
    return 0;
}

/*
 * Such a processor ignores the present bit, and of the address what lies above its width. Frame 0
 * is nobody's: entries with flags alone are harmless. Kernels that know of L1TF store the
 * complement of the address, which is far above RAM.
 */
bool pte_absent_leaks(uint64_t e, unsigned level)
{
    const uint64_t width = (1ull << (hal_maddr_bits() - PAGE_SHIFT)) - 1;
    const uint64_t frame = pte_mfn(e).n & width;

    if (level > 1 && level < 4 && e & PTE_PSE)
        return (frame & ~((1ull << 9 * (level - 1)) - 1)) < frame_count;
    return frame != 0 && frame < frame_count;
}

int pte_l1_take(struct domain *d, struct domain *fd, uint64_t *e)
{
    struct page *p = page_lookup(pte_mfn(*e).n);

    if (unlikely(!p || !page_get_owned(p, fd->domid)))
        return device_take(d, fd, e);
    if (unlikely(*e & PTE_CACHE) || (*e & PTE_RW && !page_get_writable(p))) {
        page_put_ref(p);
        return -XEN_EINVAL;
    }
    *e = (*e | PTE_US) & ~PTE_G;
    return 0;
}

void pte_l1_drop(uint64_t e)
{
    struct page *p = page_lookup(pte_mfn(e).n);

    /* A present entry of a validated table maps RAM, which then has an owner, or a device. */
    if (unlikely(!p || !(READ_ONCE(p->count) & C_DOM)))
        return;
    if (e & PTE_RW)
        page_put_writable(p);
    page_put_ref(p);
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

bool pte_find_l1(mfn_t root, uint64_t va, mfn_t *table, unsigned *index)
{
    if (!guest_addr_ok(va))
        return false; /* our own tables are none of a guest's business */
    for (unsigned level = 4; level > 1; level--) {
        uint64_t e;

        if (!mfn_is_ram(root))
            return false; /* also MFN_NONE */
        e = READ_ONCE(((uint64_t *)mfn_to_ptr(root))[pte_index(va, level)]);
        if (!(e & PTE_P))
            return false;
        root = pte_mfn(e);
    }
    *table = root;
    *index = pte_index(va, 1);
    return mfn_is_ram(root);
}

bool pte_walk_l1(mfn_t root, uint64_t va, uint64_t *l1e)
{
    mfn_t table;
    unsigned index;

    if (!pte_find_l1(root, va, &table, &index))
        return false;
    *l1e = READ_ONCE(((uint64_t *)mfn_to_ptr(table))[index]);
    return *l1e & PTE_P;
}
