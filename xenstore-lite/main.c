/* SPDX-License-Identifier: MIT */
/*
 * xenstore-lite: options, start-up in order, the event loop.
 *
 * Owns: the command line, the libevent base, the process (daemon, pid file, signals).
 * Invariants: by the time the parent process exits, the store answers. What a user starts becomes
 *   the guard (guard.c), which starts us again as the store, whose life is short or long.
 * Leaves to others: everything that a client can notice.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "conn.h"
#include "domains.h"
#include "guarded.h"
#include "hv.h"
#include "journal.h"
#include "life.h"
#include "keeper.h"
#include "log.h"
#include "ops.h"
#include "quota.h"
#include "resume.h"
#include "ring.h"
#include "sock.h"
#include "transaction.h"
#include "turn.h"
#include "watch.h"

#define VERSION "0.1"
#define PORTS_AT_ONCE 64

static struct {
    const char *socket, *pid_file, *log;
    bool foreground, no_rings;
} options;

static struct event_base *base;
static struct event *again, *floor_timer;
static int death_port = -1;

static const char usage[] =
    "Usage: xenstore-lite [OPTION]...\n"
    "Serves the Xen store to the control domain (UNIX socket) and to guests (rings).\n"
    "\n"
    "  -f, --foreground        stay in the foreground, log to standard error\n"
    "  -p, --pid-file FILE     write the daemon's process id\n"
    "  -s, --socket PATH       listen here (default $XENSTORED_PATH, else\n"
    "                          $XENSTORED_RUNDIR/socket, else /run/xenstored/socket)\n"
    "  -l, --log FILE          log to FILE; SIGHUP opens it anew\n"
    "  -n, --no-rings          serve the socket only; needs no hypervisor\n"
    "  -q, --quota NAME=N      limit for each guest; may be repeated, see below\n"
    "      --audit             recount everything after every request, stop when wrong\n"
    "  -h, --help              this text\n"
    "  -V, --version           version\n"
    "\n"
    "Limits:\n";

static void print_usage(void)
{
    fputs(usage, stdout);
    for (int i = 0; i < QUOTA_COUNT; i++)
        printf("  %-17s %8lu  %s\n", quota_table[i].name, quota_table[i].limit,
               quota_table[i].help);
}

static const char *default_socket(void)
{
    static char path[128];
    const char *whole = getenv("XENSTORED_PATH"), *directory = getenv("XENSTORED_RUNDIR");

    if (whole)
        return whole;
    snprintf(path, sizeof(path), "%s/socket", directory ? directory : "/run/xenstored");
    return path;
}

static void set_quota(const char *pair)
{
    if (quota_set_pair(pair) == 0)
        return;
    fprintf(stderr, "xenstore-lite: --quota %s: give NAME=N with a name from --help\n", pair);
    exit(2);
}

static void parse_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"foreground", no_argument, NULL, 'f'},
        {"pid-file", required_argument, NULL, 'p'},
        {"socket", required_argument, NULL, 's'},
        {"log", required_argument, NULL, 'l'},
        {"no-rings", no_argument, NULL, 'n'},
        {"quota", required_argument, NULL, 'q'},
        {"audit", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"guarded", required_argument, NULL, 'g'},
        {NULL, 0, NULL, 0},
    };
    int c;

    options.socket = default_socket();
    while ((c = getopt_long(argc, argv, "fp:s:l:nq:hV", names, NULL)) != -1) {
        switch (c) {
        case 'f':
            options.foreground = true;
            break;
        case 'p':
            options.pid_file = optarg;
            break;
        case 's':
            options.socket = optarg;
            break;
        case 'l':
            options.log = optarg;
            break;
        case 'n':
            options.no_rings = true;
            break;
        case 'q':
            set_quota(optarg);
            break;
        case 'a':
            ops_audit_always = true;
            break;
        case 'g': /* the guard's, and not for users */
            if (!guarded_parse(optarg))
                exit(2);
            break;
        case 'h':
            print_usage();
            exit(0);
        case 'V':
            puts("xenstore-lite " VERSION);
            exit(0);
        default:
            fputs("Try xenstore-lite --help\n", stderr);
            exit(2);
        }
    }
    if (optind != argc) {
        fprintf(stderr, "xenstore-lite: unexpected argument %s; try --help\n", argv[optind]);
        exit(2);
    }
}

/* End of every callback: output leaves, the dead are buried, rings with more to do come back. */
static void turn_over(void)
{
    turn_serve_ready();
    turn_end();
    if (ring_count_ready())
        event_active(again, 0, 0);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    turn_over();
}

static void on_event_channel(evutil_socket_t fd, short what, void *arg)
{
    const struct hv *hv = arg;
    uint32_t ports[PORTS_AT_ONCE];
    int count = hv->fired(ports, PORTS_AT_ONCE);

    (void)fd;
    (void)what;
    for (int i = 0; i < count; i++) {
        if ((int)ports[i] == death_port)
            life_check_deaths();
        else
            turn_port_fired(ports[i]);
    }
    turn_over();
    hv->unmask(ports, count);
}

static void on_floor_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    log_client("a transaction kept the floor for %d s and lost it", FLOOR_SECONDS);
    transaction_revoke_floor();
    turn_over();
}

static void on_floor_changed(bool taken)
{
    struct timeval limit = {.tv_sec = FLOOR_SECONDS};

    if (taken) {
        event_add(floor_timer, &limit);
    } else {
        event_del(floor_timer);
        ring_wake_waiting();
    }
}

static void on_terminate(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    event_base_loopbreak(base);
}

static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    log_reopen();
}

static int add_event(int fd, short what, event_callback_fn callback, void *arg)
{
    struct event *e = event_new(base, fd, what, callback, arg);

    return e && event_add(e, NULL) == 0 ? 0 : -ENOMEM;
}

static void on_guard(evutil_socket_t fd, short what, void *arg)
{
    uint64_t id;
    int rc, client;

    (void)fd;
    (void)what;
    (void)arg;
    while ((rc = guarded_next(&id, &client)) > 0)
        if (sock_client_open(id, client))
            log_client("no memory for a client");
    if (rc < 0) {
        log_line("the guard is gone, nobody can connect any more: ending");
        event_base_loopbreak(base);
    }
    turn_over();
}

static int start_events(void)
{
    base = event_base_new();
    if (!base)
        return -ENOMEM;
    again = event_new(base, -1, 0, on_again, NULL);
    floor_timer = event_new(base, -1, 0, on_floor_timeout, NULL);
    if (!again || !floor_timer || add_event(SIGTERM, EV_SIGNAL | EV_PERSIST, on_terminate, NULL) ||
        add_event(SIGINT, EV_SIGNAL | EV_PERSIST, on_terminate, NULL) ||
        add_event(SIGHUP, EV_SIGNAL | EV_PERSIST, on_hangup, NULL) ||
        add_event(guarded.wire, EV_READ | EV_PERSIST, on_guard, NULL))
        return -ENOMEM;
    signal(SIGPIPE, SIG_IGN);
    sock_turn_over = turn_over;
    transaction_floor_changed = on_floor_changed;
    return 0;
}

static const struct resume_sockets sockets = {sock_client_restore, sock_client_received};

/* The store as it is born: the root, and a sign that the store is up unless the journal has it. */
static int start_store(bool resumes)
{
    struct perms *root = perms_new(1);
    int rc = root ? view_init(&store_main, root) : -ENOMEM;

    perms_unref(root);
    if (!rc)
        rc = watch_init();
    if (!rc)
        domains_apply_ledger(&store_main.ledger);
    if (!rc)
        rc = resumes ? resume_state(&sockets)
                     : store_create(&store_main, "/tool/xenstored", -1, NULL, 0);
    if (!rc)
        domains_apply_ledger(&store_main.ledger);
    store_main.noted = true;
    return rc;
}

/* Rings and clients of the store before us. */
static void take_over(void)
{
    unsigned count = 0;
    uint64_t id;
    int fd;

    resume_rings();
    for (unsigned i = 0; i < JOURNAL_CLIENTS; i++)
        if (journal_inherited(i, guarded.number, &id, &fd)) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            count += sock_client_resume(id, fd) == 0;
        }
    sock_end_strays();
    life_check_deaths();
    log_line("signal %d ended the store before this one; went on with %u clients", guarded.death,
             count);
}

static int start_domains(const struct hv *hv, bool resumes)
{
    int rc = resumes ? 0 : life_introduce_self();

    if (rc)
        log_line("the control domain's kernel offers no ring (%s): its own devices will not work",
                 strerror(-rc));
    if (!hv->rings)
        return 0;
    death_port = hv->bind_death();
    if (death_port < 0)
        log_line("cannot hear of domains' deaths: %s. Is another store running?",
                 strerror(-death_port));
    return add_event(hv->event_fd(), EV_READ | EV_PERSIST, on_event_channel, (void *)(uintptr_t)hv);
}

static int write_pid_file(void)
{
    FILE *file;

    if (!options.pid_file)
        return 0;
    file = fopen(options.pid_file, "we");
    if (!file || fprintf(file, "%d\n", (int)getpid()) < 0 || fclose(file)) {
        fprintf(stderr, "xenstore-lite: cannot write %s: %s\n", options.pid_file, strerror(errno));
        return -EIO;
    }
    return 0;
}

/*
 * Forks early, so that the parent can wait for one byte, which says that the store serves. Returns
 * the pipe's end in the child, or -1 when staying in the foreground.
 */
static int daemonise(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    if (options.foreground)
        return -1;
    if (pipe(ready)) {
        perror("xenstore-lite: pipe");
        exit(1);
    }
    pid = fork();
    if (pid < 0) {
        perror("xenstore-lite: fork");
        exit(1);
    }
    if (pid) {
        close(ready[1]);
        _exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(ready[0]);
    setsid();
    return ready[1];
}

/* The guard is beside us, or where it is installed: DIRECTORY/../lib/tenue. */
static void find_guard(const char *self, char guard[PATH_MAX])
{
    static const char *const places[] = {"store-guard", "../lib/tenue/store-guard"};
    const char *slash = strrchr(self, '/');

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(guard, PATH_MAX, "%.*s/%s", (int)(slash - self), self, places[i]);
        if (access(guard, X_OK) == 0)
            return;
    }
}

static void make_directory(void)
{
    char directory[128];

    snprintf(directory, sizeof(directory), "%s", options.socket);
    if (mkdir(dirname(directory), 0755) && errno != EEXIST)
        log_line("cannot make the directory of %s: %s", options.socket, strerror(errno));
}

/* Becomes the guard, which starts this program again with the same arguments. */
static int become_guard(int argc, char **argv)
{
    char self[PATH_MAX], guard[PATH_MAX], ready[16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char **line;

    if (n <= 0) {
        perror("xenstore-lite: /proc/self/exe");
        return 1;
    }
    self[n] = '\0';
    find_guard(self, guard);
    make_directory();
    snprintf(ready, sizeof(ready), "%d", daemonise());
    line = calloc((size_t)argc + 4, sizeof(*line));
    if (!line) {
        fputs("xenstore-lite: no memory\n", stderr);
        return 1;
    }
    line[0] = guard;
    line[1] = (char *)(uintptr_t)options.socket;
    line[2] = ready;
    line[3] = self;
    memcpy(line + 4, argv + 1, (size_t)argc * sizeof(*line)); /* the NULL behind them, too */
    execv(guard, line);
    fprintf(stderr, "xenstore-lite: %s: %s. It belongs beside xenstore-lite\n", guard,
            strerror(errno));
    return 1;
}

static void let_go_of_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
    if (chdir("/"))
        log_line("cannot leave the working directory: %s", strerror(errno));
}

static void announce_ready(int pipe_end)
{
    if (pipe_end < 0)
        return;
    if (write(pipe_end, "", 1) != 1)
        log_line("cannot tell the parent process: %s", strerror(errno));
    close(pipe_end);
}

static int start_keeper(void)
{
    const struct keeper_job job = {
        .log = options.log,
        .socket = options.socket,
        .pid_file = options.pid_file,
        .hypervisor = !options.no_rings,
        .keeps_stderr = options.foreground,
    };
    int rc = keeper_start(&job);

    if (rc)
        fprintf(stderr, "xenstore-lite: cannot start the keeper process: %s\n", strerror(-rc));
    log_fetch = keeper_new_log;
    return rc;
}

int main(int argc, char **argv)
{
    const struct hv *hv;
    bool resumes;
    int rc;

    parse_options(argc, argv);
    if (!guarded.number)
        return become_guard(argc, argv);
    if (options.log && (rc = log_open(options.log))) {
        fprintf(stderr, "xenstore-lite: cannot open log %s: %s\n", options.log, strerror(-rc));
        return 1;
    }
    if (start_keeper())
        return 1;
    hv = options.no_rings ? hv_none() : hv_xen_open();
    if (!hv)
        return 1;
    domains_init(hv);
    rc = journal_open(guarded.journal);
    if (rc < 0) {
        log_line("cannot map the journal: %s", strerror(-rc));
        return 1;
    }
    resumes = rc > 0;
    if (start_events() || (rc = start_store(resumes)) || start_domains(hv, resumes)) {
        log_line("cannot start: %s", rc == -EINVAL ? "the journal makes no sense" : "no memory");
        return 1;
    }
    sock_init(base);
    if (resumes)
        take_over();
    if (write_pid_file())
        return 1;
    if (!options.foreground)
        let_go_of_terminal();
    if (confine_enter(&confine_store, CONFINE_UID))
        return 1;
    turn_over();
    announce_ready(guarded.ready);
    event_base_dispatch(base);
    keeper_end();
    return 0;
}
