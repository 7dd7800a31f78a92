/* SPDX-License-Identifier: MIT */
/*
 * The guest's view of its memory: frame numbers and machine frames, a pool of pages in the image's
 * bss, and page-table edits by hypercall. Table pages are found through the machine-to-physical
 * table, which is guest data: a frame this file did not hand out itself is only read.
 */
#include "internal.h"

#define POOL_PAGES 320

u64 *front_p2m;
u64 front_nr_pages;

static char pool[POOL_PAGES][FRONT_PAGE_SIZE] FRONT_PAGE_ALIGNED;
static bool pool_used[POOL_PAGES];
static u64 spare_next;
static u64 first_spare; /* where the builder's map ends; 0: not looked yet */

void front_memory_init(void)
{
    front_p2m = (u64 *)front_si->mfn_list;
    front_nr_pages = front_si->nr_pages;
    spare_next = front_nr_pages;
}

u64 front_va_to_pfn(const volatile void *va)
{
    return ((u64)va - (u64)front_virt_base) >> FRONT_PAGE_SHIFT;
}

void *front_pfn_to_va(u64 pfn)
{
    return front_virt_base + (pfn << FRONT_PAGE_SHIFT);
}

u64 front_va_to_mfn(const volatile void *va)
{
    return front_p2m[front_va_to_pfn(va)];
}

u64 front_mfn_to_pfn(u64 mfn)
{
    return READ_ONCE(((u64 *)MACH2PHYS_VIRT_START)[mfn]);
}

void *front_page_try(void)
{
    for (unsigned i = 0; i < POOL_PAGES; i++) {
        if (!pool_used[i]) {
            pool_used[i] = true;
            memset(pool[i], 0, FRONT_PAGE_SIZE);
            return pool[i];
        }
    }
    return NULL;
}

void *front_page_alloc(void)
{
    void *page = front_page_try();

    if (!page)
        front_panic("the page pool of %u pages is empty", POOL_PAGES);
    return page;
}

void front_page_free(void *page)
{
    u64 i = (u64)((char *)page - pool[0]) / FRONT_PAGE_SIZE;

    if (i < POOL_PAGES)
        pool_used[i] = false;
}

u64 front_spare_pfn(void)
{
    return --spare_next;
}

static bool linear_mapped(u64 pfn)
{
    volatile u64 *e = front_pt_entry(front_root_mfn(), (u64)front_pfn_to_va(pfn), 1);

    return e && *e & PTE_P;
}

u64 front_spare_left(void)
{
    /* Whole tables at a time, as far as they are full. */
    if (!first_spare) {
        while (first_spare < front_nr_pages && linear_mapped(first_spare))
            first_spare += linear_mapped(first_spare + 511) ? 512 : 1;
    }
    return spare_next > first_spare ? spare_next - first_spare : 0;
}

u64 front_root_mfn(void)
{
    return front_va_to_mfn((void *)front_si->pt_base);
}

static unsigned index_at(u64 va, int level)
{
    return va >> (FRONT_PAGE_SHIFT + 9 * (level - 1)) & 511;
}

volatile u64 *front_pt_entry(u64 root_mfn, u64 va, int level)
{
    u64 mfn = root_mfn;

    for (int l = 4;; l--) {
        volatile u64 *t = front_pfn_to_va(front_mfn_to_pfn(mfn));
        volatile u64 *e = &t[index_at(va, l)];

        if (l == level)
            return e;
        if (!(*e & PTE_P))
            return NULL;
        mfn = (*e & PTE_ADDR) >> FRONT_PAGE_SHIFT;
    }
}

u64 front_entry_maddr(const volatile u64 *entry)
{
    return front_va_to_mfn(entry) << FRONT_PAGE_SHIFT | ((u64)entry & FRONT_PAGE_MASK);
}

int front_set_pte(u64 maddr, u64 val, unsigned cmd)
{
    mmu_update_t req = {.ptr = maddr | cmd, .val = val};

    return (int)hc_mmu_update(&req, 1, 0, DOMID_SELF);
}

int front_set_entry(const volatile u64 *entry, u64 val)
{
    return front_set_pte(front_entry_maddr(entry), val, MMU_NORMAL_PT_UPDATE);
}

int front_page_set(void *va, u64 flags)
{
    u64 page = (u64)va & ~FRONT_PAGE_MASK;

    return (int)hc_update_va_mapping(page, front_pte(front_va_to_mfn(va), flags),
                                     UVMF_INVLPG | UVMF_ALL);
}

int front_page_ro(void *va)
{
    return front_page_set(va, PTE_KERN & ~PTE_RW);
}

int front_page_rw(void *va)
{
    return front_page_set(va, PTE_KERN);
}

u64 *front_table_alloc(void)
{
    u64 *table = front_page_alloc();

    if (front_page_ro(table))
        front_panic("page %p cannot be made read-only", (void *)table);
    return table;
}

int front_map(u64 va, u64 mfn, u64 flags)
{
    for (int level = 4; level > 1; level--) {
        volatile u64 *e = front_pt_entry(front_root_mfn(), va, level);
        int rc;

        if (*e & PTE_P)
            continue;
        rc = front_set_entry(e, front_pte(front_va_to_mfn(front_table_alloc()), PTE_TABLE));
        if (rc)
            return rc;
    }
    return (int)hc_update_va_mapping(va, front_pte(mfn, flags), UVMF_INVLPG);
}

int front_unmap(u64 va)
{
    return (int)hc_update_va_mapping(va, 0, UVMF_INVLPG);
}

int front_mmuext1(unsigned cmd, u64 mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

    return (int)hc_mmuext_op(&op, 1, 0, DOMID_SELF);
}

int front_mmuext_va(unsigned cmd, u64 linear, u64 arg2)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.linear_addr = linear};

    op.arg2.nr_ents = (unsigned)arg2;
    return (int)hc_mmuext_op(&op, 1, 0, DOMID_SELF);
}
