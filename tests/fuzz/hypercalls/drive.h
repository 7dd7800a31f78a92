/* SPDX-License-Identifier: MIT */
/* Sequences of calls (drive.c), for the two programs that run them. */
#ifndef TENUE_FUZZ_DRIVE_H
#define TENUE_FUZZ_DRIVE_H

#include "call.h"

extern struct progress {
    uint64_t seed, sequences, calls;
    unsigned step;
    const char *doing;
} progress;

/* One sequence from choices made ready; aborts when something is found. */
void run_sequence(void);
void progress_say(void);

#endif
