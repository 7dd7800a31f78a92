/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own mappings: one L4 template whose slots 256..271 every root carries (MM-17).
 * What lies below those slots is shared by all roots, so a mapping made here is seen everywhere at
 * once. RAM is mapped with 2 MiB pages where it is aligned, edges with 4 KiB pages: nothing but RAM
 * gets a cached mapping here.
 *
 * Locks: none. Tables change at bring-up, when a CPU comes up and when a device is first met: boot
 * CPU only (MM-26). Window entries (gdt.c) belong to their CPU.
 */
#include <tenue/assert.h>
#include <tenue/vcpu.h>

#include "../pv/pte.h"
#include "asm.h"
#include "lib.h"
#include "machine.h"

#define SIZE_2M 0x200000ull

uint8_t *hal_direct_map = (uint8_t *)DIRECT_MAP_VIRT;
uint64_t *hal_m2p;
uint64_t hal_m2p_entries;
mfn_t hv_root;
const uint64_t *hal_root_template;

static uint64_t device_next = DEVICE_VIRT;

static uint64_t table_new(void)
{
    void *p = early_alloc_open() ? mfn_to_ptr(maddr_to_mfn(early_alloc(PAGE_SIZE, PAGE_SIZE)))
                                 : hv_alloc_page();

    if (p == NULL)
        panic("no memory for a page table of the hypervisor's own");
    memset(p, 0, PAGE_SIZE);
    return mfn_to_maddr(ptr_to_mfn(p)).a;
}

uint64_t *paging_table(uint64_t *entry, uint64_t table_flags)
{
    if (*entry == 0)
        *entry = table_new() | table_flags;
    return mfn_to_ptr(maddr_to_mfn(maddr_make(*entry & PTE_ADDR)));
}

uint64_t *paging_entry(uint64_t *l4, uint64_t va, unsigned level, uint64_t table_flags)
{
    uint64_t *table = l4;

    for (unsigned above = 4; above > level; above--)
        table = paging_table(&table[pte_index(va, above)], table_flags);
    return &table[pte_index(va, level)];
}

/* Whole pages; the bits of leaf are those of a 4 KiB entry. */
static void map_range(uint64_t va, uint64_t ma, uint64_t size, uint64_t leaf, uint64_t table_flags)
{
    uint64_t end = va + size;

    while (va < end) {
        uint64_t *l2 = paging_entry(mfn_to_ptr(hv_root), va, 2, table_flags);

        if (((va | ma) & (SIZE_2M - 1)) == 0 && end - va >= SIZE_2M && *l2 == 0) {
            *l2 = ma | leaf | PTE_PSE;
            va += SIZE_2M;
            ma += SIZE_2M;
        } else {
            paging_table(l2, table_flags)[pte_index(va, 1)] = ma | leaf;
            va += PAGE_SIZE;
            ma += PAGE_SIZE;
        }
    }
}

uint64_t *paging_l1_of(uint64_t va)
{
    return paging_entry(mfn_to_ptr(hv_root), va, 1, PTE_HV_TABLE);
}

/* All RAM at its place in the direct map; frame_count covers it. */
static void map_ram(void)
{
    uint64_t start, end;

    for (unsigned i = 0; i < boot_info.e820_count; i++) {
        if (!ram_range(i, &start, &end))
            continue;
        map_range(DIRECT_MAP_VIRT + start, start, end - start, PTE_HV_RW, PTE_HV_TABLE);
        frame_count = MAX(frame_count, end >> PAGE_SHIFT);
    }
}

/* The image by 4 KiB pages, each section with its rights. */
static void map_section(const uint8_t *from, const uint8_t *to, uint64_t leaf)
{
    for (uint64_t va = (uint64_t)from; va < (uint64_t)to; va += PAGE_SIZE)
        *paging_l1_of(va) = (va - HV_VIRT_BASE) | leaf;
}

/* In a block every page is data, but the SYSCALL stub and the hole below the stack. */
static void block_protect(uint64_t block)
{
    uint64_t *stub = paging_l1_of(block + BLOCK_STUB_OFF);

    *stub = (*stub & PTE_ADDR) | PTE_HV_RX;
    *paging_l1_of(block + BLOCK_GUARD_OFF) = 0;
}

static void map_image(void)
{
    map_section(image_start, image_rodata, PTE_HV_RX);
    map_section(image_rodata, image_data, PTE_HV_RO);
    map_section(image_data, image_end, PTE_HV_RW);
    block_protect((uint64_t)boot_block);
}

struct pcpu *paging_map_block(unsigned cpu, mfn_t first)
{
    uint64_t block = PERCPU_VIRT + (uint64_t)cpu * PERCPU_STRIDE;

    for (unsigned i = 0; i < BLOCK_SIZE / PAGE_SIZE; i++)
        *paging_l1_of(block + i * PAGE_SIZE) = mfn_to_maddr(mfn_add(first, i)).a | PTE_HV_RW;
    block_protect(block);
    return (struct pcpu *)block;
}

/* Machine-to-physical: all entries invalid; ours to write through the direct map, theirs to read.
 */
static void make_m2p(void)
{
    uint64_t bytes = ROUND_UP(frame_count * sizeof(uint64_t), SIZE_2M);
    maddr_t at = early_alloc(bytes, SIZE_2M);

    hal_m2p = mfn_to_ptr(maddr_to_mfn(at));
    hal_m2p_entries = bytes / sizeof(uint64_t);
    memset(hal_m2p, 0xff, bytes);
    map_range(M2P_GUEST_VIRT, at.a, bytes, PTE_M2P_LEAF, PTE_M2P_TABLE);
}

static void make_frame_table(void)
{
    const uint64_t bytes = ROUND_UP(frame_count * sizeof(struct page), PAGE_SIZE);

    frame_table = mfn_to_ptr(maddr_to_mfn(early_alloc(bytes, PAGE_SIZE)));
    memset(frame_table, 0, bytes);
}

void paging_init(void)
{
    bootmem_init();
    hv_root = maddr_to_mfn(early_alloc(PAGE_SIZE, PAGE_SIZE));
    hal_root_template = memset(mfn_to_ptr(hv_root), 0, PAGE_SIZE);
    map_ram();
    map_image();
    hal_load_root(hv_root);
    bootmem_reachable = ~0ull;
    make_frame_table();
    make_m2p();
}

volatile void *map_device(uint64_t ma, uint64_t size, enum map_cache cache)
{
    uint64_t first = ma & PAGE_MASK, end = ROUND_UP(ma + size, PAGE_SIZE), va = device_next;
    uint64_t leaf = PTE_HV_RW | (cache == MAP_UC ? PTE_PCD | PTE_PWT : 0);

    if (end - first > DEVICE_VIRT_END - device_next)
        panic("no virtual space for a device at %#lx", ma);
    for (uint64_t at = first; at < end; at += PAGE_SIZE, device_next += PAGE_SIZE)
        *paging_l1_of(device_next) = at | leaf;
    return (volatile uint8_t *)va + (ma - first);
}
