/* SPDX-License-Identifier: MIT */
/*
 * nodes.c - the xenstore side of a device: its two directories, the keys relayed either way.
 *
 * Each function is one transaction, retried while others interfere, given up after RETRIES. Writing
 * back never recreates a directory that the toolstack has removed. Nothing here trusts a value that
 * the guest can write: paths come from the spec, not from "frontend" or "backend" nodes (XS-15).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <xen/io/xenbus.h>

#include "host.h"

#define RETRIES 50
#define KEY_BUF (PATH_BUF + CHANNEL_KEY_MAX + 2)

struct writer {
    struct xsc *xs;
    uint32_t t;
    const char *dir;
    int rc; /* 0, or why not to commit */
};

static void put(struct writer *w, const char *key, const char *value)
{
    char path[KEY_BUF];

    snprintf(path, sizeof(path), "%s/%s", w->dir, key);
    xsc_write(w->xs, w->t, path, value);
}

static void putu(struct writer *w, const char *key, unsigned long long value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", value);
    put(w, key, text);
}

/* A fresh directory: owner, and the one other domain that may read it. */
static void make_dir(struct writer *w, unsigned owner, unsigned reader)
{
    xsc_rm(w->xs, w->t, w->dir);
    xsc_mkdir(w->xs, w->t, w->dir);
    xsc_set_access(w->xs, w->t, w->dir, owner, reader);
}

void devhost_front_path(const struct devhost_spec *spec, char *buf, size_t len)
{
    if (spec->cls == DEVHOST_CONSOLE) {
        snprintf(buf, len, "/local/domain/%u/console", spec->domid);
    } else {
        snprintf(buf, len, "/local/domain/%u/device/%s/%u", spec->domid, class_node(spec->cls),
                 spec->devid);
    }
}

void devhost_back_path(const struct devhost_spec *spec, char *buf, size_t len)
{
    snprintf(buf, len, "/local/domain/0/backend/%s/%u/%u", class_node(spec->cls), spec->domid,
             spec->devid);
}

static void format_mac(const struct devhost_spec *s, char buf[18])
{
    const uint8_t *m = s->net.mac;

    snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void front_block(struct writer *w, const struct devhost_spec *s)
{
    putu(w, "virtual-device", s->devid);
    put(w, "device-type", "disk");
}

static void back_block(struct writer *w, const struct devhost_spec *s)
{
    put(w, "params", s->block.path);
    put(w, "type", s->kernel ? "phy" : "tenue");
    put(w, "mode", s->block.readonly ? "r" : "w");
    put(w, "device-type", "disk");
    put(w, "removable", s->block.removable ? "1" : "0");
    put(w, "bootable", "1");
    put(w, "discard-enable", s->block.no_discard ? "0" : "1");
    if (s->block.vdev) {
        put(w, "dev", s->block.vdev);
    }
    if (s->kernel) {
        char number[24];

        snprintf(number, sizeof(number), "%x:%x", major(s->block.device), minor(s->block.device));
        put(w, "physical-device", number);
    }
}

static unsigned mtu_of(const struct devhost_spec *s)
{
    unsigned mtu = s->net.mtu;

    if (!mtu && s->net.bridge) {
        mtu = interface_mtu(s->net.bridge);
    }
    return mtu ? mtu : 1500;
}

static void front_net(struct writer *w, const struct devhost_spec *s)
{
    char mac[18];

    format_mac(s, mac);
    put(w, "mac", mac);
    putu(w, "handle", s->devid);
    putu(w, "mtu", mtu_of(s));
}

static void back_net(struct writer *w, const struct devhost_spec *s)
{
    char mac[18];

    format_mac(s, mac);
    put(w, "mac", mac);
    putu(w, "handle", s->devid);
    put(w, "type", "vif");
    putu(w, "mtu", mtu_of(s));
    if (s->net.bridge) {
        put(w, "bridge", s->net.bridge);
    }
    if (s->kernel) {
        put(w, "script", "/bin/true"); /* the driver wants to be able to name one */
    }
}

static void front_console(struct writer *w, const struct devhost_spec *s)
{
    putu(w, "port", s->console.evtchn);
    putu(w, "ring-ref", s->console.ring_mfn);
    putu(w, "limit", 1048576);
    put(w, "type", "tenue"); /* not "xenconsoled": that daemon must leave this console alone */
    put(w, "output", "pty");
    put(w, "tty", "");
}

static void write_front(struct writer *w, const struct devhost_spec *s, const char *back)
{
    bool console = s->cls == DEVHOST_CONSOLE;

    /* The guest owns a device's directory. The console's stays ours: "tty" names a file of ours. */
    make_dir(w, console ? 0 : s->domid, console ? s->domid : 0);
    put(w, "backend-id", "0");
    if (console) {
        front_console(w, s);
        return;
    }
    put(w, "backend", back);
    put(w, "trusted", "1");
    if (s->cls == DEVHOST_BLOCK) {
        front_block(w, s);
    } else {
        front_net(w, s);
    }
    putu(w, "state", XenbusStateInitialising);
}

static void write_back(struct writer *w, const struct devhost_spec *s, const char *front)
{
    make_dir(w, 0, s->domid);
    put(w, "frontend", front);
    putu(w, "frontend-id", s->domid);
    put(w, "online", "1");
    if (s->cls == DEVHOST_BLOCK) {
        back_block(w, s);
    } else {
        back_net(w, s);
    }
    if (s->kernel) {
        put(w, "served-by", "kernel");
    }
    /* The kernel's drivers, where they are loaded, take whatever is Initialising (only then). */
    putu(w, "state", s->kernel ? XenbusStateInitialising : XenbusStateUnknown);
}

/* End the transaction: 0 done, -EAGAIN to be tried anew, else the failure. */
static int finish(struct writer *w)
{
    int rc = xsc_batch_end(w->xs);

    if (!w->rc) {
        w->rc = -rc;
    }
    if (w->rc) {
        xsc_transaction_end(w->xs, w->t, true);
        return w->rc;
    }
    return xsc_transaction_end(w->xs, w->t, false) ? 0 : -errno;
}

/* What follows until finish() goes to the store together. */
static int begin(struct writer *w)
{
    w->rc = 0;
    w->t = xsc_transaction_start(w->xs);
    if (w->t == XSC_NO_TRANSACTION) {
        return -errno;
    }
    xsc_batch(w->xs);
    return 0;
}

/*
 * A console's two sides do not speak through the store. A directory would be read by nobody but the
 * control domain's kernel, which asks twice whether each node of it is there.
 */
static bool has_back_dir(const struct devhost_spec *s)
{
    return s->cls != DEVHOST_CONSOLE;
}

int devhost_write_nodes(struct devhost *h, const struct devhost_spec *spec, char *err,
                        size_t err_len)
{
    struct writer w = {.xs = h->xs};
    char front[PATH_BUF], back[PATH_BUF];
    int rc = -EAGAIN;

    devhost_front_path(spec, front, sizeof(front));
    devhost_back_path(spec, back, sizeof(back));
    for (int i = 0; i < RETRIES && rc == -EAGAIN; i++) {
        rc = begin(&w);
        if (rc) {
            break;
        }
        w.dir = front;
        write_front(&w, spec, back);
        w.dir = back;
        if (has_back_dir(spec)) {
            write_back(&w, spec, front);
        }
        rc = finish(&w);
    }
    if (rc) {
        return err_set(err, err_len, rc, "cannot write %s and %s in xenstore: %s", front, back,
                       strerror(-rc));
    }
    return err_set(err, err_len, 0, "%s", "");
}

static void remove_if_empty(struct devhost *h, const char *path)
{
    unsigned n;
    char **names = xsc_directory(h->xs, XSC_NO_TRANSACTION, path, &n);

    if (names && n == 0) {
        xsc_rm(h->xs, XSC_NO_TRANSACTION, path);
    }
    free(names);
}

int devhost_remove_nodes(struct devhost *h, const struct devhost_spec *spec)
{
    char path[PATH_BUF];

    xsc_batch(h->xs);
    devhost_front_path(spec, path, sizeof(path));
    xsc_rm(h->xs, XSC_NO_TRANSACTION, path);
    if (has_back_dir(spec)) {
        devhost_back_path(spec, path, sizeof(path));
        xsc_rm(h->xs, XSC_NO_TRANSACTION, path);
        snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", class_node(spec->cls),
                 spec->domid);
        remove_if_empty(h, path);
    }
    return -xsc_batch_end(h->xs);
}

int nodes_write_key(struct devhost *h, const struct devhost_spec *spec, const char *key,
                    const char *value)
{
    char back[PATH_BUF], path[KEY_BUF];

    devhost_back_path(spec, back, sizeof(back));
    snprintf(path, sizeof(path), "%s/%s", back, key);
    return xsc_write(h->xs, XSC_NO_TRANSACTION, path, value) ? 0 : -errno;
}

static bool still_there(struct devhost_device *dev, uint32_t t)
{
    char path[KEY_BUF];
    unsigned len;
    void *value;

    snprintf(path, sizeof(path), "%s/frontend", dev->back);
    value = xsc_read(dev->host->xs, t, path, &len);
    free(value);
    return value != NULL;
}

int nodes_write_back(struct devhost_device *dev, const struct channel_msg *m)
{
    struct writer w = {.xs = dev->host->xs, .dir = dev->back};
    int rc = has_back_dir(&dev->spec) ? -EAGAIN : 0;

    for (int i = 0; i < RETRIES && rc == -EAGAIN; i++) {
        rc = begin(&w);
        if (rc) {
            break;
        }
        for (unsigned k = 0; k < m->count; k++) {
            put(&w, channel_key(m, k), channel_value(m, k));
        }
        if (!still_there(dev, w.t)) {
            w.rc = -ENOENT;
        }
        rc = finish(&w);
    }
    return rc;
}

int nodes_write_one(struct devhost_device *dev, const char *key, const char *value)
{
    struct channel_msg m;
    int rc;

    channel_init(&m, CHANNEL_BACK);
    rc = channel_add(&m, key, value);
    return rc ? rc : nodes_write_back(dev, &m);
}

/* A key the guest wrote, if it is one that a message can carry; anything else counts as not
 * written. */
static void read_one(struct devhost_device *dev, struct channel_msg *m, const char *key)
{
    char path[KEY_BUF];
    unsigned len;
    char *value;

    snprintf(path, sizeof(path), "%s/%s", dev->front, key);
    value = xsc_read(dev->host->xs, XSC_NO_TRANSACTION, path, &len);
    if (value && strlen(value) == len && channel_add(m, key, value)) {
        device_log(dev, "guest's key \"%s\" ignored: not a short plain value", key);
    }
    free(value);
}

/* The keys of one directory that are on the list; `prefix` is what the message calls it. */
static void read_listed(struct devhost_device *dev, struct channel_msg *m, const char *prefix,
                        const char *const *allowed)
{
    char path[KEY_BUF], key[CHANNEL_KEY_MAX + 1];
    unsigned n;
    char **names;

    snprintf(path, sizeof(path), "%s%s%.*s", dev->front, *prefix ? "/" : "",
             *prefix ? (int)strlen(prefix) - 1 : 0, prefix);
    names = xsc_directory(dev->host->xs, XSC_NO_TRANSACTION, path, &n);
    for (unsigned i = 0; names && i < n; i++) {
        if (channel_key_allowed(allowed, names[i])) {
            snprintf(key, sizeof(key), "%s%s", prefix, names[i]);
            read_one(dev, m, key);
        }
    }
    free(names);
}

void nodes_read_front(struct devhost_device *dev, struct channel_msg *m)
{
    uint64_t state = 0, queues = 0;
    char prefix[16];

    read_one(dev, m, "state");
    if (!channel_get(m, "state")) {
        channel_add(m, "state", "0");
    }
    channel_get_u64(m, "state", XenbusStateReconfigured, &state);
    if (state != XenbusStateInitialised && state != XenbusStateConnected &&
        state != XenbusStateReconfiguring) {
        return; /* the other keys say nothing in the other states */
    }
    read_listed(dev, m, "", channel_front_keys(class_node(dev->spec.cls)));
    channel_get_u64(m, "multi-queue-num-queues", CHANNEL_MAX_QUEUES, &queues);
    for (unsigned q = 0; q < queues; q++) {
        snprintf(prefix, sizeof(prefix), "queue-%u/", q);
        read_listed(dev, m, prefix, channel_queue_keys(class_node(dev->spec.cls)));
    }
}
