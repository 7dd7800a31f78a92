/* SPDX-License-Identifier: MIT */
/*
 * device.c - one device as its owner sees it: start, close, resize, free (tenue/devhost.h).
 *
 * Owns struct devhost_device. Callbacks run only from handlers of events, last, since they may free
 * the device.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "host.h"

#define CLOSE_TIMEOUT_MS 5000u

static char *dup_or_null(const char *s)
{
    return s ? strdup(s) : NULL;
}

static void copy_spec(struct devhost_device *dev, const struct devhost_spec *spec)
{
    dev->spec = *spec;
    dev->spec.block.path = dup_or_null(spec->block.path);
    dev->spec.limit_group = dup_or_null(spec->limit_group);
    dev->spec.block.vdev = dup_or_null(spec->block.vdev);
    dev->spec.block.base = dup_or_null(spec->block.base);
    dev->spec.capture = dup_or_null(spec->capture);
    dev->spec.net.bridge = dup_or_null(spec->net.bridge);
    dev->spec.net.ifname = dup_or_null(spec->net.ifname);
    dev->spec.net.mirror = dup_or_null(spec->net.mirror);
    dev->spec.console.log_path = dup_or_null(spec->console.log_path);
}

static void free_spec(struct devhost_spec *spec)
{
    free((char *)(uintptr_t)spec->block.path);
    free((char *)(uintptr_t)spec->limit_group);
    free((char *)(uintptr_t)spec->block.vdev);
    free((char *)(uintptr_t)spec->block.base);
    free((char *)(uintptr_t)spec->capture);
    free((char *)(uintptr_t)spec->net.bridge);
    free((char *)(uintptr_t)spec->net.ifname);
    free((char *)(uintptr_t)spec->net.mirror);
    free((char *)(uintptr_t)spec->console.log_path);
}

static struct devhost_device *device_new(struct devhost *h, const struct devhost_spec *spec)
{
    struct devhost_device *dev = calloc(1, sizeof(*dev));

    if (!dev) {
        return NULL;
    }
    dev->host = h;
    dev->pidfd = dev->channel = dev->log_fd = dev->life_fd = dev->res.journal = -1;
    dev->res.meter = dev->res.group = dev->res.capture = -1;
    dev->back_state = XenbusStateInitialising;
    copy_spec(dev, spec);
    snprintf(dev->name, sizeof(dev->name), "%s %u/%u", class_node(spec->cls), spec->domid,
             spec->devid);
    devhost_front_path(spec, dev->front, sizeof(dev->front));
    devhost_back_path(spec, dev->back, sizeof(dev->back));
    dev->next = h->devices;
    h->devices = dev;
    return dev;
}

/* What the store must say before the backend's first word. */
static int publish(struct devhost_device *dev)
{
    struct channel_msg m;

    if (dev->spec.cls == DEVHOST_CONSOLE) {
        char path[PATH_BUF + 8];

        snprintf(path, sizeof(path), "%s/tty", dev->front);
        return xsc_write(dev->host->xs, XSC_NO_TRANSACTION, path, dev->res.tty) ? 0 : -errno;
    }
    channel_init(&m, CHANNEL_BACK);
    if (dev->spec.cls == DEVHOST_NET) {
        channel_add(&m, "vifname", dev->res.ifname);
    }
    channel_add(&m, "hotplug-status", "connected");
    return nodes_write_back(dev, &m);
}

int devhost_device_start(struct devhost *h, const struct devhost_spec *spec,
                         struct devhost_device **out, char *err, size_t err_len)
{
    struct devhost_device *dev = device_new(h, spec);
    int rc;

    *out = NULL;
    err_set(err, err_len, 0, "%s", "");
    if (!dev || process_open(dev) || relay_open(dev)) {
        rc = err_set(err, err_len, -ENOMEM, "out of memory");
        goto out_free;
    }
    rc = resources_open(dev, err, err_len);
    if (rc) {
        goto out_free;
    }
    rc = publish(dev);
    if (rc) {
        err_set(err, err_len, rc,
                "%s: cannot write %s in xenstore: %s (write the device's nodes first)", dev->name,
                dev->back, strerror(-rc));
        goto out_free;
    }
    rc = process_start(dev, err, err_len);
    if (rc) {
        goto out_free;
    }
    /* A new watch fires at once, which relays the state that the front has now. A console's front
     * has none. */
    if (spec->cls != DEVHOST_CONSOLE && !xsc_watch(h->xs, dev->front, dev->front)) {
        rc = err_set(err, err_len, -errno, "%s: cannot watch %s: %s", dev->name, dev->front,
                     strerror(errno));
        goto out_free;
    }
    *out = dev;
    return 0;

out_free:
    devhost_device_free(dev);
    return rc;
}

int devhost_device_close(struct devhost_device *dev, unsigned timeout_ms)
{
    struct channel_msg m;

    if (dev->phase != PHASE_RUNNING) {
        return dev->phase == PHASE_CLOSING ? -EALREADY : -ESRCH;
    }
    dev->phase = PHASE_CLOSING;
    nodes_write_one(dev, "online", "0");
    arm_timer(dev->timer, dev->channel < 0 ? 1 : timeout_ms ? timeout_ms : CLOSE_TIMEOUT_MS);
    if (dev->channel < 0) {
        return 0;
    }
    channel_init(&m, CHANNEL_CLOSE);
    return channel_send(dev->channel, &m);
}

int devhost_device_resize(struct devhost_device *dev)
{
    struct channel_msg m;

    if (dev->phase != PHASE_RUNNING || dev->spec.cls != DEVHOST_BLOCK) {
        return -ESRCH;
    }
    channel_init(&m, CHANNEL_RESIZE);
    /* Without a process the next one looks at the size by itself. */
    return dev->channel < 0 ? 0 : channel_send(dev->channel, &m);
}

int devhost_device_grow(struct devhost_device *dev, uint64_t bytes, char *err, size_t err_len)
{
    int rc;

    if (dev->phase != PHASE_RUNNING || !dev->helper) {
        return err_set(err, err_len, -ESRCH, "%s is not in use any more", dev->name);
    }
    rc = helper_grow(dev, bytes, err, err_len);
    return rc ? rc : devhost_device_resize(dev);
}

static void unlink_device(struct devhost_device *dev)
{
    struct devhost_device **p = &dev->host->devices;

    while (*p && *p != dev) {
        p = &(*p)->next;
    }
    if (*p) {
        *p = dev->next;
    }
}

void devhost_device_free(struct devhost_device *dev)
{
    if (!dev) {
        return;
    }
    unlink_device(dev);
    if (dev->spec.cls != DEVHOST_CONSOLE) {
        xsc_unwatch(dev->host->xs, dev->front, dev->front);
    }
    process_close(dev);
    relay_close(dev);
    if (dev->res.meter >= 0) {
        meter_remove(class_node(dev->spec.cls), dev->spec.domid, dev->spec.devid);
    }
    link_close(dev);
    resources_close(&dev->res);
    free_spec(&dev->spec);
    free(dev);
}

void devhost_device_info(const struct devhost_device *dev, struct devhost_info *out)
{
    *out = (struct devhost_info){
        .cls = dev->spec.cls,
        .domid = dev->spec.domid,
        .devid = dev->spec.devid,
        .pid = dev->pid,
        .front_state = dev->front_state,
        .back_state = dev->back_state,
        .restarts = dev->restarts,
        .tty = dev->res.tty,
        .ifname = dev->res.ifname,
        .last_error = dev->last_error,
    };
}
