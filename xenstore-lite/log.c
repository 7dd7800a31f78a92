/* SPDX-License-Identifier: MIT */
/*
 * Logging.
 *
 * Owns: the log's descriptor, the rate limit and the limit of its size.
 * Invariants: a line is one write of bounded length; bytes that came from a client are printed only
 *   after path and name checks, so no control bytes reach the log.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_LINES_PER_SECOND 10
#define LOG_MAX (1 << 20)

bool log_tracing;
int (*log_fetch)(bool rotate);

static int log_fd = STDERR_FILENO;
static const char *log_path;

int log_make(const char *path, bool rotate)
{
    char old[PATH_MAX];
    int fd;

    if (rotate) {
        if (snprintf(old, sizeof(old), "%s.1", path) >= (int)sizeof(old))
            return -ENAMETOOLONG;
        if (rename(path, old))
            return -errno;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return fd < 0 ? -errno : fd;
}

static int take_over(int fd)
{
    if (fd < 0)
        return fd;
    if (log_fd != STDERR_FILENO)
        close(log_fd);
    log_fd = fd;
    return 0;
}

int log_open(const char *path)
{
    int rc = take_over(log_make(path, false));

    if (!rc)
        log_path = path;
    return rc;
}

static int open_again(bool rotate)
{
    return take_over(log_fetch ? log_fetch(rotate) : log_make(log_path, rotate));
}

int log_reopen(void)
{
    return log_path ? open_again(false) : 0;
}

void log_to_stderr(void)
{
    log_path = NULL;
    log_fd = STDERR_FILENO;
}

/* Guests can make it grow for as long as they live: one that is too long becomes LOG.1. */
static void limit_size(void)
{
    struct stat st;

    /* Where that fails the log goes on as it is; there is nobody to tell. */
    if (log_path && !fstat(log_fd, &st) && st.st_size > LOG_MAX)
        open_again(true);
}

static void write_line(const char *format, va_list args)
{
    char line[512];
    struct timespec now;
    struct tm tm;
    size_t used;
    int n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ xenstore-lite: ", &tm);
    n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
    if (n > 0)
        used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n : sizeof(line) - used - 2;
    line[used++] = '\n';
    limit_size();
    /* A full disk must not stop the store; there is nobody to tell. */
    if (write(log_fd, line, used) < 0)
        return;
}

void log_line(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(format, args);
    va_end(args);
}

void log_client(const char *format, ...)
{
    static time_t second;
    static unsigned int lines, dropped;
    struct timespec now;
    va_list args;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec != second) {
        if (dropped)
            log_line("%u lines about clients were dropped", dropped);
        second = now.tv_sec;
        lines = dropped = 0;
    }
    if (lines++ >= CLIENT_LINES_PER_SECOND) {
        dropped++;
        return;
    }
    va_start(args, format);
    write_line(format, args);
    va_end(args);
}
