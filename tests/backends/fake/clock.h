/* SPDX-License-Identifier: MIT */
/* clock.h - the backends' clock, which a test may stop. */
#ifndef TESTS_BACKENDS_FAKE_CLOCK_H
#define TESTS_BACKENDS_FAKE_CLOCK_H

#include <stdint.h>

/* What every clock says, in ns, and goes on saying; 0: the real one. */
extern uint64_t fake_ns;

#endif
