/* SPDX-License-Identifier: MIT */
/*
 * The devices of one guest, on top of libtenue-devhost: which specs a config means, starting them
 * all, stopping them all. Used by the supervisor, inside its event loop.
 */
#ifndef TENUE_DEVICE_H
#define TENUE_DEVICE_H

#include "build.h"
#include "config.h"
#include "diag.h"

#include <stdbool.h>
#include <stdint.h>

#include <tenue/devhost.h>
#include <tenue/xsclient.h>

enum { DEVICES_MAX = CONFIG_MAX_DISKS + CONFIG_MAX_VIFS + 1 };

struct devices;

/* Called with one line for the guest's log. */
typedef void devices_log_fn(const char *line, void *arg);

/* Looks at every disk and vif without side effects; complaints name the guest file's line. */
int devices_check(const struct guest_config *cfg, struct diag *d) MUST_CHECK;

/* Called when a watch has fired that is no device's. */
typedef void devices_store_fn(void *arg);

/* The connection becomes theirs, unless they cannot be opened; the caller may go on to use it. */
struct devices *devices_open(struct event_base *base, struct xsc *xs, devices_log_fn *log,
                             devices_store_fn *store, void *arg, struct diag *d);
void devices_close(struct devices *devs);

/*
 * Writes the nodes and starts the backends of a new domain. A console that devices_stop() kept
 * lends its terminal. Poll devices_ready() from the event loop afterwards.
 */
int devices_start(struct devices *devs, const struct guest_config *cfg, const struct built *built,
                  const char *console_log, struct diag *d) MUST_CHECK;

/* 1: all are up. 0: not yet. -1: one failed, complaint stored. */
int devices_ready(struct devices *devs, struct diag *d) MUST_CHECK;

/*
 * A disk's image becomes as large as that, and its backend is told; 0: it has grown by other means.
 * Only a raw image does, and only grows.
 */
int devices_resize(struct devices *devs, unsigned devid, uint64_t bytes, struct diag *d) MUST_CHECK;

/*
 * Ends every backend and removes the nodes. With keep_console the console's process ends as well
 * but its terminal stays, for the next devices_start().
 */
void devices_stop(struct devices *devs, bool keep_console);

#endif
