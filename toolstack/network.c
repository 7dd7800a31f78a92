/* SPDX-License-Identifier: MIT */
/*
 * Joining and leaving networks: see network.h.
 *
 * Everything happens under netstate's lock, in this order: rules first, so that no packet ever
 * finds a bridge without them; bridge; routing; dnsmasq. Ends are in reverse.
 */
#include "network.h"

#include "netlink.h"
#include "program.h"
#include "vifguard.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORWARDING "/proc/sys/net/ipv4/ip_forward"

/* ---- the kernel's side ---- */

static int write_switch(const char *path, const char *value, struct diag *d)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    const int err = errno;

    if (fd >= 0)
        close(fd);
    errno = err;
    return ok ? 0 : diag_errno(d, "cannot write %s to %s", value, path);
}

/* A kernel without IPv6 has none to switch off. */
static int bridge_switches(const struct network *net, const char *bridge, struct diag *d)
{
    char path[96];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", bridge);
    if (access(path, F_OK) == 0 && write_switch(path, "1", d) != 0)
        return -1;
    if (net->kind != NET_NAT)
        return 0;
    /* Forwarded ports answer at 127.0.0.1 too; the bridge table keeps guests away from there. */
    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
    return write_switch(path, "1", d);
}

static int make_bridge(const struct network *net, struct diag *d)
{
    const uint8_t mac[6] = {0x02, 't', 'n', 0, (uint8_t)(net->slot >> 8), (uint8_t)net->slot};
    char bridge[NET_IFNAME], alias[80];
    struct netlink *nl = netlink_open(d);
    int rc;

    if (!nl)
        return -1;
    net_bridge_of(net->name, bridge);
    snprintf(alias, sizeof(alias), "tenue network %s: %s", net->name, net_kind_name(net->kind));
    rc = netlink_add_bridge(nl, bridge, mac, alias);
    if (rc == 0 && bridge_switches(net, bridge, d) != 0)
        rc = -EIO;
    if (rc == 0 && net_has_addresses(net->kind))
        rc = netlink_add_address(nl, bridge, net_gateway(net->slot), NET_PREFIX);
    if (rc == 0)
        rc = netlink_up(nl, bridge);
    netlink_close(nl);
    return rc == 0 ? 0
                   : diag_set(d, "cannot make the bridge %s of network %s: %s", bridge, net->name,
                              strerror(-rc));
}

static void remove_bridge(const struct network *net, struct diag *d)
{
    char bridge[NET_IFNAME];
    struct netlink *nl = netlink_open(d);
    int rc;

    if (!nl)
        return;
    net_bridge_of(net->name, bridge);
    rc = netlink_remove(nl, bridge);
    if (rc != 0)
        diag_set(d, "cannot remove the bridge %s: %s", bridge, strerror(-rc));
    netlink_close(nl);
}

static bool routes(const struct network *net)
{
    return net->kind == NET_NAT || net->kind == NET_NAT_NETWORK;
}

/* Routing is switched on for networks that need it, and off again only if it was off before. */
static int start_routing(struct diag *d)
{
    char now = '1';
    int fd = open(FORWARDING, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, &now, 1) != 1)
        diag_errno(d, "cannot read " FORWARDING);
    if (fd >= 0)
        close(fd);
    if (now != '0')
        return 0;
    if (netstate_write(NET_RUN_DIR "/forwarding", "was off\n", d) != 0)
        return -1;
    return write_switch(FORWARDING, "1", d);
}

static void stop_routing(const struct netstate *s, struct diag *d)
{
    for (size_t i = 0; i < s->nr; i++)
        if (routes(&s->nets[i]))
            return;
    if (access(NET_RUN_DIR "/forwarding", F_OK) == 0 && write_switch(FORWARDING, "0", d) == 0)
        unlink(NET_RUN_DIR "/forwarding");
}

static int apply(const struct network *net, struct diag *d)
{
    if (nft_load(net_rules(net), d) != 0 || make_bridge(net, d) != 0)
        return -1;
    if (routes(net) && start_routing(d) != 0)
        return -1;
    return net_has_addresses(net->kind) ? netdhcp_update(net, d) : 0;
}

/* Goes on after a failure: what can be taken away is. */
static void take_away(struct netstate *s, struct network *net, struct diag *d)
{
    char name[NET_MAX_NAME + 1];

    memcpy(name, net->name, sizeof(name));
    netdhcp_stop(net);
    remove_bridge(net, d);
    netstate_remove(s, net);
    stop_routing(s, d);
    (void)!nft_load(net_no_rules(name), d);
}

/* ---- joining ---- */

static bool has_slot(const struct netstate *s, unsigned slot)
{
    for (size_t i = 0; i < s->nr; i++)
        if (s->nets[i].slot == slot)
            return true;
    return false;
}

/* Some interface of this machine is in the addresses of a slot already. */
static bool slot_in_use(const struct ifaddrs *list, unsigned slot)
{
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)i->ifa_addr;
        const struct sockaddr_in *m = (const struct sockaddr_in *)i->ifa_netmask;

        if (!a || a->sin_family != AF_INET)
            continue;
        const uint32_t mask = (m ? ntohl(m->sin_addr.s_addr) : 0xffffffff) & 0xffffff00;

        if (((ntohl(a->sin_addr.s_addr) ^ net_subnet(slot)) & mask) == 0 && mask)
            return true;
    }
    return false;
}

static int choose_slot(const struct netstate *s, unsigned *slot, struct diag *d)
{
    struct ifaddrs *list = NULL;

    if (getifaddrs(&list) != 0)
        return diag_errno(d, "cannot list this machine's addresses");
    for (*slot = 0; *slot < NET_SLOTS; (*slot)++)
        if (!has_slot(s, *slot) && !slot_in_use(list, *slot))
            break;
    freeifaddrs(list);
    return *slot < NET_SLOTS ? 0 : diag_set(d, "all %d networks are in use", NET_SLOTS);
}

static struct network *find_or_add(struct netstate *s, const struct net_spec *spec, struct diag *d)
{
    struct network *net = netstate_find(s, spec->name);
    unsigned slot = 0;

    if (net && net->kind == spec->kind)
        return net;
    if (net) {
        diag_set(
            d,
            "there is a network %s already, of kind %s, which guest %s is on; choose another name",
            net->name, net_kind_name(net->kind), net->members[0].owner);
        return NULL;
    }
    if (choose_slot(s, &slot, d) != 0)
        return NULL;
    return netstate_add(s, spec->name, spec->kind, slot, d);
}

static int check_forwards(const struct netstate *s, const struct net_spec *spec, struct diag *d)
{
    char text[NET_FORWARD_TEXT];

    for (size_t i = 0; i < spec->nr_forwards; i++) {
        const struct net_member *m = net_forward_taken(s->nets, s->nr, &spec->forwards[i]);

        if (!m)
            continue;
        net_forward_text(&spec->forwards[i], text);
        return diag_set(d,
                        "forward=%s: %s port %u of the host leads to guest %s already; choose"
                        " another port, or another address of the host",
                        text, spec->forwards[i].udp ? "udp" : "tcp", spec->forwards[i].host_port,
                        m->owner);
    }
    return 0;
}

static int check_mac(const struct network *net, const uint8_t mac[6], struct diag *d)
{
    for (size_t i = 0; i < net->nr_members; i++)
        if (memcmp(net->members[i].mac, mac, 6) == 0)
            return diag_set(d, "mac= is that of guest %s on network %s; choose another",
                            net->members[i].owner, net->name);
    return 0;
}

static int fill_member(const struct network *net, struct net_member *m, const char *owner,
                       unsigned vif, const uint8_t mac[6], const struct net_spec *spec,
                       struct diag *d)
{
    *m = (struct net_member){.vif = vif, .nr_forwards = spec->nr_forwards};
    snprintf(m->owner, sizeof(m->owner), "%s", owner);
    memcpy(m->mac, mac, sizeof(m->mac));
    memcpy(m->forwards, spec->forwards, sizeof(m->forwards));
    if (!net_has_addresses(net->kind))
        return 0;
    m->address = net_choose_address(net, owner, vif);
    return m->address ? 0 : diag_set(d, "network %s has no address left", net->name);
}

/* Takes a looker's forwarded ports out again, by their comment: rules may have been loaded anew. */
static void remove_ports(const struct net_port *port)
{
    enum { ROOM = 64 * 1024 };
    static const char *const hooks[] = {"ports-prerouting", "ports-output"};
    char table[32], mark[NET_MAX_OWNER + 32], *said = malloc(ROOM);
    struct diag ignored = {0};

    snprintf(table, sizeof(table), "tenue-%s", port->network);
    snprintf(mark, sizeof(mark), "comment \"%s.%u\"", port->owner, port->vif);
    for (size_t i = 0; said && i < 2; i++) {
        const char *const list[] = {"nft", "-a", "list", "chain", "inet", table, hooks[i], NULL};
        char *line, *rest = said;

        if (program_run(list, "", said, ROOM, &ignored) != 0)
            continue; /* the chain has been taken away: so much for its rules */
        while ((line = strsep(&rest, "\n")) != NULL) {
            const char *handle = strstr(line, mark) ? strstr(line, "# handle ") : NULL;
            const char *const del[] = {"nft", "delete", "rule",   "inet",
                                       table, hooks[i], "handle", handle ? handle + 9 : "",
                                       NULL};

            if (handle && program_run(del, "", NULL, 0, &ignored) != 0)
                fprintf(stderr, "tenue: warning: %s\n", ignored.text);
        }
    }
    free(said);
}

/* One that nobody is on any more goes; rules and guests of the others are put right. */
static void sweep(struct netstate *s, struct diag *d)
{
    for (size_t i = s->nr; i-- > 0;) {
        struct network *net = &s->nets[i];
        const size_t dead = netstate_forget_dead(net);

        if (net->nr_members == 0)
            take_away(s, net, d);
        else if (dead || (net_has_addresses(net->kind) && !netdhcp_pid(net)))
            (void)!apply(net, d);
    }
}

/* Where the chain for them is missing, none works, which is what is looked for. */
static void add_ports(const struct network *net)
{
    struct diag ignored = {0};

    if (net->members[net->nr_members - 1].nr_forwards)
        (void)!nft_load(net_more_ports(net), &ignored);
}

static int join(struct netstate *s, const char *owner, unsigned vif, const uint8_t mac[6],
                const struct net_spec *spec, bool as_is, struct net_port *port, struct diag *d)
{
    struct network *net;
    struct net_member m;

    if (check_forwards(s, spec, d) != 0)
        return -1;
    net = find_or_add(s, spec, d);
    if (!net)
        return -1;
    if (check_mac(net, mac, d) == 0 && fill_member(net, &m, owner, vif, mac, spec, d) == 0) {
        *port = (struct net_port){.vif = vif, .address = m.address};
        port->fd = netstate_plug(net, &m, d);
        if (port->fd >= 0 && as_is)
            add_ports(net);
        if (port->fd >= 0 && (as_is || apply(net, d) == 0)) {
            port->joined = true;
            port->as_is = as_is;
            memcpy(port->network, net->name, sizeof(port->network));
            memcpy(port->owner, m.owner, sizeof(port->owner));
            return 0;
        }
        if (port->fd >= 0) {
            struct diag ignored = {0};

            close(port->fd);
            netstate_unplug(net, owner, vif);
            if (net->nr_members && apply(net, &ignored) != 0)
                diag_set(d, "%s", ignored.text);
        }
    }
    if (net->nr_members == 0)
        take_away(s, net, d);
    return -1;
}

static int join_locked(const char *owner, unsigned vif, const uint8_t mac[6],
                       const struct net_spec *spec, bool as_is, struct net_port *port,
                       struct diag *d)
{
    struct diag swept = {0};
    struct netstate s;

    *port = (struct net_port){0};
    if (netstate_create(&s, d) != 0)
        return -1;
    if (!as_is)
        sweep(&s, &swept);
    int rc = join(&s, owner, vif, mac, spec, as_is && netstate_find(&s, spec->name), port, d);
    netstate_close(&s);
    return rc;
}

int network_join(const char *owner, unsigned vif, const uint8_t mac[6], const struct net_spec *spec,
                 struct net_port *port, struct diag *d)
{
    return join_locked(owner, vif, mac, spec, false, port, d);
}

int network_join_as_is(const char *owner, unsigned vif, const uint8_t mac[6],
                       const struct net_spec *spec, struct net_port *port, struct diag *d)
{
    return join_locked(owner, vif, mac, spec, true, port, d);
}

void network_leave(struct net_port *port, struct diag *d)
{
    struct netstate s;

    if (!port->joined)
        return;
    port->joined = false;
    if (netstate_create(&s, d) == 0) {
        struct network *net = netstate_find(&s, port->network);

        if (net)
            netstate_unplug(net, port->owner, port->vif);
        if (net && net->nr_members == 0)
            take_away(&s, net, d);
        else if (net && port->as_is)
            remove_ports(port);
        else if (net)
            (void)!apply(net, d);
        netstate_close(&s);
    }
    close(port->fd);
}

int network_sweep(struct diag *d)
{
    struct netstate s;

    if (netstate_open(&s, d) != 0)
        return -1;
    sweep(&s, d);
    vifguard_sweep();
    netstate_close(&s);
    return d->text[0] ? -1 : 0;
}

int network_join_guest(const struct guest_config *cfg, struct net_port ports[CONFIG_MAX_VIFS],
                       struct diag *d)
{
    for (size_t i = 0; i < cfg->nr_vifs; i++) {
        const struct vif_spec *vif = &cfg->vifs[i];
        struct diag why = {0};

        if (!vif->net.given || !net_is_made(vif->net.kind) ||
            network_join(cfg->name, (unsigned)i, vif->mac, &vif->net, &ports[i], &why) == 0)
            continue;
        network_leave_guest(ports, &(struct diag){0});
        return diag_set(d, "%s:%u: vif network: %s", cfg->path, vif->line, why.text);
    }
    return 0;
}

void network_leave_guest(struct net_port ports[CONFIG_MAX_VIFS], struct diag *d)
{
    for (size_t i = CONFIG_MAX_VIFS; i-- > 0;)
        network_leave(&ports[i], d);
}
