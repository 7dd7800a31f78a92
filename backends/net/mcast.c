/* SPDX-License-Identifier: MIT */
/*
 * mcast.c - the list of multicast addresses of one interface; see mcast.h.
 *
 * Invariant: no address twice, count <= MCAST_MAX.
 */
#include "mcast.h"

#include <string.h>

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static unsigned find(const struct mcast_list *l, const uint8_t addr[6])
{
    unsigned i = 0;

    while (i < l->count && memcmp(l->addr[i], addr, 6)) {
        i++;
    }
    return i;
}

bool mcast_add(struct mcast_list *l, const uint8_t addr[6])
{
    if (!(addr[0] & 1)) {
        return false;
    }
    if (find(l, addr) < l->count) {
        return true;
    }
    if (l->count == MCAST_MAX) {
        return false;
    }
    memcpy(l->addr[l->count++], addr, 6);
    return true;
}

void mcast_del(struct mcast_list *l, const uint8_t addr[6])
{
    unsigned i = find(l, addr);

    if (i < l->count) {
        memmove(l->addr[i], l->addr[l->count - 1], 6);
        l->count--;
    }
}

bool mcast_hears(const struct mcast_list *l, const uint8_t dest[6])
{
    return !(dest[0] & 1) || !memcmp(dest, broadcast, 6) || find(l, dest) < l->count;
}
