/* SPDX-License-Identifier: MIT */
/*
 * check.c - devhost_check(): would this device start? Nothing is created, and what is opened is
 * closed again. What can change between the check and the start is found again by the start.
 */
#include <errno.h>
#include <libgen.h>
#include <linux/fs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "host.h"

/* A device's own sectors are the smallest that it can be shown with. */
static int check_sector_size(const struct devhost_spec *s, int fd, char *err, size_t err_len)
{
    unsigned asked = s->block.serving.value[DEVHOST_SECTOR_SIZE];
    int own;

    if (!(s->block.serving.set & 1u << DEVHOST_SECTOR_SIZE) || ioctl(fd, BLKSSZGET, &own) ||
        asked >= (unsigned)own) {
        return 0;
    }
    return err_set(err, err_len, -EINVAL, "sector-size=%u: %s has sectors of %d bytes", asked,
                   s->block.path, own);
}

static int check_block(const struct devhost_spec *s, char *err, size_t err_len)
{
    static struct chain chain;
    int fd, rc;

    if (s->block.format == DEVHOST_NBD) {
        return link_check(s, err, err_len);
    }
    if (s->block.format == DEVHOST_QCOW2) {
        rc = helper_check(err, err_len);
        if (!rc) {
            rc = chain_open(s, &chain, err, err_len);
        }
        if (!rc) {
            chain_close(&chain);
        }
        return rc;
    }
    fd = imagefile_open(s, err, err_len);
    if (fd < 0) {
        return fd;
    }
    rc = check_sector_size(s, fd, err, err_len);
    close(fd);
    return rc;
}

static int check_net(const struct devhost_spec *s, char *err, size_t err_len)
{
    static const uint8_t zero[6];
    char path[80];

    if ((s->net.mac[0] & 1) || !memcmp(s->net.mac, zero, 6)) {
        return err_set(
            err, err_len, -EINVAL,
            "MAC %02x:%02x:%02x:%02x:%02x:%02x is not a station's address (the first byte "
            "must be even; 00:16:3e:... is free for guests)",
            s->net.mac[0], s->net.mac[1], s->net.mac[2], s->net.mac[3], s->net.mac[4],
            s->net.mac[5]);
    }
    if (s->net.ifname && strlen(s->net.ifname) >= IFNAMSIZ) {
        return err_set(err, err_len, -EINVAL, "interface name %s is longer than %d characters",
                       s->net.ifname, IFNAMSIZ - 1);
    }
    if (!s->net.bridge) {
        return mirror_check(s, err, err_len);
    }
    snprintf(path, sizeof(path), "/sys/class/net/%.15s/bridge", s->net.bridge);
    if (strlen(s->net.bridge) >= IFNAMSIZ || access(path, F_OK)) {
        return err_set(err, err_len, -ENODEV,
                       "bridge %s does not exist (ip link add %s type bridge)", s->net.bridge,
                       s->net.bridge);
    }
    return mirror_check(s, err, err_len);
}

static int check_console(const struct devhost_spec *s, char *err, size_t err_len)
{
    char path[512];
    const char *dir;

    if (!s->console.log_path) {
        return 0;
    }
    snprintf(path, sizeof(path), "%s", s->console.log_path);
    dir = dirname(path);
    if (access(dir, W_OK | X_OK)) {
        return err_set(err, err_len, -errno, "log %s: %s: %s", s->console.log_path, dir,
                       strerror(errno));
    }
    return 0;
}

int devhost_check(const struct devhost_spec *spec, char *err, size_t err_len)
{
    int rc = spec->kernel ? kernel_check(spec, err, err_len) : 0;

    if (rc) {
        return rc;
    }
    err_set(err, err_len, 0, "%s", "");
    rc = rc ? rc : capture_check(spec, err, err_len);
    if (rc) {
        return rc;
    }
    switch (spec->cls) {
    case DEVHOST_BLOCK:
        return check_block(spec, err, err_len);
    case DEVHOST_NET:
        return check_net(spec, err, err_len);
    case DEVHOST_CONSOLE:
        return check_console(spec, err, err_len);
    }
    return err_set(err, err_len, -EINVAL, "unknown device class %d", spec->cls);
}
