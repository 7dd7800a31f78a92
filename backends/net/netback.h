/* SPDX-License-Identifier: MIT */
/*
 * netback.h - the network backend proper: rings on one side, a tap on the other.
 *
 * device_ops for main.c; tests and replays drive the same ops with other gntdev and evtchn objects
 * linked in.
 */
#ifndef BACKENDS_NET_NETBACK_H
#define BACKENDS_NET_NETBACK_H

#include "../common/device.h"

extern const struct device_ops netback_ops;

/* Undo init (tests; a real process just ends). */
void netback_fini(struct device *d);

#endif
