/* SPDX-License-Identifier: MIT */
/*
 * Reading a PV kernel's ELF file. Every offset is checked against the file before use, every sum
 * against wrap-around; a lying header ends in a message, never in a read outside (LC-11).
 *
 * Facts: System V ABI for ELF64; elfnote.h for the notes; the legacy section is a string
 * of NAME=value separated by commas.
 */
#include "elf.h"

#include "lib.h"

#define ELF_MACHINE_X86_64 62u
#define PT_LOAD 1u
#define PT_NOTE 4u
#define SHT_NOTE 7u
#define IMAGE_MAX (1ull << 32)

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_section {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t addralign, entsize;
};

struct elf_note {
    uint32_t namesz, descsz, type;
};

STATIC_ASSERT(elf_header_size, sizeof(struct elf_header) == 64);
STATIC_ASSERT(elf_segment_size, sizeof(struct elf_segment) == 56);
STATIC_ASSERT(elf_section_size, sizeof(struct elf_section) == 64);

/* What notes or the legacy section said; UNSET when silent. */
struct guest_notes {
    bool found; /* any Xen note, or the section */
    bool legacy;
    bool pvh_only;
    bool version_ok;
    uint64_t virt_base, paddr_offset, entry, hypercall_page, init_p2m;
    bool mod_start_pfn;
};

static bool in_file(const struct pv_image *img, uint64_t offset, uint64_t size)
{
    return offset <= img->size && size <= img->size - offset;
}

static const void *file_at(const struct pv_image *img, uint64_t offset, uint64_t size)
{
    return in_file(img, offset, size) ? img->file + offset : NULL;
}

/* Headers in the file need not be aligned: copied out. */
static bool read_header(const struct pv_image *img, void *to, uint64_t base, uint64_t idx,
                        uint64_t entsize, uint64_t size)
{
    uint64_t offset;
    const void *from;

    if (entsize < size || __builtin_mul_overflow(idx, entsize, &offset) ||
        __builtin_add_overflow(offset, base, &offset))
        return false;
    from = file_at(img, offset, size);
    if (from == NULL)
        return false;
    memcpy(to, from, size);
    return true;
}

static uint64_t note_value(const uint8_t *desc, uint32_t size)
{
    uint64_t v = 0;

    memcpy(&v, desc, MIN(size, 8u));
    return v;
}

static void take_note(struct guest_notes *n, uint32_t type, const uint8_t *desc, uint32_t size)
{
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        n->entry = note_value(desc, size);
        n->found = true;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        n->virt_base = note_value(desc, size);
        n->found = true;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        n->hypercall_page = note_value(desc, size);
        n->found = true;
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        n->paddr_offset = note_value(desc, size);
        break;
    case XEN_ELFNOTE_INIT_P2M:
        n->init_p2m = note_value(desc, size);
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        n->mod_start_pfn = note_value(desc, size) != 0;
        break;
    case XEN_ELFNOTE_XEN_VERSION:
        n->found = true;
        n->version_ok = size >= 7 && memcmp(desc, "xen-3.0", 7) == 0;
        break;
    case XEN_ELFNOTE_PHYS32_ENTRY:
        n->pvh_only = true;
        break;
    }
}

static void scan_notes(const struct pv_image *img, uint64_t offset, uint64_t size,
                       struct guest_notes *n)
{
    uint64_t pos = offset, end = offset + size; /* in_file() held for the range */

    while (end - pos >= sizeof(struct elf_note)) {
        struct elf_note note;
        uint64_t name, desc, next;

        memcpy(&note, img->file + pos, sizeof(note));
        name = pos + sizeof(note);
        desc = name + ROUND_UP((uint64_t)note.namesz, 4);
        next = desc + ROUND_UP((uint64_t)note.descsz, 4);
        if (desc > end || note.descsz > end - desc)
            return;
        if (note.namesz == 4 && memcmp(img->file + name, "Xen", 4) == 0)
            take_note(n, note.type, img->file + desc, note.descsz);
        if (next > end)
            return;
        pos = next;
    }
}

/* Decimal, or hexadecimal after 0x; ends at the first other character. */
static uint64_t str_to_u64(const char *s, size_t len)
{
    uint64_t base = 10, v = 0;

    if (len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x') {
        base = 16;
        s += 2;
        len -= 2;
    }
    for (; len != 0; s++, len--) {
        unsigned digit = (unsigned)(*s - '0');

        if (digit > 9)
            digit = (unsigned)((*s | 0x20) - 'a') + 10;
        if (digit >= base)
            break;
        v = v * base + digit;
    }
    return v;
}

/* One NAME=value of the legacy section. */
static void take_legacy(struct guest_notes *n, const char *item, size_t len)
{
    static const char *const names[] = {"VIRT_BASE=",      "ELF_PADDR_OFFSET=", "VIRT_ENTRY=",
                                        "HYPERCALL_PAGE=", "INIT_P2M=",         "XEN_VER="};
    uint64_t *const values[] = {&n->virt_base, &n->paddr_offset, &n->entry, &n->hypercall_page,
                                &n->init_p2m};

    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        size_t name_len = strlen(names[i]);

        if (len <= name_len || memcmp(item, names[i], name_len) != 0)
            continue;
        if (i < ARRAY_LEN(values))
            *values[i] = str_to_u64(item + name_len, len - name_len);
        else
            n->version_ok = len - name_len >= 7 && memcmp(item + name_len, "xen-3.0", 7) == 0;
    }
}

static void scan_legacy(const char *text, uint64_t size, struct guest_notes *n)
{
    uint64_t start = 0;

    n->found = n->legacy = true;
    for (uint64_t i = 0; i <= size; i++) {
        if (i < size && text[i] != ',' && text[i] != '\0')
            continue;
        take_legacy(n, text + start, i - start);
        start = i + 1;
        if (i < size && text[i] == '\0')
            return;
    }
}

static const char *scan_segments(struct pv_image *img, const struct elf_header *h,
                                 struct guest_notes *n)
{
    struct elf_segment ph;

    for (unsigned i = 0; i < h->phnum; i++) {
        if (!read_header(img, &ph, h->phoff, i, h->phentsize, sizeof(ph)))
            return "program headers (e_phoff, e_phnum) lie outside the file: it is truncated";
        if (ph.type != PT_LOAD && ph.type != PT_NOTE)
            continue;
        if (!in_file(img, ph.offset, ph.filesz))
            return "a segment (p_offset + p_filesz) lies outside the file: it is truncated";
        if (ph.type == PT_NOTE) {
            scan_notes(img, ph.offset, ph.filesz, n);
            continue;
        }
        if (ph.memsz == 0)
            continue;
        if (ph.filesz > ph.memsz)
            return "a segment has p_filesz above p_memsz";
        if (img->segment_count == PV_SEGMENTS_MAX)
            return "more than 16 loadable segments";
        img->segments[img->segment_count++] =
            (struct pv_segment){ph.offset, ph.filesz, ph.paddr, ph.memsz};
    }
    return img->segment_count ? NULL : "no loadable segment (PT_LOAD)";
}

static void scan_sections(const struct pv_image *img, const struct elf_header *h,
                          struct guest_notes *n)
{
    struct elf_section names, s;

    if (h->shoff == 0 || h->shstrndx >= h->shnum ||
        !read_header(img, &names, h->shoff, h->shstrndx, h->shentsize, sizeof(names)))
        return;
    for (unsigned i = 0; i < h->shnum; i++) {
        static const char wanted[] = "__xen_guest";
        const char *name;

        if (!read_header(img, &s, h->shoff, i, h->shentsize, sizeof(s)))
            return;
        if (!in_file(img, s.offset, s.size))
            continue;
        if (s.type == SHT_NOTE)
            scan_notes(img, s.offset, s.size, n);
        if (n->found || s.name >= names.size || names.size - s.name < sizeof(wanted) ||
            !in_file(img, names.offset, names.size))
            continue;
        name = (const char *)img->file + names.offset + s.name;
        if (memcmp(name, wanted, sizeof(wanted)) == 0)
            scan_legacy((const char *)img->file + s.offset, s.size, n);
    }
}

static const char *check_header(const struct pv_image *img, struct elf_header *h)
{
    if (img->size >= 0x206 && memcmp(img->file + 0x202, "HdrS", 4) == 0)
        return "is a bzImage: unpack it first (the ELF inside is wanted; `tenue` guests may stay "
               "packed)";
    if (!read_header(img, h, 0, 0, sizeof(*h), sizeof(*h)))
        return "is shorter than an ELF header";
    if (memcmp(h->ident, "\177ELF", 4) != 0)
        return "is not an ELF file (e_ident)";
    if (h->ident[4] != 2 || h->ident[5] != 1 || h->machine != ELF_MACHINE_X86_64)
        return "is not a 64-bit x86 ELF file (e_ident, e_machine): 32-bit PV is not offered";
    return NULL;
}

/* From file addresses to the domain's own: the rules for defaults are elfnote.h's. */
static const char *place(struct pv_image *img, const struct guest_notes *n, uint64_t e_entry)
{
    uint64_t base = n->virt_base == PV_ADDR_UNSET ? 0 : n->virt_base;
    uint64_t offset = n->paddr_offset;

    if (offset == PV_ADDR_UNSET)
        offset = n->legacy ? base : 0; /* old images put virtual addresses into p_paddr */
    for (unsigned i = 0; i < img->segment_count; i++) {
        struct pv_segment *s = &img->segments[i];

        if (s->start < offset || s->start - offset > IMAGE_MAX || s->memsz > IMAGE_MAX)
            return "a segment's p_paddr does not fit VIRT_BASE and PADDR_OFFSET";
        s->start -= offset;
        img->end = MAX(img->end, s->start + s->memsz);
    }
    img->virt_base = base;
    img->entry = n->entry == PV_ADDR_UNSET ? e_entry : n->entry;
    img->init_p2m = n->init_p2m;
    img->mod_start_pfn = n->mod_start_pfn;
    img->hypercall_page = n->hypercall_page;
    if (n->legacy && n->hypercall_page != PV_ADDR_UNSET)
        img->hypercall_page = base + (n->hypercall_page << PAGE_SHIFT); /* there a page number */
    if (img->entry < base || img->entry - base >= img->end)
        return "entry point (XEN_ELFNOTE_ENTRY or e_entry) lies outside the image";
    if (img->hypercall_page != PV_ADDR_UNSET &&
        (img->hypercall_page < base || img->hypercall_page % PAGE_SIZE != 0 ||
         img->hypercall_page - base >= img->end))
        return "hypercall page (XEN_ELFNOTE_HYPERCALL_PAGE) lies outside the image";
    return NULL;
}

const char *pv_image_parse(struct pv_image *img, const void *file, uint64_t size)
{
    struct guest_notes n = {.virt_base = PV_ADDR_UNSET,
                            .paddr_offset = PV_ADDR_UNSET,
                            .entry = PV_ADDR_UNSET,
                            .hypercall_page = PV_ADDR_UNSET,
                            .init_p2m = PV_ADDR_UNSET,
                            .version_ok = true};
    struct elf_header h;
    const char *why;

    *img = (struct pv_image){.file = file, .size = size};
    why = check_header(img, &h);
    if (why == NULL)
        why = scan_segments(img, &h, &n);
    if (why != NULL)
        return why;
    if (!n.found)
        scan_sections(img, &h, &n);
    if (!n.found)
        return n.pvh_only ? "has only a PVH entry (XEN_ELFNOTE_PHYS32_ENTRY): a kernel with PV "
                            "support (CONFIG_XEN_PV) is needed"
                          : "has no Xen notes (XEN_ELFNOTE_*) and no __xen_guest section: a kernel "
                            "with PV support (CONFIG_XEN_PV) is needed";
    if (!n.version_ok)
        return "was built for another interface (XEN_ELFNOTE_XEN_VERSION is not xen-3.0)";
    return place(img, &n, h.entry);
}
