/* SPDX-License-Identifier: MIT */
/* netbench -s            serve one client (TCP 5201, UDP 5202), then exit
 * netbench SET ADDR [scale]  client: bulk both ways, request/response, small datagrams both ways */
#include "bench.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

struct cmd {
    uint32_t op, size;
    uint64_t count;
};
enum { SINK = 1, SOURCE, ECHO, UDPSINK, UDPSOURCE, UDPECHO, QUIT };
static char buf[65536];

static void all(int fd, void *p, size_t n, int wr)
{
    for (char *c = p; n;) {
        ssize_t r = wr ? write(fd, c, n) : read(fd, c, n);
        if (r <= 0)
            die(wr ? "write" : "read");
        c += r;
        n -= r;
    }
}
static void drain(int fd, uint64_t n)
{
    while (n) {
        ssize_t r = read(fd, buf, n < sizeof buf ? n : sizeof buf);
        if (r <= 0)
            die("drain");
        n -= r;
    }
}
static void pour(int fd, uint64_t n)
{
    while (n) {
        ssize_t r = write(fd, buf, n < sizeof buf ? n : sizeof buf);
        if (r <= 0)
            die("pour");
        n -= r;
    }
}
static uint64_t udp_count(int u, uint64_t max) /* datagrams until max, or 50 ms of silence */
{
    uint64_t n = 0;
    struct pollfd p = {u, POLLIN, 0};
    while (n < max) {
        if (poll(&p, 1, 50) <= 0)
            break;
        while (recv(u, buf, sizeof buf, MSG_DONTWAIT) > 0)
            n++;
    }
    return n;
}

static void serve(void)
{
    int l = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), one = 1,
        big = 1 << 22;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(5201)}, from;
    socklen_t fl = sizeof from;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(u, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
    if (bind(l, (void *)&a, sizeof a) || listen(l, 4))
        die("bind");
    a.sin_port = htons(5202);
    if (bind(u, (void *)&a, sizeof a))
        die("bind udp");
    int s = accept(l, (void *)&from, &fl);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    from.sin_port = htons(5203);
    for (struct cmd c;;) {
        all(s, &c, sizeof c, 0);
        uint64_t r = 0;
        switch (c.op) {
        case SINK:
            drain(s, c.count);
            break;
        case SOURCE:
            pour(s, c.count);
            continue;
        case ECHO:
            while (c.count--) {
                all(s, buf, c.size, 0);
                all(s, buf, c.size, 1);
            }
            continue;
        case UDPSINK:
            all(s, &r, 8, 1);
            r = udp_count(u, c.count);
            break;
        case UDPSOURCE:
            for (uint64_t i = 0; i < c.count; i++)
                sendto(u, buf, c.size, 0, (void *)&from, sizeof from);
            continue;
        case QUIT:
            exit(0);
        }
        all(s, &r, 8, 1);
    }
}

int main(int ac, char **av)
{
    if (ac > 1 && !strcmp(av[1], "-s"))
        serve();
    if (ac < 3)
        return 2;
    const char *S = av[1];
    int k = ac > 3 ? atoi(av[3]) : 1, one = 1, big = 1 << 22, s, u = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(5201)},
                       me = {.sin_family = AF_INET, .sin_port = htons(5203)};
    uint64_t t[BATCHES], r;
    inet_pton(AF_INET, av[2], &a.sin_addr);
    setsockopt(u, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
    bind(u, (void *)&me, sizeof me);
    for (int tries = 0;; tries++) {
        s = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(s, (void *)&a, sizeof a))
            break;
        if (tries > 100)
            die("connect");
        close(s);
        usleep(100000);
    }
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int op = SINK; op <= SOURCE; op++) {
        struct cmd c = {op, 0, (8ull << 20) * k};
        for (int b = -1; b < BATCHES; b++) {
            MARK(1);
            uint64_t t0 = now_ns();
            all(s, &c, sizeof c, 1);
            if (op == SINK) {
                pour(s, c.count);
                all(s, &r, 8, 0);
            } else
                drain(s, c.count);
            if (b >= 0) {
                t[b] = now_ns() - t0;
                MARK(5);
            }
        }
        const char *n = op == SINK ? "TCP bulk guest to dom0 (per KiB)"
                                   : "TCP bulk dom0 to guest (per KiB)";
        report(S, n, t, c.count / 1024.0);
        printf("%s %-34s med %.1f Mbit/s\n", S, n, c.count * 8e3 / t[BATCHES / 2]);
    }
    for (unsigned sz = 1; sz <= 1024; sz *= 1024) {
        struct cmd c = {ECHO, sz, 300 * k};
        for (int b = -1; b < BATCHES; b++) {
            all(s, &c, sizeof c, 1);
            MARK(1);
            uint64_t t0 = now_ns();
            for (uint64_t i = 0; i < c.count; i++) {
                all(s, buf, sz, 1);
                all(s, buf, sz, 0);
            }
            if (b >= 0) {
                t[b] = now_ns() - t0;
                MARK(5);
            }
        }
        report(S, sz == 1 ? "TCP request/response 1 B" : "TCP request/response 1 KiB", t, c.count);
    }
    struct cmd c = {UDPSINK, 64, 2000 * k};
    a.sin_port = htons(5202);
    uint64_t got = 0;
    for (int b = -1; b < BATCHES; b++) {
        all(s, &c, sizeof c, 1);
        all(s, &r, 8, 0);
        MARK(1);
        uint64_t t0 = now_ns();
        for (uint64_t i = 0; i < c.count; i++)
            sendto(u, buf, 64, 0, (void *)&a, sizeof a);
        all(s, &r, 8, 0);
        if (b >= 0) {
            t[b] = now_ns() - t0;
            got += r;
            MARK(5);
        }
    }
    report(S, "UDP 64 B guest to dom0", t, c.count);
    printf("%s UDP guest to dom0 delivered %.1f %%\n", S, got * 100.0 / c.count / BATCHES);
    c.op = UDPSOURCE;
    got = 0;
    for (int b = -1; b < BATCHES; b++) {
        MARK(1);
        uint64_t t0 = now_ns();
        all(s, &c, sizeof c, 1);
        r = udp_count(u, c.count);
        if (b >= 0) {
            t[b] = now_ns() - t0;
            got += r;
            MARK(5);
        }
    }
    report(S, "UDP 64 B dom0 to guest", t, c.count);
    printf("%s UDP dom0 to guest delivered %.1f %%\n", S, got * 100.0 / c.count / BATCHES);
    c.op = QUIT;
    all(s, &c, sizeof c, 1);
    return 0;
}
