/* SPDX-License-Identifier: MIT */
/*
 * guard.h - does a frame that a guest sends speak for itself? Pure.
 *
 * A guest may use its own station's address only, and, of a family of which its addresses are
 * known, only those: as a packet's source, and in what it claims by ARP and neighbour discovery. It
 * announces no routers. An address of a family of which none is known may be anything, but its
 * claims carry the guest's own station.
 */
#ifndef BACKENDS_NET_GUARD_H
#define BACKENDS_NET_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_IPS 8u

struct guard {
    bool on;
    uint8_t mac[6];
    unsigned nr_v4, nr_v6;
    uint8_t v4[GUARD_IPS][4], v6[GUARD_IPS][16];
};

/* From texts: twelve hexadecimal digits, an address. False: no such thing, or no more room. */
bool guard_set_mac(struct guard *g, const char *text);
bool guard_add_ip(struct guard *g, const char *text);

/* `have` bytes of the frame's beginning, at least PACKET_HEAD of them or all there are. */
bool guard_allows(const struct guard *g, const uint8_t *frame, size_t have);

#endif
