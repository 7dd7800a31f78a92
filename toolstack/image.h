/* SPDX-License-Identifier: MIT */
/*
 * A guest kernel's file, unpacked: a descriptor to read its ELF image from, and what it says.
 *
 * Unpacking and parsing run in a child that has given up root, every other descriptor and nearly
 * every system call (LC-11); the parent reads only bounded bytes from descriptors and re-checks
 * each number. The child's memory dies with it.
 */
#ifndef TENUE_IMAGE_H
#define TENUE_IMAGE_H

#include "diag.h"
#include "elf.h"

#include <stdint.h>

struct image {
    const char *path; /* borrowed from the caller, for messages */
    int fd;           /* the ELF image: the file itself, or a memory file with the unpacked one */
    uint64_t size;
    struct elf_image elf;
};

int image_open(const char *path, struct image *out, struct diag *d) MUST_CHECK;
void image_close(struct image *image);

/* Opens a regular file of at most max bytes for reading: ramdisks and kernels. */
int image_open_file(const char *what, const char *path, uint64_t max, uint64_t *size,
                    struct diag *d) MUST_CHECK;

/* Reads exactly len bytes at offset: 0, or -1 if the file is shorter or cannot be read. */
int image_read(int fd, uint64_t offset, void *to, uint64_t len) MUST_CHECK;

#endif
