/* SPDX-License-Identifier: MIT */
/*
 * Networks of guests: joined when a guest begins, left when it ends. The first one makes the
 * network - bridge, rules, dnsmasq - and the last one takes it away; each change in between
 * replaces its rules as a whole, so that any of this may be done again after a process that was
 * killed halfway.
 */
#ifndef TENUE_NETWORK_H
#define TENUE_NETWORK_H

#include "config.h"
#include "netstate.h"

/* One vif's place on a network. Zero: none. */
struct net_port {
    bool joined, as_is;
    int fd; /* its lock */
    char network[NET_MAX_NAME + 1], owner[NET_MAX_OWNER + 1];
    unsigned vif;
    uint32_t address;
};

int network_join(const char *owner, unsigned vif, const uint8_t mac[6], const struct net_spec *spec,
                 struct net_port *port, struct diag *d) MUST_CHECK;
/*
 * The same on a network that exists, for one who looks: its rules stay as they are, right or wrong,
 * but for his own forwarded ports, which leave with him.
 */
int network_join_as_is(const char *owner, unsigned vif, const uint8_t mac[6],
                       const struct net_spec *spec, struct net_port *port,
                       struct diag *d) MUST_CHECK;
void network_leave(struct net_port *port, struct diag *d);

/* All vifs of a guest; complaints name the guest file's line. On failure none is joined. */
int network_join_guest(const struct guest_config *cfg, struct net_port ports[CONFIG_MAX_VIFS],
                       struct diag *d) MUST_CHECK;
void network_leave_guest(struct net_port ports[CONFIG_MAX_VIFS], struct diag *d);

/* Takes away what supervisors that were killed have left, and mends the rest. */
int network_sweep(struct diag *d);

/* netdhcp.c: a network's dnsmasq. */
int netdhcp_update(const struct network *net, struct diag *d) MUST_CHECK;
void netdhcp_stop(const struct network *net);
/* Its process, 0: none. */
int netdhcp_pid(const struct network *net);
/* What `tenue net serve NAME` does: 0 once dnsmasq serves. */
int netdhcp_serve(const char *name, struct diag *d);

#endif
