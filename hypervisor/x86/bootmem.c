/* SPDX-License-Identifier: MIT */
/*
 * RAM before the frame allocator: what the memory map offers, less the first MiB (left to firmware
 * data, the control domain's probing and the other CPUs' start), our image and the modules.
 * Allocations are for ever and come from the top of the highest range that fits; the rest goes to
 * the allocator when paging is up. Boot CPU only.
 */
#include <tenue/page.h>

#include "machine.h"

#define RANGES_MAX 64u
#define FIRST_MIB 0x100000ull

struct range {
    uint64_t start, end;
};

static struct range ranges[RANGES_MAX];
static unsigned range_count;
uint64_t bootmem_reachable = 1ull << 32;
static bool finished;

static void range_add(uint64_t start, uint64_t end)
{
    if (start < end && range_count < RANGES_MAX)
        ranges[range_count++] = (struct range){start, end};
}

static void range_exclude(uint64_t start, uint64_t end)
{
    unsigned n = range_count;

    start &= PAGE_MASK;
    end = ROUND_UP(end, PAGE_SIZE);
    for (unsigned i = 0; i < n; i++) {
        struct range r = ranges[i];

        if (end <= r.start || start >= r.end)
            continue;
        ranges[i].end = MAX(r.start, MIN(start, r.end));
        range_add(MAX(end, r.start), r.end);
    }
}

void bootmem_init(void)
{
    uint64_t start, end;

    for (unsigned i = 0; i < boot_info.e820_count; i++)
        if (ram_range(i, &start, &end))
            range_add(MAX(start, FIRST_MIB), end);
    range_exclude(boot_info.image_start.a, boot_info.image_end.a);
    for (unsigned i = 0; i < boot_info.module_count; i++)
        range_exclude(boot_info.modules[i].start.a,
                      boot_info.modules[i].start.a + boot_info.modules[i].size);
}

maddr_t early_alloc(uint64_t size, uint64_t align)
{
    struct range *best = NULL;
    uint64_t best_at = 0;

    for (unsigned i = 0; i < range_count; i++) {
        struct range *r = &ranges[i];
        uint64_t end = MIN(r->end, bootmem_reachable), at;

        if (end < size)
            continue;
        at = (end - size) & ~(align - 1);
        if (at >= r->start && at >= best_at) {
            best = r;
            best_at = at;
        }
    }
    if (finished || best == NULL)
        boot_fail(
            "memory: no %lu KiB of free RAM for the hypervisor's tables: give the machine more",
            size >> 10);
    range_add(best_at + size, best->end);
    best->end = best_at;
    return maddr_make(best_at);
}

static void give(uint64_t start, uint64_t end)
{
    if (start < end)
        heap_seed(maddr_to_mfn(maddr_make(start)), maddr_to_mfn(maddr_make(end)));
}

/* The control domain has its copies. Each begins at a page of its own. */
void bootmem_give_modules(void)
{
    for (unsigned i = 0; i < boot_info.module_count; i++) {
        const struct boot_module *m = &boot_info.modules[i];

        give(m->start.a, ROUND_UP(m->start.a + m->size, PAGE_SIZE));
    }
}

bool early_alloc_open(void)
{
    return !finished;
}

void early_alloc_finish(void)
{
    finished = true;
    for (unsigned i = 0; i < range_count; i++)
        give(ranges[i].start, ranges[i].end);
}
