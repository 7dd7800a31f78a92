/* SPDX-License-Identifier: MIT */
/*
 * Rules against speaking in others' names, for an interface that the kernel's netback serves: what
 * our own backend does by itself (backends/net/guard.c), by nftables where frames come in.
 *
 * Each interface has a table of its own (netdev tenue-vifD.N) and a file in VIFGUARD_DIR for as
 * long as it may have one, so that the next one to sweep finds what a killed supervisor left.
 */
#ifndef TENUE_VIFGUARD_H
#define TENUE_VIFGUARD_H

#include "diag.h"

#include <tenue/devhost.h>

#define VIFGUARD_DIR "/run/tenue-vifs"

/* nft's text, which the caller frees; NULL: out of memory. Pure. */
char *vifguard_rules(const char *ifname, const struct devhost_spec *spec);

/* The interface is there. */
int vifguard_load(const char *ifname, const struct devhost_spec *spec, struct diag *d) MUST_CHECK;
void vifguard_drop(const char *ifname);
/* Those whose interface has gone. */
void vifguard_sweep(void);

#endif
