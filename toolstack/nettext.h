/* SPDX-License-Identifier: MIT */
/*
 * A network as data, and the texts that make it one: the rules for nft, the files of its dnsmasq.
 * Pure; network.c puts them into force.
 */
#ifndef TENUE_NETTEXT_H
#define TENUE_NETTEXT_H

#include "netspec.h"

enum {
    NET_MAX_OWNER = 64,     /* CONFIG_MAX_NAME */
    NET_SLOTS = 256,        /* networks at a time, each with a /24 */
    NET_FIRST_ADDRESS = 16, /* of the guests, in their /24 */
    NET_ADDRESSES = 224,
    NET_PREFIX = 24,
};

/* A vif of a guest on a network. */
struct net_member {
    char owner[NET_MAX_OWNER + 1];
    unsigned vif;
    uint8_t mac[6];
    uint32_t address; /* host order; 0: none is given out here */
    struct net_forward forwards[NET_MAX_FORWARDS];
    size_t nr_forwards;
};

struct network {
    char name[NET_MAX_NAME + 1];
    enum net_kind kind;
    unsigned slot;
    struct net_member *members;
    size_t nr_members;
};

/* 10.77.SLOT.0/24; the control domain is .1 in it, dnsmasq .2. */
uint32_t net_subnet(unsigned slot);
uint32_t net_gateway(unsigned slot);
uint32_t net_server(unsigned slot);

/* The address for a vif: always the same one while nobody else has it. 0: all are taken. */
uint32_t net_choose_address(const struct network *net, const char *owner, unsigned vif);
/* Somebody's forward that would take f's packets, or NULL. */
const struct net_member *net_forward_taken(const struct network *nets, size_t nr,
                                           const struct net_forward *f);

/* For `nft -f`: replace all rules of the network at once, or take them away. The caller frees. */
char *net_rules(const struct network *net);
char *net_no_rules(const char *name);
/* Adds the forwarded ports of its last member alone. */
char *net_more_ports(const struct network *net);
/* dnsmasq's configuration and its table of guests. resolv: where the outside's name servers are
 * named. */
char *net_dhcp_config(const struct network *net, const char *dir, const char *resolv);
char *net_dhcp_hosts(const struct network *net);

#endif
