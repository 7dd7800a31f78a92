/* SPDX-License-Identifier: MIT */
/*
 * What is left to the process that looks inside kernel files (docs/confinement.md).
 */
#ifndef TS_CONFINE_H
#define TS_CONFINE_H

#include "../backends/common/sandbox.h"
#include "diag.h"

#define CONFINE_NOBODY 65534u

extern const struct sandbox_profile confine_examiner;

/* For good. Without root (tenue create --dry-run) user and root directory stay. 0, or -1 and d. */
int confine_enter_examiner(const char *path, struct diag *d);

#endif
