/* SPDX-License-Identifier: MIT */
/*
 * Building a domain: from a checked config and an open kernel image to a paused domain whose
 * first vCPU would start at the kernel's entry point. Touches no store and starts no device.
 */
#ifndef TENUE_BUILD_H
#define TENUE_BUILD_H

#include "config.h"
#include "diag.h"
#include "hv.h"
#include "image.h"
#include "layout.h"

#include <stdint.h>

/* What a plan needs, opened and measured before any domain exists. */
struct build_plan {
    const struct guest_config *cfg;
    struct image image;
    int ramdisk_fd; /* -1: none */
    uint64_t ramdisk_bytes;
    struct layout layout;
};

/* What the store and the devices have to know of the new domain. */
struct built {
    uint32_t domid;
    uint64_t store_mfn, console_mfn;
    uint32_t store_port, console_port;
};

/* Opens and reads everything that a build needs; refuses what cannot work. */
int build_plan_open(const struct guest_config *cfg, struct build_plan *plan,
                    struct diag *d) MUST_CHECK;
void build_plan_close(struct build_plan *plan);

/* On failure no domain is left behind. */
int build_domain(struct hv *hv, const struct build_plan *plan, const uint8_t uuid[16],
                 struct built *out, struct diag *d) MUST_CHECK;

#endif
