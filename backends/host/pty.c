/* SPDX-License-Identifier: MIT */
/* pty.c - a console's terminal, new or another device's, and the files of its log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "host.h"

static void add_fd(struct resources *res, int fd)
{
    res->fds[res->nr_fds++] = fd;
}

static int make_raw(int fd)
{
    struct termios tio;

    if (tcgetattr(fd, &tio)) {
        return -1;
    }
    cfmakeraw(&tio);
    return tcsetattr(fd, TCSANOW, &tio);
}

static int new_pty(struct resources *res)
{
    int slave, watch;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (master < 0) {
        return -errno;
    }
    add_fd(res, master);
    if (grantpt(master) || unlockpt(master) || ptsname_r(master, res->tty, sizeof(res->tty))) {
        return -errno;
    }
    slave = open(res->tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        return -errno;
    }
    add_fd(res, slave);
    if (make_raw(slave) || chmod(res->tty, 0600)) {
        return -errno;
    }
    watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch < 0) {
        return -errno;
    }
    add_fd(res, watch);
    return inotify_add_watch(watch, res->tty, IN_OPEN | IN_CLOSE) < 0 ? -errno : 0;
}

static int inherit_pty(struct resources *res, const struct devhost_device *from)
{
    for (unsigned i = 0; i < 3; i++) {
        int fd = fcntl(from->res.fds[i], F_DUPFD_CLOEXEC, 3);

        if (fd < 0) {
            return -errno;
        }
        add_fd(res, fd);
    }
    memcpy(res->tty, from->res.tty, sizeof(res->tty));
    res->tty_inherited = true;
    return 0;
}

static int open_log(struct resources *res, const char *path)
{
    static const char *const suffix[] = {"", ".1"};
    char name[512];

    for (unsigned i = 0; i < 2; i++) {
        int fd;

        snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
        fd = open(name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd < 0) {
            return -errno;
        }
        add_fd(res, fd);
    }
    return 0;
}

int pty_open(struct devhost_device *dev, char *err, size_t err_len)
{
    struct devhost_spec *s = &dev->spec;
    int rc = s->console.inherit_tty_from ? inherit_pty(&dev->res, s->console.inherit_tty_from)
                                         : new_pty(&dev->res);

    s->console.inherit_tty_from = NULL;
    if (rc) {
        return err_set(err, err_len, rc, "%s: pty: %s (is devpts mounted on /dev/pts?)", dev->name,
                       strerror(-rc));
    }
    if (!s->console.log_max_bytes) {
        s->console.log_max_bytes = 1 << 20;
    }
    rc = s->console.log_path ? open_log(&dev->res, s->console.log_path) : 0;
    if (rc) {
        return err_set(err, err_len, rc, "%s: log %s: %s", dev->name, s->console.log_path,
                       strerror(-rc));
    }
    return 0;
}
