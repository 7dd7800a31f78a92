/* SPDX-License-Identifier: MIT */
/*
 * TCP/IP over a network interface, by lwIP: its raw interface (<lwip/tcp.h>, <lwip/udp.h>), one
 * loop, no threads. Callbacks run within front_lwip_poll(), on the vCPU that calls it.
 */
#ifndef TENUE_FRONT_LWIP_H
#define TENUE_FRONT_LWIP_H

#include <tenue-front/front.h>
#include <lwip/netif.h>

/* The interface, up. `address` is "10.0.2.30/24" or "10.0.2.30/24,10.0.2.2" (with a gateway); NULL
 * or "" asks by DHCP, and front_lwip_ready() tells when there is an address. */
int front_lwip_open(struct front_net *net, const char *address, struct netif **netif);
bool front_lwip_ready(const struct netif *netif);
/* Everything that is due now; then sleep until a frame comes, lwIP has something to do, or the
 * deadline. Negative when the interface is broken: close it, and open it again. */
int front_lwip_poll(struct netif *netif, u64 deadline_ns);
void front_lwip_close(struct netif *netif);

#endif
