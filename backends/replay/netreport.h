/* SPDX-License-Identifier: MIT */
/* netreport.h - an interface's captures as text and JSON, and what a replay was like beside one. */
#ifndef BACKENDS_REPLAY_NETREPORT_H
#define BACKENDS_REPLAY_NETREPORT_H

#include "netfront.h"

void netreport_capture(const struct netcap *c, bool json);
/* `again` holds what the backend recorded while `was` was done again. */
void netreport_replay(const struct netcap *was, const struct netcap *again,
                      const struct netfront_result *r, bool json);

#endif
