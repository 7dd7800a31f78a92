/* SPDX-License-Identifier: MIT */
/* xsbench SET             time store requests (socket, or the xenbus device inside a guest)
 * xsbench write PATH VAL  one write
 * xsbench alone SECONDS   wait until no domain but this one is left
 * xsbench cycle SET N 'CREATE' 'DESTROY'  domain life cycle: run CREATE, wait until the guest
 * writes its data/up, run DESTROY; N times
 * xsbench start SET N 'CREATE' 'DESTROY'  what counts is CREATE up to its return; the guest, which
 * may have been made paused, is not waited for */
#include "bench.h"
#include <fcntl.h>
#include <sys/socket.h>
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
#define UP_LIMIT_MS 120000
#define SETTLE_US 300000

struct create_times {
    uint64_t returned, up; /* ns after the start; 0: not yet */
};

/* True if the event that waits is a guest's sign of life. */
static int event_is_up(void)
{
    size_t l;

    have_ev = 0;
    wait_ev();
    l = strlen(ev);
    return l > 8 && !strcmp(ev + l - 8, "/data/up");
}

/* Runs the create command until it returned, which closes the window if only that counts, else
 * until the guest wrote its data/up as well; false if that did not come about. */
static int create_until_up(const char *set, const char *command, int only_start,
                           struct create_times *t)
{
    struct pollfd pf[2] = {{fd, POLLIN, 0}, {-1, POLLIN, 0}};
    uint64_t start = now_ns();
    int status;
    pid_t p = fork();

    if (!p) {
        execl("/bin/sh", "sh", "-c", command, (char *)0);
        _exit(127);
    }
    pf[1].fd = (int)syscall(SYS_pidfd_open, p, 0);
    t->returned = t->up = 0;
    while (!t->returned || (!t->up && !only_start)) {
        if (poll(pf, 2, UP_LIMIT_MS) == 0) {
            printf("%s the guest did not come up\n", set);
            return 0;
        }
        if (pf[1].revents && waitpid(p, &status, 0) == p) {
            t->returned = now_ns() - start;
            if (only_start)
                MARK(2);
            close(pf[1].fd);
            pf[1].fd = -1;
            if (status) {
                printf("%s create failed, wait status %#x\n", set, status);
                return 0;
            }
        }
        if (pf[0].revents && event_is_up())
            t->up = now_ns() - start;
    }
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
 * One life. The destroy's window stays open while what the command left to others (supervisors,
 * hotplug scripts, the store) is done, so that deferring work gains nothing; its time is up to the
 * command's return. The free memory before the create, at the destroy's return and after that wait
 * says whether all came back.
 */
static int life(const char *set, int n, const char *create, const char *destroy, int only_start)
{
    struct create_times t;
    uint64_t before = free_pages(), at_return, start;
    int status;

    MARK(1);
    if (!create_until_up(set, create, only_start, &t))
        return 0;
    if (only_start) {
        printf("%s create to its return n 1 min %.1f med - max - ns/op\n", set, (double)t.returned);
        fflush(stdout);
        return system(destroy) == 0 && usleep(SETTLE_US) == 0;
    }
    MARK(2);
    printf("%s create to guest up n 1 min %.1f med - max - ns/op\n", set, (double)t.up);
    printf("%s life %d: the create command returned after %.3f ms\n", set, n, t.returned / 1e6);
    fflush(stdout);
    usleep(SETTLE_US);
    MARK(1);
    start = now_ns();
    status = system(destroy);
    start = now_ns() - start;
    at_return = free_pages();
    usleep(SETTLE_US);
    MARK(2);
    /* A row all the same, since the window has closed, but under a name that no table takes. */
    printf("%s %s n 1 min %.1f med - max - ns/op\n", set, status ? "failed destroy" : "destroy",
           (double)start);
    printf("%s life %d: pages missing at destroy's return %lld, then %lld, wait status %#x\n", set,
           n, (long long)(before - at_return), (long long)(before - free_pages()), status);
    fflush(stdout);
    return status == 0;
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

static int cycle(const char *set, int n, const char *create, const char *destroy, int only_start)
{
    static const char w[] = "/local/domain\0tok";

    if (call(XS_WATCH, 0, w, sizeof w, 0, 0))
        die("watching /local/domain");
    wait_ev();
    for (int i = 0; i < n; i++)
        if (!life(set, i, create, destroy, only_start))
            return 1;
    return 0;
}

int main(int ac, char **av)
{
    open_store();
    if (ac == 4 && !strcmp(av[1], "write"))
        return xwrite(0, av[2], av[3]) ? 1 : 0;
    if (ac == 3 && !strcmp(av[1], "alone"))
        return !alone(atoi(av[2]));
    if (ac == 6 && (!strcmp(av[1], "cycle") || !strcmp(av[1], "start")))
        return cycle(av[2], atoi(av[3]), av[4], av[5], av[1][0] == 's');
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
