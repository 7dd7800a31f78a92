/* SPDX-License-Identifier: MIT */
/*
 * Long runs of zeros in a kernel's segments. Near half of an unpacked Linux kernel is such: its bss
 * stands between sections that have contents, so that the file holds it. What is known to be zeros
 * is neither read nor copied (build.c), and memory that was given as zeros is not even mapped.
 */
#ifndef TENUE_ZEROS_H
#define TENUE_ZEROS_H

#include "elf.h"

/*
 * Splits segments so that a long run of zeros is the part of one that is not in the file, as far as
 * there is room for more segments. What the segments put into memory stays the same. Runs in the
 * examiner, since it reads the image. 0, or -1 if the image cannot be read.
 */
int zeros_split(const struct elf_source *src, struct elf_image *elf) MUST_CHECK;

#endif
