/* SPDX-License-Identifier: MIT */
/*
 * Between memory_op.c and exchange.c.
 */
#ifndef TENUE_MEMORY_PRIV_H
#define TENUE_MEMORY_PRIV_H

#include <tenue/domain.h>
#include <tenue/guestmem.h>

/* Largest extent (MM-20), for everybody: one is worked on without a break, zeroing included. */
#define MEMORY_ORDER_MAX 9u
#define MEMORY_MAP_MAX 128u /* regions a guest can be told */

unsigned memory_addr_bits(unsigned mem_flags); /* XENMEMF_address_bits, 64 for "any" */

long memory_exchange(guest_va arg); /* exchange.c */

#endif
