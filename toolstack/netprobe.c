/* SPDX-License-Identifier: MIT */
/* Stand-ins for guests and their packets: see netprobe.h. */
#include "netprobe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RESEND_MS = 200 };

/* ---- places ---- */

static int own_namespace(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* A new namespace, with us still in the old one. */
static int new_namespace(void)
{
    int old = own_namespace(), made = -1;

    if (old >= 0 && unshare(CLONE_NEWNET) == 0) {
        made = own_namespace();
        if (setns(old, CLONE_NEWNET) != 0)
            abort(); /* everything from here on would happen in the wrong place */
    }
    if (old >= 0)
        close(old);
    return made;
}

int netplace_enter(const struct netplace *p)
{
    return p->ns < 0 ? 0 : setns(p->ns, CLONE_NEWNET);
}

/* Runs there whatever makes a socket. */
static int socket_there(const struct netplace *p, int family, int type)
{
    int old = p->ns < 0 ? -1 : own_namespace();

    if (netplace_enter(p) != 0) {
        close(old);
        return -1;
    }
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int err = errno;

    if (old >= 0) {
        if (setns(old, CLONE_NEWNET) != 0)
            abort();
        close(old);
    }
    errno = err;
    return fd;
}

static struct netlink *netlink_there(const struct netplace *p, struct diag *d)
{
    int old = own_namespace();

    if (old < 0 || netplace_enter(p) != 0) {
        diag_errno(d, "cannot enter a network namespace");
        return NULL;
    }
    struct netlink *nl = netlink_open(d);

    if (setns(old, CLONE_NEWNET) != 0)
        abort();
    close(old);
    return nl;
}

const struct netplace netplace_none = {
    .ns = -1, .listener = -1, .listener6 = -1, .datagrams = -1, .datagrams6 = -1};

int netplace_make(struct netplace *p, struct netlink *here, const char *near_end,
                  const char *bridge, struct diag *d)
{
    int rc;

    *p = netplace_none;
    p->ns = new_namespace();
    if (p->ns < 0)
        return diag_errno(d, "cannot make a network namespace");
    p->mac[0] = 0x02;
    if (getrandom(&p->mac[1], 5, GRND_INSECURE) != 5)
        return diag_errno(d, "no random numbers for a MAC address");
    p->nl = netlink_there(p, d);
    if (!p->nl)
        return -1;
    rc = netlink_add_veth(here, near_end, "eth0", p->ns, p->mac);
    if (rc == 0)
        snprintf(p->near_end, sizeof(p->near_end), "%s", near_end);
    if (rc == 0 && bridge)
        rc = netlink_join(here, near_end, bridge);
    if (rc == 0)
        rc = netlink_up(here, near_end);
    if (rc == 0)
        rc = netlink_up(p->nl, "lo");
    if (rc == 0)
        rc = netlink_up(p->nl, "eth0");
    return rc == 0 ? 0
                   : diag_set(d, "cannot plug %s into %s: %s", near_end,
                              bridge ? bridge : "this machine", strerror(-rc));
}

int netplace_here(struct netplace *p, struct diag *d)
{
    *p = netplace_none;
    p->nl = netlink_open(d);
    return p->nl ? 0 : -1;
}

void netplace_close(struct netplace *p, struct netlink *here)
{
    const int fds[] = {p->listener, p->listener6, p->datagrams, p->datagrams6, p->ns};

    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (p->near_end[0] && netlink_remove(here, p->near_end) != 0)
        fprintf(stderr, "tenue: warning: cannot remove %s\n", p->near_end);
    netlink_close(p->nl);
    *p = netplace_none;
}

static int bind_to(int fd, int family, uint16_t port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int on = 1;

    if (family == AF_INET)
        return bind(fd, (struct sockaddr *)&four, sizeof(four));
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    return bind(fd, (struct sockaddr *)&six, sizeof(six));
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof(a);

    return getsockname(fd, (struct sockaddr *)&a, &len) == 0 ? ntohs(a.sin_port) : 0;
}

int netplace_listen(struct netplace *p, uint16_t port, struct diag *d)
{
    p->listener = socket_there(p, AF_INET, SOCK_STREAM);
    p->datagrams = socket_there(p, AF_INET, SOCK_DGRAM);
    if (p->listener < 0 || p->datagrams < 0 || bind_to(p->listener, AF_INET, port) != 0 ||
        listen(p->listener, 64) != 0)
        return diag_errno(d, "cannot listen");
    p->port = port_of(p->listener);
    if (bind_to(p->datagrams, AF_INET, p->port) != 0)
        return diag_errno(d, "cannot listen at udp port %u", p->port);
    p->listener6 = socket_there(p, AF_INET6, SOCK_STREAM);
    p->datagrams6 = socket_there(p, AF_INET6, SOCK_DGRAM);
    if (p->listener6 < 0 || p->datagrams6 < 0)
        return 0; /* no IPv6 here, so nothing to try */
    if (bind_to(p->listener6, AF_INET6, p->port) != 0 || listen(p->listener6, 64) != 0 ||
        bind_to(p->datagrams6, AF_INET6, p->port) != 0)
        return diag_errno(d, "cannot listen at port %u of IPv6", p->port);
    return 0;
}

/* ---- packets ---- */

enum { MAX_ACCEPTED = 1024 };

struct run {
    struct netprobe *probes;
    size_t nr;
    int *tcp, *udp; /* of each probe */
    bool *connected;
    uint32_t salt; /* a token is salt + the probe's number */
    int accepted[MAX_ACCEPTED];
    size_t nr_accepted;
};

static unsigned now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

static socklen_t target(const struct netprobe *p, struct sockaddr_storage *to)
{
    struct sockaddr_in *four = (struct sockaddr_in *)to;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;

    memset(to, 0, sizeof(*to));
    if (p->to) {
        four->sin_family = AF_INET;
        four->sin_port = htons(p->port);
        four->sin_addr.s_addr = htonl(p->to);
        return sizeof(*four);
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(p->port);
    memcpy(&six->sin6_addr, p->to6, 16);
    return sizeof(*six);
}

static void begin_probe(struct run *r, size_t i)
{
    const struct netprobe *p = &r->probes[i];
    struct sockaddr_storage to;
    const socklen_t len = target(p, &to);

    r->tcp[i] = socket_there(p->from, to.ss_family, SOCK_STREAM);
    r->udp[i] = socket_there(p->from, to.ss_family, SOCK_DGRAM);
    if (r->tcp[i] >= 0 && connect(r->tcp[i], (struct sockaddr *)&to, len) != 0 &&
        errno != EINPROGRESS) {
        close(r->tcp[i]); /* no route: an answer too */
        r->tcp[i] = -1;
    }
}

static void send_datagram(const struct run *r, size_t i)
{
    const struct netprobe *p = &r->probes[i];
    const uint32_t token = r->salt + (uint32_t)i;
    struct sockaddr_storage to;
    const socklen_t len = target(p, &to);

    /* Whatever keeps it from leaving keeps it from arriving, which is what is asked. */
    if (r->udp[i] >= 0 && !p->one_way &&
        sendto(r->udp[i], &token, sizeof(token), MSG_DONTWAIT, (struct sockaddr *)&to, len) < 0)
        return;
}

static struct netprobe *probe_of(const struct run *r, uint32_t token)
{
    const uint32_t i = token - r->salt;

    return i < r->nr ? &r->probes[i] : NULL;
}

static void take_datagrams(const struct run *r, int fd)
{
    uint32_t token;

    while (fd >= 0 && recv(fd, &token, sizeof(token), MSG_DONTWAIT) == sizeof(token)) {
        struct netprobe *p = probe_of(r, token);

        if (p)
            p->one_way = true;
    }
}

static void take_connections(struct run *r, int fd)
{
    int conn;

    while (fd >= 0 && r->nr_accepted < MAX_ACCEPTED &&
           (conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        r->accepted[r->nr_accepted++] = conn;
}

/* A place answers with what it was sent. */
static void echo(int fd)
{
    uint32_t token;

    if (recv(fd, &token, sizeof(token), MSG_DONTWAIT) == sizeof(token) &&
        send(fd, &token, sizeof(token), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
}

static void advance(struct run *r, size_t i)
{
    const uint32_t token = r->salt + (uint32_t)i;
    uint32_t answer = 0;

    if (r->tcp[i] < 0 || r->probes[i].both)
        return;
    if (!r->connected[i])
        r->connected[i] = send(r->tcp[i], &token, sizeof(token), MSG_DONTWAIT | MSG_NOSIGNAL) ==
                          sizeof(token);
    else if (recv(r->tcp[i], &answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer))
        r->probes[i].both = answer == token;
}

static bool all_arrived(const struct run *r)
{
    for (size_t i = 0; i < r->nr; i++)
        if (r->probes[i].wanted && !r->probes[i].both)
            return false;
    return true;
}

static void one_turn(struct run *r, struct netplace *const places[], size_t nr_places)
{
    for (size_t i = 0; i < nr_places; i++) {
        take_connections(r, places[i]->listener);
        take_connections(r, places[i]->listener6);
        take_datagrams(r, places[i]->datagrams);
        take_datagrams(r, places[i]->datagrams6);
    }
    for (size_t i = 0; i < r->nr_accepted; i++)
        echo(r->accepted[i]);
    for (size_t i = 0; i < r->nr; i++)
        advance(r, i);
}

static void end_run(struct run *r)
{
    for (size_t i = 0; i < r->nr && r->tcp && r->udp; i++) {
        if (r->tcp[i] >= 0)
            close(r->tcp[i]);
        if (r->udp[i] >= 0)
            close(r->udp[i]);
    }
    for (size_t i = 0; i < r->nr_accepted; i++)
        close(r->accepted[i]);
    free(r->tcp);
    free(r->udp);
    free(r->connected);
}

int netprobe_run(struct netprobe *probes, size_t nr, struct netplace *const places[],
                 size_t nr_places, unsigned wait_ms, unsigned limit_ms, struct diag *d)
{
    const struct timespec turn = {.tv_nsec = 10 * 1000 * 1000};
    struct run r = {.probes = probes,
                    .nr = nr,
                    .tcp = calloc(nr, sizeof(int)),
                    .udp = calloc(nr, sizeof(int)),
                    .connected = calloc(nr, sizeof(bool))};
    const unsigned start = now_ms();
    unsigned sent = start - RESEND_MS, arrived = 0;

    if (!r.tcp || !r.udp || !r.connected ||
        getrandom(&r.salt, sizeof(r.salt), GRND_INSECURE) != sizeof(r.salt)) {
        end_run(&r);
        return diag_set(d, "out of memory");
    }
    for (size_t i = 0; i < nr; i++)
        begin_probe(&r, i);
    for (unsigned t = 0; t < limit_ms && (!arrived || t < wait_ms || t < 3 * arrived);
         t = now_ms() - start) {
        if (now_ms() - sent >= RESEND_MS) {
            sent = now_ms();
            for (size_t i = 0; i < nr; i++)
                send_datagram(&r, i);
        }
        one_turn(&r, places, nr_places);
        if (!arrived && all_arrived(&r))
            arrived = now_ms() - start + 1;
        nanosleep(&turn, NULL);
    }
    end_run(&r);
    return 0;
}
