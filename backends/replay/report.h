/* SPDX-License-Identifier: MIT */
/* report.h - captures as text and JSON, and what a replay was like beside what was recorded. */
#ifndef BACKENDS_REPLAY_REPORT_H
#define BACKENDS_REPLAY_REPORT_H

#include "front.h"

void report_capture(const struct capfile *c, bool json);
/* `again` holds what the backend recorded while `was` was done again. */
void report_replay(const struct capfile *was, const struct capfile *again,
                   const struct front_result *r, bool json);

#endif
