/* SPDX-License-Identifier: MIT */
/* Kinds of network and the words of a vif that concern them: see netspec.h. */
#include "netspec.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum net_reach should[NET_PATHS];
} kinds[NET_KINDS] = {
    [NET_HOST_ONLY] = {"host-only", {NET_YES, NET_YES, NET_YES, NET_NO, NET_NO}},
    [NET_INTERNAL] = {"internal", {NET_NO, NET_NO, NET_YES, NET_NO, NET_NO}},
    [NET_BRIDGED] = {"bridged", {NET_YES, NET_YES, NET_YES, NET_YES, NET_YES}},
    [NET_NAT] = {"nat", {NET_YES, NET_BY_FORWARD, NET_NO, NET_YES, NET_BY_FORWARD}},
    [NET_NAT_NETWORK] = {"nat-network", {NET_YES, NET_NO, NET_YES, NET_YES, NET_NO}},
};

const char *net_kind_name(enum net_kind kind)
{
    return kinds[kind].name;
}

const char *net_path_name(enum net_path path)
{
    static const char *const names[NET_PATHS] = {"guest->host", "host->guest", "guest<->guest",
                                                 "guest->outside", "outside->guest"};

    return names[path];
}

const char *net_reach_name(enum net_reach reach)
{
    static const char *const names[] = {"no", "yes", "by forward"};

    return names[reach];
}

enum net_reach net_should(enum net_kind kind, enum net_path path)
{
    return kinds[kind].should[path];
}

bool net_has_addresses(enum net_kind kind)
{
    return kind == NET_HOST_ONLY || kind == NET_NAT || kind == NET_NAT_NETWORK;
}

bool net_is_made(enum net_kind kind)
{
    return kind != NET_BRIDGED;
}

void net_bridge_of(const char *name, char bridge[NET_IFNAME])
{
    snprintf(bridge, NET_IFNAME, "tn-%.*s", NET_MAX_NAME, name);
}

static int set_name(const char *name, struct net_spec *spec, struct diag *why)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t len = strlen(name);

    if (len == 0 || name[strspn(name, allowed)] || name[0] == '-')
        return diag_set(why,
                        "the network's name \"%s\" will not do; letters, digits, _ and - (not"
                        " first) are possible",
                        name);
    if (len > NET_MAX_NAME)
        return diag_set(why,
                        "the network's name \"%s\" has %zu characters; its bridge's name holds"
                        " 15, of which %d are left for it",
                        name, len, NET_MAX_NAME);
    strcpy(spec->name, name);
    net_bridge_of(name, spec->bridge);
    return 0;
}

/* bridged:NAME names an interface that exists, so the kernel's rules hold, not ours. */
static int set_bridge(const char *name, struct net_spec *spec, struct diag *why)
{
    if (!*name || strlen(name) >= NET_IFNAME || strpbrk(name, "/ \t:%") || !strcmp(name, ".") ||
        !strcmp(name, ".."))
        return diag_set(why,
                        "the bridge \"%s\" will not do; an interface's name has 1 to 15"
                        " characters, no / : %% or blanks",
                        name);
    strcpy(spec->bridge, name);
    return 0;
}

int net_parse_network(const char *text, struct net_spec *spec, struct diag *why)
{
    const char *colon = strchr(text, ':');
    const size_t len = colon ? (size_t)(colon - text) : strlen(text);

    if (spec->given)
        return diag_set(why, "network= is written twice; one vif is on one network");
    for (size_t i = 0; i < NET_KINDS; i++) {
        if (strlen(kinds[i].name) != len || strncmp(kinds[i].name, text, len) != 0)
            continue;
        spec->given = true;
        spec->kind = (enum net_kind)i;
        if (!net_is_made(spec->kind))
            return set_bridge(colon ? colon + 1 : "xenbr0", spec, why);
        return set_name(colon ? colon + 1 : kinds[i].name, spec, why);
    }
    return diag_set(why,
                    "there is no kind of network \"%.*s\"; there are host-only, internal,"
                    " bridged, nat and nat-network",
                    (int)len, text);
}

/* Cuts the next field off at a colon; NULL when there is none left. */
static char *field(char **rest)
{
    char *p = *rest;
    char *colon = p ? strchr(p, ':') : NULL;

    *rest = colon ? colon + 1 : NULL;
    if (colon)
        *colon = 0;
    return p;
}

static int parse_port(const char *what, const char *text, uint16_t *port, struct diag *why)
{
    char *end;
    const unsigned long v = strtoul(text ? text : "", &end, 10);

    if (!text || !isdigit((unsigned char)*text) || *end || v < 1 || v > 65535)
        return diag_set(why, "the %s port \"%s\" is not a number from 1 to 65535", what,
                        text ? text : "");
    *port = (uint16_t)v;
    return 0;
}

static int parse_forward(char *text, struct net_forward *f, struct diag *why)
{
    struct in_addr host;
    char *proto = field(&text);

    if (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0 && text) {
        if (inet_pton(AF_INET, proto, &host) != 1 || host.s_addr == 0)
            return diag_set(why, "\"%s\" is neither tcp, udp nor an address of this host", proto);
        f->host = ntohl(host.s_addr);
        proto = field(&text);
    }
    f->udp = strcmp(proto, "udp") == 0;
    if (!f->udp && strcmp(proto, "tcp") != 0)
        return diag_set(why, "the protocol \"%s\" is neither tcp nor udp", proto);
    if (parse_port("host's", field(&text), &f->host_port, why) != 0 ||
        parse_port("guest's", field(&text), &f->guest_port, why) != 0)
        return -1;
    return text ? diag_set(why, "\":%s\" is too much", text) : 0;
}

int net_parse_forward(const char *text, struct net_spec *spec, struct diag *why)
{
    struct net_forward f = {0};
    struct diag inner = {0};
    char copy[64];

    if (spec->nr_forwards == NET_MAX_FORWARDS)
        return diag_set(why, "at most %d ports of one vif are forwarded", NET_MAX_FORWARDS);
    snprintf(copy, sizeof(copy), "%s", text);
    if (strlen(text) >= sizeof(copy) || parse_forward(copy, &f, &inner) != 0)
        return diag_set(why, "%s; write forward=[HOSTIP:]tcp|udp:HOSTPORT:GUESTPORT",
                        inner.text[0] ? inner.text : "it is too long");
    for (size_t i = 0; i < spec->nr_forwards; i++)
        if (net_forwards_clash(&spec->forwards[i], &f))
            return diag_set(why, "%s port %u of the host is forwarded twice by this vif",
                            f.udp ? "udp" : "tcp", f.host_port);
    spec->forwards[spec->nr_forwards++] = f;
    return 0;
}

int net_check_spec(const struct net_spec *spec, struct diag *why)
{
    if (spec->nr_forwards == 0 || (spec->given && spec->kind == NET_NAT))
        return 0;
    return diag_set(why, "forward= needs network=nat; %s%s has no forwarded ports",
                    spec->given ? "network=" : "a bridge",
                    spec->given ? net_kind_name(spec->kind) : "");
}

void net_address_text(uint32_t address, char out[NET_ADDRESS_TEXT])
{
    snprintf(out, NET_ADDRESS_TEXT, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
             address >> 8 & 255, address & 255);
}

void net_mac_text(const uint8_t mac[6], char out[NET_MAC_TEXT])
{
    snprintf(out, NET_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
}

void net_forward_text(const struct net_forward *f, char out[NET_FORWARD_TEXT])
{
    char host[NET_ADDRESS_TEXT] = "";

    if (f->host)
        net_address_text(f->host, host);
    snprintf(out, NET_FORWARD_TEXT, "%s%s%s:%u:%u", host, f->host ? ":" : "",
             f->udp ? "udp" : "tcp", f->host_port, f->guest_port);
}

bool net_forwards_clash(const struct net_forward *a, const struct net_forward *b)
{
    return a->udp == b->udp && a->host_port == b->host_port &&
           (a->host == b->host || !a->host || !b->host);
}
