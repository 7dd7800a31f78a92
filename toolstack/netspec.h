/* SPDX-License-Identifier: MIT */
/*
 * The five kinds of network, and what a vif's network= and forward= mean. Pure text work;
 * docs/networks.md is the table for people.
 *
 *     network=KIND[:NAME]                          NAME: KIND itself; bridged: xenbr0
 *     forward=[HOSTIP:]tcp|udp:HOSTPORT:GUESTPORT  only with network=nat; may be repeated
 */
#ifndef TENUE_NETSPEC_H
#define TENUE_NETSPEC_H

#include "diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum net_kind { NET_HOST_ONLY, NET_INTERNAL, NET_BRIDGED, NET_NAT, NET_NAT_NETWORK };

enum {
    NET_KINDS = 5,
    NET_MAX_NAME = 12,     /* "tn-" and the name are an interface's name of at most 15 */
    NET_MAX_FORWARDS = 16, /* of one vif */
    NET_IFNAME = 16,
};

/* Who reaches whom. */
enum net_path {
    NET_GUEST_HOST,
    NET_HOST_GUEST,
    NET_GUEST_GUEST,
    NET_GUEST_OUTSIDE,
    NET_OUTSIDE_GUEST,
};
enum { NET_PATHS = 5 };
enum net_reach { NET_NO, NET_YES, NET_BY_FORWARD };

const char *net_kind_name(enum net_kind kind);
const char *net_path_name(enum net_path path);
const char *net_reach_name(enum net_reach reach);
/* The table. */
enum net_reach net_should(enum net_kind kind, enum net_path path);

/* Guests are given addresses, by DHCP. Not so: internal has no host to do it, bridged has the
 * outside. */
bool net_has_addresses(enum net_kind kind);
/* Ours to make and remove, with a bridge and rules; bridged is a bridge that exists already. */
bool net_is_made(enum net_kind kind);

struct net_forward {
    bool udp;
    uint32_t host; /* host order; 0: each address of the control domain */
    uint16_t host_port, guest_port;
};

struct net_spec {
    bool given; /* network= was written */
    enum net_kind kind;
    char name[NET_MAX_NAME + 1]; /* empty with bridged */
    char bridge[NET_IFNAME];
    struct net_forward forwards[NET_MAX_FORWARDS];
    size_t nr_forwards;
};

/* Why is set, without a place, when the text is refused. */
int net_parse_network(const char *text, struct net_spec *spec, struct diag *why) MUST_CHECK;
int net_parse_forward(const char *text, struct net_spec *spec, struct diag *why) MUST_CHECK;
/* What only shows once the whole vif is read. */
int net_check_spec(const struct net_spec *spec, struct diag *why) MUST_CHECK;

/* "tn-NAME" */
void net_bridge_of(const char *name, char bridge[NET_IFNAME]);

enum { NET_FORWARD_TEXT = 40 };
/* As it is written in a guest file. */
void net_forward_text(const struct net_forward *f, char out[NET_FORWARD_TEXT]);
/* Both would take the same packets. */
bool net_forwards_clash(const struct net_forward *a, const struct net_forward *b);

enum { NET_ADDRESS_TEXT = 16, NET_MAC_TEXT = 18 };
void net_address_text(uint32_t address, char out[NET_ADDRESS_TEXT]);
void net_mac_text(const uint8_t mac[6], char out[NET_MAC_TEXT]);

#endif
