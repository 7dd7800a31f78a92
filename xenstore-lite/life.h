/* SPDX-License-Identifier: MIT */
/*
 * A domain's life as the store sees it: from INTRODUCE to removal.
 *
 * When a known domain is gone from the hypervisor, or RELEASEd, everything that belongs to its id
 * is removed, so that the next bearer of the id inherits nothing (XS-8).
 */
#ifndef XSL_LIFE_H
#define XSL_LIFE_H

#include <stdint.h>

/* The control domain's own ring, if its kernel has one: 0 or -errno. */
int life_introduce_self(void);

/* The messages; 0 or -errno. */
int life_introduce(uint16_t domid, uint64_t frame, uint32_t port);
int life_release(uint16_t domid);
int life_resume(uint16_t domid);
int life_set_target(uint16_t domid, uint16_t target);

/* Some domain ended or died: find out which, and clean up. */
void life_check_deaths(void);

#endif
