/* SPDX-License-Identifier: MIT */
/*
 * Notes what a guest asks of the hypervisor and what it is answered: for each hypercall made by
 * code built with FRONT_RECORD the place that made it, the operation, the result, the fields that
 * the hypervisor writes, and the TSC's difference, which is a number of instructions where the
 * emulator counts so. Two runs of one guest on two hypervisors can then be compared (tests/oracle),
 * and what a call costs be told (examples/hypercalls).
 *
 * record_dump() prints one line for each note, where the guest was built to (RECORD_DUMP).
 */
#ifndef TESTS_RECORD_H
#define TESTS_RECORD_H

#include <tenue-front/types.h>

#define RECORD_NO_OPERATION (-1L)

unsigned record_count(void);
/* The ticks of the last noted call of that number and operation since note `from`; -1: there was
 * none. */
s64 record_cost(unsigned from, unsigned nr, long operation);
void record_dump(void);

#endif
