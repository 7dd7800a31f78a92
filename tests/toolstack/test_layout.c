/* SPDX-License-Identifier: MIT */
/*
 * Contract (start of day): every guest frame of the initial area is mapped at VIRT_BASE, the P2M
 * list where the kernel wants it, nothing else is mapped; page-table frames are writable nowhere
 * (MM-1); the tables fill exactly the frames set aside; parts do not overlap and lie inside the
 * guest. The walk below knows nothing of how the tables were built.
 *
 * Sabotage tried and seen to fail: in layout.c map_run(), LEAF_RO replaced by LEAF_RW; in
 * extra_tables(), the shared tables not subtracted; area_end() without the spare.
 */
#include "tests.h"

#include "../../toolstack/layout.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME = 4096, PER_TABLE = 512 };

struct world {
    struct layout l;
    uint64_t *p2m;   /* by guest frame */
    uint8_t *memory; /* contents, by guest frame */
    uint64_t nr_leaves;
};

/* A machine frame number that looks nothing like its guest frame. */
static uint64_t scatter(uint64_t pfn)
{
    return 0x40000 + (pfn ^ 0x155);
}

static uint64_t unscatter(uint64_t mfn)
{
    return (mfn - 0x40000) ^ 0x155;
}

static const uint64_t *table_at(const struct world *w, uint64_t entry)
{
    uint64_t pfn = unscatter(entry >> 12 & 0xffffffffffull);

    CU_ASSERT_FATAL(pfn < w->l.nr_pages);
    return (const uint64_t *)(w->memory + pfn * FRAME);
}

static int is_table(const struct layout *l, uint64_t pfn)
{
    uint64_t p2m_tables = l->p2m_pfn + l->p2m_data_pages;

    return (pfn >= l->pt_pfn && pfn < l->pt_pfn + l->nr_pt) ||
           (pfn >= p2m_tables && pfn < p2m_tables + l->p2m_table_pages);
}

static void check_leaf(struct world *w, uint64_t va, uint64_t entry)
{
    const struct layout *l = &w->l;
    uint64_t pfn = unscatter(entry >> 12 & 0xffffffffffull);
    uint64_t area = (va - l->virt_base) / FRAME, list = (va - l->p2m_va) / FRAME;
    int expected =
        (va >= l->virt_base && area < l->mapped_pages && pfn == area) ||
        (l->p2m_apart && va >= l->p2m_va && list < l->p2m_data_pages && pfn == l->p2m_pfn + list);

    if (!expected)
        test_note("va %#llx maps guest frame %llu", (unsigned long long)va,
                  (unsigned long long)pfn);
    CU_ASSERT_FATAL(expected);
    CU_ASSERT_FATAL(!(is_table(l, pfn) && (entry & 2)));
    CU_ASSERT_FATAL(is_table(l, pfn) || (entry & 2));
    CU_ASSERT_FATAL((entry & 0x5) == 0x5 && !(entry >> 63));
    w->nr_leaves++;
}

/* Walks everything under one table; depth is bounded by the four levels. */
static void walk(struct world *w, const uint64_t *table, unsigned level, uint64_t va)
{
    for (uint64_t i = 0; i < PER_TABLE; i++) {
        uint64_t at = va | i << (12 + 9 * (level - 1));

        if (!(table[i] & 1)) {
            CU_ASSERT_FATAL(table[i] == 0);
            continue;
        }
        if (level == 4 && i >= 256)
            at |= 0xffff000000000000ull;
        if (level == 1)
            check_leaf(w, at, table[i]);
        else
            walk(w, table_at(w, table[i]), level - 1, at);
    }
}

static int all_zero(const uint8_t *p)
{
    for (size_t i = 0; i < FRAME; i++)
        if (p[i])
            return 0;
    return 1;
}

static void check_tables(const struct layout *l)
{
    struct world w = {.l = *l};
    struct diag d = {0};

    w.p2m = calloc(l->nr_pages, sizeof(*w.p2m));
    w.memory = calloc(l->nr_pages, FRAME);
    CU_ASSERT_FATAL(w.p2m && w.memory);
    for (uint64_t i = 0; i < l->nr_pages; i++)
        w.p2m[i] = scatter(i);
    CU_ASSERT_FATAL(
        layout_fill_tables(l, w.p2m, (uint64_t *)(w.memory + l->pt_pfn * FRAME),
                           (uint64_t *)(w.memory + (l->p2m_pfn + l->p2m_data_pages) * FRAME),
                           &d) == 0);
    walk(&w, (const uint64_t *)(w.memory + l->pt_pfn * FRAME), 4, 0);
    CU_ASSERT_EQUAL(w.nr_leaves, l->mapped_pages + (l->p2m_apart ? l->p2m_data_pages : 0));
    for (uint64_t i = 0; i < l->p2m_table_pages; i++)
        CU_ASSERT_FALSE(all_zero(w.memory + (l->p2m_pfn + l->p2m_data_pages + i) * FRAME));
    free(w.memory);
    free(w.p2m);
}

static void check_shape(const struct layout *l, const struct elf_image *elf, uint64_t ramdisk)
{
    uint64_t end = l->mapped_pages;

    CU_ASSERT(l->start_info_pfn * FRAME >= elf->phys_end);
    CU_ASSERT(l->store_pfn == l->start_info_pfn + 1 && l->console_pfn == l->store_pfn + 1);
    CU_ASSERT(l->pt_pfn > l->console_pfn && l->stack_pfn == l->pt_pfn + l->nr_pt);
    CU_ASSERT(l->stack_pfn + 1 + 128 <= l->mapped_pages);
    CU_ASSERT(l->ramdisk_pages == (ramdisk + FRAME - 1) / FRAME);
    if (l->p2m_apart) {
        CU_ASSERT(l->p2m_pfn >= end);
        end = l->p2m_pfn + l->p2m_data_pages + l->p2m_table_pages;
    } else {
        CU_ASSERT(l->p2m_pfn * FRAME >= elf->phys_end);
        CU_ASSERT(l->p2m_pfn + l->p2m_data_pages <= l->start_info_pfn);
    }
    if (l->ramdisk_apart && l->ramdisk_pages) {
        CU_ASSERT(l->ramdisk_pfn >= end);
        end = l->ramdisk_pfn + l->ramdisk_pages;
    } else if (l->ramdisk_pages) {
        CU_ASSERT(l->ramdisk_pfn * FRAME >= elf->phys_end);
        CU_ASSERT(l->ramdisk_pfn + l->ramdisk_pages <= l->start_info_pfn);
    }
    CU_ASSERT(end <= l->nr_pages);
}

static struct elf_image kernel(uint64_t base, uint64_t p2m, uint64_t end, bool mod_start_pfn)
{
    return (struct elf_image){.phys_start = 0x100000,
                              .phys_end = end,
                              .virt_base = base,
                              .entry = base + 0x100000,
                              .p2m_base = p2m,
                              .hypercall_page = ELF_UNSET,
                              .mod_start_pfn = mod_start_pfn};
}

static void check(uint64_t base, uint64_t p2m, uint64_t end, bool mod, uint64_t mib,
                  uint64_t ramdisk)
{
    struct elf_image elf = kernel(base, p2m, end, mod);
    struct diag d = {0};
    struct layout l;

    if (layout_compute("k", &elf, mib << 8, ramdisk, &l, &d) != 0)
        test_note("%s", d.text);
    CU_ASSERT_FATAL(d.text[0] == 0);
    check_shape(&l, &elf, ramdisk);
    check_tables(&l);
}

#define HIGH 0xffffffff80000000ull
#define SLOT1 0x8000000000ull

static void test_linux(void)
{
    check(HIGH, SLOT1, 0x4a00000, true, 128, 6 << 20);
    check(HIGH, SLOT1, 0x4a00000, true, 512, 0);
    check(HIGH, SLOT1, 0x3e00123, true, 1500, 12345);
}

/* What Debian's kernel gets; the numbers were read off a boot of Xen's own builder. */
static void test_linux_figures(void)
{
    struct elf_image elf = kernel(HIGH, SLOT1, 0x4a00000, true);
    struct diag d = {0};
    struct layout l;

    CU_ASSERT_FATAL(layout_compute("k", &elf, 128 << 8, 0, &l, &d) == 0);
    CU_ASSERT_EQUAL(l.start_info_pfn, 0x4a00);
    CU_ASSERT_EQUAL(l.nr_pt, 41);
    CU_ASSERT_EQUAL(l.mapped_pages, 0x4c00);
    CU_ASSERT_EQUAL(l.p2m_data_pages, 64);
    CU_ASSERT_EQUAL(l.p2m_table_pages, 3);
}

static void test_lower_half(void)
{
    check(0, ELF_UNSET, 0x200000, false, 32, 3 << 20);
    check(0, ELF_UNSET, 0x12345, false, 8, 0);
    check(0x400000, ELF_UNSET, 0x300000, true, 64, 1 << 20);
}

/* The P2M list in the same L4 slot, L3 or L2 range as the kernel: tables are shared. */
static void test_shared_tables(void)
{
    check(0, 0x40000000, 0x200000, true, 64, 0);
    check(0, 0x10000000, 0x200000, true, 64, 0);
    check(0x40000000, 0x200000, 0x300000, true, 64, 0);
    check(HIGH, 0xffffffff00000000ull, 0x300000, true, 64, 4096);
}

static void test_sizes(void)
{
    for (uint64_t mib = 4; mib < 40; mib++)
        check(HIGH, SLOT1, 0x140000, true, mib, 4097);
    for (uint64_t mib = 4; mib < 40; mib++)
        check(0, ELF_UNSET, 0x101000, false, mib, 4097);
}

/* Wherever the kernel ends in a 4 MiB stretch, 512 KiB stay free behind the stack. */
static void test_spare(void)
{
    for (uint64_t end = 0x400000; end < 0x800000; end += FRAME) {
        struct elf_image elf = kernel(HIGH, SLOT1, end, true);
        struct diag d = {0};
        struct layout l;

        CU_ASSERT_FATAL(layout_compute("k", &elf, 64 << 8, 0, &l, &d) == 0);
        check_shape(&l, &elf, 0);
        CU_ASSERT_EQUAL((l.virt_base + l.mapped_pages * FRAME) % (4 << 20), 0);
    }
}

static void test_too_small(void)
{
    struct elf_image elf = kernel(HIGH, SLOT1, 0x4a00000, true);
    struct diag d = {0};
    struct layout l;

    CU_ASSERT(layout_compute("k", &elf, 64 << 8, 0, &l, &d) != 0);
    CU_ASSERT(strstr(d.text, "raise memory=") != NULL);
    d.text[0] = 0;
    CU_ASSERT(layout_compute("k", &elf, 128 << 8, 100 << 20, &l, &d) != 0);
    d.text[0] = 0;
    elf = kernel(HIGH, 0xffffffff80200000ull, 0x200000, true);
    CU_ASSERT(layout_compute("k", &elf, 128 << 8, 0, &l, &d) != 0);
    CU_ASSERT(strstr(d.text, "inside the kernel's own mapping") != NULL);
    d.text[0] = 0;
    elf = kernel(HIGH, ELF_UNSET, 0x200000, false);
    CU_ASSERT(layout_compute("k", &elf, 4096 << 8, 1ull << 30, &l, &d) != 0);
    CU_ASSERT(strstr(d.text, "do not fit the first GiB") != NULL);
}

static void test_p2m_padding(void)
{
    struct layout l = {.nr_pages = 5, .p2m_data_pages = 1};
    uint64_t p2m[5] = {9, 8, 7, 6, 5}, list[512] = {0};
    const struct layout_frames frames = {.singles = p2m};

    layout_fill_p2m(&l, &frames, list);
    CU_ASSERT(memcmp(list, p2m, sizeof(p2m)) == 0);
    for (size_t i = 5; i < 512; i++)
        CU_ASSERT_EQUAL(list[i], UINT64_MAX);
}

/* Sabotage: without `+ j` in layout_fill_p2m(); without the remainder in layout_mfn(). */
static void test_p2m_blocks(void)
{
    struct layout l = {.nr_pages = 2 * 512 + 2, .p2m_data_pages = 3};
    uint64_t blocks[] = {4096, 512}, singles[] = {77, 5};
    const struct layout_frames frames = {.nr_blocks = 2, .blocks = blocks, .singles = singles};
    uint64_t list[3 * 512] = {0};

    layout_fill_p2m(&l, &frames, list);
    CU_ASSERT(list[0] == 4096 && list[511] == 4096 + 511 && list[512] == 512);
    CU_ASSERT(list[1023] == 1023 && list[1024] == 77 && list[1025] == 5);
    CU_ASSERT_EQUAL(list[1026], UINT64_MAX);
    for (uint64_t pfn = 0; pfn < l.nr_pages; pfn++)
        CU_ASSERT_EQUAL(layout_mfn(&frames, pfn), list[pfn]);
}

const struct test tests_layout[] = {
    {"layout: a kernel like Linux", test_linux},
    {"layout: Debian's kernel, known figures", test_linux_figures},
    {"layout: kernels in the lower half", test_lower_half},
    {"layout: P2M list that shares tables", test_shared_tables},
    {"layout: every small size", test_sizes},
    {"layout: spare behind the stack", test_spare},
    {"layout: what cannot fit is refused", test_too_small},
    {"layout: P2M list padding", test_p2m_padding},
    {"layout: P2M list of blocks and single frames", test_p2m_blocks},
    {NULL, NULL},
};
