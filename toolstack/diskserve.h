/* SPDX-License-Identifier: MIT */
/* The words of a disk that say how it is served; see diskserve.c. */
#ifndef TENUE_DISKSERVE_H
#define TENUE_DISKSERVE_H

#include "config.h"

/* 0: taken. -1: known and wrong, complaint stored. 1: none of these words. */
int disk_serving_word(struct place at, struct disk_spec *disk, struct diag *d, const char *key,
                      const char *value) MUST_CHECK;

#endif
