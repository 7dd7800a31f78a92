/* SPDX-License-Identifier: MIT */
/* The device that can do anything to any domain, held by the keeper (keeper.h). */
#ifndef XSL_PRIVCMD_H
#define XSL_PRIVCMD_H

#include "hv.h"

/* 0, or -errno after logging what is missing. */
int privcmd_open(void);

/* As struct hv's. */
int privcmd_domain_info(uint16_t domid, struct hv_domain_info *info);

#endif
