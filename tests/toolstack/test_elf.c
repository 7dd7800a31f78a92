/* SPDX-License-Identifier: MIT */
/*
 * Contract: an honest PV kernel's notes (or its legacy section) are read as the ABI says; an image
 * that lies about any offset, size or address is refused with a sentence, never followed (LC-11,
 * Could break through sums that wrap and through counts that are trusted.
 *
 * Sabotage tried and seen to fail: in elf.c walk_notes(), `name_len > left` removed (caught by the
 * sanitized build); in check_segments(), the filesz > memsz test removed.
 */
#include "tests.h"

#include "../../toolstack/elf.h"
#include "imagegen.h"

#include <CUnit/CUnit.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    const uint8_t *p;
    size_t len;
};

static int read_memory(void *ctx, uint64_t offset, void *to, size_t len)
{
    const struct memory *m = ctx;

    if (offset > m->len || len > m->len - offset)
        return -1;
    memcpy(to, m->p + offset, len);
    return 0;
}

/* Parses a copy of exactly len bytes, so that the sanitizer sees any step beyond. */
static int parse(const uint8_t *image, size_t len, struct elf_image *out, struct diag *d)
{
    uint8_t *copy = malloc(len ? len : 1);
    struct memory m = {copy, len};
    struct elf_source src = {.read = read_memory, .ctx = &m, .size = len};

    memcpy(copy, image, len);
    d->text[0] = 0;
    int rc = elf_parse("k", &src, out, d);
    free(copy);
    return rc;
}

static uint8_t image[GEN_ROOM];

static void refuse(size_t len, const char *want)
{
    struct elf_image out;
    struct diag d;

    CU_ASSERT_FATAL(parse(image, len, &out, &d) != 0);
    if (!strstr(d.text, want))
        test_note("expected \"%s\" in: %s", want, d.text);
    CU_ASSERT(strstr(d.text, want) != NULL);
}

static Elf64_Ehdr *header(void)
{
    return (Elf64_Ehdr *)image;
}

static Elf64_Phdr *segment(unsigned i)
{
    return (Elf64_Phdr *)(image + sizeof(Elf64_Ehdr)) + i;
}

static void test_linux(void)
{
    struct elf_image out;
    struct diag d;
    size_t len = gen_elf(GEN_LINUX, image);

    CU_ASSERT_FATAL(parse(image, len, &out, &d) == 0);
    CU_ASSERT_EQUAL(out.virt_base, 0xffffffff80000000ull);
    CU_ASSERT_EQUAL(out.entry, 0xffffffff80100040ull);
    CU_ASSERT_EQUAL(out.p2m_base, 0x8000000000ull);
    CU_ASSERT_EQUAL(out.hypercall_page, ELF_UNSET);
    CU_ASSERT_TRUE(out.mod_start_pfn);
    CU_ASSERT_EQUAL(out.phys_start, 1 << 20);
    CU_ASSERT_EQUAL(out.phys_end, (1 << 20) + 12288 + 5000);
    CU_ASSERT_STRING_EQUAL(out.guest_os, "linux");
}

static void test_low(void)
{
    struct elf_image out;
    struct diag d;
    size_t len = gen_elf(GEN_LOW, image);

    CU_ASSERT_FATAL(parse(image, len, &out, &d) == 0);
    CU_ASSERT_EQUAL(out.virt_base, 0);
    CU_ASSERT_EQUAL(out.entry, 0x40);
    CU_ASSERT_EQUAL(out.p2m_base, ELF_UNSET);
    CU_ASSERT_EQUAL(out.hypercall_page, 0x2000);
    CU_ASSERT_FALSE(out.mod_start_pfn);
}

static void test_legacy(void)
{
    struct elf_image out;
    struct diag d;
    size_t len = gen_elf(GEN_LEGACY, image);

    CU_ASSERT_FATAL(parse(image, len, &out, &d) == 0);
    CU_ASSERT_STRING_EQUAL(out.guest_os, "Mini-OS");
    CU_ASSERT_EQUAL(out.hypercall_page, 0x2000);
    CU_ASSERT_EQUAL(out.virt_base, 0);
}

static void test_refused_kinds(void)
{
    size_t len = gen_elf(GEN_NO_NOTES, image);

    refuse(len, "no PV support");
    gen_elf(GEN_LINUX, image);
    header()->e_machine = EM_386;
    header()->e_ident[EI_CLASS] = ELFCLASS32;
    refuse(len, "not a 64-bit x86 kernel");
    gen_elf(GEN_LINUX, image);
    header()->e_type = ET_REL;
    refuse(len, "not an executable");
    image[0] = 'M';
    refuse(len, "not an ELF image");
}

static void test_truncated(void)
{
    struct elf_image out;
    struct diag d;
    size_t len = gen_elf(GEN_LINUX, image);

    refuse(10, "truncated");
    refuse(0, "truncated");
    refuse(4096 + 100, "truncated or lying ELF");
    for (size_t n = 0; n < 20480; n += 97) {
        int rc = parse(image, n, &out, &d);

        CU_ASSERT(rc == 0 || d.text[0] != 0);
        CU_ASSERT(rc != 0 || n >= 4096 + 12288);
    }
    CU_ASSERT(len > 20480);
}

static void test_lying_segments(void)
{
    size_t len = gen_elf(GEN_LINUX, image);

    segment(0)->p_filesz = segment(0)->p_memsz + 1;
    refuse(len, "larger in the file than in memory");
    gen_elf(GEN_LINUX, image);
    segment(0)->p_offset = UINT64_MAX - 4096;
    refuse(len, "truncated or lying ELF: segment 0");
    gen_elf(GEN_LINUX, image);
    segment(0)->p_memsz = UINT64_MAX - 4096;
    refuse(len, "outside any memory");
    gen_elf(GEN_LINUX, image);
    segment(0)->p_memsz = 2ull << 30;
    refuse(len, "above the first GiB");
    gen_elf(GEN_LINUX, image);
    segment(0)->p_paddr = 1ull << 40;
    refuse(len, "above the first GiB");
    gen_elf(GEN_LINUX, image);
    segment(0)->p_type = PT_NULL;
    refuse(len, "no loadable segment");
}

static void test_lying_tables(void)
{
    size_t len = gen_elf(GEN_LINUX, image);

    header()->e_phoff = UINT64_MAX - 10;
    refuse(len, "lying ELF");
    gen_elf(GEN_LINUX, image);
    header()->e_phnum = 60000;
    refuse(len, "impossible program header table");
    gen_elf(GEN_LINUX, image);
    header()->e_phentsize = 1;
    refuse(len, "impossible program header table");
    gen_elf(GEN_LEGACY, image);
    header()->e_shnum = 60000;
    refuse(len, "impossible section header table");
    gen_elf(GEN_LEGACY, image);
    header()->e_shoff = UINT64_MAX - 8;
    refuse(len, "lying ELF");
}

static void test_lying_notes(void)
{
    size_t len = gen_elf(GEN_LINUX, image);
    Elf64_Nhdr *nh = (Elf64_Nhdr *)(image + segment(1)->p_offset);

    nh->n_namesz = UINT32_MAX;
    refuse(len, "a note runs over");
    gen_elf(GEN_LINUX, image);
    nh->n_descsz = UINT32_MAX - 2;
    refuse(len, "a note runs over");
    gen_elf(GEN_LINUX, image);
    segment(1)->p_filesz = 1 << 20;
    refuse(len, "larger than 64 KiB");
}

static void poke_note(uint32_t type, uint64_t value)
{
    uint8_t *p = image + segment(1)->p_offset, *end = p + segment(1)->p_filesz;

    while (p < end) {
        Elf64_Nhdr *nh = (Elf64_Nhdr *)p;

        p += sizeof(*nh) + 4;
        if (nh->n_type == type)
            memcpy(p, &value, nh->n_descsz < 8 ? nh->n_descsz : 8);
        p += (nh->n_descsz + 3) & ~3u;
    }
}

static void poke_refused(uint32_t type, uint64_t value, const char *want)
{
    size_t len = gen_elf(GEN_LINUX, image);

    poke_note(type, value);
    refuse(len, want);
}

static void test_lying_addresses(void)
{
    poke_refused(1 /* ENTRY */, 0x1234, "outside the kernel");
    poke_refused(3 /* VIRT_BASE */, 0xffffffff80000800ull, "not a page address");
    poke_refused(3, 0xffff800000000000ull, "leaves no room");
    poke_refused(3, 0x0000800000000000ull, "leaves no room");
    poke_refused(3, 0xfffffffffffff000ull, "leaves no room");
    poke_refused(15 /* INIT_P2M */, 0x8000000008ull, "no place for the P2M");
    poke_refused(15, 0xffff800000000000ull, "no place for the P2M");
    poke_refused(12 /* HV_START_LOW */, 0xffffc00000000000ull, "hypervisor above");

    size_t len = gen_elf(GEN_LOW, image);
    poke_note(2 /* HYPERCALL_PAGE */, 0x2001);
    refuse(len, "not a page of the kernel");
    gen_elf(GEN_LOW, image);
    poke_note(2, 0x5000);
    refuse(len, "not a page of the kernel");
}

static void test_wishes(void)
{
    size_t len = gen_elf(GEN_LINUX, image);
    uint8_t *text = memmem(image, len, "!writable_page_tables", 21);

    memcpy(text, "!supervisor_mode_krnl", 21);
    refuse(len, "requires the feature \"supervisor_mode_krnl\"");
    gen_elf(GEN_LINUX, image);
    memcpy(memmem(image, len, "xen-3.0", 7), "xen-9.9", 7);
    refuse(len, "made for \"xen-9.9\"");
    gen_elf(GEN_LINUX, image);
    memcpy(memmem(image, len, "generic", 7), "special", 7);
    refuse(len, "wants a loader");
}

/* The result of the confined child is not believed either: corrupt it, and it must be refused. */
static void test_check_again(void)
{
    struct elf_image out;
    struct diag d;
    size_t len = gen_elf(GEN_LINUX, image);

    CU_ASSERT_FATAL(parse(image, len, &out, &d) == 0);
    out.nr_segments = 4000;
    CU_ASSERT(elf_check("k", &out, len, &d) != 0);
    CU_ASSERT_FATAL(parse(image, len, &out, &d) == 0);
    out.phys_end = 0x1000; /* the hull no longer covers the segment */
    CU_ASSERT(elf_check("k", &out, len, &d) != 0);
    CU_ASSERT_FATAL(parse(image, len, &out, &d) == 0);
    CU_ASSERT(elf_check("k", &out, 4096, &d) != 0);
}

static void test_mutations(void)
{
    static const enum gen_style styles[] = {GEN_LINUX, GEN_LOW, GEN_LEGACY};
    uint32_t rnd = 7;

    for (unsigned i = 0; i < 30000; i++) {
        struct elf_image out;
        struct diag d;
        size_t len = gen_elf(styles[i % 3], image);

        for (unsigned j = 0; j < 1 + i % 4; j++) {
            rnd = rnd * 1664525 + 1013904223;
            size_t area = rnd >> 30 ? 16384 : 0, span = area ? 6000 : 176;

            image[(area + (rnd >> 4) % span) % len] = (uint8_t)(rnd >> 21);
        }
        if (parse(image, len, &out, &d) != 0)
            CU_ASSERT_FATAL(d.text[0] != 0);
    }
}

const struct test tests_elf[] = {
    {"elf: a kernel like Linux", test_linux},
    {"elf: a kernel in the lower half", test_low},
    {"elf: only a __xen_guest section", test_legacy},
    {"elf: not for us", test_refused_kinds},
    {"elf: truncated everywhere", test_truncated},
    {"elf: lying segments", test_lying_segments},
    {"elf: lying header tables", test_lying_tables},
    {"elf: lying notes", test_lying_notes},
    {"elf: lying addresses", test_lying_addresses},
    {"elf: wishes we cannot grant", test_wishes},
    {"elf: the child's result is checked again", test_check_again},
    {"elf: 30000 random edits", test_mutations},
    {NULL, NULL},
};
