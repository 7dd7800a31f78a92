/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets of the SDK's drivers share: bytes of the input, memory that lies (LIES is
 * how rarely), and what any other end can do to a driver: write what it was granted to write, keep
 * what it was granted, and write its part of the store. Include fake.h's machine, or bring one of
 * your own (xenbus).
 */
#ifndef TESTS_FRONTENDS_FUZZ_HOSTILE_H
#define TESTS_FRONTENDS_FUZZ_HOSTILE_H

#include <tenue-front/types.h>

#include "../../fuzz/fuzz.h"
#include "../../fuzz/lies.h"

#define LIES 2u

u8 take8(void);
u16 take16(void);
u32 take32(void);
void take(void *to, size_t len);
void input_is(const u8 *data, size_t size);
bool input_left(void);

/* Some number, or none, as a node's text. */
const char *odd_text(void);
/* Changes up to eight bytes somewhere. */
void poke(u8 *at, size_t size);

#endif
