/* SPDX-License-Identifier: MIT */
/*
 * guard.c - rules against speaking in others' names; see guard.h.
 *
 * What cannot be understood as far as a rule needs it is not sent: the frame's whole beginning is
 * here, so a header that does not fit in it is there to hide something.
 */
#include "guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
    ETHER_HEADER = 14,
    MAX_TAGS = 2, /* of VLANs */
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_RARP = 0x8035,
    TYPE_IPV6 = 0x86dd,
    ARP_BYTES = 28,
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    MAX_EXTENSIONS = 8,
    ND_ROUTER_SOLICIT = 133,
    ND_ROUTER_ADVERT = 134,
    ND_NEIGHBOUR_SOLICIT = 135,
    ND_NEIGHBOUR_ADVERT = 136,
    ND_REDIRECT = 137,
    OPTION_SOURCE_STATION = 1,
    OPTION_TARGET_STATION = 2,
};

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    while (n && !p[n - 1]) {
        n--;
    }
    return !n;
}

bool guard_set_mac(struct guard *g, const char *text)
{
    int used = 0;

    g->on = sscanf(text, "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx%n", &g->mac[0], &g->mac[1], &g->mac[2],
                   &g->mac[3], &g->mac[4], &g->mac[5], &used) == 6 &&
            used == 12 && !text[12];
    return g->on;
}

bool guard_add_ip(struct guard *g, const char *text)
{
    if (g->nr_v4 < GUARD_IPS && inet_pton(AF_INET, text, g->v4[g->nr_v4]) == 1) {
        g->nr_v4++;
        return true;
    }
    if (g->nr_v6 < GUARD_IPS && inet_pton(AF_INET6, text, g->v6[g->nr_v6]) == 1) {
        g->nr_v6++;
        return true;
    }
    return false;
}

/* None yet, as while it asks for one, or its own. */
static bool own_v4(const struct guard *g, const uint8_t *addr)
{
    bool own = !g->nr_v4 || all_zero(addr, 4);

    for (unsigned i = 0; i < g->nr_v4; i++) {
        own |= !memcmp(g->v4[i], addr, 4);
    }
    return own;
}

/* Of the link: what its station makes of itself (EUI-64). */
static bool own_link_local(const struct guard *g, const uint8_t *addr)
{
    const uint8_t *m = g->mac;
    const uint8_t own[16] = {0xfe,     0x80, 0,    0,    0,    0,    0,    0,
                             m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};

    return !memcmp(own, addr, sizeof(own));
}

static bool own_v6(const struct guard *g, const uint8_t *addr)
{
    bool own = !g->nr_v6 || all_zero(addr, 16) || own_link_local(g, addr);

    for (unsigned i = 0; i < g->nr_v6; i++) {
        own |= !memcmp(g->v6[i], addr, 16);
    }
    return own;
}

static bool arp_allowed(const struct guard *g, const uint8_t *arp, size_t have)
{
    static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};

    return have >= ARP_BYTES && !memcmp(arp, ethernet_ipv4, 6) && !memcmp(arp + 8, g->mac, 6) &&
           own_v4(g, arp + 14);
}

static bool options_allowed(const struct guard *g, const uint8_t *p, size_t have)
{
    while (have) {
        size_t bytes = have >= 2 ? p[1] * 8u : 0;

        if (!bytes || bytes > have) {
            return false;
        }
        if ((p[0] == OPTION_SOURCE_STATION || p[0] == OPTION_TARGET_STATION) &&
            memcmp(p + 2, g->mac, 6)) {
            return false;
        }
        p += bytes;
        have -= bytes;
    }
    return true;
}

static bool icmp6_allowed(const struct guard *g, const uint8_t *p, size_t have)
{
    if (!have) {
        return false;
    }
    switch (p[0]) {
    case ND_ROUTER_SOLICIT:
        return have >= 8 && options_allowed(g, p + 8, have - 8);
    case ND_NEIGHBOUR_SOLICIT:
        return have >= 24 && options_allowed(g, p + 24, have - 24);
    case ND_NEIGHBOUR_ADVERT:
        return have >= 24 && own_v6(g, p + 8) && options_allowed(g, p + 24, have - 24);
    case ND_ROUTER_ADVERT:
    case ND_REDIRECT:
        return false;
    }
    return true;
}

/* Hosts believe no neighbour discovery that came in fragments (RFC 6980). */
static bool ipv6_allowed(const struct guard *g, const uint8_t *ip, size_t have)
{
    size_t at = IPV6_BYTES, end;
    uint8_t next;

    if (have < IPV6_BYTES || !own_v6(g, ip + 8)) {
        return false;
    }
    end = at + be16(ip + 4);
    end = end < have ? end : have;
    next = ip[6];
    for (int i = 0; next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
         i++) {
        if (i == MAX_EXTENSIONS || end - at < 8 || end - at < 8 + ip[at + 1] * 8u) {
            return false;
        }
        next = ip[at];
        at += 8 + ip[at + 1] * 8u;
    }
    return next != IPPROTO_ICMPV6 || icmp6_allowed(g, ip + at, end - at);
}

bool guard_allows(const struct guard *g, const uint8_t *frame, size_t have)
{
    size_t l3 = ETHER_HEADER;
    uint16_t type;

    if (!g->on) {
        return true;
    }
    if (have < l3 || memcmp(frame + 6, g->mac, 6)) {
        return false;
    }
    type = be16(frame + 12);
    for (int i = 0; type == 0x8100 || type == 0x88a8; i++) {
        if (i == MAX_TAGS || have < l3 + 4) {
            return false;
        }
        type = be16(frame + l3 + 2);
        l3 += 4;
    }
    switch (type) {
    case TYPE_IPV4:
        return have - l3 >= IPV4_BYTES && own_v4(g, frame + l3 + 12);
    case TYPE_ARP:
        return arp_allowed(g, frame + l3, have - l3);
    case TYPE_RARP:
        return false;
    case TYPE_IPV6:
        return ipv6_allowed(g, frame + l3, have - l3);
    }
    return true;
}
