/* SPDX-License-Identifier: MIT */
/* What the files of the rogue guest share. */
#ifndef ROGUE_H
#define ROGUE_H

#include <tenue-front/front.h>
#include <tenue-front/x86.h>

/* Hypercalls at random from a seed (0: whatever the clock says). Does not return. */
void random_calls(u64 seed);

#endif
