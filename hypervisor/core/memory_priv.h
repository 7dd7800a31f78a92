/* SPDX-License-Identifier: MIT */
/* Between memory_op.c and exchange.c. */
#ifndef TENUE_MEMORY_PRIV_H
#define TENUE_MEMORY_PRIV_H

#include <tenue/domain.h>
#include <tenue/guestmem.h>

/* Largest extent (MM-20), for everybody: one is worked on without a break, zeroing included. */
#define MEMORY_ORDER_MAX 9u
#define MEMORY_MAP_MAX 128u /* regions a guest can be told */

#define ANY_ADDRESS 64u

/* XENMEMF_address_bits, or ANY_ADDRESS. */
static inline unsigned memory_addr_bits(unsigned mem_flags)
{
    const unsigned bits = XENMEMF_get_address_bits(mem_flags);

    return bits && bits < ANY_ADDRESS ? bits : ANY_ADDRESS;
}

long memory_exchange(guest_va arg); /* exchange.c */

#endif
