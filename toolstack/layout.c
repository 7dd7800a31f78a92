/* SPDX-License-Identifier: MIT */
/* Start-of-day layout and page tables: see layout.h. Pure functions, no hypervisor. */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_BYTES (512ull << 10)
#define AREA_ALIGN (4ull << 20)
#define AREA_MAX (1ull << 30)

enum {
    PTE_PRESENT = 1 << 0,
    PTE_WRITE = 1 << 1,
    PTE_USER = 1 << 2,
    PTE_ACCESSED = 1 << 5,
    PTE_DIRTY = 1 << 6,
    TABLE_BITS = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED,
    LEAF_RO = PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY,
    LEAF_RW = LEAF_RO | PTE_WRITE,
    ENTRIES = 512,
};

static uint64_t pages(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* Index of the first address bit that a table of this level (1..4) does not cover. */
static unsigned span_shift(unsigned level)
{
    return 12 + 9 * level;
}

/* Number of tables of one level under [start, end). */
static uint64_t tables_of_level(uint64_t start, uint64_t end, unsigned level)
{
    unsigned shift = span_shift(level);

    return level == 4 ? 1 : ((end - 1) >> shift) - (start >> shift) + 1;
}

/* How many of them lie under [start2, end2) as well. */
static uint64_t tables_shared(uint64_t start, uint64_t end, uint64_t start2, uint64_t end2,
                              unsigned level)
{
    unsigned shift = span_shift(level);
    uint64_t lo = start > start2 ? start : start2, hi = end < end2 ? end - 1 : end2 - 1;

    if (level == 4)
        return 1;
    lo >>= shift;
    hi >>= shift;
    return hi >= lo ? hi - lo + 1 : 0;
}

static uint64_t area_tables(uint64_t start, uint64_t end)
{
    uint64_t n = 0;

    for (unsigned level = 1; level <= 4; level++)
        n += tables_of_level(start, end, level);
    return n;
}

static uint64_t extra_tables(const struct layout *l, uint64_t start, uint64_t end)
{
    uint64_t area_end = l->virt_base + l->mapped_pages * PAGE_BYTES, n = 0;

    for (unsigned level = 1; level <= 4; level++)
        n += tables_of_level(start, end, level) -
             tables_shared(start, end, l->virt_base, area_end, level);
    return n;
}

/* End of the area that has its last used page before `frames`, rounded as the ABI asks. */
static int area_end(const char *what, const struct layout *l, uint64_t frames, uint64_t *end,
                    struct diag *d)
{
    uint64_t want = frames * PAGE_BYTES + SPARE_BYTES;

    if (want > AREA_MAX || __builtin_add_overflow(l->virt_base, want + AREA_ALIGN - 1, end))
        return diag_set(d,
                        "%s: kernel and page tables do not fit the first GiB of the guest's"
                        " address space; a smaller ramdisk or less memory= may help",
                        what);
    *end &= ~(AREA_ALIGN - 1);
    return 0;
}

/* Page tables map themselves, so their number is found by repetition; it only grows. */
static int place_tables(const char *what, struct layout *l, struct diag *d)
{
    uint64_t end = 0, need;

    l->nr_pt = 4;
    for (;;) {
        l->stack_pfn = l->pt_pfn + l->nr_pt;
        if (area_end(what, l, l->stack_pfn + 1, &end, d) != 0)
            return -1;
        need = area_tables(l->virt_base, end);
        if (need <= l->nr_pt)
            break;
        l->nr_pt = need;
    }
    l->mapped_pages = (end - l->virt_base) / PAGE_BYTES;
    return 0;
}

/* In a small guest the rounding up to 4 MiB gives way, the 512 KiB do not. */
static void trim_spare(struct layout *l, uint64_t behind)
{
    uint64_t least = l->stack_pfn + 1 + SPARE_BYTES / PAGE_BYTES;
    uint64_t room = l->nr_pages > behind ? l->nr_pages - behind : 0;

    if (l->mapped_pages > room)
        l->mapped_pages = room > least ? room : least;
}

static void place_behind(struct layout *l)
{
    uint64_t next;

    if (l->p2m_apart)
        l->p2m_table_pages = extra_tables(l, l->p2m_va, l->p2m_va + l->p2m_data_pages * PAGE_BYTES);
    trim_spare(l, (l->p2m_apart ? l->p2m_data_pages + l->p2m_table_pages : 0) +
                      (l->ramdisk_apart ? l->ramdisk_pages : 0));
    next = l->mapped_pages;
    if (l->p2m_apart) {
        l->p2m_pfn = next;
        next += l->p2m_data_pages + l->p2m_table_pages;
    }
    if (l->ramdisk_apart)
        l->ramdisk_pfn = next;
}

static uint64_t frames_needed(const struct layout *l)
{
    return l->mapped_pages + (l->p2m_apart ? l->p2m_data_pages + l->p2m_table_pages : 0) +
           (l->ramdisk_apart ? l->ramdisk_pages : 0);
}

static int check_p2m_clear(const char *what, const struct layout *l, struct diag *d)
{
    uint64_t end = l->virt_base + l->mapped_pages * PAGE_BYTES;
    uint64_t p2m_end = l->p2m_va + l->p2m_data_pages * PAGE_BYTES;

    if (l->p2m_apart && l->p2m_va < end && p2m_end > l->virt_base)
        return diag_set(d, "%s: INIT_P2M %#llx lies inside the kernel's own mapping", what,
                        (unsigned long long)l->p2m_va);
    return 0;
}

int layout_compute(const char *what, const struct elf_image *elf, uint64_t nr_pages,
                   uint64_t ramdisk_bytes, struct layout *out, struct diag *d)
{
    uint64_t next = pages(elf->phys_end);
    struct layout *l = out;

    *l = (struct layout){.nr_pages = nr_pages, .virt_base = elf->virt_base};
    l->ramdisk_pages = pages(ramdisk_bytes);
    l->ramdisk_apart = elf->mod_start_pfn;
    l->p2m_data_pages = pages(nr_pages * sizeof(uint64_t));
    l->p2m_apart = elf->p2m_base != ELF_UNSET;

    if (!l->ramdisk_apart) {
        l->ramdisk_pfn = next;
        next += l->ramdisk_pages;
    }
    if (!l->p2m_apart) {
        l->p2m_pfn = next;
        l->p2m_va = l->virt_base + next * PAGE_BYTES;
        next += l->p2m_data_pages;
    } else {
        l->p2m_va = elf->p2m_base;
    }
    l->start_info_pfn = next++;
    l->store_pfn = next++;
    l->console_pfn = next++;
    l->pt_pfn = next;
    if (place_tables(what, l, d) != 0)
        return -1;
    place_behind(l);
    if (check_p2m_clear(what, l, d) != 0)
        return -1;
    if (frames_needed(l) > nr_pages)
        return diag_set(d,
                        "%s: kernel, ramdisk and page tables take %llu MiB, the guest has %llu;"
                        " raise memory=",
                        what, (unsigned long long)(frames_needed(l) + 255) / 256,
                        (unsigned long long)nr_pages / 256);
    return 0;
}

/* A table in use: its machine frame, which is all that its parent holds, and where we write it. */
struct known {
    uint64_t mfn;
    uint64_t *entries;
};

struct filler {
    const uint64_t *p2m;
    uint64_t *pool;     /* zeroed pages still free ... */
    uint64_t pool_pfn;  /* ... the first one's guest frame ... */
    uint64_t pool_left; /* ... and how many */
    struct known *known;
    size_t nr_known, room;
};

static uint64_t *take_table(struct filler *f, uint64_t *mfn)
{
    if (f->pool_left == 0 || f->nr_known == f->room)
        return NULL;
    uint64_t *t = f->pool;

    *mfn = f->p2m[f->pool_pfn];
    f->known[f->nr_known++] = (struct known){*mfn, t};
    f->pool += ENTRIES;
    f->pool_pfn++;
    f->pool_left--;
    return t;
}

static uint64_t *find_known(const struct filler *f, uint64_t mfn)
{
    for (size_t i = f->nr_known; i-- > 0;)
        if (f->known[i].mfn == mfn)
            return f->known[i].entries;
    return NULL;
}

/* The L1 table for va, made on the way if need be; the L4 is the first table known. */
static uint64_t *l1_for(struct filler *f, uint64_t va)
{
    uint64_t *t = f->known[0].entries;

    for (unsigned level = 3; level >= 1 && t; level--) {
        uint64_t *slot = &t[va >> span_shift(level) & (ENTRIES - 1)];
        uint64_t mfn;

        if (*slot) {
            t = find_known(f, *slot >> 12);
            continue;
        }
        t = take_table(f, &mfn);
        if (t)
            *slot = mfn << 12 | TABLE_BITS;
    }
    return t;
}

/* Maps count frames from pfn at va; those in [ro, ro_end) read-only. */
static bool map_run(struct filler *f, uint64_t va, uint64_t pfn, uint64_t count, uint64_t ro,
                    uint64_t ro_end)
{
    uint64_t *l1 = NULL;

    for (uint64_t i = 0; i < count; i++, va += PAGE_BYTES, pfn++) {
        if (!l1 || (va >> 12) % ENTRIES == 0)
            l1 = l1_for(f, va);
        if (!l1)
            return false;
        l1[(va >> 12) % ENTRIES] = f->p2m[pfn] << 12 |
                                   (pfn >= ro && pfn < ro_end ? LEAF_RO : LEAF_RW);
    }
    return true;
}

int layout_fill_tables(const struct layout *l, const uint64_t *p2m, uint64_t *tables,
                       uint64_t *p2m_tables, struct diag *d)
{
    struct filler f = {.p2m = p2m,
                       .pool = tables,
                       .pool_pfn = l->pt_pfn,
                       .pool_left = l->nr_pt,
                       .room = l->nr_pt + l->p2m_table_pages};
    uint64_t l4_mfn;

    f.known = calloc(f.room, sizeof(*f.known));
    if (!f.known)
        return diag_set(d, "out of memory");
    bool ok = take_table(&f, &l4_mfn) != NULL &&
              map_run(&f, l->virt_base, 0, l->mapped_pages, l->pt_pfn, l->pt_pfn + l->nr_pt);

    if (ok && l->p2m_apart) {
        f.pool = p2m_tables;
        f.pool_pfn = l->p2m_pfn + l->p2m_data_pages;
        f.pool_left = l->p2m_table_pages;
        ok = map_run(&f, l->p2m_va, l->p2m_pfn, l->p2m_data_pages, 0, 0);
    }
    free(f.known);
    return ok ? 0 : diag_set(d, "internal: the number of page tables was miscounted");
}

void layout_fill_p2m(const struct layout *l, const struct layout_frames *f, uint64_t *list)
{
    const uint64_t in_blocks = f->nr_blocks * LAYOUT_BLOCK_PAGES;
    size_t room = l->p2m_data_pages * PAGE_BYTES - l->nr_pages * sizeof(*list);

    for (uint64_t i = 0; i < f->nr_blocks; i++) {
        const uint64_t first = f->blocks[i];

        for (uint64_t j = 0; j < LAYOUT_BLOCK_PAGES; j++)
            list[i * LAYOUT_BLOCK_PAGES + j] = first + j;
    }
    memcpy(list + in_blocks, f->singles, (l->nr_pages - in_blocks) * sizeof(*list));
    memset(list + l->nr_pages, 0xff, room);
}
