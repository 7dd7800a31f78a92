/* SPDX-License-Identifier: MIT */
/*
 * PV kernel images: see elf.h.
 *
 * Order of trust: headers are copied, every offset and count is checked before it is followed,
 * sums go through the checked builtins. A later note overrides an earlier one of the same type,
 * notes of program headers win over notes of sections, and those over __xen_guest.
 */
#include "elf.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>

struct parse {
    const char *what;
    const struct elf_source *src;
    struct elf_image *out;
    struct diag *d;
    Elf64_Ehdr eh;
    bool notes_seen, legacy_seen;
    uint64_t virt_base, paddr_offset, entry; /* ELF_UNSET until said */
    uint64_t hypercall_frame;                /* legacy spelling: a guest frame number */
};

static int bad(const struct parse *p, const char *what)
{
    return diag_set(p->d, "%s: %s", p->what, what);
}

static int read_at(const struct parse *p, uint64_t offset, void *to, size_t len)
{
    if (offset > p->src->size || len > p->src->size - offset)
        return bad(p, "truncated or lying ELF: a header points behind the end of the file");
    if (p->src->read(p->src->ctx, offset, to, len) != 0)
        return bad(p, "cannot read the image");
    return 0;
}

/* A short printable copy of a note's text. */
static void copy_text(char *to, size_t room, const char *from, size_t len)
{
    size_t n = 0;

    for (; n < len && n + 1 < room && from[n]; n++)
        to[n] = from[n] >= ' ' && from[n] <= '~' ? from[n] : '?';
    to[n] = 0;
}

static int check_xen_version(const struct parse *p, const char *text)
{
    if (strncmp(text, "xen-3.0", 7) != 0)
        return diag_set(p->d, "%s: made for \"%s\"; only the ABI xen-3.0 is offered", p->what,
                        text);
    return 0;
}

/* A feature that begins with ! is one the kernel cannot live without. */
static int check_features(const struct parse *p, const char *text)
{
    static const char *const offered[] = {"writable_page_tables", "pae_pgdir_above_4gb",
                                          "writable_descriptor_tables"};
    char one[64];

    while (*text) {
        size_t len = strcspn(text, "|");

        copy_text(one, sizeof(one), text, len < sizeof(one) ? len : sizeof(one) - 1);
        text += len + (text[len] == '|');
        bool known = one[0] != '!';
        for (size_t i = 0; i < sizeof(offered) / sizeof(*offered); i++)
            known |= strcmp(one + (one[0] == '!'), offered[i]) == 0;
        if (!known)
            return diag_set(p->d,
                            "%s: the kernel requires the feature \"%s\", which PV guests"
                            " here do not have",
                            p->what, one + 1);
    }
    return 0;
}

static uint64_t note_number(const uint8_t *desc, size_t len)
{
    uint64_t v = 0;

    for (size_t i = 0; i < len && i < 8; i++)
        v |= (uint64_t)desc[i] << (8 * i);
    return v;
}

static int take_note(struct parse *p, uint32_t type, const uint8_t *desc, size_t len)
{
    char text[256];

    copy_text(text, sizeof(text), (const char *)desc, len);
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        p->entry = note_number(desc, len);
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        p->out->hypercall_page = note_number(desc, len);
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        p->virt_base = note_number(desc, len);
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        p->paddr_offset = note_number(desc, len);
        break;
    case XEN_ELFNOTE_XEN_VERSION:
        return check_xen_version(p, text);
    case XEN_ELFNOTE_GUEST_OS:
        copy_text(p->out->guest_os, sizeof(p->out->guest_os), text, sizeof(text));
        break;
    case XEN_ELFNOTE_LOADER:
        if (strcmp(text, "generic") != 0)
            return bad(p, "the kernel wants a loader other than \"generic\"");
        break;
    case XEN_ELFNOTE_FEATURES:
        return check_features(p, text);
    case XEN_ELFNOTE_HV_START_LOW:
        if (note_number(desc, len) > HV_HOLE_START)
            return bad(p, "the kernel wants the hypervisor above 0xffff800000000000");
        break;
    case XEN_ELFNOTE_INIT_P2M:
        p->out->p2m_base = note_number(desc, len);
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        p->out->mod_start_pfn = note_number(desc, len) != 0;
        break;
    }
    return 0;
}

static int walk_notes(struct parse *p, const uint8_t *area, size_t len)
{
    size_t pos = 0;

    while (len - pos >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr nh;

        memcpy(&nh, area + pos, sizeof(nh));
        pos += sizeof(nh);
        uint64_t name_len = ((uint64_t)nh.n_namesz + 3) & ~3ull;
        uint64_t desc_len = ((uint64_t)nh.n_descsz + 3) & ~3ull;
        uint64_t left = len - pos;

        /* The last note's padding may be missing. */
        if (name_len > left || nh.n_descsz > left - name_len)
            return bad(p, "lying ELF: a note runs over the end of its area");
        const uint8_t *desc = area + pos + name_len;

        if (nh.n_namesz == 4 && memcmp(area + pos, "Xen", 4) == 0) {
            p->notes_seen = true;
            if (take_note(p, nh.n_type, desc, nh.n_descsz) != 0)
                return -1;
        }
        pos += name_len + (desc_len > left - name_len ? left - name_len : desc_len);
    }
    return 0;
}

static int read_note_area(struct parse *p, uint64_t offset, uint64_t size)
{
    if (size > ELF_MAX_NOTES)
        return bad(p, "lying ELF: a note area is larger than 64 KiB");
    uint8_t *area = malloc(size + 1);
    if (!area)
        return bad(p, "out of memory");

    int rc = read_at(p, offset, area, size);
    if (rc == 0)
        rc = walk_notes(p, area, size);
    free(area);
    return rc;
}

/* One KEY=VALUE of the legacy section. */
static int take_legacy(struct parse *p, const char *key, const char *value)
{
    char *end;
    unsigned long long n = strtoull(value, &end, 0);
    bool number = end != value && !*end;

    if (strcmp(key, "GUEST_OS") == 0)
        copy_text(p->out->guest_os, sizeof(p->out->guest_os), value, strlen(value));
    else if (strcmp(key, "XEN_VER") == 0)
        return check_xen_version(p, value);
    else if (strcmp(key, "FEATURES") == 0)
        return check_features(p, value);
    else if (strcmp(key, "LOADER") == 0 && strcmp(value, "generic") != 0)
        return bad(p, "the kernel wants a loader other than \"generic\"");
    else if (strcmp(key, "VIRT_BASE") == 0 && number)
        p->virt_base = n;
    else if (strcmp(key, "ELF_PADDR_OFFSET") == 0 && number)
        p->paddr_offset = n;
    else if (strcmp(key, "VIRT_ENTRY") == 0 && number)
        p->entry = n;
    else if (strcmp(key, "HYPERCALL_PAGE") == 0 && number)
        p->hypercall_frame = n;
    return 0;
}

/* "GUEST_OS=Mini-OS,XEN_VER=xen-3.0,VIRT_BASE=0x0,..." */
static int read_legacy(struct parse *p, uint64_t offset, uint64_t size)
{
    char text[4096];

    if (size >= sizeof(text))
        return bad(p, "lying ELF: __xen_guest is larger than 4 KiB");
    if (read_at(p, offset, text, size) != 0)
        return -1;
    text[size] = 0;
    p->legacy_seen = true;

    char *save = NULL;
    for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(w, '=');

        if (eq)
            *eq++ = 0;
        if (take_legacy(p, w, eq ? eq : "") != 0)
            return -1;
    }
    return 0;
}

static int read_header(struct parse *p)
{
    Elf64_Ehdr *eh = &p->eh;

    if (read_at(p, 0, eh, sizeof(*eh)) != 0)
        return -1;
    if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
        return bad(p, "not an ELF image");
    if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB ||
        eh->e_machine != EM_X86_64)
        return bad(p, "not a 64-bit x86 kernel; only those are offered");
    if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
        return bad(p, "not an executable ELF image");
    if (eh->e_phnum == 0 || eh->e_phnum > ELF_MAX_HEADERS || eh->e_phentsize != sizeof(Elf64_Phdr))
        return bad(p, "lying ELF: impossible program header table");
    return 0;
}

static int add_segment(struct parse *p, const Elf64_Phdr *ph)
{
    struct elf_image *out = p->out;

    if (out->nr_segments == ELF_MAX_LOADED)
        return bad(p, "more than 16 loadable segments");
    out->segments[out->nr_segments++] = (struct elf_segment){
        .offset = ph->p_offset, .filesz = ph->p_filesz, .phys = ph->p_paddr, .memsz = ph->p_memsz};
    return 0;
}

static int read_program_headers(struct parse *p)
{
    for (unsigned i = 0; i < p->eh.e_phnum; i++) {
        Elf64_Phdr ph;
        uint64_t at;

        if (__builtin_add_overflow(p->eh.e_phoff, (uint64_t)i * sizeof(ph), &at))
            return bad(p, "lying ELF: program headers beyond the end of the world");
        if (read_at(p, at, &ph, sizeof(ph)) != 0)
            return -1;
        if (ph.p_type == PT_LOAD && ph.p_memsz && add_segment(p, &ph) != 0)
            return -1;
        if (ph.p_type == PT_NOTE && read_note_area(p, ph.p_offset, ph.p_filesz) != 0)
            return -1;
    }
    return 0;
}

static int section_name(struct parse *p, const Elf64_Shdr *names, uint32_t at, char out[16])
{
    memset(out, 0, 16);
    if (at >= names->sh_size)
        return 0;
    uint64_t len = names->sh_size - at, offset;

    if (__builtin_add_overflow(names->sh_offset, (uint64_t)at, &offset))
        return bad(p, "lying ELF: section names beyond the end of the world");
    return read_at(p, offset, out, len < 15 ? len : 15);
}

static int read_section_header(struct parse *p, unsigned i, Elf64_Shdr *sh)
{
    uint64_t at;

    if (__builtin_add_overflow(p->eh.e_shoff, (uint64_t)i * sizeof(*sh), &at))
        return bad(p, "lying ELF: section headers beyond the end of the world");
    return read_at(p, at, sh, sizeof(*sh));
}

/* Only for kernels whose program headers carry no Xen notes. */
static int read_sections(struct parse *p)
{
    Elf64_Shdr names, sh;
    char name[16];

    if (p->eh.e_shnum == 0 || p->eh.e_shstrndx >= p->eh.e_shnum)
        return 0;
    if (p->eh.e_shnum > ELF_MAX_HEADERS || p->eh.e_shentsize != sizeof(Elf64_Shdr))
        return bad(p, "lying ELF: impossible section header table");
    if (read_section_header(p, p->eh.e_shstrndx, &names) != 0)
        return -1;
    for (unsigned i = 0; i < p->eh.e_shnum; i++) {
        if (read_section_header(p, i, &sh) != 0)
            return -1;
        if (sh.sh_type == SHT_NOTE && read_note_area(p, sh.sh_offset, sh.sh_size) != 0)
            return -1;
        if (sh.sh_type == SHT_NOBITS || section_name(p, &names, sh.sh_name, name) != 0)
            continue;
        if (strcmp(name, "__xen_guest") == 0 && !p->notes_seen &&
            read_legacy(p, sh.sh_offset, sh.sh_size) != 0)
            return -1;
    }
    return 0;
}

/* Turns p_paddr into offsets from guest frame 0, and computes the hull. */
static int place_segments(struct parse *p)
{
    struct elf_image *out = p->out;

    out->phys_start = UINT64_MAX;
    for (unsigned i = 0; i < out->nr_segments; i++) {
        struct elf_segment *seg = &out->segments[i];
        uint64_t end;

        if (__builtin_sub_overflow(seg->phys, p->paddr_offset, &seg->phys) ||
            __builtin_add_overflow(seg->phys, seg->memsz, &end))
            return bad(p, "lying ELF: a segment lies outside any memory");
        if (seg->phys < out->phys_start)
            out->phys_start = seg->phys;
        if (end > out->phys_end)
            out->phys_end = end;
    }
    return 0;
}

int elf_parse(const char *what, const struct elf_source *src, struct elf_image *out, struct diag *d)
{
    struct parse p = {.what = what,
                      .src = src,
                      .out = out,
                      .d = d,
                      .virt_base = ELF_UNSET,
                      .paddr_offset = ELF_UNSET,
                      .entry = ELF_UNSET,
                      .hypercall_frame = ELF_UNSET};

    memset(out, 0, sizeof(*out));
    out->p2m_base = out->hypercall_page = ELF_UNSET;
    strcpy(out->guest_os, "unknown");
    if (read_header(&p) != 0 || read_program_headers(&p) != 0)
        return -1;
    if (!p.notes_seen && read_sections(&p) != 0)
        return -1;
    if (!p.notes_seen && !p.legacy_seen)
        return bad(&p, "no Xen notes: this kernel has no PV support (Linux: CONFIG_XEN_PV)");
    if (out->nr_segments == 0)
        return bad(&p, "no loadable segment");

    out->virt_base = p.virt_base == ELF_UNSET ? 0 : p.virt_base;
    if (p.paddr_offset == ELF_UNSET)
        p.paddr_offset = p.notes_seen ? 0 : out->virt_base;
    out->entry = p.entry == ELF_UNSET ? p.eh.e_entry : p.entry;
    if (p.hypercall_frame != ELF_UNSET)
        out->hypercall_page = p.hypercall_frame < ELF_MAX_PHYS >> 12
                                  ? out->virt_base + (p.hypercall_frame << 12)
                                  : ELF_UNSET - 1;
    if (place_segments(&p) != 0)
        return -1;
    return elf_check(what, out, src->size, d);
}

static bool canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* [va, va + len) is addressable by a guest: canonical, no wrap, clear of the hypervisor's hole. */
static bool guest_range(uint64_t va, uint64_t len)
{
    uint64_t last;

    if (len == 0 || __builtin_add_overflow(va, len - 1, &last))
        return false;
    return canonical(va) && canonical(last) && va >> 63 == last >> 63 &&
           (last < HV_HOLE_START || va >= HV_HOLE_END);
}

static int check_segments(const char *what, const struct elf_image *elf, uint64_t size,
                          struct diag *d)
{
    if (elf->nr_segments == 0 || elf->nr_segments > ELF_MAX_SEGMENTS)
        return diag_set(d, "%s: impossible number of segments", what);
    for (unsigned i = 0; i < elf->nr_segments; i++) {
        const struct elf_segment *seg = &elf->segments[i];

        if (seg->offset > size || seg->filesz > size - seg->offset)
            return diag_set(d,
                            "%s: truncated or lying ELF: segment %u needs %llu bytes at %llu of"
                            " %llu",
                            what, i, (unsigned long long)seg->filesz,
                            (unsigned long long)seg->offset, (unsigned long long)size);
        if (seg->filesz > seg->memsz)
            return diag_set(d, "%s: lying ELF: segment %u is larger in the file than in memory",
                            what, i);
        if (seg->memsz > ELF_MAX_PHYS || seg->phys > ELF_MAX_PHYS - seg->memsz)
            return diag_set(d, "%s: segment %u lies above the first GiB of the guest", what, i);
        if (seg->phys < elf->phys_start || seg->phys + seg->memsz > elf->phys_end)
            return diag_set(d, "%s: segment %u lies outside the image", what, i);
    }
    return 0;
}

int elf_check(const char *what, const struct elf_image *elf, uint64_t size, struct diag *d)
{
    if (check_segments(what, elf, size, d) != 0)
        return -1;
    if (elf->phys_end > ELF_MAX_PHYS || elf->phys_start >= elf->phys_end)
        return diag_set(d, "%s: the kernel does not fit the first GiB of the guest", what);
    if (elf->virt_base & 0xfff)
        return diag_set(d, "%s: VIRT_BASE %#llx is not a page address", what,
                        (unsigned long long)elf->virt_base);
    if (!guest_range(elf->virt_base, elf->phys_end))
        return diag_set(d, "%s: VIRT_BASE %#llx leaves no room for the kernel", what,
                        (unsigned long long)elf->virt_base);
    if (elf->entry < elf->virt_base + elf->phys_start ||
        elf->entry >= elf->virt_base + elf->phys_end)
        return diag_set(d, "%s: the entry point %#llx is outside the kernel", what,
                        (unsigned long long)elf->entry);
    if (elf->hypercall_page != ELF_UNSET &&
        ((elf->hypercall_page & 0xfff) || elf->hypercall_page < elf->virt_base ||
         elf->hypercall_page - elf->virt_base >= elf->phys_end))
        return diag_set(d, "%s: the hypercall page %#llx is not a page of the kernel", what,
                        (unsigned long long)elf->hypercall_page);
    if (elf->p2m_base != ELF_UNSET &&
        ((elf->p2m_base & 0xfff) || !guest_range(elf->p2m_base, 1ull << 30)))
        return diag_set(d, "%s: INIT_P2M %#llx is no place for the P2M list", what,
                        (unsigned long long)elf->p2m_base);
    return 0;
}
