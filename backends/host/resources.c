/* SPDX-License-Identifier: MIT */
/*
 * resources.c - what only root can open for a device, in the order that its backend relies on:
 *
 *   block    image; of an image that a server has, a connection (link.c); then where its requests
 *            are recorded, if anywhere
 *   net      tap, one for each queue; then what it is mirrored to, if anything
 *   console  pty master, pty slave, inotify on the slave, then log and its predecessor if there is
 *            a log
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tenue/capture.h>

#include "host.h"

static int open_block(struct devhost_device *dev, char *err, size_t err_len)
{
    int fd;

    if (link_wanted(&dev->spec)) {
        dev->res.discard_granularity = dev->spec.block.no_discard ? 0 : 4096;
        return link_open(dev, err, err_len);
    }
    fd = imagefile_open(&dev->spec, err, err_len);
    if (fd < 0) {
        return fd;
    }
    dev->res.fds[dev->res.nr_fds++] = fd;
    if (!dev->spec.block.readonly && !dev->spec.block.no_discard) {
        dev->res.discard_granularity = imagefile_discard_granularity(fd);
    }
    return 0;
}

static int open_net(struct devhost_device *dev, char *err, size_t err_len)
{
    const struct devhost_spec *s = &dev->spec;
    int rc;

    if (s->net.ifname) {
        snprintf(dev->res.ifname, sizeof(dev->res.ifname), "%s", s->net.ifname);
    } else {
        snprintf(dev->res.ifname, sizeof(dev->res.ifname), "vif%u.%u", s->domid, s->devid);
    }
    rc = interface_choose_mtu(s, &dev->res.mtu, err, err_len);
    rc = rc ? rc : interface_open_tap(dev, err, err_len);
    dev->res.nr_taps = dev->res.nr_fds;
    rc = rc ? rc : interface_plug(s, dev->res.ifname, dev->res.mtu, err, err_len);
    return rc ? rc : mirror_open(dev, err, err_len);
}

static int open_class(struct devhost_device *dev, char *err, size_t err_len)
{
    switch (dev->spec.cls) {
    case DEVHOST_BLOCK:
        return open_block(dev, err, err_len);
    case DEVHOST_NET:
        return open_net(dev, err, err_len);
    case DEVHOST_CONSOLE:
        return pty_open(dev, err, err_len);
    }
    return err_set(err, err_len, -EINVAL, "unknown device class %d", dev->spec.cls);
}

/* Its size is sealed: a process that was taken over cannot cut it off under its successor. */
static int open_journal(struct devhost_device *dev, char *err, size_t err_len)
{
    int fd = memfd_create("journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    dev->res.journal = fd;
    if (fd < 0 || ftruncate(fd, JOURNAL_BYTES) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        return err_set(err, err_len, -errno, "%s: journal: %s", dev->name, strerror(errno));
    }
    return 0;
}

static int open_meter(struct devhost_device *dev, char *err, size_t err_len)
{
    const struct devhost_spec *s = &dev->spec;
    int fd = meter_create(class_node(s->cls), s->domid, s->devid, &s->limit, &s->limit_in,
                          s->limit_group);

    if (fd < 0) {
        return err_set(err, err_len, fd, "%s: " METER_DIR ": %s", dev->name, strerror(-fd));
    }
    dev->res.meter = fd;
    if (s->limit_group) {
        fd = meter_open_group(s->limit_group, NULL);
        if (fd < 0) {
            return err_set(err, err_len, fd, "%s: " METER_GROUP_DIR "/%s: %s", dev->name,
                           s->limit_group, strerror(-fd));
        }
        dev->res.group = fd;
    }
    return 0;
}

int resources_open(struct devhost_device *dev, char *err, size_t err_len)
{
    int rc = open_journal(dev, err, err_len);

    if (!rc && dev->spec.cls != DEVHOST_CONSOLE) { /* which is neither counted nor limited */
        rc = open_meter(dev, err, err_len);
    }
    rc = rc ? rc : capture_create(dev, err, err_len);
    return rc ? rc : open_class(dev, err, err_len);
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void resources_close(struct resources *res)
{
    close_one(&res->journal);
    close_one(&res->meter);
    close_one(&res->group);
    if (res->capture >= 0) {
        capture_finish(res->capture);
        close_one(&res->capture);
    }
    while (res->nr_fds) {
        close(res->fds[--res->nr_fds]);
    }
}
