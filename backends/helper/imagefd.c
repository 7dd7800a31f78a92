/* SPDX-License-Identifier: MIT */
/*
 * imagefd.c - a library that is loaded into qemu-storage-daemon before its main() runs: confines
 * the process, and gives it the image's files by descriptor.
 *
 * The host starts the helper as root with this in LD_PRELOAD. Once all libraries are loaded, and
 * before anything of the helper's own runs, the constructor enters the sandbox: an empty root
 * directory, user and group 200000 + guest's number, no capability, no socket, no new program, no
 * file to be opened. "/tenue/image/N" is then the one kind of path that opens, as a duplicate of
 * descriptor IMAGEFD_FIRST + N. Without this library no path names an image, so a helper that it
 * was not loaded into serves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/sandbox.h"
#include "imagefd.h"

#define OURS __attribute__((visibility("default")))

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
void imagefd_confine(void);

static int open_image(const char *path)
{
    size_t n = strlen(IMAGEFD_PATH);
    char *end;
    unsigned long number;

    if (strncmp(path, IMAGEFD_PATH, n) || path[n] < '0' || path[n] > '9') {
        errno = EACCES;
        return -1;
    }
    number = strtoul(path + n, &end, 10);
    if (*end || number >= IMAGEFD_MAX) {
        errno = ENOENT;
        return -1;
    }
    return fcntl(IMAGEFD_FIRST + (int)number, F_DUPFD_CLOEXEC, IMAGEFD_FIRST + IMAGEFD_MAX);
}

OURS int open(const char *path, int flags, ...)
{
    (void)flags;
    return open_image(path);
}

OURS int open64(const char *path, int flags, ...)
{
    (void)flags;
    return open_image(path);
}

/* Last of all constructors that run before main(): this library depends on what they set up. */
OURS __attribute__((constructor)) void imagefd_confine(void)
{
    const char *uid = getenv("TENUE_UID"), *step;
    int rc = uid ? sandbox_enter(&sandbox_image, (uid_t)strtoul(uid, NULL, 10), &step) : -EINVAL;

    if (rc) {
        fprintf(stderr, "cannot drop privileges at step \"%s\": %s\n", uid ? step : "no user given",
                strerror(-rc));
        _exit(1);
    }
    if (step) {
        fprintf(stderr, "confined, but %s\n", step);
    }
}
