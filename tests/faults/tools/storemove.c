/* SPDX-License-Identifier: MIT */
/*
 * storemove: a client that notices whatever a store that dies might lose.
 *
 * Below /tool/move is one node, a number, with two children that both hold it. One process takes
 * it away and makes the next one, in one transaction, and waits until its watch, on another
 * connection, has named both children: each number has paths of its own, so an event of another
 * round does not count. The other process reads all along, and must never see none of them, or
 * two. At SIGTERM it says how many moves there were, how many transactions had to be done
 * again, and how long the slowest answer and the slowest watch took. Status 1, and a line that
 * says why, when anything is not so, or a watch takes a minute.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

#define PLACE "/tool/move"
#define WATCH_MS 60000
#define REST_US 10000 /* others have the store, too */

static volatile sig_atomic_t over;

/* What both processes count: each its own. */
static struct counts {
    long slowest_us, reads;
} * mine;

static void fail(const char *what, unsigned long n)
{
    printf("storemove: %s, at %lu: %s\n", what, n, strerror(errno));
    exit(1);
}

static long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

/* Notes how long an answer took that was asked for at `since`. */
static void answered(long since)
{
    long took = now_us() - since;

    if (took > mine->slowest_us)
        mine->slowest_us = took;
}

static struct xs_handle *open_store(void)
{
    struct xs_handle *xs = xs_open(0);

    if (!xs)
        fail("no store", 0);
    return xs;
}

static bool put(struct xs_handle *xs, xs_transaction_t t, const char *name, unsigned long n)
{
    long since = now_us();
    char path[64], value[24];
    bool done;

    snprintf(path, sizeof(path), PLACE "/%lu/%s", n, name);
    snprintf(value, sizeof(value), "%lu", n);
    done = xs_write(xs, t, path, value, (unsigned)strlen(value));
    answered(since);
    return done;
}

/* One transaction; false: it has to be done again. */
static bool try_move(struct xs_handle *xs, unsigned long n)
{
    char old[64];
    long since = now_us();
    xs_transaction_t t = xs_transaction_start(xs);
    bool good, ended;

    answered(since);
    if (!t)
        fail("no transaction", n);
    snprintf(old, sizeof(old), PLACE "/%lu", n - 1);
    good = put(xs, t, "a", n) && xs_rm(xs, t, old) && put(xs, t, "b", n);
    if (!good && errno != EAGAIN)
        fail("a request in a transaction", n);
    since = now_us();
    ended = xs_transaction_end(xs, t, !good);
    answered(since);
    if (!ended && errno != EAGAIN)
        fail("the end of a transaction", n);
    return good && ended;
}

/* Which of this number's two events the next one is: bits, none for another's. */
static unsigned next_event(struct xs_handle *xs, unsigned long n)
{
    struct pollfd p = {.fd = xs_fileno(xs), .events = POLLIN};
    char path[64];
    unsigned bits = 0, num;
    char **event;
    int rc;

    do {
        rc = poll(&p, 1, WATCH_MS);
    } while (rc < 0 && errno == EINTR);
    errno = rc ? errno : ETIMEDOUT;
    event = rc > 0 ? xs_read_watch(xs, &num) : NULL;
    if (!event)
        fail("a watch does not fire", n);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), PLACE "/%lu/%c", n, 'a' + i);
        bits |= strcmp(event[XS_WATCH_PATH], path) ? 0 : 1u << i;
    }
    free(event);
    return bits;
}

/* The process that moves. Returns how many moves it made. */
static unsigned long move(unsigned long *again, long *slowest_watch)
{
    struct xs_handle *xs = open_store(), *watcher = open_store();
    unsigned long n = 0;

    if (!xs_watch(watcher, PLACE, "move"))
        fail("no watch", 0);
    for (*again = 0, *slowest_watch = 0; !over;) {
        unsigned seen = 0;
        long since;

        n++;
        while (!try_move(xs, n))
            ++*again;
        since = now_us();
        while (seen != 3)
            seen |= next_event(watcher, n);
        if (now_us() - since > *slowest_watch)
            *slowest_watch = now_us() - since;
        usleep(REST_US);
    }
    return n;
}

/* The process that reads: one number, and both its children while it is there. */
static void __attribute__((noreturn)) look(void)
{
    struct xs_handle *xs = open_store();

    for (;;) {
        long since = now_us();
        char path[64];
        unsigned there = 0, children = 0;
        char **names = xs_directory(xs, XBT_NULL, PLACE, &there), **its;

        answered(since);
        if (!names || there != 1)
            fail("half of a transaction: so many numbers", there);
        snprintf(path, sizeof(path), PLACE "/%s", names[0]);
        its = xs_directory(xs, XBT_NULL, path, &children);
        if (its ? children != 2 : errno != ENOENT)
            fail("half of a transaction: so many children", children);
        mine->reads++;
        free(its);
        free(names);
        usleep(REST_US);
    }
}

static void on_signal(int number)
{
    (void)number;
    over = 1;
}

int main(void)
{
    struct counts *both =
        mmap(NULL, 2 * sizeof(*both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct xs_handle *xs = open_store();
    unsigned long moves, again;
    long slowest_watch;
    int status;
    pid_t pid;

    if (both == MAP_FAILED)
        fail("memory", 0);
    mine = both;
    if (!put(xs, XBT_NULL, "a", 0) || !put(xs, XBT_NULL, "b", 0))
        fail("the first number", 0);
    xs_close(xs);
    signal(SIGTERM, on_signal);
    pid = fork();
    if (pid == 0) {
        signal(SIGTERM, SIG_IGN); /* meant for the other */
        mine = &both[1];
        look();
    }
    moves = move(&again, &slowest_watch);
    if (waitpid(pid, &status, WNOHANG))
        fail("the reader has ended", moves);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    xs = open_store();
    if (!xs_rm(xs, XBT_NULL, PLACE))
        fail("the end", moves);
    if (both[1].slowest_us > both->slowest_us)
        both->slowest_us = both[1].slowest_us;
    printf("%lu moves, %ld looks, %lu transactions done again, slowest answer %ld ms, slowest "
           "watch %ld ms\n",
           moves, both[1].reads, again, both->slowest_us / 1000, slowest_watch / 1000);
    return 0;
}
