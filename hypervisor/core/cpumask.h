/* SPDX-License-Identifier: MIT */
/* CPU sets as the control interfaces pass them: bitmaps that carry their length (LC-7). */
#ifndef TENUE_CORE_CPUMASK_H
#define TENUE_CORE_CPUMASK_H

#include <tenue/abi.h>
#include <tenue/tlb.h>

cpumask_t cpumask_online(void);
/* Copy in; bits beyond the CPUs there can be are dropped. */
int cpumask_read(cpumask_t *mask, const struct xenctl_bitmap *map) must_check;
/* Copy out, whole bytes up to the length given, zeros behind our CPUs. */
int cpumask_write(const struct xenctl_bitmap *map, cpumask_t mask) must_check;

#endif
