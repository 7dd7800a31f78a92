/* SPDX-License-Identifier: MIT */
/* tenue net list, show, verify, exec: networks looked at, tried, and used without a guest. */
#include "verbs.h"

#include "netprobe.h"
#include "netverify.h"
#include "network.h"
#include "json.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const struct diag *d)
{
    fprintf(stderr, "tenue: %s\n", d->text[0] ? d->text : "failed");
    return EXIT_FAILED;
}

static void subnet_text(const struct network *net, char out[24])
{
    char address[NET_ADDRESS_TEXT];

    net_address_text(net_subnet(net->slot), address);
    snprintf(out, 24, net_has_addresses(net->kind) ? "%s/%d" : "-", address, NET_PREFIX);
}

/* ---- list and show ---- */

static struct json *json_member(const struct net_member *m)
{
    struct json *j = json_object(), *forwards;
    char text[NET_FORWARD_TEXT];

    json_add_string(j, "guest", m->owner);
    json_add_number(j, "vif", m->vif);
    net_mac_text(m->mac, text);
    json_add_string(j, "mac", text);
    net_address_text(m->address, text);
    if (m->address)
        json_add_string(j, "address", text);
    forwards = json_add_array(j, "forwards");
    for (size_t i = 0; i < m->nr_forwards; i++) {
        net_forward_text(&m->forwards[i], text);
        json_append(forwards, json_string(text));
    }
    return j;
}

static struct json *json_network(const struct network *net)
{
    struct json *j = json_object(), *guests;
    char bridge[NET_IFNAME], subnet[24], table[32];

    net_bridge_of(net->name, bridge);
    subnet_text(net, subnet);
    snprintf(table, sizeof(table), "tenue-%s", net->name);
    json_add_string(j, "name", net->name);
    json_add_string(j, "kind", net_kind_name(net->kind));
    json_add_string(j, "bridge", bridge);
    json_add_string(j, "table", table);
    if (net_has_addresses(net->kind)) {
        json_add_string(j, "subnet", subnet);
        json_add_number(j, "dnsmasq", netdhcp_pid(net));
    }
    guests = json_add_array(j, "guests");
    for (size_t i = 0; i < net->nr_members; i++)
        json_append(guests, json_member(&net->members[i]));
    return j;
}

static void print_network(const struct network *net)
{
    char bridge[NET_IFNAME], subnet[24], text[NET_FORWARD_TEXT];

    net_bridge_of(net->name, bridge);
    subnet_text(net, subnet);
    printf("network  %s\nkind     %s\nbridge   %s\nsubnet   %s\nrules    inet tenue-%s\n",
           net->name, net_kind_name(net->kind), bridge, subnet, net->name);
    if (net_has_addresses(net->kind))
        printf("dnsmasq  %d\n", netdhcp_pid(net));
    for (size_t i = 0; i < net->nr_members; i++) {
        const struct net_member *m = &net->members[i];

        net_mac_text(m->mac, text);
        printf("guest    %s vif %u mac %s", m->owner, m->vif, text);
        net_address_text(m->address, text);
        printf(" address %s", m->address ? text : "its own");
        for (size_t k = 0; k < m->nr_forwards; k++) {
            net_forward_text(&m->forwards[k], text);
            printf(" forward %s", text);
        }
        printf("\n");
    }
}

static void print_row(const struct network *net)
{
    char bridge[NET_IFNAME], subnet[24];
    size_t forwards = 0;

    net_bridge_of(net->name, bridge);
    subnet_text(net, subnet);
    for (size_t i = 0; i < net->nr_members; i++)
        forwards += net->members[i].nr_forwards;
    printf("%-12s %-11s %-15s %-18s %6zu %8zu\n", net->name, net_kind_name(net->kind), bridge,
           subnet, net->nr_members, forwards);
}

static int net_list(bool json)
{
    struct netstate s;
    struct diag d = {0};
    struct json *array = json ? json_array() : NULL;

    if (network_sweep(&d) != 0 || netstate_open(&s, &d) != 0)
        return failed(&d);
    if (!json)
        printf("%-12s %-11s %-15s %-18s %6s %8s\n", "Name", "Kind", "Bridge", "Subnet", "Guests",
               "Forwards");
    for (size_t i = 0; i < s.nr; i++) {
        if (json)
            json_append(array, json_network(&s.nets[i]));
        else
            print_row(&s.nets[i]);
    }
    netstate_close(&s);
    if (json)
        print_json(array);
    return 0;
}

static int net_show(const char *name, bool json)
{
    struct netstate s;
    struct diag d = {0};

    if (network_sweep(&d) != 0 || netstate_open(&s, &d) != 0)
        return failed(&d);
    const struct network *net = netstate_find(&s, name);

    if (!net)
        diag_set(&d, "there is no network %s; tenue net list shows them", name);
    else if (json)
        print_json(json_network(net));
    else
        print_network(net);
    netstate_close(&s);
    return net ? 0 : failed(&d);
}

/* ---- verify ---- */

static size_t print_cells(const struct netrow *rows, size_t nr)
{
    size_t wrong = 0;

    printf("%-12s %-12s", "kind", "network");
    for (unsigned p = 0; p < NET_PATHS; p++)
        printf(" %-15s", net_path_name((enum net_path)p));
    printf("\n");
    for (size_t i = 0; i < nr; i++) {
        printf("%-12s %-12s", net_kind_name(rows[i].kind),
               rows[i].scratch ? "(tried out)" : rows[i].network);
        for (unsigned p = 0; p < NET_PATHS; p++) {
            const struct netcell *c = &rows[i].cells[p];

            printf(" %-15s", c->right ? net_reach_name(c->should) : "WRONG");
            wrong += !c->right;
        }
        printf("\n");
    }
    for (size_t i = 0; i < nr; i++)
        for (unsigned p = 0; p < NET_PATHS; p++)
            if (!rows[i].cells[p].right)
                printf("wrong: %s %s, %s: should be %s, is %s\n", net_kind_name(rows[i].kind),
                       rows[i].network, net_path_name((enum net_path)p),
                       net_reach_name(rows[i].cells[p].should), rows[i].cells[p].found);
    printf("%zu of %zu\n", nr * NET_PATHS - wrong, nr * NET_PATHS);
    return wrong;
}

static size_t json_cells(const struct netrow *rows, size_t nr)
{
    struct json *root = json_object(), *array = json_add_array(root, "cells");
    size_t wrong = 0;

    for (size_t i = 0; i < nr; i++)
        for (unsigned p = 0; p < NET_PATHS; p++) {
            const struct netcell *c = &rows[i].cells[p];
            struct json *j = json_object();

            json_add_string(j, "kind", net_kind_name(rows[i].kind));
            json_add_string(j, "network", rows[i].network);
            json_add_bool(j, "scratch", rows[i].scratch);
            json_add_string(j, "path", net_path_name((enum net_path)p));
            json_add_string(j, "should", net_reach_name(c->should));
            json_add_string(j, "found", c->found);
            json_add_bool(j, "right", c->right);
            json_append(array, j);
            wrong += !c->right;
        }
    json_add_number(root, "right", (double)(nr * NET_PATHS - wrong));
    json_add_number(root, "of", (double)(nr * NET_PATHS));
    print_json(root);
    return wrong;
}

static int net_verify(const char *only, bool json)
{
    struct netrow *rows = NULL;
    struct diag d = {0}, swept = {0};
    size_t nr = 0, wrong;

    if (network_sweep(&swept) != 0)
        fprintf(stderr, "tenue: warning: %s\n", swept.text);
    if (netverify(only, &rows, &nr, &d) != 0) {
        free(rows);
        return failed(&d);
    }
    wrong = json ? json_cells(rows, nr) : print_cells(rows, nr);
    free(rows);
    return wrong ? EXIT_FAILED : 0;
}

/* ---- exec ---- */

static int plug(struct netplace *p, struct netlink *here, const struct vif_spec *vif,
                const struct net_port *port)
{
    char near_end[NET_IFNAME];
    int rc;

    snprintf(near_end, sizeof(near_end), "tnx%d", (int)getpid());
    rc = netlink_join(here, near_end, vif->bridge);
    if (rc == 0 && vif->net.kind == NET_NAT)
        rc = netlink_isolate(here, near_end);
    if (rc == 0 && port->address)
        rc = netlink_add_address(p->nl, "eth0", port->address, NET_PREFIX);
    if (rc == 0 && port->address && vif->net.kind != NET_HOST_ONLY)
        rc = netlink_add_route(p->nl, "eth0", 0, 0, (port->address & 0xffffff00) | 1);
    return rc;
}

static int run_there(const struct netplace *p, char **command, struct diag *d)
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        if (netplace_enter(p) == 0)
            execvp(command[0], command);
        fprintf(stderr, "tenue: cannot run %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return diag_errno(d, "cannot run %s", command[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The status is the command's. ^C is for the command: we stay to clean up. */
static int net_exec(const char *words, char **command)
{
    struct place at = {"command line", 1};
    struct vif_spec vif;
    struct net_port port = {0};
    struct netplace p = netplace_none;
    struct diag d = {0};
    char text[256], owner[32], near_end[NET_IFNAME];
    int rc = -1;

    snprintf(text, sizeof(text), "network=%s", words);
    snprintf(owner, sizeof(owner), "exec-%d", (int)getpid());
    snprintf(near_end, sizeof(near_end), "tnx%d", (int)getpid());
    if (vif_parse(at, text, &vif, &d) != 0)
        return failed(&d);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    struct netlink *here = netlink_open(&d);

    if (here && netplace_make(&p, here, near_end, NULL, &d) == 0) {
        if (!net_is_made(vif.net.kind) ||
            network_join(owner, 0, vif.mac_given ? vif.mac : p.mac, &vif.net, &port, &d) == 0) {
            rc = plug(&p, here, &vif, &port);
            rc = rc == 0 ? run_there(&p, command, &d)
                         : diag_set(&d, "cannot join %s: %s", vif.bridge, strerror(-rc));
        }
    }
    netplace_close(&p, here);
    netlink_close(here);
    network_leave(&port, &d);
    return rc < 0 || d.text[0] ? failed(&d) : rc;
}

int verb_net(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct diag d = {0};
    bool json = false;

    if (strcmp(what, "serve") == 0 && argc == 3) /* network.c's own use: not for people */
        return netdhcp_serve(argv[2], &d) == 0 ? 0 : failed(&d);
    if (strcmp(what, "exec") == 0 && argc > 3) {
        char **command = argv + (strcmp(argv[3], "--") == 0 ? 4 : 3);

        return *command ? net_exec(argv[2], command) : usage();
    }
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
            memmove(&argv[i], &argv[i + 1], (size_t)(argc - i) * sizeof(*argv));
            argc--;
            i--;
        } else if (argv[i][0] == '-') {
            return usage();
        }
    if (strcmp(what, "list") == 0 && argc == 2)
        return net_list(json);
    if (strcmp(what, "show") == 0 && argc == 3)
        return net_show(argv[2], json);
    if (strcmp(what, "verify") == 0 && argc <= 3)
        return net_verify(argc == 3 ? argv[2] : NULL, json);
    return usage();
}
