/* SPDX-License-Identifier: MIT */
/*
 * What the examiner said of a kernel file, for the next guest of the same file: to ask it again
 * costs a fork, a filter and an end, 2 million instructions in a PV domain.
 *
 * A file is the same if device, inode, size and both of its times are. Only of a file that had been
 * left alone for a while is anything kept: a change within one tick of its clock would not show.
 * What is recalled is believed no more than what the examiner says: elf_check() it.
 */
#ifndef TENUE_VERDICT_H
#define TENUE_VERDICT_H

#include "elf.h"

#include <sys/stat.h>

#define VERDICT_DIR "/run/tenue/kernels" /* only root's; gone with the machine's run time */

/* What was kept in dir of the file that `now` describes; false if nothing was. */
bool verdict_recall(const char *dir, const struct stat *now, struct elf_image *elf);
/* Failures are none: the examiner will be asked again. `before` is from before it looked. */
void verdict_keep(const char *dir, int fd, const struct stat *before, const struct elf_image *elf);

#endif
