/* SPDX-License-Identifier: MIT */
/* Sets of CPUs as xl writes them: "0-3,^2", "all". At most 64 CPUs. */
#ifndef TENUE_CPULIST_H
#define TENUE_CPULIST_H

#include "diag.h"

#include <stddef.h>
#include <stdint.h>

enum { CPULIST_MAX = 64, CPULIST_TEXT = 256 };

/* -1 and a complaint about the text, without a place. "all" is every bit. */
int cpulist_parse(const char *text, uint64_t *mask, struct diag *d) MUST_CHECK;
/* Of nr_cpus there are; "all" when none of them is missing. */
void cpulist_format(uint64_t mask, unsigned nr_cpus, char out[CPULIST_TEXT]);
/* A CPU that mask names and the machine does not have, or -1; every bit is no name. */
int cpulist_missing(uint64_t mask, unsigned nr_cpus);

#endif
