/* SPDX-License-Identifier: MIT */
/*
 * pv/elf.c: what a kernel image may say, and what a lying one gets (LC-11).
 *
 * Sabotage: drop the `size <= img->size - offset` half of in_file(): lying_offsets fails (and the
 * sanitizer reports the read).
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/elf.h"

#define BASE 0xffffffff80000000ull
#define FILE_SIZE 0x2000u

struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t addralign, entsize;
};

static uint8_t *file;
static struct pv_image img;

static struct ehdr *eh(void)
{
    return (struct ehdr *)(void *)file;
}
static struct phdr *ph(unsigned n)
{
    return (struct phdr *)(void *)(file + 64) + n;
}

static size_t note(size_t at, uint32_t type, const void *desc, uint32_t size)
{
    uint32_t head[3] = {4, size, type};

    memcpy(file + at, head, 12);
    memcpy(file + at + 12, "Xen", 4);
    memcpy(file + at + 16, desc, size);
    return at + 16 + (size + 3) / 4 * 4;
}

/* A kernel of one segment at 1 MiB, two pages in memory, with notes at 0x200. */
static void fresh(void)
{
    const uint64_t virt_base = BASE, entry = BASE + 0x100040;
    size_t at = 0x200;

    free(file);
    file = calloc(1, FILE_SIZE);
    memcpy(eh()->ident, "\177ELF\2\1\1", 7);
    eh()->type = 2;
    eh()->machine = 62;
    eh()->entry = 0x1000;
    eh()->phoff = 64;
    eh()->phentsize = sizeof(struct phdr);
    eh()->phnum = 2;
    *ph(0) = (struct phdr){1, 7, 0x1000, BASE + 0x100000, 0x100000, 0x1000, 0x2000, 4096};
    at = note(at, XEN_ELFNOTE_ENTRY, &entry, 8);
    at = note(at, XEN_ELFNOTE_VIRT_BASE, &virt_base, 8);
    at = note(at, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
    *ph(1) = (struct phdr){4, 4, 0x200, 0, 0, at - 0x200, at - 0x200, 4};
}

static const char *parse(size_t size)
{
    /* A private copy of exactly that size, so that a read past it is caught. */
    uint8_t *copy = malloc(size ? size : 1);
    const char *why;

    memcpy(copy, file, size);
    why = pv_image_parse(&img, copy, size);
    free(copy);
    return why;
}

static void accepts_notes(void)
{
    fresh();
    CU_ASSERT_PTR_NULL(parse(FILE_SIZE));
    CU_ASSERT_EQUAL(img.virt_base, BASE);
    CU_ASSERT_EQUAL(img.entry, BASE + 0x100040);
    CU_ASSERT_EQUAL(img.segment_count, 1);
    CU_ASSERT_EQUAL(img.segments[0].start, 0x100000);
    CU_ASSERT_EQUAL(img.end, 0x102000);
    CU_ASSERT_EQUAL(img.init_p2m, PV_ADDR_UNSET);
    CU_ASSERT_FALSE(img.mod_start_pfn);
}

static void every_truncation_is_refused(void)
{
    fresh();
    for (size_t size = 0; size < FILE_SIZE; size += 7)
        CU_ASSERT_PTR_NOT_NULL(parse(size));
}

static void lying_offsets(void)
{
    static const uint64_t lies[] = {FILE_SIZE, FILE_SIZE - 1, ~0ull, ~0ull - 0xfff, 1ull << 63};

    for (unsigned i = 0; i < ARRAY_LEN(lies); i++) {
        fresh();
        ph(0)->offset = lies[i];
        CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
        fresh();
        ph(0)->filesz = ph(0)->memsz = lies[i];
        CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
        fresh();
        eh()->phoff = lies[i];
        CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
        fresh();
        ph(0)->paddr = lies[i];
        if (lies[i] > 1ull << 32)
            CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
    }
}

static void memory_smaller_than_file(void)
{
    fresh();
    ph(0)->memsz = 0xfff;
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
}

static void entry_outside(void)
{
    fresh();
    memset(file + 0x200, 0, 24); /* no ENTRY note: e_entry counts, and lies below the base */
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
}

static void no_pv_support(void)
{
    fresh();
    ph(1)->type = 0;
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
    fresh();
    eh()->machine = 3;
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
    fresh();
    memcpy(file + 0x200 + 24 + 24 + 16, "xen-9.9", 7);
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
}

static void legacy_section(void)
{
    static const char names[] = "\0__xen_guest";
    static const char text[] =
        "XEN_VER=xen-3.0,VIRT_BASE=0x0,ELF_PADDR_OFFSET=0x0,HYPERCALL_PAGE=0x101";
    struct shdr *sh;

    fresh();
    ph(1)->type = 0;
    eh()->entry = 0x100010;
    eh()->shoff = 0x800;
    eh()->shentsize = sizeof(struct shdr);
    eh()->shnum = 2;
    eh()->shstrndx = 1;
    sh = (struct shdr *)(void *)(file + 0x800);
    sh[0] = (struct shdr){.name = 1, .type = 1, .offset = 0x700, .size = sizeof(text)};
    sh[1] = (struct shdr){.type = 3, .offset = 0x600, .size = sizeof(names)};
    memcpy(file + 0x600, names, sizeof(names));
    memcpy(file + 0x700, text, sizeof(text));
    CU_ASSERT_PTR_NULL(parse(FILE_SIZE));
    CU_ASSERT_EQUAL(img.virt_base, 0);
    CU_ASSERT_EQUAL(img.entry, 0x100010);
    CU_ASSERT_EQUAL(img.hypercall_page, 0x101000);
}

void suite_elf(void);
void suite_elf(void)
{
    CU_pSuite s = CU_add_suite("elf", NULL, NULL);

    CU_add_test(s, "accepts a kernel with notes", accepts_notes);
    CU_add_test(s, "refuses every truncation", every_truncation_is_refused);
    CU_add_test(s, "refuses offsets and sizes that lie", lying_offsets);
    CU_add_test(s, "refuses p_memsz below p_filesz", memory_smaller_than_file);
    CU_add_test(s, "refuses an entry outside the image", entry_outside);
    CU_add_test(s, "refuses what is no PV kernel", no_pv_support);
    CU_add_test(s, "reads the legacy section", legacy_section);
}
