/* SPDX-License-Identifier: MIT */
/*
 * guest.h - what the fuzz targets of the rings share: bytes of the input, and memory that lies.
 */
#ifndef TESTS_BACKENDS_FUZZ_GUEST_H
#define TESTS_BACKENDS_FUZZ_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../fuzz/fuzz.h"

uint8_t take8(struct input *in);
uint16_t take16(struct input *in);
uint32_t take32(struct input *in);
void take(struct input *in, void *to, size_t len);

/*
 * With memory that lies, a byte of a mapped page that is read a second time before the next turn
 * has another value: every double read is seen by what follows from it. Only builds of clang can do
 * it.
 */
void lie_begin(uint32_t seed); /* 0: tell the truth */
void lie_next_turn(void);
void lie_end(void);

/* The rest of a check that must not fail. */
void demand(bool good, const char *what);

#endif
