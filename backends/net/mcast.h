/* SPDX-License-Identifier: MIT */
/*
 * mcast.h - the multicast addresses that a guest wants to hear (request-multicast-control). Pure.
 *
 * Bounded: a guest that asks for more than MCAST_MAX is told so. A guest that did not ask for
 * control hears everything.
 */
#ifndef BACKENDS_NET_MCAST_H
#define BACKENDS_NET_MCAST_H

#include <stdbool.h>
#include <stdint.h>

#define MCAST_MAX 64u /* what stock backends keep */

struct mcast_list {
    unsigned count;
    uint8_t addr[MCAST_MAX][6];
};

/* False: not a multicast address, or the list is full. An address already there is no failure. */
bool mcast_add(struct mcast_list *l, const uint8_t addr[6]);
void mcast_del(struct mcast_list *l, const uint8_t addr[6]);
/* Does a guest with this list hear a frame to `dest`? Broadcast and unicast always. */
bool mcast_hears(const struct mcast_list *l, const uint8_t dest[6]);

#endif
