/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - the backend process of a device.
 *
 * Descriptors in the child: 0 /dev/null, 1 and 2 a pipe that the host relays as log lines,
 * CHANNEL_FD, the journal, one end of the life pipe, then the device's own. Everything else is
 * closed. The host's address space may be large, so it is lent to the child, not copied.
 * The child starts as root to open the Xen devices and drops its privileges itself
 * (common/sandbox.c) before it reads anything of the guest's.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

#define KILL_WAIT_MS 10000

static const char *program_of(const struct devhost_spec *spec)
{
    switch (spec->cls) {
    case DEVHOST_BLOCK:
        return link_wanted(spec) ? "blkback-nbd" : "blkback";
    case DEVHOST_NET:
        return "netback";
    case DEVHOST_CONSOLE:
        return "conback";
    }
    return "";
}

struct child_fds {
    int in, out, channel, journal, life, meter, group;
    const int *device;
    unsigned nr_device;
};

/*
 * What is in the way of a number that another descriptor is to have goes above all of them first.
 * What is left above the last one is closed.
 */
static int place_fds(int *from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (from[i] < (int)n && (from[i] = fcntl(from[i], F_DUPFD, (int)n)) < 0) {
            return -1;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (dup2(from[i], (int)i) < 0) {
            return -1;
        }
    }
    return close_range(n, ~0u, 0);
}

static unsigned list_fds(const struct child_fds *c, int from[CHANNEL_DEVICE_FD + MAX_DEVICE_FDS])
{
    const int fixed[CHANNEL_DEVICE_FD] = {c->in,
                                          c->out,
                                          c->out,
                                          c->channel,
                                          c->journal,
                                          c->life,
                                          c->meter < 0 ? c->in : c->meter,
                                          c->group < 0 ? c->in : c->group};
    unsigned n = 0;

    for (; n < CHANNEL_DEVICE_FD; n++) {
        from[n] = fixed[n];
    }
    for (unsigned i = 0; i < c->nr_device; i++) {
        from[n++] = c->device[i];
    }
    return n;
}

/*
 * In the child, on the host's memory: system calls only, and nothing is changed but from[] and
 * *error. It is a session of its own: no terminal's ^C reaches a backend, its host ends it in
 * order. Signals stay blocked until the exec has undone the host's handlers.
 */
static void __attribute__((noreturn, noinline))
become(const char *program, char *const argv[], int *from, unsigned n, int *error)
{
    static char *const no_environment[] = {NULL};

    signal(SIGPIPE, SIG_DFL);
    if (setsid() >= 0 && place_fds(from, n) == 0) {
        execve(program, argv, no_environment);
    }
    *error = errno;
    _exit(127);
}

static pid_t __attribute__((noinline))
start_blocked(const char *program, char *const argv[], int *from, unsigned n, int *error)
{
    pid_t pid = vfork();

    if (pid == 0) {
        become(program, argv, from, n, error);
    }
    return pid;
}

/*
 * Returns 0 or an errno. A program that cannot be executed is told here, not by a dead child. A
 * vfork, as posix_spawn does, but without its two hundred calls to look at each signal's handler
 * and at the limit of descriptors.
 */
static int start(pid_t *pid, const struct child_fds *c, const char *program)
{
    char *const argv[] = {(char *)(uintptr_t)program, NULL};
    int from[CHANNEL_DEVICE_FD + MAX_DEVICE_FDS], error = 0;
    unsigned n = list_fds(c, from);
    sigset_t all, before;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    *pid = start_blocked(program, argv, from, n, &error);
    if (*pid < 0) {
        error = errno;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (*pid > 0 && error) {
        waitpid(*pid, NULL, 0);
    }
    return error;
}

static void add_serving(const struct devhost_serving *s, struct channel_msg *start)
{
    for (unsigned i = 0; i < DEVHOST_NR_KNOBS; i++) {
        if (s->set & 1u << i) {
            channel_addf(start, devhost_knobs[i].key, "%u", s->value[i]);
        }
    }
    channel_add(start, "grants", devhost_grants_names[s->grants]);
}

static void add_guard(const struct devhost_spec *s, struct channel_msg *start)
{
    const uint8_t *m = s->net.mac;
    char key[16];

    if (s->net.spoofs) {
        return;
    }
    channel_addf(start, "guard", "%02x%02x%02x%02x%02x%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    for (unsigned i = 0; i < s->net.nr_ips; i++) {
        snprintf(key, sizeof(key), "ip%u", i);
        channel_add(start, key, s->net.ips[i]);
    }
}

static void send_start(struct devhost_device *dev, struct channel_msg *m)
{
    const struct devhost_spec *s = &dev->spec;

    channel_init(m, CHANNEL_START);
    channel_addf(m, "domid", "%u", s->domid);
    channel_addf(m, "devid", "%u", s->devid);
    channel_addf(m, "uid", "%u", dev->host->cfg.uid_base + s->domid);
    channel_addf(m, "back-state", "%u", dev->back_state);
    channel_add(m, "group", dev->res.group < 0 ? "0" : "1");
    channel_add(m, "capture", s->capture ? "1" : "0");
    switch (s->cls) {
    case DEVHOST_BLOCK:
        channel_add(m, "readonly", s->block.readonly ? "1" : "0");
        channel_add(m, "removable", s->block.removable ? "1" : "0");
        channel_addf(m, "discard-granularity", "%u", dev->res.discard_granularity);
        add_serving(&s->block.serving, m);
        if (link_wanted(s)) {
            channel_add(m, "image", "nbd");
            channel_add(m, "export", dev->res.export);
            channel_addf(m, "timeout", "%u", link_timeout(s));
        }
        break;
    case DEVHOST_NET:
        channel_addf(m, "mtu", "%u", dev->res.mtu);
        channel_addf(m, "queues", "%u", dev->res.nr_taps);
        channel_addf(m, "coalesce", "%u", s->net.coalesce_us);
        channel_addf(m, "poll", "%u", s->net.poll_us);
        channel_add(m, "arena", s->net.no_arena ? "0" : "1");
        add_guard(s, m);
        if (s->net.mirror) {
            channel_add(m, "mirror", s->net.mirror[0] == '/' ? "pcap" : "nic");
        }
        break;
    case DEVHOST_CONSOLE:
        channel_addf(m, "port", "%u", s->console.evtchn);
        channel_addf(m, "log-max", "%llu", (unsigned long long)s->console.log_max_bytes);
        channel_add(m, "log", s->console.log_path ? "1" : "0");
        /* Who has the pty open is known only to the process that watched it from the start. */
        channel_add(m, "attached", dev->restarts || dev->res.tty_inherited ? "1" : "0");
        break;
    }
}

static int start_backend(struct devhost_device *dev, int channel, int log_fd, int life,
                         const char *program)
{
    int device[MAX_DEVICE_FDS + 1]; /* the capture comes last */
    struct child_fds c = {
        .out = log_fd,
        .channel = channel,
        .journal = dev->res.journal,
        .life = life,
        .meter = dev->res.meter,
        .group = dev->res.group,
        .device = device,
        .nr_device = dev->res.nr_fds,
    };
    pid_t pid;
    int rc;

    memcpy(device, dev->res.fds, dev->res.nr_fds * sizeof(device[0]));
    if (dev->res.capture >= 0) {
        device[c.nr_device++] = dev->res.capture;
    }

    c.in = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (c.in < 0) {
        return -errno;
    }
    rc = start(&pid, &c, program);
    close(c.in);
    if (rc) {
        return -rc;
    }
    dev->pid = pid;
    dev->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return dev->pidfd < 0 ? -errno : 0;
}

int spawn_backend(struct devhost_device *dev, char *err, size_t err_len)
{
    char program[300];
    struct channel_msg start;
    int sock[2], pipefd[2], life[2], rc;

    snprintf(program, sizeof(program), "%s/%s", dev->host->backend_dir, program_of(&dev->spec));
    if (access(program, X_OK)) {
        return err_set(err, err_len, -errno,
                       "%s: %s (set TENUE_BACKEND_DIR to where the backends are)", program,
                       strerror(errno));
    }
    if (link_wanted(&dev->spec) && (rc = link_connect(dev, err, err_len)) != 0) {
        return rc;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock)) {
        return err_set(err, err_len, -errno, "%s: socket: %s", dev->name, strerror(errno));
    }
    if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK)) {
        rc = err_set(err, err_len, -errno, "%s: pipe: %s", dev->name, strerror(errno));
        goto out_sock;
    }
    if (pipe2(life, O_CLOEXEC | O_NONBLOCK)) {
        rc = err_set(err, err_len, -errno, "%s: pipe: %s", dev->name, strerror(errno));
        goto out_pipe;
    }
    fcntl(sock[0], F_SETFL, O_NONBLOCK);
    dev->channel = sock[0];
    dev->log_fd = pipefd[0];
    dev->life_fd = life[0];
    rc = start_backend(dev, sock[1], pipefd[1], life[1], program);
    if (link_wanted(&dev->spec)) {
        link_handed(dev);
    }
    close(sock[1]);
    close(pipefd[1]);
    close(life[1]);
    if (rc) {
        err_set(err, err_len, rc, "%s: cannot start %s: %s", dev->name, program, strerror(-rc));
        spawn_kill(dev);
        return rc;
    }
    send_start(dev, &start);
    rc = channel_send(dev->channel, &start);
    if (dev->died_ms && (rc == -EPIPE || rc == -ECONNRESET)) {
        return 0; /* a successor that is dead already: one more death, which its pidfd tells */
    }
    if (rc) {
        err_set(err, err_len, rc, "%s: %s does not listen: %s", dev->name, program, strerror(-rc));
        spawn_kill(dev);
    }
    return rc;

out_pipe:
    close(pipefd[0]);
    close(pipefd[1]);
out_sock:
    close(sock[0]);
    close(sock[1]);
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static void wait_for_exit(struct devhost_device *dev)
{
    uint64_t deadline = now_ms() + KILL_WAIT_MS;

    /*
     * Bounded: a backend stuck in the kernel on a dead disk must not hang the supervisor as well.
     */
    while (waitpid(dev->pid, NULL, WNOHANG) == 0) {
        if (now_ms() > deadline) {
            device_log(dev, "process %d does not end within %d s of SIGKILL; its disk may be stuck",
                       dev->pid, KILL_WAIT_MS / 1000);
            return;
        }
        usleep(1000);
    }
}

void spawn_kill(struct devhost_device *dev)
{
    if (dev->pid > 0) {
        kill(dev->pid, SIGKILL);
        wait_for_exit(dev);
        dev->pid = 0;
    }
    close_fd(&dev->channel);
    close_fd(&dev->pidfd);
    close_fd(&dev->log_fd);
    close_fd(&dev->life_fd);
}

uint64_t spawn_progress(const struct devhost_device *dev)
{
    uint64_t v = 0;

    /* What the processes write there is not trusted: read into a variable, never mapped here. */
    if (pread(dev->res.journal, &v, sizeof(v), offsetof(struct journal, progress)) != sizeof(v)) {
        return 0;
    }
    return v;
}

void spawn_relay_log(struct devhost_device *dev)
{
    char buf[512];
    ssize_t n = read(dev->log_fd, buf, sizeof(buf));

    for (ssize_t i = 0; i < n; i++) {
        char c = buf[i];

        if (c == '\n' || dev->log_len == sizeof(dev->log_line) - 1) {
            dev->log_line[dev->log_len] = 0;
            device_log(dev, "%s", dev->log_line);
            dev->log_len = 0;
        }
        if (c != '\n') {
            dev->log_line[dev->log_len++] = c >= 0x20 && c <= 0x7e ? c : '?';
        }
    }
    if (n == 0) {
        event_del(dev->log_event);
    }
}
