/* SPDX-License-Identifier: MIT */
/* xsbench SET             time store requests (socket, or the xenbus device inside a guest)
 * xsbench write PATH VAL  one write
 * xsbench wait PATH       wait until a node is there; print what it holds
 * xsbench alone SECONDS   wait until no domain but this one is left
 * xsbench gang N MS       wait until N guests have a data/ready, then tell each, in its data/go,
 * when all begin and end by the processor's clock: half a second off, for MS million ticks
 *
 * xsbench cycle SET N 'CREATE' 'DESTROY'  domain life cycle: run CREATE, wait until the guest
 * writes its data/up, run DESTROY; N times
 * xsbench return SET N 'CREATE' 'DESTROY'  the same of a guest that writes nothing: CREATE up to
 * its return
 * xsbench start SET N 'CREATE' 'DESTROY'  the same, DESTROY uncounted
 * xsbench line SET N 'CREATE' 'DESTROY' LOG  CREATE until the guest's console's LOG grows, DESTROY
 * uncounted */
#include "bench.h"
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <poll.h>
#include <xen/io/xs_wire.h>

#include "hvinfo.h"

static int fd;
static char rep[4200], ev[4200];
static uint32_t replen;
static int have_ev;

static void io(void *p, size_t n, int wr)
{
    for (char *c = p; n;) {
        ssize_t r = wr ? write(fd, c, n) : read(fd, c, n);
        if (r <= 0) {
            if (errno == EAGAIN || errno == EINTR)
                continue;
            die(wr ? "xs write" : "xs read");
        }
        c += r;
        n -= r;
    }
}
static void one(struct xsd_sockmsg *h)
{
    io(h, sizeof *h, 0);
    char *d = h->type == XS_WATCH_EVENT ? ev : rep;
    if (h->len > 4096)
        exit(3);
    io(d, h->len, 0);
    d[h->len] = 0;
    if (h->type == XS_WATCH_EVENT)
        have_ev++;
    else
        replen = h->len;
}
static int call(uint32_t type, uint32_t tx, const char *a, size_t al, const char *b, size_t bl)
{
    char m[4300];
    struct xsd_sockmsg h = {.type = type, .tx_id = tx, .len = al + bl};
    memcpy(m, &h, sizeof h);
    memcpy(m + sizeof h, a, al);
    if (bl)
        memcpy(m + sizeof h + al, b, bl);
    io(m, sizeof h + al + bl, 1);
    do
        one(&h);
    while (h.type == XS_WATCH_EVENT);
    return h.type == XS_ERROR ? -1 : 0;
}
static int xwrite(uint32_t tx, const char *p, const char *v)
{
    return call(XS_WRITE, tx, p, strlen(p) + 1, v, strlen(v));
}
static int xpath(uint32_t type, uint32_t tx, const char *p)
{
    return call(type, tx, p, strlen(p) + 1, 0, 0);
}
static void wait_ev(void)
{
    struct xsd_sockmsg h;
    while (!have_ev)
        one(&h);
    have_ev = 0;
}

static void open_store(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/run/xenstored/socket"};
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (!connect(fd, (void *)&a, sizeof a))
        return;
    close(fd);
    fd = open("/dev/xen/xenbus", O_RDWR);
    if (fd < 0)
        die("xenstore");
}

/* ---- life cycles ---- */
#define LIMIT_MS 120000
#define SETTLE_US 300000

/* When a create is over: by the guest's data/up in the store, when the command has returned, or by
 * the first that the guest says on its console. The command must have returned in any case. */
enum witness { UP, RETURN, LINE };

struct lives {
    const char *set, *create, *destroy;
    const char *log; /* LINE: the guest's console */
    int n;
    enum witness witness;
    int destroy_counts;
};

static const char *const row[] = {[UP] = "create to guest up",
                                  [RETURN] = "create to its return",
                                  [LINE] = "create to first line"};

/* True if the event that waits is a guest's sign of life. */
static int event_is_up(void)
{
    size_t l;

    have_ev = 0;
    wait_ev();
    l = strlen(ev);
    return l > 8 && !strcmp(ev + l - 8, "/data/up");
}

static off_t log_size(const struct lives *l)
{
    struct stat st;

    return stat(l->log, &st) ? 0 : st.st_size;
}

/* True if the log's folder has changed so that the log is longer. */
static int log_has_grown(const struct lives *l, int watch, off_t before)
{
    char events[4096];

    if (read(watch, events, sizeof(events)) <= 0)
        die("inotify");
    return log_size(l) > before;
}

static int watch_log(const struct lives *l)
{
    char *folder = strdup(l->log);
    int watch = inotify_init1(IN_CLOEXEC);

    *strrchr(folder, '/') = 0;
    if (watch < 0 || inotify_add_watch(watch, folder, IN_MODIFY) < 0)
        die(folder);
    free(folder);
    return watch;
}

/* The window opens with the command's exec: no shell's work counts, nor ours. */
static pid_t start(const char *command)
{
    char *words = strdup(command), *argv[16], *rest = words;
    int n = 0;
    pid_t p;

    while (n < 15 && (argv[n] = strsep(&rest, " ")))
        n++;
    argv[n] = NULL;
    p = vfork();
    if (!p) {
        MARK(1);
        execvp(argv[0], argv);
        _exit(127);
    }
    free(words);
    return p;
}

/* Runs the create command until it has returned and the witness has spoken; false if that did not
 * come about. Sets the times from the start, in ns. */
static int create(const struct lives *l, int witness_fd, uint64_t *returned, uint64_t *over)
{
    struct pollfd pf[2] = {{witness_fd, POLLIN, 0}, {-1, POLLIN, 0}};
    off_t before = l->witness == LINE ? log_size(l) : 0;
    uint64_t began = now_ns();
    int seen = l->witness == RETURN, status;
    pid_t p = start(l->create);

    pf[1].fd = (int)syscall(SYS_pidfd_open, p, 0);
    *returned = 0;
    while (!*returned || !seen) {
        if (poll(pf, 2, LIMIT_MS) == 0) {
            printf("%s the guest did not come up\n", l->set);
            return 0;
        }
        if (pf[1].revents && waitpid(p, &status, 0) == p) {
            *returned = now_ns() - began;
            close(pf[1].fd);
            pf[1].fd = -1;
            if (status) {
                printf("%s create failed, wait status %#x\n", l->set, status);
                return 0;
            }
        }
        if (pf[0].revents)
            seen |= l->witness == UP ? event_is_up() : log_has_grown(l, witness_fd, before);
    }
    *over = now_ns() - began;
    return 1;
}

static uint64_t free_pages(void)
{
    struct hvinfo info;

    if (hvinfo_read(&info))
        die("memory of the hypervisor");
    return info.free_pages;
}

/*
 * The destroy's window stays open while what the command left to others (supervisors, hotplug
 * scripts, the store) is done, so that deferring work gains nothing; its time is up to the
 * command's return. The free memory before the create, at the destroy's return and after that wait
 * says whether all came back.
 */
static int counted_destroy(const struct lives *l, int n, uint64_t before)
{
    uint64_t at_return, start;
    int status;

    usleep(SETTLE_US);
    MARK(1);
    start = now_ns();
    status = system(l->destroy);
    start = now_ns() - start;
    at_return = free_pages();
    usleep(SETTLE_US);
    MARK(2);
    /* A row all the same, since the window has closed, but under a name that no table takes. */
    printf("%s %s n 1 min %.1f med - max - ns/op\n", l->set, status ? "failed destroy" : "destroy",
           (double)start);
    printf("%s life %d: pages missing at destroy's return %lld, then %lld, wait status %#x\n",
           l->set, n, (long long)(before - at_return), (long long)(before - free_pages()), status);
    fflush(stdout);
    return status == 0;
}

static int life(const struct lives *l, int n, int witness_fd)
{
    uint64_t before = free_pages(), returned, over;

    if (!create(l, witness_fd, &returned, &over))
        return 0;
    MARK(2);
    printf("%s %s n 1 min %.1f med - max - ns/op\n", l->set, row[l->witness], (double)over);
    printf("%s life %d: the create command returned after %.3f ms\n", l->set, n, returned / 1e6);
    fflush(stdout);
    if (l->destroy_counts)
        return counted_destroy(l, n, before);
    return system(l->destroy) == 0 && usleep(SETTLE_US) == 0;
}

/*
 * Waits until the control domain is alone, woken by the store: a poll that runs a program would
 * land in the guest's rows. False if that takes more than limit seconds. The poll's own second
 * catches a domain that dies after its last event.
 */
static int alone(int limit)
{
    static const char w[] = "@releaseDomain\0tok";
    struct pollfd pf = {fd, POLLIN, 0};
    uint64_t start = now_ns();
    struct hvinfo info;

    if (call(XS_WATCH, 0, w, sizeof w, 0, 0))
        die("watching @releaseDomain");
    for (;;) {
        if (hvinfo_read(&info))
            die("list of domains");
        if (info.domains == 1)
            return 1;
        if (now_ns() - start > (uint64_t)limit * 1000000000)
            return 0;
        if (poll(&pf, 1, 1000) > 0) {
            have_ev = 0;
            wait_ev();
        }
    }
}

/* The event that comes with a watch is the first look. */
static void await_node(const char *path)
{
    char w[256];
    int len = snprintf(w, sizeof w, "%s", path) + 1;

    strcpy(w + len, "tok");
    if (call(XS_WATCH, 0, w, len + 4, 0, 0))
        die("watching");
    do
        wait_ev();
    while (xpath(XS_READ, 0, path));
    puts(rep);
}

/* Ids of guests that are ready. It may poll: nothing is measured yet. */
static int ready_guests(int *ids, int most)
{
    char all[sizeof rep], path[sizeof rep + 64];
    uint32_t len;
    int n = 0;

    if (xpath(XS_DIRECTORY, 0, "/local/domain"))
        die("directory of guests");
    len = replen;
    memcpy(all, rep, len + 1);
    for (char *id = all; id < all + len && n < most; id += strlen(id) + 1) {
        snprintf(path, sizeof path, "/local/domain/%s/data/ready", id);
        if (!xpath(XS_READ, 0, path))
            ids[n++] = atoi(id);
    }
    return n;
}

#define GANG_MOST 64
#define GANG_LEAD 500000000ull /* ticks from the go until all must work */

static int gang(int n, int ms)
{
    int ids[GANG_MOST], found, tries = 0;
    char path[64], when[64];
    uint64_t begin;

    while ((found = ready_guests(ids, GANG_MOST)) < n && ++tries < 2000)
        usleep(100000);
    if (found != n) {
        fprintf(stderr, "%d of %d guests are ready\n", found, n);
        return 1;
    }
    begin = ticks() + GANG_LEAD;
    snprintf(when, sizeof when, "%llu %llu", (unsigned long long)begin,
             (unsigned long long)begin + ms * 1000000ull);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "/local/domain/%d/data/go", ids[i]);
        if (xwrite(0, path, when))
            die(path);
    }
    return 0;
}

/* The store is watched only where it is the witness: each of a new guest's eighty keys is an event.
 */
static int cycle(const struct lives *l)
{
    static const char w[] = "/local/domain\0tok";
    int witness_fd = l->witness == LINE ? watch_log(l) : -1;

    if (l->witness == UP) {
        if (call(XS_WATCH, 0, w, sizeof w, 0, 0))
            die("watching /local/domain");
        wait_ev();
        witness_fd = fd;
    }
    for (int i = 0; i < l->n; i++)
        if (!life(l, i, witness_fd))
            return 1;
    return 0;
}

static int lives(int ac, char **av)
{
    struct lives l = {.set = av[2], .n = atoi(av[3]), .create = av[4], .destroy = av[5]};

    if (ac == 6 && !strcmp(av[1], "cycle"))
        l.witness = UP;
    else if (ac == 6 && (!strcmp(av[1], "return") || !strcmp(av[1], "start")))
        l.witness = RETURN;
    else if (ac == 7 && !strcmp(av[1], "line"))
        l.witness = LINE, l.log = av[6];
    else
        return 2;
    l.destroy_counts = !strcmp(av[1], "cycle") || !strcmp(av[1], "return");
    return cycle(&l);
}

int main(int ac, char **av)
{
    open_store();
    if (ac == 4 && !strcmp(av[1], "write"))
        return xwrite(0, av[2], av[3]) ? 1 : 0;
    if (ac == 3 && !strcmp(av[1], "alone"))
        return !alone(atoi(av[2]));
    if (ac == 3 && !strcmp(av[1], "wait")) {
        await_node(av[2]);
        return 0;
    }
    if (ac == 4 && !strcmp(av[1], "gang"))
        return gang(atoi(av[2]), atoi(av[3]));
    if (ac >= 6)
        return lives(ac, av);
    const char *S = ac > 1 ? av[1] : "XS";
    char p[64], tx[16];
    if (xwrite(0, "/bench/a", "hello"))
        die("write");
    for (int i = 0; i < 100; i++) {
        sprintf(p, "/bench/dir/n%d", i);
        xwrite(0, p, "v");
    }
    BENCH(S, "xs read", 300, xpath(XS_READ, 0, "/bench/a"));
    BENCH(S, "xs write (same node)", 300, xwrite(0, "/bench/a", "hello"));
    BENCH(S, "xs directory, 100 children", 200, xpath(XS_DIRECTORY, 0, "/bench/dir"));
    BENCH(S, "xs mkdir + rm", 200, xpath(XS_MKDIR, 0, "/bench/x"); xpath(XS_RM, 0, "/bench/x"));
    BENCH(S, "xs get_perms", 300, xpath(XS_GET_PERMS, 0, "/bench/a"));
    BENCH(S, "xs empty transaction", 100, call(XS_TRANSACTION_START, 0, "", 1, 0, 0);
          uint32_t t = atoi(rep); call(XS_TRANSACTION_END, t, "T", 2, 0, 0));
    BENCH(
        S, "xs transaction, 5 writes", 100, call(XS_TRANSACTION_START, 0, "", 1, 0, 0);
        uint32_t t = atoi(rep); for (int k = 0; k < 5; k++) {
            sprintf(p, "/bench/t/%d", k);
            xwrite(t, p, "v");
        } if (call(XS_TRANSACTION_END, t, "T", 2, 0, 0)) puts("conflict"));
    static const char w[] = "/bench/w\0tok";
    BENCH(S, "xs watch + unwatch", 200, call(XS_WATCH, 0, w, sizeof w, 0, 0); wait_ev();
          call(XS_UNWATCH, 0, w, sizeof w, 0, 0));
    call(XS_WATCH, 0, w, sizeof w, 0, 0);
    wait_ev();
    BENCH(S, "xs write + watch event", 200, xwrite(0, "/bench/w", "1"); wait_ev());
    BENCH(S, "xs connect + read + close", 100, close(fd); open_store();
          xpath(XS_READ, 0, "/bench/a"));
    (void)tx;
    xpath(XS_RM, 0, "/bench");
    return 0;
}
