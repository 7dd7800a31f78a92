/* SPDX-License-Identifier: MIT */
/*
 * Reading a PV kernel's ELF file. Every offset is checked against the file before use, every sum
 * against wrap-around, every count against a cap; a lying header ends in a message, never in a read
 * outside, nor in a long wait (LC-11).
 *
 * Facts: System V ABI for ELF64; elfnote.h for the notes; the legacy section is a string
 * of NAME=value separated by commas.
 */
#include "elf.h"

#include <tenue/guestmem.h>

#include "lib.h"

#define ELF_TYPE_EXEC 2u
#define ELF_TYPE_DYN 3u
#define ELF_MACHINE_X86_64 62u
#define PT_LOAD 1u
#define PT_NOTE 4u
#define SHT_NOTE 7u
#define SHT_NOBITS 8u
#define IMAGE_MAX (1ull << 32)
/* Far above what any kernel has, and looked through in no time. */
#define PROGRAM_HEADERS_MAX 128u
#define SECTIONS_MAX 8192u
#define NOTE_BYTES_MAX (64ull << 10)
#define LEGACY_BYTES_MAX 4096u

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

/* Numbers that a kernel may state, by a note or in the legacy section. */
enum item {
    ENTRY,
    VIRT_BASE,
    HYPERCALL_PAGE,
    PADDR_OFFSET,
    INIT_P2M,
    HV_START_LOW,
    MOD_START_PFN,
    ITEMS
};

static const struct {
    uint32_t note;
    const char *name, *legacy; /* legacy NULL: the section has no such thing */
} items[ITEMS] = {
#define ITEM(item, legacy) [item] = {XEN_ELFNOTE_##item, "XEN_ELFNOTE_" #item, legacy}
    ITEM(ENTRY, "VIRT_ENTRY="),
    ITEM(VIRT_BASE, "VIRT_BASE="),
    ITEM(HYPERCALL_PAGE, "HYPERCALL_PAGE="),
    ITEM(PADDR_OFFSET, "ELF_PADDR_OFFSET="),
    ITEM(INIT_P2M, "INIT_P2M="),
    ITEM(HV_START_LOW, "HV_START_LOW="),
    ITEM(MOD_START_PFN, NULL),
#undef ITEM
};

/* What notes or the legacy section said. */
struct guest_notes {
    bool found; /* any Xen note, or the section */
    bool legacy;
    bool pvh_only;
    bool other_version;
    uint64_t value[ITEMS]; /* PV_ADDR_UNSET when silent */
    uint64_t bytes;        /* of notes looked through */
};

#define RELINK ": link the kernel for an address that does"

const char *pv_image_refuse(struct pv_image *img, const char *field, uint64_t value,
                            const char *why)
{
    img->field = field;
    img->value = value;
    return why;
}

static bool in_file(const struct pv_image *img, uint64_t offset, uint64_t size)
{
    return offset <= img->size && size <= img->size - offset;
}

/* Headers in the file need not be aligned: copied out. */
static bool read_header(const struct pv_image *img, void *to, uint64_t base, unsigned idx,
                        uint64_t size)
{
    uint64_t offset;

    if (__builtin_add_overflow(idx * size, base, &offset) || !in_file(img, offset, size))
        return false;
    memcpy(to, img->file + offset, size);
    return true;
}

static const char *take_number(struct pv_image *img, struct guest_notes *n, enum item item,
                               const uint8_t *desc, uint32_t size)
{
    if (size != 4 && size != 8)
        return pv_image_refuse(img, items[item].name, size,
                               "is its size instead of 4 or 8: the file is damaged");
    n->value[item] = 0;
    memcpy(&n->value[item], desc, size);
    n->found |= item == ENTRY || item == VIRT_BASE || item == HYPERCALL_PAGE;
    return NULL;
}

static bool is_other_version(const void *text, uint64_t size)
{
    return size < 7 || memcmp(text, "xen-3.0", 7) != 0;
}

static const char *take_note(struct pv_image *img, struct guest_notes *n, uint32_t type,
                             const uint8_t *desc, uint32_t size)
{
    for (unsigned i = 0; i < ITEMS; i++)
        if (items[i].note == type)
            return take_number(img, n, (enum item)i, desc, size);
    if (type == XEN_ELFNOTE_XEN_VERSION) {
        n->found = true;
        n->other_version = is_other_version(desc, size);
    } else if (type == XEN_ELFNOTE_PHYS32_ENTRY) {
        n->pvh_only = true;
    }
    return NULL;
}

/* The range is in the file. A zero where a name would begin is padding between notes. */
static const char *scan_notes(struct pv_image *img, uint64_t offset, uint64_t size,
                              struct guest_notes *n)
{
    uint64_t pos = offset, end = offset + size;

    n->bytes += size;
    if (size > NOTE_BYTES_MAX || n->bytes > NOTE_BYTES_MAX)
        return "has more than 64 KiB of notes (PT_NOTE p_filesz): the file is damaged";
    while (end - pos >= sizeof(struct elf_note)) {
        struct elf_note note;
        uint64_t name, desc;
        const char *why;

        memcpy(&note, img->file + pos, sizeof(note));
        if (note.namesz == 0) {
            pos += 4;
            continue;
        }
        name = pos + sizeof(note);
        desc = name + ROUND_UP((uint64_t)note.namesz, 4);
        if (desc > end || note.descsz > end - desc)
            return "has a note (n_namesz, n_descsz) that reaches past its segment: it is damaged";
        if (note.namesz == 4 && memcmp(img->file + name, "Xen", 4) == 0) {
            why = take_note(img, n, note.type, img->file + desc, note.descsz);
            if (why != NULL)
                return why;
        }
        pos = MIN(desc + ROUND_UP((uint64_t)note.descsz, 4), end);
    }
    return NULL;
}

/* The value of NAME=value, or NULL when it has another name, or none. */
static const char *after_name(const char *text, size_t *len, const char *name)
{
    const size_t name_len = strlen(name);

    if (*len <= name_len || memcmp(text, name, name_len) != 0)
        return NULL;
    *len -= name_len;
    return text + name_len;
}

/* One NAME=value of the legacy section. */
static const char *take_legacy(struct pv_image *img, struct guest_notes *n, const char *text,
                               size_t len)
{
    const char *value = after_name(text, &len, "XEN_VER=");

    if (value != NULL)
        n->other_version = is_other_version(value, len);
    for (unsigned i = 0; i < ITEMS && value == NULL; i++) {
        value = items[i].legacy != NULL ? after_name(text, &len, items[i].legacy) : NULL;
        if (value != NULL && str_number(value, len, &n->value[i]) != len)
            return pv_image_refuse(
                img, items[i].legacy, len,
                "characters that are no 64-bit number: mend section __xen_guest");
    }
    return NULL;
}

static const char *scan_legacy(struct pv_image *img, const char *text, uint64_t size,
                               struct guest_notes *n)
{
    const char *why = NULL;

    if (size > LEGACY_BYTES_MAX)
        return pv_image_refuse(img, "__xen_guest sh_size", size,
                               "is more than 4096: the file is damaged");
    n->found = n->legacy = true;
    for (uint64_t left = strnlen(text, size), len; left != 0 && why == NULL;
         text += len, left -= len) {
        const char *comma = memchr(text, ',', left);

        len = comma != NULL ? (uint64_t)(comma - text) : left;
        why = take_legacy(img, n, text, len);
        len += comma != NULL;
    }
    return why;
}

static const char *take_segment(struct pv_image *img, const struct elf_segment *ph)
{
    if (ph->memsz == 0)
        return NULL;
    if (ph->filesz > ph->memsz)
        return pv_image_refuse(img, "p_filesz", ph->filesz,
                               "is above p_memsz: a segment has more bytes than room");
    if (img->segment_count == PV_SEGMENTS_MAX)
        return "has more than 16 loadable segments: link it with fewer";
    img->segments[img->segment_count++] =
        (struct pv_segment){ph->offset, ph->filesz, ph->paddr, ph->memsz};
    return NULL;
}

static const char *scan_segments(struct pv_image *img, const struct elf_header *h,
                                 struct guest_notes *n)
{
    struct elf_segment ph;
    const char *why = NULL;

    if (h->phnum != 0 && h->phentsize != sizeof(ph))
        return pv_image_refuse(img, "e_phentsize", h->phentsize, "is not 56: it is damaged");
    if (h->phnum > PROGRAM_HEADERS_MAX)
        return pv_image_refuse(img, "e_phnum", h->phnum, "is more than 128: it is damaged");
    for (unsigned i = 0; i < h->phnum && why == NULL; i++) {
        if (!read_header(img, &ph, h->phoff, i, sizeof(ph)))
            return "has program headers (e_phoff, e_phnum) that lie outside the file: it is "
                   "truncated";
        if (ph.type != PT_LOAD && ph.type != PT_NOTE)
            continue;
        if (!in_file(img, ph.offset, ph.filesz))
            return "has a segment (p_offset + p_filesz) that lies outside the file: it is "
                   "truncated";
        if (ph.type == PT_NOTE)
            why = scan_notes(img, ph.offset, ph.filesz, n);
        else
            why = take_segment(img, &ph);
    }
    if (why == NULL && img->segment_count == 0)
        return "has no loadable segment (PT_LOAD): it is not a linked kernel";
    return why;
}

static bool is_legacy_section(const struct pv_image *img, const struct elf_section *names,
                              const struct elf_section *s)
{
    static const char wanted[] = "__xen_guest";

    return s->type != SHT_NOBITS && in_file(img, names->offset, names->size) &&
           s->name < names->size && names->size - s->name >= sizeof(wanted) &&
           memcmp(img->file + names->offset + s->name, wanted, sizeof(wanted)) == 0;
}

static const char *scan_sections(struct pv_image *img, const struct elf_header *h,
                                 struct guest_notes *n)
{
    static const char outside[] =
        "has section headers (e_shoff, e_shnum) that lie outside the file: it is truncated";
    struct elf_section names, s;
    const char *why = NULL;

    if (h->shoff == 0 || h->shstrndx >= h->shnum)
        return NULL;
    if (h->shentsize != sizeof(s))
        return pv_image_refuse(img, "e_shentsize", h->shentsize, "is not 64: it is damaged");
    if (h->shnum > SECTIONS_MAX)
        return pv_image_refuse(img, "e_shnum", h->shnum, "is more than 8192: strip the kernel");
    if (!read_header(img, &names, h->shoff, h->shstrndx, sizeof(names)))
        return outside;
    for (unsigned i = 0; i < h->shnum && why == NULL; i++) {
        if (!read_header(img, &s, h->shoff, i, sizeof(s)))
            return outside;
        if (!in_file(img, s.offset, s.size))
            continue;
        if (s.type == SHT_NOTE)
            why = scan_notes(img, s.offset, s.size, n);
        else if (!n->found && is_legacy_section(img, &names, &s))
            why = scan_legacy(img, (const char *)img->file + s.offset, s.size, n);
    }
    return why;
}

static const char *check_header(struct pv_image *img, struct elf_header *h)
{
    if (img->size >= 0x206 && memcmp(img->file + 0x202, "HdrS", 4) == 0)
        return "is a bzImage: unpack it first (the ELF inside is wanted; `tenue` guests may stay "
               "packed)";
    if (!read_header(img, h, 0, 0, sizeof(*h)))
        return "is shorter than an ELF header";
    if (memcmp(h->ident, "\177ELF", 4) != 0)
        return "is not an ELF file (e_ident)";
    if (h->ident[4] != 2 || h->ident[5] != 1 || h->machine != ELF_MACHINE_X86_64)
        return "is not a 64-bit x86 ELF file (e_ident, e_machine): 32-bit PV is not offered";
    if (h->type != ELF_TYPE_EXEC && h->type != ELF_TYPE_DYN)
        return pv_image_refuse(img, "e_type", h->type,
                               "is neither 2 nor 3: it is not a linked executable");
    return NULL;
}

/* From file addresses to the domain's own. */
static const char *place_segments(struct pv_image *img, uint64_t offset)
{
    for (unsigned i = 0; i < img->segment_count; i++) {
        struct pv_segment *s = &img->segments[i];

        if (s->start < offset || s->start - offset > IMAGE_MAX)
            return pv_image_refuse(img, "p_paddr", s->start,
                                   "is below PADDR_OFFSET or 4 GiB above it" RELINK " fit");
        if (s->memsz > IMAGE_MAX)
            return pv_image_refuse(img, "p_memsz", s->memsz,
                                   "is more than 4 GiB: the file is damaged");
        s->start -= offset;
        img->end = MAX(img->end, s->start + s->memsz);
        for (const struct pv_segment *o = img->segments; o < s; o++)
            if (s->start < o->start + o->memsz && o->start < s->start + s->memsz)
                return pv_image_refuse(img, "p_paddr", s->start + offset,
                                       "overlaps another segment" RELINK " not");
    }
    return NULL;
}

/* Is address va among the bytes that come from the file? */
static bool is_loaded(const struct pv_image *img, uint64_t va)
{
    for (unsigned i = 0; i < img->segment_count; i++)
        if (va >= img->virt_base && va - img->virt_base >= img->segments[i].start &&
            va - img->virt_base - img->segments[i].start < img->segments[i].filesz)
            return true;
    return false;
}

/* May a be the start of a mapping? */
static const char *check_mapping(struct pv_image *img, const char *field, uint64_t a)
{
    if (a % PAGE_SIZE != 0)
        return pv_image_refuse(img, field, a, "is not a multiple of 4096" RELINK " fit");
    if (!guest_addr_ok(a))
        return pv_image_refuse(img, field, a,
                               "is not canonical, or the hypervisor's (0xffff800000000000 to "
                               "0xffff87ffffffffff)" RELINK " not");
    return NULL;
}

static const char *check_hypercall_page(struct pv_image *img)
{
    static const char field[] = "XEN_ELFNOTE_HYPERCALL_PAGE";
    const uint64_t at = img->hypercall_page;

    if (at < img->virt_base || at - img->virt_base >= img->end)
        return pv_image_refuse(img, field, at, "lies outside the image" RELINK " not");
    return check_mapping(img, field, at);
}

/* What is left out has elfnote.h's defaults. */
static const char *place(struct pv_image *img, const struct guest_notes *n, uint64_t e_entry)
{
    const uint64_t *v = n->value;
    const uint64_t base = v[VIRT_BASE] == PV_ADDR_UNSET ? 0 : v[VIRT_BASE];
    uint64_t offset = v[PADDR_OFFSET];
    const char *why;

    if (offset == PV_ADDR_UNSET)
        offset = n->legacy ? base : 0; /* old images put virtual addresses into p_paddr */
    img->virt_base = base;
    img->entry = v[ENTRY] == PV_ADDR_UNSET ? e_entry : v[ENTRY];
    img->init_p2m = v[INIT_P2M];
    img->mod_start_pfn = v[MOD_START_PFN] != 0 && v[MOD_START_PFN] != PV_ADDR_UNSET;
    img->hypercall_page = v[HYPERCALL_PAGE];
    if (n->legacy && v[HYPERCALL_PAGE] != PV_ADDR_UNSET) { /* there it is a page number */
        if (v[HYPERCALL_PAGE] > IMAGE_MAX >> PAGE_SHIFT)
            return pv_image_refuse(img, "HYPERCALL_PAGE", v[HYPERCALL_PAGE],
                                   "is no page of the image: mend section __xen_guest");
        img->hypercall_page = base + (v[HYPERCALL_PAGE] << PAGE_SHIFT);
    }
    why = place_segments(img, offset);
    if (why == NULL)
        why = check_mapping(img, "VIRT_BASE", base);
    if (why == NULL && img->hypercall_page != PV_ADDR_UNSET)
        why = check_hypercall_page(img);
    if (why == NULL && img->init_p2m != PV_ADDR_UNSET)
        why = check_mapping(img, "INIT_P2M", img->init_p2m);
    if (why != NULL)
        return why;
    if (!is_loaded(img, img->entry))
        return pv_image_refuse(img, "entry point (XEN_ELFNOTE_ENTRY, e_entry)", img->entry,
                               "is not within what the file loads" RELINK);
    if (v[HV_START_LOW] != PV_ADDR_UNSET && v[HV_START_LOW] > HYPERVISOR_VIRT_START)
        return pv_image_refuse(img, "HV_START_LOW", v[HV_START_LOW],
                               "leaves the hypervisor less than it takes (from "
                               "0xffff800000000000): configure the kernel for x86-64 PV");
    return NULL;
}

const char *pv_image_parse(struct pv_image *img, const void *file, uint64_t size)
{
    struct guest_notes n = {.found = false};
    struct elf_header h;
    const char *why;

    memset(n.value, 0xff, sizeof(n.value)); /* PV_ADDR_UNSET */
    *img = (struct pv_image){.file = file, .size = size};
    why = check_header(img, &h);
    if (why == NULL)
        why = scan_segments(img, &h, &n);
    if (why == NULL && !n.found)
        why = scan_sections(img, &h, &n);
    if (why != NULL)
        return why;
    if (!n.found)
        return n.pvh_only ? "has only a PVH entry (XEN_ELFNOTE_PHYS32_ENTRY): a kernel with PV "
                            "support (CONFIG_XEN_PV) is needed"
                          : "has no Xen notes (XEN_ELFNOTE_*) and no __xen_guest section: a kernel "
                            "with PV support (CONFIG_XEN_PV) is needed";
    if (n.other_version)
        return "was built for another interface (XEN_ELFNOTE_XEN_VERSION is not xen-3.0)";
    return place(img, &n, h.entry);
}
