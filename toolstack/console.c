/* SPDX-License-Identifier: MIT */
/*
 * tenue console: between this terminal and the guest's. The guest's bytes are passed on as they
 * are: what they do to the terminal is for whoever attaches to judge, as with any serial line.
 */
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { LEAVE = 0x1d /* ^] */, CHUNK = 4096 };

int console_open(struct store *st, uint32_t domid, struct diag *d)
{
    char *path = store_read(st, "/local/domain/%u/console/tty", domid);
    int fd = -1;

    /* Only a terminal the console backend made: never open what else the node might name. */
    if (!path || !*path)
        diag_set(d, "domain %u has no console", domid);
    else if (strncmp(path, "/dev/pts/", 9) != 0 ||
             strspn(path + 9, "0123456789") != strlen(path + 9))
        diag_set(d,
                 "domain %u: the store names \"%s\" as its console, which is no terminal of"
                 " ours",
                 domid, path);
    else
        fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
    if (path && fd < 0)
        diag_errno(d, "cannot open the console of domain %u at %s", domid, path);
    free(path);
    return fd;
}

static bool write_all(int fd, const char *p, size_t len)
{
    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* One readable descriptor's bytes to the other; false at its end, or at ^] if that is watched. */
static bool pass(int from, int to, bool watch_leave)
{
    char buf[CHUNK];
    ssize_t n = read(from, buf, sizeof(buf));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n <= 0)
        return false;
    char *leave = watch_leave ? memchr(buf, LEAVE, (size_t)n) : NULL;
    size_t len = leave ? (size_t)(leave - buf) : (size_t)n;

    return write_all(to, buf, len) && !leave;
}

static void loop(int tty)
{
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = tty, .events = POLLIN}};

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[1].revents && !pass(tty, STDOUT_FILENO, false))
            return;
        if (fds[0].revents && !pass(STDIN_FILENO, tty, true)) {
            if (isatty(STDIN_FILENO))
                return;
            fds[0].fd = -1; /* a script's input has ended: go on listening */
        }
    }
}

int console_attach(int tty, struct diag *d)
{
    struct termios saved, raw;
    bool terminal = tcgetattr(STDIN_FILENO, &saved) == 0;

    if (terminal) {
        raw = saved;
        cfmakeraw(&raw);
        if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
            return diag_errno(d, "cannot set up this terminal");
    }
    loop(tty);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
        putchar('\n');
    }
    close(tty);
    return 0;
}

int verb_console(int argc, char **argv)
{
    struct session s;
    uint32_t domid;
    int rc = session_open_argument(&s, argc, argv, &domid);

    if (rc)
        return rc;
    int tty = console_open(&s.st, domid, &s.d);
    return session_close(&s, tty < 0 ? -1 : console_attach(tty, &s.d));
}
