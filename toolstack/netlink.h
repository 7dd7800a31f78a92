/* SPDX-License-Identifier: MIT */
/*
 * Interfaces, addresses, routes: what we ask of the kernel by rtnetlink. Each call is one
 * request, in the network namespace in which the handle was opened. 0 or -errno; nothing is said.
 */
#ifndef TENUE_NETLINK_H
#define TENUE_NETLINK_H

#include "diag.h"
#include "netspec.h"

struct netlink;

struct netlink *netlink_open(struct diag *d);
void netlink_close(struct netlink *nl);

/* Without spanning tree. One that exists is taken as it is. */
int netlink_add_bridge(struct netlink *nl, const char *name, const uint8_t mac[6],
                       const char *alias) MUST_CHECK;
/* The far end is made in the namespace peer_ns, with its address. */
int netlink_add_veth(struct netlink *nl, const char *name, const char *peer, int peer_ns,
                     const uint8_t peer_mac[6]) MUST_CHECK;
/* One that is not there is fine. */
int netlink_remove(struct netlink *nl, const char *name) MUST_CHECK;
int netlink_join(struct netlink *nl, const char *name, const char *bridge) MUST_CHECK;
/* A port that is isolated exchanges nothing with another one that is. */
int netlink_isolate(struct netlink *nl, const char *name) MUST_CHECK;
int netlink_mac(struct netlink *nl, const char *name, uint8_t mac[6]) MUST_CHECK;
int netlink_up(struct netlink *nl, const char *name) MUST_CHECK;
/* One that is there already is fine. */
int netlink_add_address(struct netlink *nl, const char *name, uint32_t address,
                        unsigned prefix) MUST_CHECK;
int netlink_add_address6(struct netlink *nl, const char *name, const uint8_t address[16],
                         unsigned prefix) MUST_CHECK;
/* For so many seconds, unless removed before; what a process that is killed leaves goes by itself.
 */
int netlink_lend_address(struct netlink *nl, const char *name, uint32_t address, unsigned prefix,
                         unsigned seconds) MUST_CHECK;
int netlink_remove_address(struct netlink *nl, const char *name, uint32_t address,
                           unsigned prefix) MUST_CHECK;
/* By way of a neighbour, or (via 0) directly. */
int netlink_add_route(struct netlink *nl, const char *name, uint32_t to, unsigned prefix,
                      uint32_t via) MUST_CHECK;
/* Says who has an address, so that nobody is asked: for good, or as if he had answered just now. */
int netlink_add_neighbour(struct netlink *nl, const char *name, uint32_t address,
                          const uint8_t mac[6], bool for_good) MUST_CHECK;

#endif
