/* SPDX-License-Identifier: MIT */
/* Lab 9, page tables: a solution. */
#include "task.h"

static unsigned index_of(u64 va, unsigned level)
{
    return va >> (12 + 9 * (level - 1)) & (ENTRIES - 1);
}

/* Tables are pages of ours, mapped for reading. */
static const volatile u64 *table_of(u64 mfn)
{
    return front_pfn_to_va(front_mfn_to_pfn(mfn));
}

static u64 frame(u64 entry)
{
    return (entry & PTE_ADDR) >> FRONT_PAGE_SHIFT;
}

/* Entries are the hypervisor's to write: it looks at what they lead to. */
static int set_entry(u64 table, unsigned i, u64 value)
{
    mmu_update_t update = {.ptr = table << FRONT_PAGE_SHIFT | i * 8 | MMU_NORMAL_PT_UPDATE,
                           .val = value};

    return (int)hc_mmu_update(&update, 1, 0, DOMID_SELF);
}

/* Frames of the tables on the way to va, tables[4] down to tables[1]: the lowest level reached. */
static unsigned walk(u64 root, u64 va, u64 tables[5])
{
    unsigned level = 4;

    for (tables[4] = root; level > 1; level--) {
        u64 entry = table_of(tables[level])[index_of(va, level)];

        if (!(entry & PTE_P))
            break;
        tables[level - 1] = frame(entry);
    }
    return level;
}

u64 my_walk(u64 root, u64 va)
{
    u64 tables[5];

    if (walk(root, va, tables) > 1)
        return 0;
    return table_of(tables[1])[index_of(va, 1)];
}

/* The page may be written, or may not, by its own mapping. */
static int protect(void *page, u64 flags)
{
    return (int)hc_update_va_mapping(page, front_pte(front_va_to_mfn(page), flags), UVMF_INVLPG);
}

/* An empty table below `above`. It cannot be one while anybody may write to it. */
static int add_table(u64 above, unsigned i, u64 *made)
{
    u64 *page = lab_page_take();
    int rc;

    memset(page, 0, FRONT_PAGE_SIZE);
    rc = protect(page, PTE_KERN & ~PTE_RW);
    *made = front_va_to_mfn(page);
    if (!rc)
        rc = set_entry(above, i, front_pte(*made, PTE_TABLE));
    if (rc) {
        protect(page, PTE_KERN);
        lab_page_give(page);
    }
    return rc;
}

static bool is_empty(u64 table)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (table_of(table)[i])
            return false;
    }
    return true;
}

/* Takes empty tables away, from the lowest level on. */
static void prune(u64 va, u64 tables[5], unsigned level)
{
    for (; level < 4 && is_empty(tables[level]); level++) {
        u64 *page = front_pfn_to_va(front_mfn_to_pfn(tables[level]));

        set_entry(tables[level + 1], index_of(va, level + 1), 0);
        front_mmuext_va(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
        /* No table any more: it may be written again. */
        protect(page, PTE_KERN);
        lab_page_give(page);
    }
}

int my_map(u64 va, u64 mfn, u64 flags)
{
    u64 tables[5];
    unsigned level = walk(front_root_mfn(), va, tables);
    int rc = 0;

    for (; level > 1 && !rc; level -= !rc)
        rc = add_table(tables[level], index_of(va, level), &tables[level - 1]);
    if (!rc)
        rc = set_entry(tables[1], index_of(va, 1), front_pte(mfn, flags));
    if (rc)
        prune(va, tables, level);
    return rc;
}

int my_unmap(u64 va)
{
    u64 tables[5];
    int rc;

    if (walk(front_root_mfn(), va, tables) > 1 || !(table_of(tables[1])[index_of(va, 1)] & PTE_P))
        return -XEN_ENOENT;
    rc = set_entry(tables[1], index_of(va, 1), 0);
    if (rc)
        return rc;
    /* The processor may remember it. */
    front_mmuext_va(MMUEXT_INVLPG_LOCAL, va, 0);
    prune(va, tables, 1);
    return 0;
}
