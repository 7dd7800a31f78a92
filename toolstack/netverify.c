/* SPDX-License-Identifier: MIT */
/*
 * tenue net verify: see netverify.h.
 *
 * Two stand-ins for guests join each network as guests do, by network_join(). The outside is a
 * namespace: for most networks behind an interface of its own (198.18.0.2), as a machine beyond
 * the control domain's uplink would be; for bridged ones plugged into the bridge. 198.18.0.0/15 is
 * set aside for measurements (RFC 2544), so no real address is in the way. Where the table says no,
 * what might get around it is tried too: datagrams one way, IPv6, the control domain as a router
 * back, its other address, guests that know its MAC address.
 *
 * What is left if this process is killed: addresses that expire within a minute, and a network that
 * the next `tenue` takes away.
 */
#include "netverify.h"

#include "netprobe.h"
#include "network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PORT = 7077,
    LEND_SECONDS = 60,
    WAIT_MS = 1500,
    LIMIT_MS = 20000,
    MAX_ROWS = 32,
    MAX_PROBES = 24, /* of a row */
};

#define OUTSIDE_NET (198u << 24 | 18u << 16)
#define HOST_OUTSIDE (OUTSIDE_NET | 1)
#define OUTSIDE (OUTSIDE_NET | 2)
#define OUTSIDE_IF "tn-outside"
#define SCRATCH_BRIDGE "tn-bridged"

struct tried {
    struct netrow row;
    char bridge[NET_IFNAME];
    uint32_t host, lent_prefix; /* the control domain on that network; not 0: lent for the moment */
    uint32_t outside_address, host_outside;
    uint16_t forwarded; /* host's port that leads to guests[0] */
    struct net_port ports[2];
    struct netplace guests[2], outside;
    uint32_t addresses[2];
    struct netprobe probes[MAX_PROBES];
    enum net_path path[MAX_PROBES];
    const char *leak[MAX_PROBES]; /* a way around, by name; NULL: the way itself */
    bool by_forward[MAX_PROBES];
    size_t nr_probes;
};

struct verify {
    struct netplace host, outside;
    bool made_bridge;
    struct tried *tries[MAX_ROWS];
    size_t nr;
};

/* ---- what to try ---- */

static struct netprobe *try(struct tried *t, enum net_path path, const struct netplace *from,
                            uint32_t to, uint16_t port)
{
    struct netprobe *p = &t->probes[t->nr_probes];

    t->path[t->nr_probes++] = path;
    *p = (struct netprobe){.from = from, .to = to, .port = port};
    p->wanted = net_should(t->row.kind, path) == NET_YES;
    return p;
}

static void try_forward(struct tried *t, enum net_path path, const struct netplace *from,
                        uint32_t to)
{
    t->by_forward[t->nr_probes] = true;
    try(t, path, from, to, t->forwarded)->wanted = true;
}

/* A way that must not exist unless the plain one does. */
static struct netprobe *try_leak(struct tried *t, enum net_path path, const struct netplace *from,
                                 uint32_t to, uint16_t port, const char *name)
{
    t->leak[t->nr_probes] = name;
    struct netprobe *p = try(t, path, from, to, port);

    p->wanted = false;
    return p;
}

static const uint8_t *address6(unsigned i)
{
    static uint8_t guests[2][16] = {{0xfd, 0x74, 0x6e, [15] = 1}, {0xfd, 0x74, 0x6e, [15] = 2}};

    return guests[i];
}

/* An address of guests[1] that guests[0] believes to be behind the control domain. */
static uint32_t around(const struct tried *t)
{
    return (t->addresses[1] & 0xffffff00) | 250;
}

static void plan(const struct verify *v, struct tried *t)
{
    const struct netplace *g = t->guests, *host = &v->host;
    const struct netplace *out = t->outside.nl ? &t->outside : &v->outside;

    try(t, NET_GUEST_HOST, &g[0], t->host, host->port);
    try(t, NET_HOST_GUEST, host, t->addresses[0], PORT);
    try(t, NET_GUEST_GUEST, &g[0], t->addresses[1], PORT);
    try(t, NET_GUEST_GUEST, &g[1], t->addresses[0], PORT);
    try(t, NET_GUEST_OUTSIDE, &g[0], t->outside_address, PORT);
    try(t, NET_OUTSIDE_GUEST, out, t->addresses[0], PORT);
    if (t->row.kind != NET_BRIDGED) {
        try_leak(t, NET_GUEST_HOST, &g[0], HOST_OUTSIDE, host->port, "its other address");
        try_leak(t, NET_GUEST_GUEST, &g[0], around(t), PORT, "by way of the host");
    }
    for (unsigned i = 0; i < 2; i++)
        memcpy(try_leak(t, NET_GUEST_GUEST, &g[i], 0, PORT, "IPv6")->to6, address6(!i), 16);
    if (t->forwarded) {
        try_forward(t, NET_HOST_GUEST, host, INADDR_LOOPBACK);
        try_forward(t, NET_HOST_GUEST, host, HOST_OUTSIDE);
        try_forward(t, NET_OUTSIDE_GUEST, out, HOST_OUTSIDE);
    }
}

/* ---- networks to try it on ---- */

/* A port of the host that nobody listens at and nobody has forwarded: tried until one joins. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static int join(struct tried *t, unsigned i, struct diag *d)
{
    struct net_spec spec = {.given = true, .kind = t->row.kind};
    char owner[NET_MAX_OWNER + 1];

    memcpy(spec.name, t->row.network, sizeof(spec.name));
    snprintf(owner, sizeof(owner), "verify-%d", (int)getpid());
    if (t->row.kind == NET_NAT && i == 0) {
        t->forwarded = free_port();
        spec.forwards[0] = (struct net_forward){.host_port = t->forwarded, .guest_port = PORT};
        spec.nr_forwards = 1;
    }
    return (t->row.scratch ? network_join : network_join_as_is)(owner, i, t->guests[i].mac, &spec,
                                                                &t->ports[i], d);
}

/* The guest's own idea of the network. IPv6 may be missing from the kernel. */
static int equip(const struct tried *t, unsigned i, const uint8_t router[6])
{
    struct netlink *nl = t->guests[i].nl;
    int rc = netlink_add_address(nl, "eth0", t->addresses[i], NET_PREFIX);

    (void)!netlink_add_address6(nl, "eth0", address6(i), 64);
    if (t->row.kind == NET_BRIDGED)
        return rc;
    if (rc == 0 && i == 1)
        rc = netlink_add_address(nl, "eth0", around(t), NET_PREFIX);
    if (rc == 0 && i == 0)
        rc = netlink_add_neighbour(nl, "eth0", around(t), router, true);
    if (rc == 0 && !net_has_addresses(t->row.kind))
        rc = netlink_add_neighbour(nl, "eth0", t->host, router, true);
    return rc == 0 ? netlink_add_route(nl, "eth0", 0, 0, t->host) : rc;
}

static int plug_guest(struct verify *v, struct tried *t, unsigned row, unsigned i, struct diag *d)
{
    char near_end[NET_IFNAME];
    uint8_t router[6];
    int rc;

    snprintf(near_end, sizeof(near_end), "tnv%u-%u.%u", (unsigned)getpid() % 100000, row, i);
    if (netplace_make(&t->guests[i], v->host.nl, near_end, NULL, d) != 0)
        return -1;
    if (net_is_made(t->row.kind) && join(t, i, d) != 0)
        return -1;
    rc = netlink_join(v->host.nl, near_end, t->bridge);
    if (rc == 0 && t->lent_prefix && i == 0)
        rc = netlink_lend_address(v->host.nl, t->bridge, t->host, NET_PREFIX, LEND_SECONDS);
    t->addresses[i] = t->ports[i].address ? t->ports[i].address : t->lent_prefix + 16 + i;
    if (t->ports[i].address)
        t->host = (t->addresses[i] & 0xffffff00) | 1;
    if (rc == 0 && t->row.kind == NET_NAT)
        rc = netlink_isolate(v->host.nl, near_end);
    if (rc == 0)
        rc = netlink_mac(v->host.nl, t->bridge, router);
    if (rc == 0)
        rc = equip(t, i, router);
    if (rc == 0 && t->row.kind == NET_INTERNAL)
        rc = netlink_add_neighbour(v->host.nl, t->bridge, t->addresses[i], t->guests[i].mac, false);
    return rc == 0 ? netplace_listen(&t->guests[i], PORT, d)
                   : diag_set(d, "cannot plug a stand-in into %s: %s", t->bridge, strerror(-rc));
}

/* The outside of a bridge is a machine on it. */
static int plug_outside(struct verify *v, struct tried *t, unsigned row, struct diag *d)
{
    char near_end[NET_IFNAME];
    int rc;

    snprintf(near_end, sizeof(near_end), "tnv%u-%u.o", (unsigned)getpid() % 100000, row);
    if (netplace_make(&t->outside, v->host.nl, near_end, t->bridge, d) != 0)
        return -1;
    t->outside_address = t->lent_prefix + 2;
    rc = netlink_add_address(t->outside.nl, "eth0", t->outside_address, NET_PREFIX);
    return rc == 0 ? netplace_listen(&t->outside, PORT, d)
                   : diag_set(d, "cannot make an outside: %s", strerror(-rc));
}

static int set_up(struct verify *v, struct tried *t, unsigned row, struct diag *d)
{
    if (t->row.kind == NET_BRIDGED)
        snprintf(t->bridge, sizeof(t->bridge), "%s", t->row.network);
    else
        net_bridge_of(t->row.network, t->bridge);
    t->outside_address = OUTSIDE;
    if (!net_has_addresses(t->row.kind)) {
        t->lent_prefix = OUTSIDE_NET | (16 + row) << 8;
        t->host = t->lent_prefix + 1;
    }
    for (unsigned i = 0; i < 2; i++)
        if (plug_guest(v, t, row, i, d) != 0)
            return -1;
    if (t->row.kind == NET_BRIDGED && plug_outside(v, t, row, d) != 0)
        return -1;
    plan(v, t);
    return 0;
}

static void take_down(struct verify *v, struct tried *t)
{
    struct diag ignored = {0};
    int rc = 0;

    if (t->lent_prefix)
        rc = netlink_remove_address(v->host.nl, t->bridge, t->host, NET_PREFIX);
    (void)rc; /* it expires */
    for (unsigned i = 0; i < 2; i++)
        netplace_close(&t->guests[i], v->host.nl);
    netplace_close(&t->outside, v->host.nl);
    for (unsigned i = 2; i-- > 0;)
        network_leave(&t->ports[i], &ignored);
}

/* ---- which ---- */

static struct tried *add_row(struct verify *v, const char *network, enum net_kind kind,
                             bool scratch)
{
    struct tried *t = v->nr < MAX_ROWS ? calloc(1, sizeof(*t)) : NULL;

    if (!t)
        return NULL;
    t->guests[0] = t->guests[1] = t->outside = netplace_none;
    t->row.kind = kind;
    t->row.scratch = scratch;
    snprintf(t->row.network, sizeof(t->row.network), "%s", network);
    v->tries[v->nr++] = t;
    return t;
}

static bool has_kind(const struct verify *v, enum net_kind kind)
{
    for (size_t i = 0; i < v->nr; i++)
        if (v->tries[i]->row.kind == kind)
            return true;
    return false;
}

static int bridged_row(struct verify *v, struct diag *d)
{
    const uint8_t mac[6] = {0x02, 't', 'n', 1, 0, 0};
    int rc = 0;

    if (access("/sys/class/net/xenbr0/bridge", F_OK) == 0)
        return add_row(v, "xenbr0", NET_BRIDGED, false) ? 0 : diag_set(d, "out of memory");
    v->made_bridge = true;
    rc = netlink_add_bridge(v->host.nl, SCRATCH_BRIDGE, mac, "tenue net verify");
    if (rc == 0)
        rc = netlink_up(v->host.nl, SCRATCH_BRIDGE);
    if (rc != 0)
        return diag_set(d, "cannot make a bridge: %s", strerror(-rc));
    return add_row(v, SCRATCH_BRIDGE, NET_BRIDGED, true) ? 0 : diag_set(d, "out of memory");
}

static int choose_rows(struct verify *v, const char *only, struct diag *d)
{
    struct netstate s;
    char name[NET_MAX_NAME + 1];
    int rc = netstate_open(&s, d);

    if (rc != 0)
        return -1;
    for (size_t i = 0; i < s.nr; i++)
        if (!only || strcmp(only, s.nets[i].name) == 0)
            add_row(v, s.nets[i].name, s.nets[i].kind, false);
    netstate_close(&s);
    if (only && strcmp(only, "xenbr0") == 0)
        return bridged_row(v, d);
    if (only)
        return v->nr ? 0 : diag_set(d, "there is no network %s; tenue net list shows them", only);
    for (unsigned k = 0; k < NET_KINDS; k++) {
        snprintf(name, sizeof(name), "verify-%u", k);
        if (k == NET_BRIDGED)
            rc = bridged_row(v, d);
        else if (!has_kind(v, (enum net_kind)k) && !add_row(v, name, (enum net_kind)k, true))
            rc = diag_set(d, "out of memory");
        if (rc != 0)
            return -1;
    }
    return 0;
}

/* ---- what was found ---- */

struct found {
    unsigned ways, both, one_way; /* of the way itself */
    unsigned forwards, forwarded;
    const char *leak;
};

static struct found find(const struct tried *t, enum net_path path)
{
    struct found f = {0};

    for (size_t i = 0; i < t->nr_probes; i++) {
        const struct netprobe *p = &t->probes[i];

        if (t->path[i] != path)
            continue;
        if (t->by_forward[i]) {
            f.forwards++;
            f.forwarded += p->both;
        } else if (t->leak[i]) {
            if (p->both || p->one_way)
                f.leak = t->leak[i];
        } else {
            f.ways++;
            f.both += p->both;
            f.one_way += p->one_way;
        }
    }
    return f;
}

/* A port of a nat bridge that is not isolated: a guest that others reach, if not our stand-ins. */
static bool open_port(const struct tried *t, char name[NET_IFNAME])
{
    char path[64 + 2 * NET_IFNAME];
    struct dirent *entry;
    bool open = false;

    snprintf(path, sizeof(path), "/sys/class/net/%s/brif", t->bridge);
    DIR *dir = t->row.kind == NET_NAT ? opendir(path) : NULL;

    while (dir && !open && (entry = readdir(dir)) != NULL) {
        int isolated = 1;

        snprintf(path, sizeof(path), "/sys/class/net/%.15s/brport/isolated", entry->d_name);
        FILE *f = entry->d_name[0] != '.' ? fopen(path, "re") : NULL;

        open = f && strncmp(entry->d_name, "tns-", 4) != 0 && /* dnsmasq, for all */
               fscanf(f, "%d", &isolated) == 1 && !isolated;
        snprintf(name, NET_IFNAME, "%.15s", entry->d_name);
        if (f)
            fclose(f);
    }
    if (dir)
        closedir(dir);
    return open;
}

static void judge(struct tried *t, enum net_path path)
{
    struct netcell *c = &t->row.cells[path];
    const struct found f = find(t, path);
    enum net_reach reach = NET_NO;
    const char *but = "";
    char port[NET_IFNAME];

    c->should = net_should(t->row.kind, path);
    if (f.both == f.ways)
        reach = NET_YES;
    else if (f.forwards && f.forwarded == f.forwards)
        reach = NET_BY_FORWARD;
    if (reach != NET_YES && (f.both || f.one_way))
        but = f.both ? ", but yes one way" : ", but packets get through one way";
    else if (reach == NET_NO && f.forwarded)
        but = ", but some forwards work";
    snprintf(c->found, sizeof(c->found), "%s%s", net_reach_name(reach), but);
    c->right = reach == c->should && !*but;
    if (c->right && reach != NET_YES && f.leak) {
        snprintf(c->found, sizeof(c->found), "%s, but yes: %s", net_reach_name(reach), f.leak);
        c->right = false;
    }
    if (c->right && path == NET_GUEST_GUEST && open_port(t, port)) {
        snprintf(c->found, sizeof(c->found), "no, but the port of %s is not isolated", port);
        c->right = false;
    }
}

/* ---- all of it ---- */

static int make_outside(struct verify *v, struct diag *d)
{
    int rc;

    if (netplace_here(&v->host, d) != 0 || netplace_listen(&v->host, 0, d) != 0)
        return -1;
    rc = netlink_remove(v->host.nl, OUTSIDE_IF); /* its namespace may be going just now */
    if (rc != 0)
        return diag_set(d, "cannot remove " OUTSIDE_IF ": %s", strerror(-rc));
    if (netplace_make(&v->outside, v->host.nl, OUTSIDE_IF, NULL, d) != 0)
        return -1;
    rc = netlink_add_address(v->host.nl, OUTSIDE_IF, HOST_OUTSIDE, NET_PREFIX);
    if (rc == 0)
        rc = netlink_add_address(v->outside.nl, "eth0", OUTSIDE, NET_PREFIX);
    if (rc == 0)
        rc = netlink_add_route(v->outside.nl, "eth0", 0, 0, HOST_OUTSIDE);
    return rc == 0 ? netplace_listen(&v->outside, PORT, d)
                   : diag_set(d, "cannot make an outside: %s", strerror(-rc));
}

static int run_all(struct verify *v, struct diag *d)
{
    struct netplace *places[2 + 3 * MAX_ROWS] = {&v->host, &v->outside};
    struct netprobe *all = calloc(v->nr * MAX_PROBES, sizeof(*all));
    size_t nr_places = 2, nr = 0;

    for (size_t i = 0; all && i < v->nr; i++) {
        struct tried *t = v->tries[i];

        places[nr_places++] = &t->guests[0];
        places[nr_places++] = &t->guests[1];
        if (t->outside.nl)
            places[nr_places++] = &t->outside;
        memcpy(all + nr, t->probes, t->nr_probes * sizeof(*all));
        nr += t->nr_probes;
    }
    int rc = all ? netprobe_run(all, nr, places, nr_places, WAIT_MS, LIMIT_MS, d)
                 : diag_set(d, "out of memory");

    nr = 0;
    for (size_t i = 0; rc == 0 && i < v->nr; i++) {
        struct tried *t = v->tries[i];

        memcpy(t->probes, all + nr, t->nr_probes * sizeof(*all));
        nr += t->nr_probes;
        for (unsigned p = 0; p < NET_PATHS; p++)
            judge(t, (enum net_path)p);
    }
    free(all);
    return rc;
}

static int by_kind(const void *a, const void *b)
{
    return (int)((const struct netrow *)a)->kind - (int)((const struct netrow *)b)->kind;
}

int netverify(const char *only, struct netrow **rows, size_t *nr, struct diag *d)
{
    struct verify v = {.host = netplace_none, .outside = netplace_none};
    int rc = make_outside(&v, d);

    if (rc == 0)
        rc = choose_rows(&v, only, d);
    for (unsigned i = 0; rc == 0 && i < v.nr; i++)
        rc = set_up(&v, v.tries[i], i, d);
    if (rc == 0)
        rc = run_all(&v, d);
    *nr = v.nr;
    *rows = calloc(v.nr + 1, sizeof(**rows));
    if (!*rows && rc == 0)
        rc = diag_set(d, "out of memory");
    for (size_t i = v.nr; i-- > 0;) {
        take_down(&v, v.tries[i]);
        if (*rows)
            (*rows)[i] = v.tries[i]->row;
        free(v.tries[i]);
    }
    if (*rows)
        qsort(*rows, v.nr, sizeof(**rows), by_kind);
    if (v.made_bridge && netlink_remove(v.host.nl, SCRATCH_BRIDGE) != 0 && rc == 0)
        rc = diag_set(d, "cannot remove the bridge " SCRATCH_BRIDGE);
    netplace_close(&v.outside, v.host.nl);
    netplace_close(&v.host, NULL);
    return rc;
}
