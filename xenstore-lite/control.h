/* SPDX-License-Identifier: MIT */
/* XS_CONTROL: what xenstore-control asks of the daemon itself. */
#ifndef XSL_CONTROL_H
#define XSL_CONTROL_H

#include "request.h"

/* 0 after replying, or -errno. */
int control_handle(struct request *r);

#endif
