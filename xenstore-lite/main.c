/* SPDX-License-Identifier: MIT */
/*
 * xenstore-lite: options, start-up in order, the event loop.
 *
 * Owns: the command line, the libevent base, the process (daemon, pid file, signals).
 * Invariants: by the time the parent process exits, the socket accepts connections.
 * Leaves to others: everything that a client can notice.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "conn.h"
#include "domains.h"
#include "hv.h"
#include "keeper.h"
#include "log.h"
#include "ops.h"
#include "quota.h"
#include "ring.h"
#include "sock.h"
#include "transaction.h"
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
        {"foreground", no_argument, NULL, 'f'},   {"pid-file", required_argument, NULL, 'p'},
        {"socket", required_argument, NULL, 's'}, {"log", required_argument, NULL, 'l'},
        {"no-rings", no_argument, NULL, 'n'},     {"quota", required_argument, NULL, 'q'},
        {"audit", no_argument, NULL, 'a'},        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
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
    bool more = ring_run_ready();

    conn_flush_all();
    if (more)
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
            domains_check_deaths();
        else
            ring_port_fired(ports[i]);
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

static int start_events(void)
{
    base = event_base_new();
    if (!base)
        return -ENOMEM;
    again = event_new(base, -1, 0, on_again, NULL);
    floor_timer = event_new(base, -1, 0, on_floor_timeout, NULL);
    if (!again || !floor_timer || add_event(SIGTERM, EV_SIGNAL | EV_PERSIST, on_terminate, NULL) ||
        add_event(SIGINT, EV_SIGNAL | EV_PERSIST, on_terminate, NULL) ||
        add_event(SIGHUP, EV_SIGNAL | EV_PERSIST, on_hangup, NULL))
        return -ENOMEM;
    signal(SIGPIPE, SIG_IGN);
    sock_turn_over = turn_over;
    transaction_floor_changed = on_floor_changed;
    return 0;
}

/* The store as it is born: the root and a sign that the store is up. */
static int start_store(void)
{
    struct perms *root = perms_new(1);
    int rc = root ? view_init(&store_main, root) : -ENOMEM;

    perms_unref(root);
    if (!rc)
        rc = store_create(&store_main, "/tool/xenstored", -1, NULL, 0);
    if (!rc)
        rc = watch_init();
    if (!rc)
        domains_apply_ledger(&store_main.ledger);
    return rc;
}

static int start_domains(const struct hv *hv)
{
    int rc = domains_introduce_self();

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

static int start_socket(void)
{
    char directory[128];
    int rc;

    snprintf(directory, sizeof(directory), "%s", options.socket);
    if (mkdir(dirname(directory), 0755) && errno != EEXIST)
        log_line("cannot make the directory of %s: %s", options.socket, strerror(errno));
    rc = sock_listen(base, options.socket);
    if (rc)
        fprintf(stderr, "xenstore-lite: cannot listen on %s: %s%s\n", options.socket, strerror(-rc),
                rc == -EADDRINUSE ? " (another store serves it)" : "");
    return rc;
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
 * Forks early, so that device handles and libevent belong to the child; the parent waits on a pipe
 * for one byte, which says that the child serves.  Returns the pipe's end in the child, or -1 when
 * staying in the foreground.
 */
static int daemonise(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    if (options.foreground)
        return -1;
    if (pipe2(ready, O_CLOEXEC)) {
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
    int ready, rc;

    parse_options(argc, argv);
    ready = daemonise();
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
    if (start_events() || start_store() || start_domains(hv)) {
        log_line("cannot start: no memory");
        return 1;
    }
    if (start_socket() || write_pid_file())
        return 1;
    if (ready >= 0)
        let_go_of_terminal();
    if (confine_enter(&confine_store, CONFINE_UID))
        return 1;
    announce_ready(ready);
    turn_over();
    event_base_dispatch(base);
    sock_close();
    keeper_end();
    return 0;
}
