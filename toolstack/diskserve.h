/* SPDX-License-Identifier: MIT */
/* The words of a disk that say how it is served; see diskserve.c. */
#ifndef TENUE_DISKSERVE_H
#define TENUE_DISKSERVE_H

#include "config.h"

/* 0: taken. -1: known and wrong, complaint stored. 1: none of these words. */
int disk_serving_word(struct place at, struct disk_spec *disk, struct diag *d, const char *key,
                      const char *value) MUST_CHECK;

/* capture=: a file's whole path. -1, and a complaint that begins with FILE:LINE: DEVICE. */
int capture_word(struct place at, char to[DISK_CAPTURE], struct diag *d, const char *device,
                 const char *value) MUST_CHECK;

/* limit=, rate= or limit-group= of a device; `what` is for complaints: "disk limit". */
int limit_word(struct place at, struct limit_rates *r, struct diag *d, const char *what,
               const char *value) MUST_CHECK;
int limit_group_word(struct place at, char group[METER_GROUP_NAME_MAX + 1], struct diag *d,
                     const char *what, const char *value) MUST_CHECK;

#endif
