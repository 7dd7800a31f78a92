/* SPDX-License-Identifier: MIT */
/*
 * A guest's devices: see device.h.
 *
 * Owns the devhost handle and one slot per device. Slots are filled in start order (console
 * first: it must drain from the guest's first character on) and emptied in reverse.
 */
#include "device.h"

#include "vifguard.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RESTARTS = 8,              /* of backends that did nothing, in a row */
    CONSOLE_CLOSE_MS = 1,      /* a console's guest side has nothing to say at the end */
    CONSOLE_CLOSE_TRIES = 100, /* turns of the event loop, 20 ms each */
    LOOK_US = 5 * 1000,        /* how often to look whether the kernel has taken its devices */
};

struct slot {
    struct devhost_spec spec;
    struct devhost_device *dev;
    struct devhost_kernel *kernel; /* instead of dev */
    bool ready, failed, closed;
    char detail[DEVHOST_ERR_MAX];
};

struct devices {
    struct devhost *host;
    struct event_base *base;
    devices_log_fn *log;
    devices_store_fn *on_store;
    void *arg; /* for both */
    size_t nr;
    struct slot slots[DEVICES_MAX];
    struct event *look; /* pending while some are not ready that the kernel serves */
    struct devhost_device *old_console; /* kept for its terminal only */
    bool old_console_closed;
};

static void say(struct devices *devs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct devices *devs, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    devs->log(line, devs->arg);
}

static void set_limit(const struct limit_spec *limit, struct devhost_spec *spec)
{
    spec->limit = limit->rates;
    spec->limit_in = limit->in;
    spec->limit_group = limit->group[0] ? limit->group : NULL;
}

static void fill_disk(const struct disk_spec *disk, struct devhost_spec *spec)
{
    *spec = (struct devhost_spec){.cls = DEVHOST_BLOCK, .devid = disk->vdev_id};
    spec->block.path = disk->target;
    spec->block.format = disk->format == DISK_QCOW2 ? DEVHOST_QCOW2
                         : disk->format == DISK_NBD ? DEVHOST_NBD
                                                    : DEVHOST_RAW;
    spec->block.base = disk->base;
    spec->block.timeout = disk->timeout;
    spec->block.vdev = disk->vdev;
    spec->block.readonly = disk->read_only;
    spec->block.no_discard = disk->no_discard;
    spec->block.removable = disk->removable;
    spec->block.force_buffered = disk->buffered;
    spec->capture = disk->capture[0] ? disk->capture : NULL;
    spec->kernel = disk->kernel;
    spec->block.serving = disk->serving;
    set_limit(&disk->limit, spec);
    spec->max_restarts = RESTARTS;
}

_Static_assert(sizeof(((struct vif_spec *)0)->ips) == sizeof(((struct devhost_spec *)0)->net.ips),
               "the same addresses");

static void fill_vif(const struct vif_spec *vif, unsigned index, struct devhost_spec *spec)
{
    *spec = (struct devhost_spec){.cls = DEVHOST_NET, .devid = index};
    spec->kernel = vif->kernel;
    spec->net.bridge = vif->bridge;
    spec->net.ifname = vif->ifname[0] ? vif->ifname : NULL;
    spec->net.isolated = vif->net.given && vif->net.kind == NET_NAT;
    memcpy(spec->net.mac, vif->mac, sizeof(spec->net.mac));
    spec->net.queues = vif->queues;
    spec->net.mtu = vif->mtu;
    spec->net.coalesce_us = vif->coalesce_us;
    spec->net.poll_us = vif->poll_us;
    spec->net.spoofs = vif->spoofs;
    spec->net.no_arena = vif->no_arena;
    spec->capture = vif->capture[0] ? vif->capture : NULL;
    spec->net.mirror = vif->mirror[0] ? vif->mirror : NULL;
    spec->net.nr_ips = (unsigned)vif->nr_ips;
    memcpy(spec->net.ips, vif->ips, sizeof(spec->net.ips));
    spec->max_restarts = RESTARTS;
    set_limit(&vif->limit, spec);
}

static int check_one(const struct guest_config *cfg, unsigned line, const struct devhost_spec *spec,
                     struct diag *d)
{
    char err[DEVHOST_ERR_MAX] = "";

    if (devhost_check(spec, err, sizeof(err)) == 0)
        return 0;
    return diag_set(d, "%s:%u: %s", cfg->path, line, err);
}

int devices_check(const struct guest_config *cfg, struct diag *d)
{
    struct devhost_spec spec;

    for (size_t i = 0; i < cfg->nr_disks; i++) {
        fill_disk(&cfg->disks[i], &spec);
        if (check_one(cfg, cfg->disks[i].line, &spec, d) != 0)
            return -1;
    }
    for (size_t i = 0; i < cfg->nr_vifs; i++) {
        fill_vif(&cfg->vifs[i], (unsigned)i, &spec);
        if (cfg->vifs[i].net.given && net_is_made(cfg->vifs[i].net.kind))
            spec.net.bridge = NULL; /* made when the first guest joins */
        if (check_one(cfg, cfg->vifs[i].line, &spec, d) != 0)
            return -1;
    }
    return 0;
}

static struct slot *find_slot(struct devices *devs, const struct devhost_device *dev)
{
    for (size_t i = 0; i < devs->nr; i++)
        if (devs->slots[i].dev == dev)
            return &devs->slots[i];
    return NULL;
}

static void on_event(struct devhost_device *dev, enum devhost_event ev, const char *detail,
                     void *arg)
{
    struct devices *devs = arg;
    struct slot *slot = find_slot(devs, dev);

    if (dev == devs->old_console && (ev == DEVHOST_EV_CLOSED || ev == DEVHOST_EV_DIED))
        devs->old_console_closed = true;
    if (!slot)
        return;
    switch (ev) {
    case DEVHOST_EV_READY:
        slot->ready = true;
        break;
    case DEVHOST_EV_ERROR:
    case DEVHOST_EV_DIED:
        slot->failed = true;
        snprintf(slot->detail, sizeof(slot->detail), "%s", detail);
        break;
    case DEVHOST_EV_CLOSED:
        slot->closed = true;
        break;
    case DEVHOST_EV_CONNECTED:
    case DEVHOST_EV_RESTARTED:
        break;
    }
    say(devs, "device %u: %s%s%s", slot->spec.devid, devhost_event_name(ev), *detail ? ": " : "",
        detail);
}

static void on_log(const char *line, void *arg)
{
    struct devices *devs = arg;

    devs->log(line, devs->arg);
}

static void on_store(void *arg)
{
    struct devices *devs = arg;

    devs->on_store(devs->arg);
}

struct devices *devices_open(struct event_base *base, struct xsc *xs, devices_log_fn *log,
                             devices_store_fn *store, void *arg, struct diag *d)
{
    struct devices *devs = calloc(1, sizeof(*devs));
    char err[DEVHOST_ERR_MAX] = "";

    if (!devs) {
        diag_set(d, "out of memory");
        return NULL;
    }
    devs->base = base;
    devs->log = log;
    devs->on_store = store;
    devs->arg = arg;
    struct devhost_config cfg = {.base = base,
                                 .on_event = on_event,
                                 .on_log = on_log,
                                 .on_store = on_store,
                                 .arg = devs,
                                 .xs = xs};
    devs->host = devhost_open(&cfg, err, sizeof(err));
    if (!devs->host) {
        diag_set(d, "%s", err);
        free(devs);
        return NULL;
    }
    return devs;
}

static void drop_old_console(struct devices *devs)
{
    devhost_device_free(devs->old_console);
    devs->old_console = NULL;
}

void devices_close(struct devices *devs)
{
    if (!devs)
        return;
    devices_stop(devs, false);
    drop_old_console(devs);
    if (devs->look)
        event_free(devs->look);
    devhost_close(devs->host);
    free(devs);
}

static void collect(struct devices *devs, const struct guest_config *cfg, const struct built *built,
                    const char *console_log)
{
    struct devhost_spec *spec = &devs->slots[0].spec;

    memset(devs->slots, 0, sizeof(devs->slots));
    spec->cls = DEVHOST_CONSOLE;
    spec->console.evtchn = built->console_port;
    spec->console.ring_mfn = built->console_mfn;
    spec->console.log_path = console_log;
    spec->console.inherit_tty_from = devs->old_console;
    spec->max_restarts = RESTARTS;
    devs->nr = 1;
    for (size_t i = 0; i < cfg->nr_disks; i++)
        fill_disk(&cfg->disks[i], &devs->slots[devs->nr++].spec);
    for (size_t i = 0; i < cfg->nr_vifs; i++)
        fill_vif(&cfg->vifs[i], (unsigned)i, &devs->slots[devs->nr++].spec);
    for (size_t i = 0; i < devs->nr; i++)
        devs->slots[i].spec.domid = built->domid;
}

/* The file's word is the last: whoever is in the group already gets these limits, too. */
static int set_groups(const struct guest_config *cfg, struct diag *d)
{
    for (size_t i = 0; i < cfg->nr_groups; i++) {
        int fd = meter_open_group(cfg->groups[i].name, &cfg->groups[i].rates);

        if (fd < 0)
            return diag_set(d, "group %s: %s", cfg->groups[i].name, strerror(-fd));
        close(fd);
    }
    return 0;
}

/* ---- those that the kernel serves ---- */

/* Rules come before the bridge: no frame gets there that they have not seen. */
static int go(struct slot *slot, struct diag *d)
{
    const char *ifname = devhost_kernel_ifname(slot->kernel);
    char err[DEVHOST_ERR_MAX] = "";

    if (*ifname && !slot->spec.net.spoofs && vifguard_load(ifname, &slot->spec, d) != 0)
        return -1;
    if (devhost_kernel_go(slot->kernel, err, sizeof(err)) != 0)
        return diag_set(d, "%s", err);
    slot->ready = true;
    return 0;
}

static int look_at(struct slot *slot, struct diag *d)
{
    char err[DEVHOST_ERR_MAX] = "";
    int rc = devhost_kernel_look(slot->kernel, err, sizeof(err));

    if (rc < 0)
        return diag_set(d, "%s", err);
    return rc ? go(slot, d) : 0;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct devices *devs = arg;
    struct timeval turn = {.tv_usec = LOOK_US};
    bool more = false;

    (void)fd;
    (void)what;
    for (size_t i = 0; i < devs->nr; i++) {
        struct slot *slot = &devs->slots[i];
        struct diag d = {0};

        if (!slot->kernel || slot->ready || slot->failed)
            continue;
        if (look_at(slot, &d) != 0) {
            slot->failed = true;
            snprintf(slot->detail, sizeof(slot->detail), "%.255s", d.text);
        }
        more |= !slot->ready && !slot->failed;
        if (!more)
            say(devs, "device %u: served by the kernel%s%s", slot->spec.devid,
                slot->failed ? ": " : "", slot->detail);
    }
    if (more)
        event_add(devs->look, &turn);
}

static int start_kernel(struct devices *devs, struct slot *slot, char *err, size_t err_len)
{
    struct timeval turn = {.tv_usec = LOOK_US};

    if (!devs->look)
        devs->look = event_new(devs->base, -1, 0, on_look, devs);
    if (!devs->look || event_add(devs->look, &turn) != 0) {
        snprintf(err, err_len, "out of memory");
        return -1;
    }
    return devhost_kernel_start(devs->host, &slot->spec, &slot->kernel, err, err_len);
}

static void stop_kernel(struct slot *slot)
{
    char ifname[16];

    snprintf(ifname, sizeof(ifname), "%s", devhost_kernel_ifname(slot->kernel));
    if (devhost_kernel_stop(slot->kernel) == 0 && ifname[0])
        vifguard_drop(ifname);
    slot->kernel = NULL;
}

static int start_slot(struct devices *devs, struct slot *slot, char *err, size_t err_len)
{
    int rc;

    if (slot->spec.kernel)
        return start_kernel(devs, slot, err, err_len);
    rc = devhost_write_nodes(devs->host, &slot->spec, err, err_len);
    return rc ? rc : devhost_device_start(devs->host, &slot->spec, &slot->dev, err, err_len);
}

int devices_start(struct devices *devs, const struct guest_config *cfg, const struct built *built,
                  const char *console_log, struct diag *d)
{
    char err[DEVHOST_ERR_MAX] = "";

    if (set_groups(cfg, d) != 0)
        return -1;
    collect(devs, cfg, built, console_log);
    for (size_t i = 0; i < devs->nr; i++) {
        if (start_slot(devs, &devs->slots[i], err, sizeof(err)) != 0) {
            diag_set(d, "%s", err);
            devices_stop(devs, false);
            return -1;
        }
    }
    drop_old_console(devs);
    return 0;
}

int devices_ready(struct devices *devs, struct diag *d)
{
    size_t ready = 0;

    for (size_t i = 0; i < devs->nr; i++) {
        struct slot *slot = &devs->slots[i];

        if (slot->failed)
            return diag_set(d, "the backend of device %u failed: %s", slot->spec.devid,
                            slot->detail);
        ready += slot->ready;
    }
    return ready == devs->nr;
}

/* Ends the console's process, so that it unmaps the guest's ring, but keeps its terminal. */
static void retire_console(struct devices *devs, struct slot *slot)
{
    struct timeval turn = {.tv_usec = 20 * 1000};

    devs->old_console = slot->dev;
    devs->old_console_closed = slot->failed;
    slot->dev = NULL;
    if (devhost_device_close(devs->old_console, CONSOLE_CLOSE_MS) != 0)
        return;
    for (int i = 0; i < CONSOLE_CLOSE_TRIES && !devs->old_console_closed; i++) {
        event_base_loopexit(devs->base, &turn);
        event_base_loop(devs->base, EVLOOP_ONCE);
    }
}

void devices_stop(struct devices *devs, bool keep_console)
{
    for (size_t i = devs->nr; i-- > 0;) {
        struct slot *slot = &devs->slots[i];

        if (slot->kernel) {
            stop_kernel(slot);
            continue;
        }
        if (!slot->dev) {
            /* never started */
        } else if (keep_console && slot->spec.cls == DEVHOST_CONSOLE) {
            retire_console(devs, slot);
        } else {
            devhost_device_free(slot->dev);
            slot->dev = NULL;
        }
        devhost_remove_nodes(devs->host, &slot->spec);
    }
    devs->nr = 0;
}

static int grow_file(int fd, const char *path, uint64_t bytes, struct diag *d)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return diag_errno(d, "%s", path);
    if (!S_ISREG(st.st_mode))
        return diag_set(d, "%s is a device: grow it by its own means, then leave the size out",
                        path);
    if (bytes < (uint64_t)st.st_size)
        return diag_set(d, "%s has %lld bytes already: a disk in use does not shrink", path,
                        (long long)st.st_size);
    return ftruncate(fd, (off_t)bytes) == 0
               ? 0
               : diag_errno(d, "%s cannot have %llu bytes", path, (unsigned long long)bytes);
}

static int grow_image(const struct devhost_spec *spec, uint64_t bytes, struct diag *d)
{
    const char *path = spec->block.path;

    if (spec->block.format == DEVHOST_NBD)
        return bytes ? diag_set(d, "%s: its server grows it; then leave the size out", path) : 0;
    if (!bytes && spec->block.format == DEVHOST_QCOW2)
        return diag_set(d, "%s: nothing else grows a qcow2 image in use; say how large", path);
    if (!bytes)
        return 0;
    if (spec->block.readonly)
        return diag_set(d,
                        "%s is the guest's to read only: grow it by other means, then leave the "
                        "size out",
                        path);
    if (spec->block.format == DEVHOST_QCOW2)
        return 0; /* whoever serves it does it */
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return diag_errno(d, "%s", path);
    int rc = grow_file(fd, path, bytes, d);
    close(fd);
    return rc;
}

static int grow_qcow2(struct devhost_device *dev, uint64_t bytes, struct diag *d)
{
    char why[DEVHOST_ERR_MAX];

    return devhost_device_grow(dev, bytes, why, sizeof(why)) == 0 ? 0 : diag_set(d, "%s", why);
}

int devices_resize(struct devices *devs, unsigned devid, uint64_t bytes, struct diag *d)
{
    for (size_t i = 0; i < devs->nr; i++) {
        struct slot *slot = &devs->slots[i];

        if (slot->spec.cls != DEVHOST_BLOCK || slot->spec.devid != devid)
            continue;
        if (grow_image(&slot->spec, bytes, d) != 0)
            return -1;
        if (slot->kernel) {
            int rc = devhost_kernel_resize(slot->kernel);

            return rc == 0 ? 0 : diag_set(d, "disk %u: its loop device: %s", devid, strerror(-rc));
        }
        if (slot->spec.block.format == DEVHOST_QCOW2)
            return grow_qcow2(slot->dev, bytes, d);
        return devhost_device_resize(slot->dev) == 0
                   ? 0
                   : diag_set(d, "disk %u is not in use any more", devid);
    }
    return diag_set(d, "the guest has no disk %u; tenue block-list shows which", devid);
}
