/* SPDX-License-Identifier: MIT */
/*
 * Making small ELF kernels for tests, in a fixed frame: headers, notes at 0x480, sections at 0x800
 * (for whoever wants some), contents of segments from 0x1000 on.
 */
#ifndef TENUE_TEST_KERNEL_IMAGE_H
#define TENUE_TEST_KERNEL_IMAGE_H

#include <string.h>

#include <tenue/abi.h>

#define KERNEL_FILE_MAX 0x6000u
#define KERNEL_NOTES_AT 0x480u
#define KERNEL_SECTIONS_AT 0x800u

struct kernel_ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct kernel_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct kernel_shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t addralign, entsize;
};

/* Program header 0 is the notes'. */
struct kernel {
    _Alignas(8) uint8_t file[KERNEL_FILE_MAX];
    size_t size, notes_end;
};

static inline struct kernel_ehdr *kernel_eh(struct kernel *k)
{
    return (struct kernel_ehdr *)(void *)k->file;
}
static inline struct kernel_phdr *kernel_ph(struct kernel *k, unsigned n)
{
    return (struct kernel_phdr *)(void *)(k->file + sizeof(struct kernel_ehdr)) + n;
}

static inline void kernel_begin(struct kernel *k)
{
    *k = (struct kernel){.size = 0x1000, .notes_end = KERNEL_NOTES_AT};
    *kernel_eh(k) = (struct kernel_ehdr){.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                                         .type = 2,
                                         .machine = 62,
                                         .version = 1,
                                         .phoff = sizeof(struct kernel_ehdr),
                                         .ehsize = sizeof(struct kernel_ehdr),
                                         .phentsize = sizeof(struct kernel_phdr),
                                         .phnum = 1};
    *kernel_ph(k, 0) =
        (struct kernel_phdr){.type = 4, .flags = 4, .offset = KERNEL_NOTES_AT, .align = 4};
}

static inline void kernel_note(struct kernel *k, uint32_t type, const void *desc, uint32_t size)
{
    const uint32_t head[3] = {4, size, type};

    memcpy(k->file + k->notes_end, head, sizeof(head));
    memcpy(k->file + k->notes_end + 12, "Xen", 4);
    memcpy(k->file + k->notes_end + 16, desc, size);
    k->notes_end += 16 + (size + 3) / 4 * 4;
    kernel_ph(k, 0)->filesz = kernel_ph(k, 0)->memsz = k->notes_end - KERNEL_NOTES_AT;
}
static inline void kernel_note_u64(struct kernel *k, uint32_t type, uint64_t value)
{
    kernel_note(k, type, &value, sizeof(value));
}

/* A segment of filesz bytes, each of value fill. */
static inline void kernel_segment(struct kernel *k, uint64_t paddr, uint64_t filesz, uint64_t memsz,
                                  uint8_t fill)
{
    struct kernel_ehdr *eh = kernel_eh(k);

    *kernel_ph(k, eh->phnum++) = (struct kernel_phdr){.type = 1,
                                                      .flags = 7,
                                                      .offset = k->size,
                                                      .vaddr = paddr,
                                                      .paddr = paddr,
                                                      .filesz = filesz,
                                                      .memsz = memsz,
                                                      .align = 4096};
    memset(k->file + k->size, fill, filesz);
    k->size += (filesz + 0xfff) & ~0xfffull;
}

/* VIRT_BASE, an entry point and the interface version. */
static inline void kernel_notes(struct kernel *k, uint64_t virt_base, uint64_t entry)
{
    kernel_note_u64(k, XEN_ELFNOTE_ENTRY, entry);
    kernel_note_u64(k, XEN_ELFNOTE_VIRT_BASE, virt_base);
    kernel_note(k, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
}

#endif
