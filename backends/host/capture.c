/* SPDX-License-Identifier: MIT */
/*
 * capture.c - the file that a device's requests are recorded in (tenue/capture.h): made at its full
 * size before the guest runs, cut to what was used when the device goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tenue/capture.h>
#include <unistd.h>

#include "host.h"

int capture_check(const struct devhost_spec *s, char *err, size_t err_len)
{
    const char *to = s->capture;
    char dir[PATH_MAX];
    struct stat st;

    if (!to) {
        return 0;
    }
    if (!lstat(to, &st) && !S_ISREG(st.st_mode)) {
        return err_set(err, err_len, -EINVAL, "capture %s: that is there and no plain file", to);
    }
    snprintf(dir, sizeof(dir), "%s", to);
    if (access(dirname(dir), W_OK | X_OK)) {
        return err_set(err, err_len, -errno, "capture %s: its folder: %s", to, strerror(errno));
    }
    return 0;
}

int capture_create(struct devhost_device *dev, char *err, size_t err_len)
{
    const char *to = dev->spec.capture;
    int rc;

    if (!to) {
        return 0;
    }
    /* A new file, so that nothing is taken from under somebody who still records into the old. */
    unlink(to);
    dev->res.capture = open(to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    rc = dev->res.capture < 0
             ? -errno
             : capture_prepare(dev->res.capture,
                               dev->spec.cls == DEVHOST_NET ? CAPTURE_NET : CAPTURE_BLOCK);
    if (rc) {
        return err_set(err, err_len, rc, "%s: capture %s: %s (it takes %u MiB)", dev->name, to,
                       strerror(-rc), CAPTURE_BYTES >> 20);
    }
    return 0;
}
