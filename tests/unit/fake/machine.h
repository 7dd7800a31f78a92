/* SPDX-License-Identifier: MIT */
/*
 * Private to the fake machine: the parts that hal.h leaves to whoever brings the machine up.
 */
#ifndef TENUE_FAKE_MACHINE_H
#define TENUE_FAKE_MACHINE_H

#include <tenue/assert.h>
#include <tenue/percpu.h>
#include <tenue/vcpu.h>

/* memory.c: bytes on their way to a guest. */
void fake_output(const uint8_t *bytes, uint64_t count);

#endif
