/* SPDX-License-Identifier: MIT */
/* Kernel images for tests: see imagegen.h. */
#include "imagegen.h"

#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <xen/elfnote.h>
#include <zlib.h>
#include <zstd.h>

enum {
    TEXT_OFFSET = 4096,
    TEXT_BYTES = 12288,
    NOTES_OFFSET = TEXT_OFFSET + TEXT_BYTES,
    SECTIONS_OFFSET = NOTES_OFFSET + 4096,
    NAMES_OFFSET = SECTIONS_OFFSET + 1024,
    LINUX_PADDR = 1 << 20,
    SETUP_SECTS = 3,
    PAYLOAD_AT = (SETUP_SECTS + 1) * 512 + 0x100,
};

static size_t add_note(uint8_t *at, uint32_t type, const void *desc, size_t len)
{
    Elf64_Nhdr nh = {.n_namesz = 4, .n_descsz = (uint32_t)len, .n_type = type};

    memcpy(at, &nh, sizeof(nh));
    memcpy(at + sizeof(nh), "Xen", 4);
    memcpy(at + sizeof(nh) + 4, desc, len);
    return sizeof(nh) + 4 + ((len + 3) & ~(size_t)3);
}

static size_t add_number(uint8_t *at, uint32_t type, uint64_t value)
{
    return add_note(at, type, &value, sizeof(value));
}

static size_t add_string(uint8_t *at, uint32_t type, const char *text)
{
    return add_note(at, type, text, strlen(text) + 1);
}

static size_t linux_notes(uint8_t *at, uint64_t entry)
{
    size_t n = 0;

    n += add_string(at + n, XEN_ELFNOTE_GUEST_OS, "linux");
    n += add_string(at + n, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    n += add_string(at + n, XEN_ELFNOTE_LOADER, "generic");
    n += add_string(at + n, XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb");
    n += add_number(at + n, XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000000ull);
    n += add_number(at + n, XEN_ELFNOTE_PADDR_OFFSET, 0);
    n += add_number(at + n, XEN_ELFNOTE_ENTRY, entry);
    n += add_number(at + n, XEN_ELFNOTE_INIT_P2M, 0x8000000000ull);
    n += add_number(at + n, XEN_ELFNOTE_MOD_START_PFN, 1);
    n += add_number(at + n, XEN_ELFNOTE_HV_START_LOW, 0xffff800000000000ull);
    return n;
}

static size_t low_notes(uint8_t *at)
{
    size_t n = 0;

    n += add_string(at + n, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    n += add_number(at + n, XEN_ELFNOTE_VIRT_BASE, 0);
    n += add_number(at + n, XEN_ELFNOTE_HYPERCALL_PAGE, 0x2000);
    return n;
}

static void add_legacy_section(uint8_t *buf, Elf64_Ehdr *eh)
{
    static const char text[] = "GUEST_OS=Mini-OS,XEN_VER=xen-3.0,VIRT_BASE=0x0,"
                               "ELF_PADDR_OFFSET=0x0,HYPERCALL_PAGE=0x2,LOADER=generic";
    static const char names[] = "\0__xen_guest\0.shstrtab";
    Elf64_Shdr sh[3] = {
        {0},
        {.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = NOTES_OFFSET, .sh_size = sizeof(text)},
        {.sh_name = 13, .sh_type = SHT_STRTAB, .sh_offset = NAMES_OFFSET, .sh_size = sizeof(names)},
    };

    memcpy(buf + NOTES_OFFSET, text, sizeof(text));
    memcpy(buf + SECTIONS_OFFSET, sh, sizeof(sh));
    memcpy(buf + NAMES_OFFSET, names, sizeof(names));
    eh->e_shoff = SECTIONS_OFFSET;
    eh->e_shnum = 3;
    eh->e_shentsize = sizeof(Elf64_Shdr);
    eh->e_shstrndx = 2;
}

size_t gen_elf(enum gen_style style, uint8_t *buf)
{
    uint64_t paddr = style == GEN_LINUX ? LINUX_PADDR : 0;
    uint64_t base = style == GEN_LINUX ? 0xffffffff80000000ull : 0;
    Elf64_Ehdr eh = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = base + paddr + 0x40,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(eh),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 2};
    Elf64_Phdr ph[2] = {{.p_type = PT_LOAD,
                         .p_flags = PF_R | PF_W | PF_X,
                         .p_offset = TEXT_OFFSET,
                         .p_vaddr = base + paddr,
                         .p_paddr = paddr,
                         .p_filesz = TEXT_BYTES,
                         .p_memsz = TEXT_BYTES + 5000},
                        {.p_type = PT_NULL}};

    memset(buf, 0, GEN_ROOM);
    for (size_t i = 0; i < TEXT_BYTES; i++)
        buf[TEXT_OFFSET + i] = (uint8_t)(i * 7 + i / 256);
    if (style == GEN_LINUX || style == GEN_LOW) {
        size_t n = style == GEN_LINUX ? linux_notes(buf + NOTES_OFFSET, eh.e_entry)
                                      : low_notes(buf + NOTES_OFFSET);

        ph[1] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = NOTES_OFFSET, .p_filesz = n};
    }
    if (style == GEN_LEGACY)
        add_legacy_section(buf, &eh);
    memcpy(buf, &eh, sizeof(eh));
    memcpy(buf + sizeof(eh), ph, sizeof(ph));
    return NAMES_OFFSET + 512;
}

static size_t pack_gzip(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)in,
                  .avail_in = (uInt)len,
                  .next_out = out,
                  .avail_out = (uInt)room};

    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    int rc = deflate(&z, Z_FINISH);
    size_t n = z.total_out;
    deflateEnd(&z);
    return rc == Z_STREAM_END ? n : 0;
}

static size_t put32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (8 * i));
    return 4;
}

static size_t pack_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
    size_t n = 4;

    memcpy(out, "\x02\x21\x4c\x18", 4);
    int got = LZ4_compress_default((const char *)in, (char *)out + 8, (int)len, (int)room - 8);
    n += put32(out + 4, (uint32_t)got);
    return got > 0 ? n + (size_t)got : 0;
}

static size_t pack(enum pack_kind kind, const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
    size_t n = 0;

    switch (kind) {
    case PACK_NONE:
        memcpy(out, in, len);
        return len;
    case PACK_GZIP:
        return pack_gzip(in, len, out, room); /* ends with the size by itself */
    case PACK_XZ:
        if (lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, in, len, out, &n, room) != LZMA_OK)
            return 0;
        break;
    case PACK_ZSTD:
        n = ZSTD_compress(out, room, in, len, 3);
        if (ZSTD_isError(n))
            return 0;
        break;
    case PACK_LZ4:
        n = pack_lz4(in, len, out, room);
        break;
    }
    return n ? n + put32(out + n, (uint32_t)len) : 0;
}

size_t gen_bzimage(enum pack_kind kind, const uint8_t *elf, size_t len, uint8_t *buf, size_t room)
{
    memset(buf, 0, PAYLOAD_AT);
    size_t n = pack(kind, elf, len, buf + PAYLOAD_AT, room - PAYLOAD_AT - 4);

    if (!n)
        return 0;
    buf[0x1f1] = SETUP_SECTS;
    buf[0x1fe] = 0x55;
    buf[0x1ff] = 0xaa;
    memcpy(buf + 0x202, "HdrS", 4);
    buf[0x206] = 0x0f;
    buf[0x207] = 0x02;
    put32(buf + 0x248, PAYLOAD_AT - (SETUP_SECTS + 1) * 512);
    put32(buf + 0x24c, (uint32_t)n);
    return PAYLOAD_AT + n;
}
