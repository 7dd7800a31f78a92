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
#include "../../fuzz/lies.h"

uint8_t take8(struct input *in);
uint16_t take16(struct input *in);
uint32_t take32(struct input *in);
void take(struct input *in, void *to, size_t len);

/* In a page that is mapped, and that the guest may write? For lies(). */
bool guest_writes(const uint8_t *at);

#endif
