/* SPDX-License-Identifier: MIT */
/*
 * pv/elf.c: what a kernel image may say, and what a lying one gets (LC-11).
 *
 * Sabotage: drop the `- offset` of in_file(): lying_offsets fails (and the sanitizer reports the
 * read). Each test in elf.c was left out in turn: the one for its field fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/elf.h"
#include "kernel_image.h"

#define BASE 0xffffffff80000000ull
#define FILE_SIZE ((size_t)0x2000)

static struct kernel k;
static struct pv_image img;

/* A kernel of one segment at 1 MiB, two pages in memory. */
static void fresh(void)
{
    kernel_begin(&k);
    kernel_segment(&k, 0x100000, 0x1000, 0x2000, 0x90);
    kernel_notes(&k, BASE, BASE + 0x100040);
    kernel_eh(&k)->entry = 0x1000;
}

static const char *parse(size_t size)
{
    /* A private copy of exactly that size, so that a read past it is caught. */
    uint8_t *copy = malloc(size ? size : 1);
    const char *why;

    memcpy(copy, k.file, size);
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
        kernel_ph(&k, 1)->offset = lies[i];
        CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
        fresh();
        kernel_ph(&k, 1)->filesz = kernel_ph(&k, 1)->memsz = lies[i];
        CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
        fresh();
        kernel_eh(&k)->phoff = lies[i];
        CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
        fresh();
        kernel_ph(&k, 1)->paddr = lies[i];
        if (lies[i] > 1ull << 32)
            CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
    }
}

static void memory_smaller_than_file(void)
{
    fresh();
    kernel_ph(&k, 1)->memsz = 0xfff;
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
}

static void entry_outside(void)
{
    fresh();
    memset(k.file + KERNEL_NOTES_AT, 0,
           24); /* no ENTRY note: e_entry counts, and lies below the base */
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
}

static void no_pv_support(void)
{
    fresh();
    kernel_ph(&k, 0)->type = 0;
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
    fresh();
    kernel_eh(&k)->machine = 3;
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
    fresh();
    memcpy(k.file + KERNEL_NOTES_AT + 24 + 24 + 16, "xen-9.9", 7);
    CU_ASSERT_PTR_NOT_NULL(parse(FILE_SIZE));
}

/* A kernel whose notes nobody finds, with this text as its section. */
static void legacy(const char *text, size_t size)
{
    static const char names[] = "\0__xen_guest";
    struct kernel_shdr *sh;

    fresh();
    kernel_ph(&k, 0)->type = 0;
    kernel_ph(&k, 1)->paddr = 0x100000;
    kernel_eh(&k)->entry = 0x100010;
    kernel_eh(&k)->shoff = KERNEL_SECTIONS_AT;
    kernel_eh(&k)->shentsize = sizeof(struct kernel_shdr);
    kernel_eh(&k)->shnum = 2;
    kernel_eh(&k)->shstrndx = 1;
    sh = (struct kernel_shdr *)(void *)(k.file + KERNEL_SECTIONS_AT);
    sh[0] = (struct kernel_shdr){.name = 1, .type = 1, .offset = 0xb00, .size = size};
    sh[1] = (struct kernel_shdr){.type = 3, .offset = 0xa00, .size = sizeof(names)};
    memcpy(k.file + 0xa00, names, sizeof(names));
    memcpy(k.file + 0xb00, text, size);
}

static void legacy_section(void)
{
    static const char text[] = "XEN_VER=xen-3.0,VIRT_BASE=0x0,ELF_PADDR_OFFSET=0x0,"
                               "HYPERCALL_PAGE=0x101,LOADER=generic,INIT_P2M=4096";

    legacy(text, sizeof(text));
    CU_ASSERT_PTR_NULL(parse(FILE_SIZE));
    CU_ASSERT_EQUAL(img.virt_base, 0);
    CU_ASSERT_EQUAL(img.entry, 0x100010);
    CU_ASSERT_EQUAL(img.hypercall_page, 0x101000);
    CU_ASSERT_EQUAL(img.init_p2m, 4096);
}

/* Refused for that field's sake, with that value. */
static void refused(const char *field, uint64_t value)
{
    const char *why = parse(FILE_SIZE);

    CU_ASSERT_PTR_NOT_NULL_FATAL(why);
    if (img.field == NULL || strstr(img.field, field) == NULL || img.value != value) {
        fprintf(stderr, "not %s %#lx, but %s %#lx: %s\n", field, value,
                img.field ? img.field : "the file", img.value, why);
        CU_FAIL("refused for another reason");
    }
}

static void refused_saying(const char *words)
{
    const char *why = parse(FILE_SIZE);

    CU_ASSERT_PTR_NOT_NULL_FATAL(why);
    if (strstr(why, words) == NULL) {
        fprintf(stderr, "not '%s' but: %s\n", words, why);
        CU_FAIL("refused for another reason");
    }
}

static void legacy_lies(void)
{
    static const struct {
        const char *text, *field;
        uint64_t value;
    } lies[] = {
        {"VIRT_BASE=0x12345678901234567", "VIRT_BASE=", 19},
        {"VIRT_BASE=18446744073709551616", "VIRT_BASE=", 20},
        {"VIRT_BASE=0x", "VIRT_BASE=", 2},
        {"VIRT_BASE=base", "VIRT_BASE=", 4},
        {"VIRT_BASE=0x800", "VIRT_BASE", 0x800},
        {"VIRT_BASE=0,HYPERCALL_PAGE=0x10000000000101", "HYPERCALL_PAGE", 0x10000000000101},
        {"VIRT_BASE=0,HYPERCALL_PAGE=0x102", "HYPERCALL_PAGE", 0x102000},
        {"VIRT_BASE=0,INIT_P2M=1", "INIT_P2M", 1},
        {"VIRT_BASE=0,HV_START_LOW=0xffff800000000001", "HV_START_LOW", 0xffff800000000001},
        {"VIRT_BASE=0,VIRT_ENTRY=0", "entry point", 0},
        {"VIRT_BASE=0x100000,ELF_PADDR_OFFSET=0x200000", "p_paddr", 0x100000},
    };

    for (unsigned i = 0; i < ARRAY_LEN(lies); i++) {
        legacy(lies[i].text, strlen(lies[i].text));
        refused(lies[i].field, lies[i].value);
    }
    legacy("XEN_VER=xen-4", 14);
    refused_saying("XEN_ELFNOTE_XEN_VERSION");
    legacy("VIRT_BASE=0", 12);
    ((struct kernel_shdr *)(void *)(k.file + KERNEL_SECTIONS_AT))->size = 0x1200;
    refused("__xen_guest", 0x1200);
}

static void counts_and_sizes(void)
{
    fresh();
    kernel_eh(&k)->type = 1;
    refused("e_type", 1);
    fresh();
    kernel_eh(&k)->phentsize = 57;
    refused("e_phentsize", 57);
    fresh();
    kernel_eh(&k)->phnum = 129;
    refused("e_phnum", 129);
    legacy("VIRT_BASE=0", 12);
    kernel_eh(&k)->shentsize = 0;
    refused("e_shentsize", 0);
    legacy("VIRT_BASE=0", 12);
    kernel_eh(&k)->shnum = 8193;
    refused("e_shnum", 8193);
    legacy("VIRT_BASE=0", 12);
    kernel_eh(&k)->shnum = 200;
    refused_saying("section headers (e_shoff, e_shnum)");
    fresh();
    for (unsigned i = 1; i < 16; i++)
        kernel_segment(&k, 0x200000 + i * 0x1000, 0, 0x1000, 0);
    CU_ASSERT_PTR_NULL(parse(FILE_SIZE));
    kernel_segment(&k, 0, 0, 0x1000, 0);
    refused_saying("more than 16 loadable segments");
}

/* Notes: sizes that are none, ends that lie, many of them, padding between. */
static void notes(void)
{
    static const uint32_t numbers[] = {XEN_ELFNOTE_ENTRY,        XEN_ELFNOTE_HYPERCALL_PAGE,
                                       XEN_ELFNOTE_VIRT_BASE,    XEN_ELFNOTE_PADDR_OFFSET,
                                       XEN_ELFNOTE_HV_START_LOW, XEN_ELFNOTE_INIT_P2M,
                                       XEN_ELFNOTE_MOD_START_PFN};
    const uint32_t page = 0x101000;

    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
        fresh();
        kernel_note(&k, numbers[i], "1234567", 7);
        refused("XEN_ELFNOTE_", 7);
    }
    fresh();
    kernel_ph(&k, 0)->filesz -= 4;
    refused_saying("n_namesz, n_descsz");
    fresh();
    kernel_ph(&k, 0)->filesz += 8; /* zeroes */
    k.notes_end += 4;
    kernel_note(&k, XEN_ELFNOTE_MOD_START_PFN, &page, 4);
    CU_ASSERT_PTR_NULL(parse(FILE_SIZE));
    CU_ASSERT_TRUE(img.mod_start_pfn);
    fresh();
    k.size = 0x1000 + 0x1000;
    for (unsigned i = 2; i < 12; i++) { /* ten times the same 7 KiB of nothing */
        *kernel_ph(&k, i) = (struct kernel_phdr){
            .type = 4, .offset = KERNEL_NOTES_AT, .filesz = 0x1a00, .memsz = 0x1a00};
        kernel_eh(&k)->phnum++;
    }
    memset(k.file + k.notes_end, 0, FILE_SIZE - k.notes_end);
    refused_saying("64 KiB of notes");
}

static void addresses(void)
{
    static const struct {
        uint32_t note;
        uint64_t value;
        const char *field;
    } lies[] = {
        {XEN_ELFNOTE_VIRT_BASE, BASE + 0x800, "VIRT_BASE"},
        {XEN_ELFNOTE_VIRT_BASE, 0x800000000000, "VIRT_BASE"},
        {XEN_ELFNOTE_VIRT_BASE, 0xffff800000000000, "VIRT_BASE"},
        {XEN_ELFNOTE_VIRT_BASE, 0xffff87fffffff000, "VIRT_BASE"},
        {XEN_ELFNOTE_INIT_P2M, 0xffff87fffffff000, "INIT_P2M"},
        {XEN_ELFNOTE_INIT_P2M, 0x800000000001, "INIT_P2M"},
        {XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x102000, "HYPERCALL_PAGE"},
        {XEN_ELFNOTE_HYPERCALL_PAGE, BASE - 0x1000, "HYPERCALL_PAGE"},
        {XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x101001, "HYPERCALL_PAGE"},
        {XEN_ELFNOTE_HV_START_LOW, 0xffffffff00000000, "HV_START_LOW"},
        {XEN_ELFNOTE_ENTRY, BASE + 0x101000, "entry point"}, /* in bss */
        {XEN_ELFNOTE_ENTRY, BASE + 0xfffff, "entry point"},
        {XEN_ELFNOTE_ENTRY, 0x100040, "entry point"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(lies); i++) {
        fresh();
        kernel_note_u64(&k, lies[i].note, lies[i].value);
        refused(lies[i].field, lies[i].value);
    }
    fresh();
    kernel_note_u64(&k, XEN_ELFNOTE_PADDR_OFFSET, 0x100001);
    refused("p_paddr", 0x100000);
    fresh();
    kernel_note_u64(&k, XEN_ELFNOTE_HV_START_LOW, 0xffff800000000000);
    kernel_note_u64(&k, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x101000);
    kernel_note_u64(&k, XEN_ELFNOTE_ENTRY, BASE + 0x100fff);
    kernel_note_u64(&k, XEN_ELFNOTE_INIT_P2M, 0x7ffffffff000);
    CU_ASSERT_PTR_NULL(parse(FILE_SIZE));
}

static void segments(void)
{
    static const uint64_t clash[][2] = {
        {0x100000, 1}, {0x101fff, 1}, {0xff000, 0x1001}, {0xff000, 0x10000}, {0x100800, 0x100}};

    for (unsigned i = 0; i < ARRAY_LEN(clash); i++) {
        fresh();
        kernel_segment(&k, clash[i][0], 0, clash[i][1], 0);
        refused("p_paddr", clash[i][0]);
    }
    fresh();
    kernel_segment(&k, 0x102000, 0, 1, 0);
    kernel_segment(&k, 0xff000, 0, 0x1000, 0);
    CU_ASSERT_PTR_NULL(parse(FILE_SIZE));
    CU_ASSERT_EQUAL(img.end, 0x102001);
    fresh();
    kernel_segment(&k, (1ull << 32) + 1, 0, 1, 0);
    refused("p_paddr", (1ull << 32) + 1);
    fresh();
    kernel_ph(&k, 1)->memsz = (1ull << 32) + 1;
    refused("p_memsz", (1ull << 32) + 1);
    fresh();
    kernel_ph(&k, 1)->memsz = 0xfff;
    refused("p_filesz", 0x1000);
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
    CU_add_test(s, "refuses a legacy section that lies", legacy_lies);
    CU_add_test(s, "refuses counts and sizes that no kernel has", counts_and_sizes);
    CU_add_test(s, "reads notes within their segment", notes);
    CU_add_test(s, "refuses addresses outside of guest space", addresses);
    CU_add_test(s, "refuses segments that overlap", segments);
}
