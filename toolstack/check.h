/* SPDX-License-Identifier: MIT */
/* What a guest needs from this machine and from its neighbours, looked at before it is made. */
#ifndef TENUE_CHECK_H
#define TENUE_CHECK_H

#include "config.h"
#include "diag.h"
#include "hv.h"
#include "store.h"

/*
 * Name free, MAC addresses free, memory free. Complaints name the guest file's line. Call with the
 * create lock held, so that two guests cannot pass for the last place together.
 */
int check_neighbours(const struct guest_config *cfg, struct hv *hv, struct store *st,
                     struct diag *d) MUST_CHECK;

/*
 * No image in use by another guest: names the holder. What counts is the lock that is taken with
 * the image (backends/host/resources.c), which also sees holders that the store does not know.
 */
int check_images(const struct guest_config *cfg, struct store *st, struct diag *d) MUST_CHECK;

/* Chooses addresses for the vifs that name none: Xen's prefix and random digits. */
int check_choose_macs(struct guest_config *cfg, struct diag *d) MUST_CHECK;

#endif
