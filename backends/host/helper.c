/* SPDX-License-Identifier: MIT */
/*
 * helper.c - the process that knows qcow2: qemu-storage-daemon, one for each such disk, confined
 * before its first instruction (helper/imagefd.c), with the files of the chain as descriptors and a
 * listening socket on which it serves NBD. What it is told names no file and leaves nothing to be
 * guessed.
 *
 * To grow an image the daemon is ended, and qemu-img, confined alike, does it.
 *
 * Owns dev->helper. When the process ends, the socket is made anew, which ends the connections that
 * wait on the old one; it is started again when the backend asks for a connection.
 */
#include <endian.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../helper/imagefd.h"
#include "chain.h"
#include "host.h"

#define FOLDER "/run/tenue/images"
#define FD_PARK 1000
#define MAX_WORDS 64
#define WORD 200
#define GROW_MS 60000
#define QCOW2_SIZE_AT 24

struct helper {
    struct devhost_device *dev;
    struct chain chain;
    int listening, log_fd, pidfd;
    pid_t pid;
    struct event *ended, *log;
    char line[256];
    unsigned line_len;
    char words[MAX_WORDS][WORD];
    char *argv[MAX_WORDS + 1];
    unsigned nr_words;
    host_device_fn *settled; /* ended by us, and who waits for it; else NULL */
};

void helper_socket(const struct devhost_device *dev, char *buf, size_t len)
{
    snprintf(buf, len, FOLDER "/%u-%u", dev->spec.domid, dev->spec.devid);
}

static const char *daemon_path(void)
{
    const char *path = getenv("TENUE_STORAGE_DAEMON");

    return path ? path : "/usr/bin/qemu-storage-daemon";
}

static const char *grower_path(void)
{
    const char *path = getenv("TENUE_QEMU_IMG");

    return path ? path : "/usr/bin/qemu-img";
}

int helper_check(char *err, size_t err_len)
{
    if (access(daemon_path(), X_OK)) {
        return err_set(err, err_len, -errno,
                       "%s: %s; qcow2 images are served by it (Debian: package qemu-system-common; "
                       "the machine of `make run`: make run DISKS=1)",
                       daemon_path(), strerror(errno));
    }
    return 0;
}

/* ---- what it is told ---- */

static void word(struct helper *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void word(struct helper *h, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(h->words[h->nr_words], WORD, fmt, ap);
    va_end(ap);
    h->argv[h->nr_words] = h->words[h->nr_words];
    h->argv[++h->nr_words] = NULL;
}

/* From the last base up, as each names the one below. */
static void compose(struct helper *h)
{
    bool ro = h->dev->spec.block.readonly;

    h->nr_words = 0;
    word(h, "%s", daemon_path());
    for (unsigned i = h->chain.count; i-- > 0;) {
        const char *access = i || ro ? "on" : "off";
        bool base = i + 1 < h->chain.count;

        word(h, "--blockdev");
        word(h,
             "driver=file,node-name=file%u,filename=" IMAGEFD_PATH "%u,locking=off,aio=threads,"
             "cache.direct=off,discard=unmap,read-only=%s",
             i, i, access);
        word(h, "--blockdev");
        if (!h->chain.files[i].qcow2) {
            word(h, "driver=raw,node-name=image%u,file=file%u,read-only=%s", i, i, access);
        } else if (base) {
            word(h,
                 "driver=qcow2,node-name=image%u,file=file%u,backing=image%u,discard=unmap,"
                 "read-only=%s",
                 i, i, i + 1, access);
        } else {
            word(h, "driver=qcow2,node-name=image%u,file=file%u,discard=unmap,read-only=%s", i, i,
                 access);
        }
    }
    word(h, "--nbd-server");
    word(h, "addr.type=fd,addr.str=%d,max-connections=0", IMAGEFD_LISTEN);
    word(h, "--export");
    word(h, "type=nbd,id=disk,node-name=image0,name=" HELPER_EXPORT ",writable=%s",
         ro ? "off" : "on");
}

/* ---- the socket ---- */

static int listen_anew(struct helper *h)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -errno;
    }
    helper_socket(h->dev, un.sun_path, sizeof(un.sun_path));
    unlink(un.sun_path);
    if (bind(fd, (struct sockaddr *)&un, sizeof(un)) || listen(fd, 4)) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    if (h->listening >= 0) {
        close(h->listening);
    }
    h->listening = fd;
    return 0;
}

/* ---- the process ---- */

static int plan_fds(posix_spawn_file_actions_t *plan, const struct helper *h, int null, int log)
{
    int from[IMAGEFD_FIRST + IMAGEFD_MAX];
    unsigned n = IMAGEFD_FIRST;
    int rc = 0;

    from[0] = null;
    from[1] = from[2] = log;
    from[IMAGEFD_LISTEN] = h->listening;
    for (unsigned i = 0; i < h->chain.count; i++) {
        from[n++] = h->chain.files[i].fd;
    }
    for (unsigned i = 0; i < n && !rc; i++) {
        rc = posix_spawn_file_actions_adddup2(plan, from[i], FD_PARK + (int)i);
    }
    for (unsigned i = 0; i < n && !rc; i++) {
        rc = posix_spawn_file_actions_adddup2(plan, FD_PARK + (int)i, (int)i);
    }
    return rc ? rc : posix_spawn_file_actions_addclosefrom_np(plan, (int)n);
}

static int spawn(struct helper *h, char *const *argv, int null, int log, pid_t *pid)
{
    struct devhost *host = h->dev->host;
    char preload[320], uid[32];
    char *const env[] = {preload, uid, NULL};
    posix_spawn_file_actions_t plan;
    posix_spawnattr_t attr;
    int rc;

    snprintf(preload, sizeof(preload), "LD_PRELOAD=%s/imagefd.so", host->backend_dir);
    snprintf(uid, sizeof(uid), "TENUE_UID=%u", host->cfg.uid_base + h->dev->spec.domid);
    if (access(preload + strlen("LD_PRELOAD="), R_OK)) {
        return -errno;
    }
    posix_spawn_file_actions_init(&plan);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
    rc = plan_fds(&plan, h, null, log);
    if (!rc) {
        rc = posix_spawn(pid, argv[0], &plan, &attr, argv, env);
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&plan);
    return -rc;
}

static void drop_process(struct helper *h)
{
    if (h->ended) {
        event_free(h->ended);
        h->ended = NULL;
    }
    if (h->log) {
        event_free(h->log);
        h->log = NULL;
    }
    if (h->pidfd >= 0) {
        close(h->pidfd);
    }
    if (h->log_fd >= 0) {
        close(h->log_fd);
    }
    h->pidfd = h->log_fd = -1;
    h->pid = 0;
}

static void relay_log(struct helper *h)
{
    char buf[512];
    ssize_t n = read(h->log_fd, buf, sizeof(buf));

    for (ssize_t i = 0; i < n; i++) {
        char c = buf[i];

        if (c == '\n' || h->line_len == sizeof(h->line) - 1) {
            h->line[h->line_len] = 0;
            device_log(h->dev, "image's helper: %s", h->line);
            h->line_len = 0;
        }
        if (c != '\n') {
            h->line[h->line_len++] = c >= 0x20 && c <= 0x7e ? c : '?';
        }
    }
    if (n == 0 && h->log) {
        event_del(h->log);
    }
}

static void on_log(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    relay_log(arg);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    struct helper *h = arg;
    int status = 0;

    (void)fd;
    (void)what;
    if (waitpid(h->pid, &status, WNOHANG) == 0) {
        event_add(h->ended, NULL);
        return;
    }
    relay_log(h);
    device_log(h->dev, "image's helper, process %d, ended with %s %d", h->pid,
               WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    drop_process(h);
    listen_anew(h);
    if (h->settled) {
        host_device_fn *settled = h->settled;

        h->settled = NULL;
        settled(h->dev);
    }
}

static int start(struct helper *h)
{
    struct event_base *base = h->dev->host->cfg.base;
    int null, pipefd[2], rc;

    if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK)) {
        return -errno;
    }
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    rc = null < 0 ? -errno : spawn(h, h->argv, null, pipefd[1], &h->pid);
    close(pipefd[1]);
    if (null >= 0) {
        close(null);
    }
    if (rc) {
        close(pipefd[0]);
        h->pid = 0;
        return rc;
    }
    h->log_fd = pipefd[0];
    h->pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0);
    h->ended = event_new(base, h->pidfd, EV_READ, on_end, h);
    h->log = event_new(base, h->log_fd, EV_READ | EV_PERSIST, on_log, h);
    if (!h->ended || !h->log || event_add(h->ended, NULL) || event_add(h->log, NULL)) {
        return -ENOMEM;
    }
    return 0;
}

bool helper_up(struct devhost_device *dev)
{
    struct helper *h = dev->helper;
    int rc;

    if (!h || h->pid) {
        return true; /* a remote server, or it runs */
    }
    rc = start(h);
    if (rc) {
        device_log(dev, "image's helper cannot be started: %s", strerror(-rc));
    }
    return !rc;
}

/* The backend had no answer of it. One that has not ended by itself is stuck; what it had answered
 * and not made durable the backend still has. */
void helper_suspect(struct devhost_device *dev)
{
    struct helper *h = dev->helper;

    if (h && h->pid) {
        kill(h->pid, SIGKILL);
    }
}

bool helper_end(struct devhost_device *dev, host_device_fn *then)
{
    struct helper *h = dev->helper;

    h = h && h->pid ? h : NULL;
    if (h) {
        h->settled = then;
        kill(h->pid, SIGTERM); /* it ends what it has begun, and makes durable what it answered */
    }
    return h;
}

static void stop_daemon(struct helper *h)
{
    if (h->pid) {
        kill(h->pid, SIGTERM); /* it makes all durable that it knows of */
        for (int i = 0; i < 5000 && waitpid(h->pid, NULL, WNOHANG) == 0; i++) {
            if (i == 3000) {
                kill(h->pid, SIGKILL);
            }
            usleep(1000);
        }
    }
    drop_process(h);
}

/* ---- growing ---- */

/* The whole chain: what a base has beyond the old end must not show. */
static void describe(const struct helper *h, char *to, size_t room)
{
    char prefix[CHAIN_MAX * sizeof("backing.")] = "";
    size_t n = 0;

    for (unsigned i = 0; i < h->chain.count && n < room; i++) {
        n += (size_t)snprintf(to + n, room - n,
                              "%s%sdriver=%s,%sread-only=%s,%sfile.driver=file,%sfile.locking=off,"
                              "%sfile.aio=threads,%sfile.filename=" IMAGEFD_PATH "%u",
                              i ? "," : "", prefix, h->chain.files[i].qcow2 ? "qcow2" : "raw",
                              prefix, i ? "on" : "off", prefix, prefix, prefix, prefix, i);
        strcat(prefix, "backing.");
    }
}

/* Its exit status, -1 for any other end; what it said, to `said`. */
static int wait_for(pid_t pid, int pipe, char *said, size_t room)
{
    struct pollfd pfd = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    int status = -1;
    ssize_t n;

    if (pfd.fd < 0 || poll(&pfd, 1, GROW_MS) != 1) {
        kill(pid, SIGKILL);
    }
    waitpid(pid, &status, 0);
    if (pfd.fd >= 0) {
        close(pfd.fd);
    }
    n = read(pipe, said, room - 1); /* it has ended, so whatever it said is there */
    said[n > 0 ? n : 0] = 0;
    said[strcspn(said, "\n")] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_grower(struct helper *h, uint64_t bytes, char *said, size_t room)
{
    static char options[CHAIN_MAX * 8 * WORD];
    char size[24];
    const char *const argv[] = {grower_path(), "resize", "--image-opts", options, size, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), pipefd[2], rc;
    pid_t pid;

    if (null < 0 || pipe2(pipefd, O_CLOEXEC | O_NONBLOCK)) {
        return -1; /* out of descriptors; there is hardly a word to say it with */
    }
    describe(h, options, sizeof(options));
    snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
    rc = spawn(h, (char *const *)(uintptr_t)argv, null, pipefd[1], &pid);
    close(pipefd[1]);
    close(null);
    if (rc) {
        snprintf(said, room, "%s: %s", argv[0], strerror(-rc));
    } else {
        rc = wait_for(pid, pipefd[0], said, room);
    }
    close(pipefd[0]);
    return rc;
}

/* As its header says: big-endian, in a place that is the same in all versions. 0: unreadable. */
static uint64_t size_of(int fd)
{
    uint64_t size;

    return pread(fd, &size, sizeof(size), QCOW2_SIZE_AT) == sizeof(size) ? be64toh(size) : 0;
}

int helper_grow(struct devhost_device *dev, uint64_t bytes, char *err, size_t err_len)
{
    struct helper *h = dev->helper;
    const struct chain_file *f = &h->chain.files[0];
    uint64_t size = size_of(f->fd);
    char said[200] = "no reason given";

    if (h->settled) {
        return err_set(err, err_len, -EBUSY, "%s: its backend is being replaced; try again",
                       f->path);
    }
    if (bytes < size) {
        return err_set(err, err_len, -EINVAL,
                       "%s has %llu bytes already: a disk in use does not shrink", f->path,
                       (unsigned long long)size);
    }
    stop_daemon(h);
    listen_anew(h);
    if (run_grower(h, bytes, said, sizeof(said))) {
        return err_set(err, err_len, -EIO, "%s cannot have %llu bytes: %s", f->path,
                       (unsigned long long)bytes, said);
    }
    device_log(dev, "its image has %llu bytes, not %llu", (unsigned long long)bytes,
               (unsigned long long)size);
    return 0;
}

int helper_open(struct devhost_device *dev, char *err, size_t err_len)
{
    struct helper *h = calloc(1, sizeof(*h));
    int rc;

    if (!h) {
        return err_set(err, err_len, -ENOMEM, "out of memory");
    }
    dev->helper = h;
    h->dev = dev;
    h->listening = h->log_fd = h->pidfd = -1;
    rc = helper_check(err, err_len);
    if (!rc) {
        rc = chain_open(&dev->spec, &h->chain, err, err_len);
    }
    if (rc) {
        return rc;
    }
    compose(h);
    if ((mkdir("/run/tenue", 0755) && errno != EEXIST) ||
        (mkdir(FOLDER, 0700) && errno != EEXIST) || (rc = listen_anew(h)) != 0) {
        return err_set(err, err_len, rc ? rc : -errno, "%s: " FOLDER ": %s", dev->name,
                       strerror(rc ? -rc : errno));
    }
    return 0;
}

void helper_close(struct devhost_device *dev)
{
    struct helper *h = dev->helper;
    char path[108];

    if (!h) {
        return;
    }
    stop_daemon(h);
    if (h->listening >= 0) {
        close(h->listening);
        helper_socket(dev, path, sizeof(path));
        unlink(path);
    }
    chain_close(&h->chain);
    free(h);
    dev->helper = NULL;
}
