/* SPDX-License-Identifier: MIT */
/*
 * Where everything goes in a new guest: pure arithmetic over the kernel's wishes.
 *
 * Guest frames from 0 up, all mapped from VIRT_BASE on until the end of the initial area:
 *
 *     kernel | [ramdisk] | [P2M] | start_info | store | console | page tables | stack | spare
 *
 * and behind it, unmapped there, the P2M list with its own tables if the kernel named an INIT_P2M
 * address, then the ramdisk if the kernel takes it unmapped (MOD_START_PFN). The spare is at least
 * 512 KiB and normally runs up to a 4 MiB boundary. Page tables are read-only in every mapping.
 */
#ifndef TENUE_LAYOUT_H
#define TENUE_LAYOUT_H

#include "diag.h"
#include "elf.h"

#include <stdbool.h>
#include <stdint.h>

#define PAGE_BYTES 4096ull
#define LAYOUT_BLOCK_PAGES 512ull

struct layout {
    uint64_t nr_pages; /* of the guest: guest frames [0, nr_pages) */
    uint64_t virt_base;
    uint64_t mapped_pages; /* guest frames [0, mapped_pages) appear at virt_base */
    uint64_t start_info_pfn, store_pfn, console_pfn;
    uint64_t pt_pfn, nr_pt; /* tables of the initial area; the first is the L4 */
    uint64_t stack_pfn;
    bool p2m_apart; /* at its own address and behind the mapped area */
    uint64_t p2m_va, p2m_pfn, p2m_data_pages, p2m_table_pages;
    bool ramdisk_apart;
    uint64_t ramdisk_pfn, ramdisk_pages;
};

/* Fails, with what memory would be enough, if nr_pages are too few. */
int layout_compute(const char *what, const struct elf_image *elf, uint64_t nr_pages,
                   uint64_t ramdisk_bytes, struct layout *out, struct diag *d) MUST_CHECK;

/*
 * Fills the page tables. p2m[pfn] is the machine frame of each guest frame; tables points to
 * nr_pt zeroed pages, p2m_tables to p2m_table_pages zeroed pages. Never writes outside them, and
 * fails if they do not suffice (which layout_compute() rules out).
 */
int layout_fill_tables(const struct layout *l, const uint64_t *p2m, uint64_t *tables,
                       uint64_t *p2m_tables, struct diag *d) MUST_CHECK;

/* The guest's machine frames: those of its first blocks by the first of each, then one by one. */
struct layout_frames {
    uint64_t nr_blocks;
    uint64_t *blocks, *singles;
};

static inline uint64_t layout_mfn(const struct layout_frames *f, uint64_t pfn)
{
    const uint64_t block = pfn / LAYOUT_BLOCK_PAGES;

    return block < f->nr_blocks ? f->blocks[block] + pfn % LAYOUT_BLOCK_PAGES
                                : f->singles[pfn - f->nr_blocks * LAYOUT_BLOCK_PAGES];
}

/* Fills p2m_data_pages pages: machine frames, then all-ones. */
void layout_fill_p2m(const struct layout *l, const struct layout_frames *f, uint64_t *list);

#endif
