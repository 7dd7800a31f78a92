/* SPDX-License-Identifier: MIT */
/*
 * What a PV kernel's ELF image says about itself: segments, and the Xen notes or the legacy
 * __xen_guest section.
 *
 * elf_parse() runs in the unprivileged child of image.c; the result crosses to the parent, which
 * trusts nothing and runs elf_check() on it again. So struct elf_image holds no pointers.
 */
#ifndef TENUE_ELF_H
#define TENUE_ELF_H

#include "diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_MAX_LOADED = 16,       /* loadable segments that a file may have ... */
    ELF_MAX_SEGMENTS = 48,     /* ... and what may become of them (zeros.h) */
    ELF_MAX_HEADERS = 128,     /* program or section headers looked at */
    ELF_MAX_NOTES = 64 * 1024, /* bytes of one note area */
};

/* The builder's initial mapping hangs off one L2 page (Linux grafts exactly one): 1 GiB. */
#define ELF_MAX_PHYS (1ull << 30)
#define ELF_UNSET UINT64_MAX

#define HV_HOLE_START 0xffff800000000000ull /* L4 slots 256-271 are the hypervisor's */
#define HV_HOLE_END 0xffff880000000000ull

struct elf_segment {
    uint64_t offset, filesz; /* in the file */
    uint64_t phys, memsz;    /* in guest memory, from guest frame 0 */
};

struct elf_image {
    uint32_t nr_segments;
    struct elf_segment segments[ELF_MAX_SEGMENTS];
    uint64_t phys_start, phys_end; /* hull of the segments, [start, end) */
    uint64_t virt_base;            /* where guest frame 0 appears */
    uint64_t entry;                /* virtual */
    uint64_t p2m_base;             /* ELF_UNSET: behind the kernel */
    uint64_t hypercall_page;       /* virtual, ELF_UNSET: none wanted */
    bool mod_start_pfn;            /* the ramdisk need not be mapped */
    char guest_os[32];             /* printable, for messages */
};

/* Random access to the image: a file for the builder, memory for tests. */
struct elf_source {
    int (*read)(void *ctx, uint64_t offset, void *to, size_t len); /* 0, or -1 */
    void *ctx;
    uint64_t size;
};

int elf_parse(const char *what, const struct elf_source *src, struct elf_image *out,
              struct diag *d) MUST_CHECK;

/* Every bound the builder relies on; size is that of the image file. */
int elf_check(const char *what, const struct elf_image *elf, uint64_t size,
              struct diag *d) MUST_CHECK;

#endif
