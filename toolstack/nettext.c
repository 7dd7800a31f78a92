/* SPDX-License-Identifier: MIT */
/*
 * Rules and files of a network: see nettext.h. docs/networks.md draws where a packet meets them.
 *
 * Each network has a table inet tenue-NAME; an internal one a table arp tenue-NAME, too. No chain
 * decides about others: a packet that is none of this network's passes on to whatever rules the
 * machine has. What never leaves a bridge is no business of these tables, and they say so (oifname
 * != bridge), since br_netfilter shows it to them; a bridge of kind nat isolates its ports.
 */
#include "nettext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t net_subnet(unsigned slot)
{
    return 10u << 24 | 77u << 16 | slot << 8;
}

uint32_t net_gateway(unsigned slot)
{
    return net_subnet(slot) | 1;
}

uint32_t net_server(unsigned slot)
{
    return net_subnet(slot) | 2;
}

static uint32_t hash(const char *text, uint32_t h)
{
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u; /* FNV-1a */
    return h;
}

static bool address_taken(const struct network *net, uint32_t address)
{
    for (size_t i = 0; i < net->nr_members; i++)
        if (net->members[i].address == address)
            return true;
    return false;
}

uint32_t net_choose_address(const struct network *net, const char *owner, unsigned vif)
{
    char index[12];

    snprintf(index, sizeof(index), ".%u", vif);
    const uint32_t first = hash(index, hash(owner, 2166136261u)) % NET_ADDRESSES;

    for (uint32_t i = 0; i < NET_ADDRESSES; i++) {
        uint32_t address = net_subnet(net->slot) + NET_FIRST_ADDRESS + (first + i) % NET_ADDRESSES;

        if (!address_taken(net, address))
            return address;
    }
    return 0;
}

const struct net_member *net_forward_taken(const struct network *nets, size_t nr,
                                           const struct net_forward *f)
{
    for (size_t i = 0; i < nr; i++)
        for (size_t j = 0; j < nets[i].nr_members; j++) {
            const struct net_member *m = &nets[i].members[j];

            for (size_t k = 0; k < m->nr_forwards; k++)
                if (net_forwards_clash(&m->forwards[k], f))
                    return m;
        }
    return NULL;
}

/* What every rule names. */
struct names {
    char bridge[NET_IFNAME], subnet[24];
};

static struct names names_of(const struct network *net)
{
    char address[NET_ADDRESS_TEXT];
    struct names n;

    net_bridge_of(net->name, n.bridge);
    net_address_text(net_subnet(net->slot), address);
    snprintf(n.subnet, sizeof(n.subnet), "%s/%d", address, NET_PREFIX);
    return n;
}

static void removal(FILE *f, const char *name)
{
    static const char *const families[] = {"inet", "arp"};

    /* Deleting what is not there fails, adding what is there does not. */
    for (size_t i = 0; i < 2; i++)
        fprintf(f, "add table %s tenue-%s\ndelete table %s tenue-%s\n", families[i], name,
                families[i], name);
}

static void begin_chain(FILE *f, const char *name, const char *type, const char *hook,
                        const char *priority)
{
    fprintf(f, "\tchain %s {\n\t\ttype %s hook %s priority %s; policy accept;\n", name, type, hook,
            priority);
}

/* The control domain knows nothing of an internal network, not even who is there. */
static void arp_table(FILE *f, const struct network *net, const char *b)
{
    if (net_has_addresses(net->kind))
        return;
    fprintf(f, "table arp tenue-%s {\n", net->name);
    begin_chain(f, "input", "filter", "input", "filter");
    fprintf(f, "\t\tiifname \"%s\" drop\n\t}\n", b);
    begin_chain(f, "output", "filter", "output", "filter");
    fprintf(f, "\t\toifname \"%s\" drop\n\t}\n}\n", b);
}

/*
 * What may enter the control domain: IPv4 from the network's own addresses, or from nobody yet
 * (DHCP). 127.0.0.1 would be reachable, since forwarded ports are; answers to those are no news.
 */
static void input_chain(FILE *f, const struct network *net, const struct names *n)
{
    begin_chain(f, "input", "filter", "input", "filter");
    if (net_has_addresses(net->kind))
        fprintf(f,
                "\t\tiifname \"%s\" meta nfproto ipv6 drop\n"
                "\t\tiifname \"%s\" ip saddr != { 0.0.0.0, %s } drop\n"
                "\t\tiifname \"%s\" ip daddr 127.0.0.0/8 ct state new,invalid,untracked drop\n",
                n->bridge, n->bridge, n->subnet, n->bridge);
    else
        fprintf(f, "\t\tiifname \"%s\" drop\n", n->bridge);
    fprintf(f, "\t}\n");
}

static void forward_chain(FILE *f, const struct network *net, const struct names *n)
{
    const char *b = n->bridge;
    char server[NET_ADDRESS_TEXT];

    begin_chain(f, "forward", "filter", "forward", "filter");
    if (net->kind == NET_HOST_ONLY || net->kind == NET_INTERNAL) {
        fprintf(f,
                "\t\tiifname \"%s\" oifname != \"%s\" drop\n"
                "\t\tiifname != \"%s\" oifname \"%s\" drop\n\t}\n",
                b, b, b, b);
        return;
    }
    if (net->kind == NET_NAT) { /* what br_netfilter shows of guests and dnsmasq may pass */
        net_address_text(net_server(net->slot), server);
        fprintf(f,
                "\t\tiifname \"%s\" oifname \"%s\" ip daddr { 255.255.255.255, %s } accept\n"
                "\t\tiifname \"%s\" oifname \"%s\" ip saddr %s accept\n",
                b, b, server, b, b, server);
    }
    fprintf(f, "\t\tiifname \"%s\" oifname \"%s\" %s\n", b, b,
            net->kind == NET_NAT ? "drop" : "accept");
    fprintf(f, "\t\tiifname \"%s\" ip saddr %s accept\n\t\tiifname \"%s\" drop\n", b, n->subnet, b);
    fprintf(f, "\t\toifname \"%s\" ct state established,related accept\n", b);
    if (net->kind == NET_NAT)
        fprintf(f, "\t\toifname \"%s\" ct status dnat accept\n", b);
    fprintf(f, "\t\toifname \"%s\" drop\n\t}\n", b);
}

/* The control domain's own packets. DHCP's answers go to everybody, so conntrack calls them new. */
static void output_chain(FILE *f, const struct network *net, const char *b)
{
    if (net->kind == NET_HOST_ONLY)
        return;
    begin_chain(f, "output", "filter", "output", "filter");
    if (net->kind != NET_INTERNAL)
        fprintf(f,
                "\t\toifname \"%s\" ct state established,related accept\n"
                "\t\toifname \"%s\" udp sport 67 udp dport 68 accept\n",
                b, b);
    if (net->kind == NET_NAT)
        fprintf(f, "\t\toifname \"%s\" ct status dnat accept\n", b);
    fprintf(f, "\t\toifname \"%s\" drop\n\t}\n", b);
}

/* Of one member, each line begun with `begin`. */
static void forward_rules(FILE *f, const char *begin, const struct net_member *m)
{
    char guest[NET_ADDRESS_TEXT], host[NET_ADDRESS_TEXT];

    net_address_text(m->address, guest);
    for (size_t k = 0; k < m->nr_forwards; k++) {
        const struct net_forward *fw = &m->forwards[k];

        if (fw->host)
            net_address_text(fw->host, host);
        fprintf(f, "%s%s%s %s dport %u dnat ip to %s:%u comment \"%s.%u\"\n", begin,
                fw->host ? "ip daddr " : "meta nfproto ipv4 fib daddr type local",
                fw->host ? host : "", fw->udp ? "udp" : "tcp", fw->host_port, guest, fw->guest_port,
                m->owner, m->vif);
    }
}

static const char *const port_hooks[] = {"prerouting", "output"};

char *net_more_ports(const struct network *net)
{
    char *text = NULL, begin[80];
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    for (size_t i = 0; i < 2; i++) {
        snprintf(begin, sizeof(begin), "add rule inet tenue-%s ports-%s ", net->name,
                 port_hooks[i]);
        forward_rules(f, begin, &net->members[net->nr_members - 1]);
    }
    fclose(f);
    return text;
}

static void nat_chains(FILE *f, const struct network *net, const struct names *n)
{
    if (net->kind != NET_NAT && net->kind != NET_NAT_NETWORK)
        return;
    begin_chain(f, "source", "nat", "postrouting", "srcnat");
    fprintf(f, "\t\tip saddr %s oifname != \"%s\" masquerade\n", n->subnet, n->bridge);
    if (net->kind == NET_NAT)
        fprintf(f, "\t\tip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n", n->bridge);
    fprintf(f, "\t}\n");
    for (size_t i = 0; net->kind == NET_NAT && i < 2; i++) {
        char name[24];

        snprintf(name, sizeof(name), "ports-%s", port_hooks[i]);
        begin_chain(f, name, "nat", port_hooks[i], "-100");
        for (size_t k = 0; k < net->nr_members; k++)
            forward_rules(f, "\t\t", &net->members[k]);
        fprintf(f, "\t}\n");
    }
}

char *net_rules(const struct network *net)
{
    const struct names n = names_of(net);
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    removal(f, net->name);
    arp_table(f, net, n.bridge);
    fprintf(f, "table inet tenue-%s {\n", net->name);
    input_chain(f, net, &n);
    forward_chain(f, net, &n);
    output_chain(f, net, n.bridge);
    nat_chains(f, net, &n);
    fprintf(f, "}\n");
    fclose(f);
    return text;
}

char *net_no_rules(const char *name)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    removal(f, name);
    fclose(f);
    return text;
}

/*
 * It knows its guests beforehand and keeps no file of leases. "user=root" tells it to stay who it
 * is (netdhcp.c).
 */
char *net_dhcp_config(const struct network *net, const char *dir, const char *resolv)
{
    char subnet[NET_ADDRESS_TEXT], gateway[NET_ADDRESS_TEXT], server[NET_ADDRESS_TEXT];
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    net_address_text(net_subnet(net->slot), subnet);
    net_address_text(net_gateway(net->slot), gateway);
    net_address_text(net_server(net->slot), server);
    fprintf(f,
            "user=root\ngroup=root\nno-hosts\nno-ping\nleasefile-ro\nbind-interfaces\n"
            "interface=eth0\nexcept-interface=lo\ndhcp-authoritative\n"
            "dhcp-range=%s,static,255.255.255.0,infinite\ndhcp-hostsfile=%s/hosts\n"
            "dhcp-option=option:dns-server,%s\npid-file=%s/dhcp/pid\n"
            "domain=%s.tenue\nlocal=/%s.tenue/\nbogus-priv\ncache-size=200\n",
            subnet, dir, server, dir, net->name, net->name);
    if (net->kind == NET_HOST_ONLY) /* no way out: no router, and no names from outside */
        fprintf(f, "dhcp-option=option:router\nno-resolv\n");
    else
        fprintf(f, "dhcp-option=option:router,%s\nresolv-file=%s\n", gateway, resolv);
    fclose(f);
    return text;
}

/* A guest's name as a host's name. */
static void host_name(const struct net_member *m, char out[NET_MAX_OWNER + 1])
{
    size_t n = 0;

    for (const char *p = m->owner; *p && n < 63; p++) {
        const bool plain = (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z');

        out[n++] = plain ? *p : '-';
    }
    out[n] = 0;
}

char *net_dhcp_hosts(const struct network *net)
{
    char mac[NET_MAC_TEXT], address[NET_ADDRESS_TEXT], name[NET_MAX_OWNER + 1];
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    for (size_t i = 0; i < net->nr_members; i++) {
        const struct net_member *m = &net->members[i];

        net_mac_text(m->mac, mac);
        net_address_text(m->address, address);
        host_name(m, name);
        if (m->vif)
            fprintf(f, "%s,%s,infinite\n", mac, address);
        else
            fprintf(f, "%s,%s,%s,infinite\n", mac, address, name);
    }
    fclose(f);
    return text;
}
