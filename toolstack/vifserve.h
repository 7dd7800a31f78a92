/* SPDX-License-Identifier: MIT */
/* The words of a vif that say how it is served; see vifserve.c. */
#ifndef TENUE_VIFSERVE_H
#define TENUE_VIFSERVE_H

#include "config.h"

#define VIF_SERVING_WORDS                                                                          \
    "queues= mtu= coalesce-us= poll-us= ip= antispoof= arena= mirror= capture="

/* 0: taken. -1: known and wrong, complaint stored. 1: none of these words. */
int vif_serving_word(struct place at, struct vif_spec *vif, struct diag *d, const char *key,
                     const char *value) MUST_CHECK;

/* One more address that is the guest's; nothing is done where it is there already, or none fits. */
void vif_add_ip(struct vif_spec *vif, const char *ip);

#endif
