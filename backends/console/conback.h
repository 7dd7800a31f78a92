/* SPDX-License-Identifier: MIT */
/* conback.h - the console backend proper: the guest's console ring, a pty, a log. */
#ifndef BACKENDS_CONSOLE_CONBACK_H
#define BACKENDS_CONSOLE_CONBACK_H

#include "../common/device.h"

extern const struct device_ops conback_ops;

#endif
