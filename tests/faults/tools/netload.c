/* SPDX-License-Identifier: MIT */
/*
 * netload serve PORT; netload ADDRESS PORT CONNECTIONS: TCP both ways at once, and each byte is
 * known. For a guest whose network device is being pulled about.
 *
 * Each end sends a stream that a generator makes of the connection's number, and compares what
 * comes with the other's. The guest's end says, for each ROUND bytes that came, the longest time
 * without any, and "ok"; or what was wrong, and ends. A connection that is reset or ends is wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 16384u
#define ROUND (2u << 20)

/* xorshift64: a word at a time, so that a shifted or repeated stretch is found. */
struct stream {
    uint64_t state;
    unsigned char chunk[CHUNK];
    size_t left; /* of the chunk, at its end */
};

static void next_chunk(struct stream *s)
{
    for (size_t i = 0; i < CHUNK; i += 8) {
        s->state ^= s->state << 13;
        s->state ^= s->state >> 7;
        s->state ^= s->state << 17;
        memcpy(s->chunk + i, &s->state, 8);
    }
    s->left = CHUNK;
}

static struct {
    int fd;
    const char *name; /* NULL: the server's end says nothing */
    struct stream out, in;
    uint64_t came, last_ms, longest_ms;
    unsigned round;
} c;

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void wrong(const char *what)
{
    printf("net: connection %s: %s at byte %llu\n", c.name ? c.name : "served", what,
           (unsigned long long)c.came);
    fflush(stdout);
    exit(1);
}

static void send_some(void)
{
    ssize_t n;

    if (!c.out.left) {
        next_chunk(&c.out);
    }
    n = send(c.fd, c.out.chunk + CHUNK - c.out.left, c.out.left, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        wrong(strerror(errno));
    }
    c.out.left -= n > 0 ? (size_t)n : 0;
}

static void end_round(void)
{
    if (c.name) {
        printf("net %s: round %u: longest %llu ms: ok\n", c.name, ++c.round,
               (unsigned long long)c.longest_ms);
        fflush(stdout);
    }
    c.longest_ms = 0;
}

static void take_some(void)
{
    unsigned char got[CHUNK];
    ssize_t n = recv(c.fd, got, c.in.left, MSG_DONTWAIT);
    uint64_t now = now_ms();

    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        wrong(n ? strerror(errno) : "the other end closed");
    }
    if (memcmp(got, c.in.chunk + CHUNK - c.in.left, (size_t)n)) {
        wrong("CORRUPT: not what was sent");
    }
    if (now - c.last_ms > c.longest_ms) {
        c.longest_ms = now - c.last_ms;
    }
    c.last_ms = now;
    if ((c.came + (uint64_t)n) / ROUND != c.came / ROUND) {
        end_round();
    }
    c.came += (uint64_t)n;
    c.in.left -= (size_t)n;
    if (!c.in.left) {
        next_chunk(&c.in);
    }
}

static void run(int fd, uint64_t mine, uint64_t other)
{
    c.fd = fd;
    c.out.state = mine;
    c.in.state = other;
    c.last_ms = now_ms();
    next_chunk(&c.in);
    for (;;) {
        struct pollfd p = {fd, POLLIN | POLLOUT, 0};

        if (poll(&p, 1, -1) < 0) {
            wrong(strerror(errno));
        }
        if (p.revents & POLLOUT) {
            send_some();
        }
        if (p.revents & ~POLLOUT) {
            take_some();
        }
    }
}

static struct sockaddr_in place(const char *address, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    inet_pton(AF_INET, address, &a.sin_addr);
    return a;
}

static int serve(const char *port)
{
    struct sockaddr_in a = place("0.0.0.0", port);
    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(l, (struct sockaddr *)&a, sizeof(a)) || listen(l, 16)) {
        perror("netload");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(l, NULL, NULL);
        uint64_t number;

        if (fd >= 0 && !fork()) {
            if (recv(fd, &number, sizeof(number), MSG_WAITALL) != sizeof(number)) {
                return 1;
            }
            run(fd, ~number, number);
        }
        close(fd);
    }
}

static void call(const char *address, const char *port, unsigned number)
{
    struct sockaddr_in a = place(address, port);
    uint64_t seed = 0x9e3779b97f4a7c15ull * (number + 1);
    char name[12];
    int fd, tries = 0;

    snprintf(name, sizeof(name), "%u", number);
    c.name = name;
    for (;;) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(fd, (struct sockaddr *)&a, sizeof(a))) {
            break;
        }
        close(fd);
        if (++tries == 100) {
            wrong(strerror(errno));
        }
        usleep(200000);
    }
    if (send(fd, &seed, sizeof(seed), 0) != sizeof(seed)) {
        wrong(strerror(errno));
    }
    run(fd, seed, ~seed);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "serve")) {
        return serve(argv[2]);
    }
    if (argc != 4) {
        fprintf(stderr, "usage: netload serve PORT | netload ADDRESS PORT CONNECTIONS\n");
        return 2;
    }
    for (int i = 1; i < atoi(argv[3]); i++) {
        if (!fork()) {
            call(argv[1], argv[2], (unsigned)i);
        }
    }
    call(argv[1], argv[2], 0);
}
