/* SPDX-License-Identifier: MIT */
/*
 * evtchn.h - event channels of one guest, through /dev/xen/evtchn.
 *
 * The descriptor is non-blocking. Reading it gives the 32-bit local ports that fired, each masked
 * until it is written back (the interface of <xen/sys/evtchn.h>); the block backend does both
 * through io_uring, the others through evtchn_read() and evtchn_unmask(). A port that fired while
 * masked fires again when unmasked, so no event is lost by answering late (BE-10).
 */
#ifndef BACKENDS_COMMON_EVTCHN_H
#define BACKENDS_COMMON_EVTCHN_H

#include <stdint.h>

struct evtchn;

/* 0 or -errno. After this the handle can bind to ports of `domid` only, if the kernel can enforce
 * it. */
int evtchn_open(struct evtchn **out, unsigned domid);
void evtchn_close(struct evtchn *e);
int evtchn_fd(const struct evtchn *e);

/* Bind to the guest's unbound port. Local port (> 0) or -errno. */
int evtchn_bind(struct evtchn *e, uint32_t remote_port);
void evtchn_unbind(struct evtchn *e, int port);

void evtchn_notify(struct evtchn *e, int port);

/* A fired port, 0 if there is none, -errno. */
int evtchn_read(struct evtchn *e);
void evtchn_unmask(struct evtchn *e, int port);

#endif
