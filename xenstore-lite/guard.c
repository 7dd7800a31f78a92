/* SPDX-License-Identifier: MIT */
/*
 * store-guard: what outlives a store that is killed, so that its clients notice nothing but a
 * pause.
 *
 *   store-guard SOCKET READY-FD STORE ARGUMENT...
 *
 * Owns: the socket that clients connect to, a second descriptor of every client's connection, the
 * file of the journal, the store's process. Starts STORE with the ARGUMENTs and --guarded, and
 * again whenever a signal has killed it; a store that exits has its reasons, and ends the guard.
 * Invariants: never looks at what a client sends, nor into the journal beyond its list of clients
 * and a counter; from a store it takes eight bytes, a client's number. READY-FD, or -1, is closed
 * when the store has it. Leaves to others: everything that a client can ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guarded.h"
#include "journal.h"

#define REST_MS 100 /* without descriptors, or before a store that gets nowhere starts again */
/* Deaths in a row without one turn: unless somebody kills it, a request is the reason, or else
 * something is. */
#define FUTILE_BLAME 3u
#define FUTILE_END 6u

static char **job; /* the store's path and arguments */

static int listener, journal, ready, wire = -1, signals;
static struct journal_client *clients;
static uint64_t next_id = CONN_SOCKET;
static pid_t store;
static uint32_t stores; /* started so far */

static void fail(const char *what, int error)
{
    fprintf(stderr, "xenstore-lite: %s: %s\n", what, strerror(error));
    exit(1);
}

/* ---- the socket ---- */

/* A socket that answers belongs to another store; one that does not is left over from a crash. */
static int remove_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -errno : 0;

    if (!rc && !connect(fd, (const struct sockaddr *)address, sizeof(*address)))
        rc = -EADDRINUSE;
    if (fd >= 0)
        close(fd);
    if (!rc && unlink(address->sun_path) && errno != ENOENT)
        rc = -errno;
    return rc;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int rc;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    rc = remove_stale(&address);
    if (rc)
        return rc;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0)
        return -errno;
    mask = umask(0177);
    rc = bind(listener, (const struct sockaddr *)&address, sizeof(address)) || listen(listener, 128)
             ? -errno
             : 0;
    umask(mask);
    return rc;
}

/* ---- clients ---- */

static struct journal_client *slot_of(uint64_t id)
{
    for (unsigned i = 0; i < JOURNAL_CLIENTS; i++)
        if (clients[i].id == id)
            return &clients[i];
    return NULL;
}

/* A store that is dead by now finds the client in the list. */
static void hand_over(const struct journal_client *c)
{
    uint64_t id = c->id;
    union guarded_control control;
    struct iovec iov = {.iov_base = &id, .iov_len = sizeof(id)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};

    control.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &c->fd, sizeof(c->fd));
    while (wire >= 0 && sendmsg(wire, &m, MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

/* False when there is no room, and he has to wait. */
static bool accept_one(void)
{
    struct journal_client *c = slot_of(0);
    int fd;

    if (!c)
        return false;
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    c->fd = fd;
    c->came = stores;
    atomic_store_explicit(&c->id, next_id++, memory_order_release);
    hand_over(c);
    return true;
}

static void let_go(uint64_t id)
{
    struct journal_client *c = id ? slot_of(id) : NULL;

    if (!c)
        return;
    close(c->fd);
    c->id = 0;
}

/* ---- the store ---- */

static void keep_in_exec(int fd)
{
    fcntl(fd, F_SETFD, 0);
}

static void __attribute__((noreturn)) become_store(int its_wire, int death)
{
    char told[64];
    sigset_t none;
    int count = 0;
    char **argv;

    while (job[count])
        count++;
    argv = calloc((size_t)count + 2, sizeof(*argv));
    if (!argv)
        _exit(1);
    snprintf(told, sizeof(told), "--guarded=%d,%d,%d,%d,%u", its_wire, journal, ready, death,
             stores);
    memcpy(argv, job, (size_t)count * sizeof(*argv));
    argv[count] = told;
    keep_in_exec(its_wire);
    keep_in_exec(journal);
    if (ready >= 0)
        keep_in_exec(ready);
    for (unsigned i = 0; i < JOURNAL_CLIENTS; i++)
        if (clients[i].id)
            keep_in_exec(clients[i].fd);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(argv[0], argv);
    fail(argv[0], errno);
    _exit(1);
}

/* death: the signal that ended the one before, 0 for the first. */
static void start_store(int death)
{
    int ends[2];

    if (wire >= 0)
        close(wire);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        fail("socketpair", errno);
    wire = ends[0];
    stores++;
    store = fork();
    if (store < 0)
        fail("fork", errno);
    if (store == 0)
        become_store(ends[1], death);
    close(ends[1]);
    if (ready >= 0)
        close(ready);
    ready = -1;
}

/* How often in a row a store died without having finished a turn. */
static unsigned futile_deaths(void)
{
    static uint64_t turns_then;
    static unsigned count;
    const uint64_t turns = journal_turns(journal);

    count = turns == turns_then ? count + 1 : 1;
    turns_then = turns;
    return count;
}

static void bury_store(void)
{
    unsigned futile;
    int status, death;

    if (waitpid(store, &status, WNOHANG) != store)
        return;
    if (WIFEXITED(status))
        exit(WEXITSTATUS(status));
    death = WTERMSIG(status);
    futile = futile_deaths();
    if (!journal_turns(journal) || (death != SIGKILL && futile >= FUTILE_END))
        exit(1);
    if (futile >= FUTILE_BLAME) {
        if (death != SIGKILL)
            journal_blame(journal);
        poll(NULL, 0, REST_MS);
    }
    start_store(death);
}

static void on_wire(void)
{
    uint64_t id;
    ssize_t n = recv(wire, &id, sizeof(id), MSG_DONTWAIT);

    if (n == (ssize_t)sizeof(id)) {
        let_go(id);
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        close(wire); /* it is dead, or about to be */
        wire = -1;
    }
}

static void on_signal(void)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGCHLD)
        bury_store();
    else
        kill(store, (int)info.ssi_signo);
}

static void catch_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        fail("signalfd", errno);
}

static void let_go_of_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    close(null);
}

static void __attribute__((noreturn)) serve(void)
{
    bool resting = false;

    for (;;) {
        struct pollfd p[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = wire, .events = POLLIN},
            {.fd = resting ? -1 : listener, .events = POLLIN},
        };

        if (poll(p, 3, resting ? REST_MS : -1) < 0)
            continue;
        resting = false;
        if (p[1].revents)
            on_wire();
        if (p[0].revents)
            on_signal();
        if (p[2].revents)
            resting = !accept_one();
    }
}

int main(int argc, char **argv)
{
    bool background;
    int rc;

    if (argc < 4) {
        fputs("store-guard is started by xenstore-lite\n", stderr);
        return 2;
    }
    ready = atoi(argv[2]);
    background = ready >= 0;
    job = argv + 3;
    prctl(PR_SET_NAME, "store-guard");
    rc = listen_at(argv[1]);
    if (rc) {
        fprintf(stderr, "xenstore-lite: cannot listen on %s: %s%s\n", argv[1], strerror(-rc),
                rc == -EADDRINUSE ? " (another store serves it)" : "");
        return 1;
    }
    journal = journal_make();
    if (journal < 0)
        fail("cannot make the journal", -journal);
    clients = journal_clients(journal);
    if (!clients)
        fail("cannot map the journal", errno);
    catch_signals();
    start_store(0);
    if (background)
        let_go_of_terminal();
    serve();
}
