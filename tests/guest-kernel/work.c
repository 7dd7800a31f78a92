/* SPDX-License-Identifier: MIT */
/*
 * work SET [FILE.c...]: three kinds of whole work, each a row or more of the bench.
 *
 * - CPU: sorts numbers.
 * - file serving: a server of static files answers one connection after the other over the
 *   loopback, with sendfile from a tmpfs; the client's part is in it.
 * - compile: make, by its own rules, into the current directory, which is the tmpfs, too: each of
 *   the files compiled without optimisation, and linked; by tcc and by gcc. Then gcc -O1 -c of all.
 *
 * Nothing is tuned to a kernel: the calls are those that such programs make.
 */
#include "../bench/bench.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/random.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { NUMBERS = 100000, SOURCES_MOST = 16 };

static int in_order(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void sort(void)
{
    static uint32_t numbers[NUMBERS];
    uint32_t x = 2463534242u;

    for (int i = 0; i < NUMBERS; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        numbers[i] = x;
    }
    qsort(numbers, NUMBERS, sizeof numbers[0], in_order);
    for (int i = 1; i < NUMBERS; i++)
        if (numbers[i - 1] > numbers[i])
            exit(1);
}

static void send_all(int to, const char *text, size_t length)
{
    while (length) {
        ssize_t n = write(to, text, length);

        if (n <= 0)
            die("write");
        text += n;
        length -= n;
    }
}

static void answer(int client)
{
    char request[512], head[128], path[64];
    ssize_t n = read(client, request, sizeof request - 1);
    struct stat status;

    if (n <= 0)
        die("request");
    request[n] = 0;
    if (sscanf(request, "GET /%63[a-z0-9] HTTP", path) != 1)
        exit(1);
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &status))
        die(path);
    int length = snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Length: %lld\r\n\r\n",
                          (long long)status.st_size);
    send_all(client, head, length);
    for (off_t at = 0; at < status.st_size;)
        if (sendfile(client, file, &at, status.st_size - at) <= 0)
            die("sendfile");
    close(file);
}

static pid_t serve(struct sockaddr_in *where)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = sizeof *where;

    if (bind(listener, (struct sockaddr *)where, sizeof *where) || listen(listener, 16) ||
        getsockname(listener, (struct sockaddr *)where, &length))
        die("server");
    pid_t server = fork();
    if (server) {
        close(listener);
        return server;
    }
    for (;;) {
        int client = accept(listener, NULL, NULL);

        if (client < 0)
            die("accept");
        answer(client);
        close(client);
    }
}

static const struct served {
    const char *name, *request;
    size_t size;
} small = {"small", "GET /small HTTP/1.0\r\n\r\n", 4096},
  middle = {"middle", "GET /middle HTTP/1.0\r\n\r\n", 65536},
  large = {"large", "GET /large HTTP/1.0\r\n\r\n", 1 << 20};

static void get(const struct sockaddr_in *where, const struct served *file)
{
    static char buffer[65536];
    size_t got = 0;
    ssize_t n;
    int s = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(s, (const struct sockaddr *)where, sizeof *where))
        die("connect");
    send_all(s, file->request, strlen(file->request));
    while ((n = read(s, buffer, sizeof buffer)) > 0)
        got += n;
    close(s);
    if (n < 0 || got < file->size || got > file->size + 128) {
        fprintf(stderr, "work: %zu bytes of %zu\n", got, file->size);
        exit(1);
    }
}

static void lay_down(const struct served *file)
{
    static char page[4096];
    int f = open(file->name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    for (size_t i = 0; i < sizeof page; i++)
        page[i] = (char)(i * 7);
    for (size_t at = 0; at < file->size; at += sizeof page)
        send_all(f, page, sizeof page);
    close(f);
}

/* A machine that has been up for a while has its generator of random numbers seeded, which a
 * connection draws from; just booted and without it, each draw costs 40,000 instructions. */
static void seed_random(void)
{
    static const struct { /* a struct rand_pool_info and what it is followed by */
        int entropy_bits, bytes;
        char seed[64];
    } pool = {512, sizeof pool.seed, "always the same"};
    int f = open("/dev/random", O_WRONLY);

    if (f < 0 || ioctl(f, RNDADDENTROPY, &pool) || close(f))
        die("/dev/random");
}

static void get_each(const struct sockaddr_in *where)
{
    get(where, &small);
    get(where, &middle);
    get(where, &large);
}

static void files(const char *set)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pid_t server = serve(&where);

    lay_down(&small);
    lay_down(&middle);
    lay_down(&large);
    BENCH(set, "serve a file of 4 KiB", 500, get(&where, &small));
    BENCH(set, "serve a file of 64 KiB", 400, get(&where, &middle));
    BENCH(set, "serve a file of 1 MiB", 50, get(&where, &large));
    BENCH(set, "serve files of 4 KiB, 64 KiB and 1 MiB", 50, get_each(&where));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static void compile(char *const *words)
{
    int status;
    pid_t p;

    if (posix_spawn(&p, words[0], NULL, NULL, words, environ) || waitpid(p, &status, 0) != p ||
        status) {
        fprintf(stderr, "work: %s ended with %d\n", words[0], status);
        exit(1);
    }
}

/* DIRECTORY/NAME.c: make finds it there, and is asked for NAME. */
static void programs(char **words, char *const *sources, int count)
{
    for (int i = 0; i < count; i++) {
        char *name = strdup(strrchr(sources[i], '/') + 1);

        name[strlen(name) - 2] = 0;
        words[i] = name;
    }
}

int main(int count, char **words)
{
    static char gcc[] = "/usr/bin/gcc", gnu[] = "-D_GNU_SOURCE", level[] = "-O1", only[] = "-c";
    static char make[] = "/usr/bin/make", all[] = "-sB", where[] = "VPATH=/usr/src/bench",
                tcc[] = "CC=tcc -D_GNU_SOURCE", with_gcc[] = "CC=gcc -D_GNU_SOURCE";
    char *compiler[SOURCES_MOST + 5] = {gcc, gnu, level, only};
    char *maker[SOURCES_MOST + 5] = {make, all, where, tcc};

    if (count < 2 || count - 2 > SOURCES_MOST)
        return 2;
    seed_random();
    BENCH(words[1], "sort 100,000 numbers", 1, sort());
    files(words[1]);
    memcpy(compiler + 4, words + 2, sizeof(char *) * (count - 2));
    programs(maker + 4, words + 2, count - 2);
    if (count > 2) {
        BENCH(words[1], "make three programs, tcc", 1, compile(maker));
        maker[3] = with_gcc;
        BENCH(words[1], "make three programs, gcc", 1, compile(maker));
        BENCH(words[1], "compile three files, gcc -O1", 1, compile(compiler));
    }
    return 0;
}
