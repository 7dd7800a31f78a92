/* SPDX-License-Identifier: MIT */
/*
 * Memory that lies (BE-1, FE-1): clang calls us before each load that the code under test makes,
 * and a byte that another end may write is not the same when it is read again within one turn. So
 * every double read is seen by what follows from it. Builds of other compilers tell the truth.
 *
 * What reads is compiled with -fsanitize-coverage=trace-loads; --wrap=__asan_memcpy when linking.
 */
#ifndef TENUE_FUZZ_LIES_H
#define TENUE_FUZZ_LIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __clang__
#define UNSEEN __attribute__((no_sanitize("coverage", "address")))
#else
#define UNSEEN
#endif

/* From now on, if the seed is not zero: of the bytes that `shared` says may change, one in
 * 2^rarity does when it is read again. `shared` is UNSEEN where loads are traced. */
void lies(uint32_t seed, unsigned rarity, bool (*shared)(const uint8_t *at));

/* A turn of the code under test begins; what was read before is forgotten. */
void reader_enter(void);
void reader_leave(void);
/* It calls something of the test's, which may call back. */
bool reader_pause(void);
void reader_resume(bool was);

#endif
