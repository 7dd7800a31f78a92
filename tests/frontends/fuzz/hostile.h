/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets of the SDK's drivers share: bytes of the input, memory that lies, and what
 * any other end can do to a driver: write what it was granted to write, keep what it was granted,
 * and write its part of the store. Include fake.h's machine, or bring one of your own (xenbus).
 */
#ifndef TESTS_FRONTENDS_FUZZ_HOSTILE_H
#define TESTS_FRONTENDS_FUZZ_HOSTILE_H

#include <tenue-front/types.h>

#include "../../fuzz/fuzz.h"

u8 take8(void);
u16 take16(void);
u32 take32(void);
void take(void *to, size_t len);
void input_is(const u8 *data, size_t size);
bool input_left(void);

/* A check that must not fail. */
void demand(bool good, const char *what);

/*
 * Between enter and leave runs the driver, elsewhere the test. With a seed that is not zero, a byte
 * that the other end may write, and that the driver reads again within one call, may have changed
 * in between; only clang's builds do that. `shared` says which bytes those are.
 */
void lies(u32 seed, bool (*shared)(const u8 *at));
void driver_enter(void);
void driver_leave(void);
/* The driver calls something of the test's, which then calls back. */
bool driver_pause(void);
void driver_resume(bool was);

/* Some number, or none, as a node's text. */
const char *odd_text(void);
/* Changes up to eight bytes somewhere. */
void poke(u8 *at, size_t size);

#endif
