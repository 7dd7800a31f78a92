/* SPDX-License-Identifier: MIT */
/*
 * devhost.h - libtenue-devhost.a: run device backends for one or more guests.
 *
 * Owns, for its caller (the per-guest supervisor, or the `tenue-device` command): the privileged
 * descriptors (image, tap, pty, log), the xenstore side of each device, and one unprivileged
 * backend process per device. A backend never sees xenstore or a path; it talks to this library
 * over an inherited socket (backends/common/channel.h).
 *
 * Threads: none of its own. All calls come from the thread that runs `base`. Callbacks run from
 * that event loop, never from inside a call of this API, so a callback may call anything here,
 * devhost_device_free() included.
 *
 * Needs: root, /dev/xen/{gntdev,evtchn} (modules xen-gntdev, xen-evtchn), for a vif /dev/net/tun
 * and the bridge (modules tun, bridge), for a console /dev/ptmx and a mounted devpts.
 *
 * Link: build/backends/libtenue-devhost.a -lxenstore -levent_core
 * Compile with -Ibackends/include.
 *
 * How a supervisor uses it, in order:
 *
 *     devhost_check(&spec, ...)           each device, before anything exists (also for --dry-run)
 *     devhost_open(&cfg)                  once
 *     ... create the domain, write /local/domain/N, introduce it ...
 *     devhost_write_nodes(h, &spec, ...)  each device: its frontend and backend directories
 *     devhost_device_start(h, &spec, ...) each device; wait for DEVHOST_EV_READY of each
 *     ... unpause the domain, run the event loop ...
 *     devhost_device_free(dev)            the domain died or is to be destroyed: kills the process
 *                                         and waits for it (bounded; its grant mappings go with
 *                                         it), BEFORE the domain is destroyed
 *     devhost_remove_nodes(h, &spec)      both directories
 *     devhost_close(h)
 *
 * A rebooted guest has a new domid: free its devices and start new ones with the new domid. To keep
 * a console's pty over a reboot, start the new console device before freeing the old one and hand
 * the old one in spec.console.inherit_tty_from.
 *
 * Errors: functions return 0 or a negative errno; `err` receives one line that names the object and
 * the remedy, without a newline ("" on success).
 */
#ifndef TENUE_DEVHOST_H
#define TENUE_DEVHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tenue/limit.h>

struct event_base;
struct xsc;
struct devhost;
struct devhost_device;

#define DEVHOST_ERR_MAX 256 /* a buffer of this size holds any message of this library */

enum devhost_class {
    DEVHOST_BLOCK,   /* device/vbd/ID,  ID = virtual device number (51712 = xvda) */
    DEVHOST_NET,     /* device/vif/ID,  ID = handle, from 0 */
    DEVHOST_CONSOLE, /* console (the primary one, in start_info), ID = 0 */
};

/*
 * How a disk is served (tenue.cfg(5)). What is not set is the backend's choice. devhost_knobs[] has
 * the words and their ranges, for whoever reads them from a file and for the backend's start.
 */
enum devhost_knob {
    DEVHOST_QUEUES,
    DEVHOST_RING_ORDER,
    DEVHOST_INDIRECT,
    DEVHOST_BATCH,
    DEVHOST_BATCH_US,
    DEVHOST_GATHER_US,
    DEVHOST_POLL_US,
    DEVHOST_SECTOR_SIZE,
    DEVHOST_NR_KNOBS,
};
struct devhost_knob_range {
    const char *key;
    unsigned min, max;
};
extern const struct devhost_knob_range devhost_knobs[DEVHOST_NR_KNOBS];

enum devhost_grants { DEVHOST_GRANTS_PERSISTENT, DEVHOST_GRANTS_MAP, DEVHOST_GRANTS_COPY };
/* "persistent", "map", "copy". */
extern const char *const devhost_grants_names[3];

struct devhost_serving {
    unsigned set; /* bit N: value[N] was given */
    unsigned value[DEVHOST_NR_KNOBS];
    enum devhost_grants grants;
};

enum devhost_format {
    DEVHOST_RAW,   /* file or block device */
    DEVHOST_QCOW2, /* file; served by a confined helper */
    DEVHOST_NBD,   /* elsewhere: nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=/PATH */
};

#define DEVHOST_MAX_IPS 8

/* One device. Strings are copied by devhost_device_start(); zero-initialise, then fill what
 * applies. */
struct devhost_spec {
    enum devhost_class cls;
    unsigned domid; /* the guest */
    unsigned devid;
    /* Served by the control domain's kernel (xen-blkback, xen-netback): devhost_kernel_start(), and
     * none of the knobs, limits, mirrors and restarts below. Raw images only. */
    bool kernel;

    struct {
        const char *path; /* image file, block device, or address of an NBD server */
        enum devhost_format format;
        const char *base; /* qcow2: the file that it stands on; NULL: one in a folder of images */
        unsigned timeout; /* qcow2 and NBD: seconds without an answer until requests fail; 0: 30 */
        const char *vdev; /* "xvda": written to the store's "dev", for block-list; may be NULL */
        bool readonly;
        bool no_discard;     /* do not offer discard even if the image could */
        bool removable;      /* only an info bit for the guest */
        bool force_buffered; /* cache=writeback: never O_DIRECT */
        dev_t device;        /* kernel: set by devhost_kernel_start() */
        struct devhost_serving serving;
    } block;

    struct {
        const char *bridge;   /* existing bridge; NULL: the caller attaches the tap himself */
        const char *ifname;   /* tap's name; NULL: "vif<domid>.<devid>" */
        uint8_t mac[6];       /* the guest's address */
        unsigned mtu;         /* 0: the bridge's, else 1500 */
        unsigned queues;      /* most that the guest may use, up to 8; 0: 1 */
        bool isolated;        /* exchanges nothing with the bridge's other isolated ports */
        unsigned coalesce_us; /* a one-way stream of the guest's may gather so long; 0: never */
        unsigned poll_us;     /* look for more so long without sleeping, at a CPU's expense */
        const char *mirror;   /* each frame also goes into this pcap file (a path), or out of this
                                 interface; NULL: nowhere */
        bool no_arena;        /* the guest is not offered pages that stay mapped (ADR 68) */
        bool spoofs; /* the guest may send in others' names: any address, any claim to one */
        unsigned nr_ips;
        char ips[DEVHOST_MAX_IPS][46]; /* its addresses; none of a family: any of that */
    } net;

    struct {
        uint32_t evtchn;   /* unbound port that the toolstack allocated in the guest for domain 0 */
        uint64_t ring_mfn; /* only written to the store (console/ring-ref); the ring itself is
                              mapped through the guest's grant reference 0, which the toolstack must
                              have granted to domain 0 (GNTTAB_RESERVED_CONSOLE) */
        const char *log_path;   /* NULL: no log. Rotated to LOG_PATH.1 */
        uint64_t log_max_bytes; /* 0: 1 MiB. At most twice this much disk is ever used */
        struct devhost_device *inherit_tty_from; /* see above; NULL: a new pty */
    } console;

    struct limit_rates limit;    /* of a network interface: for what the guest sends */
    struct limit_rates limit_in; /* and for what it gets */
    const char *capture;         /* a disk or an interface: file that its requests are recorded in
                                    (tenue/capture.h); NULL: none */
    const char *limit_group;     /* draws from this group's limit, too (meter.h); NULL: none */

    /* 0: a backend that died is not started again and the guest's device is closed. Else it is
     * replaced, and goes on where its predecessor was (the guest notices a pause);
     * when this many in a row have died without having done anything, the device is closed. */
    unsigned max_restarts;
};

enum devhost_event {
    /* Backend is up: InitWait for block and net, draining for console. Once per start. */
    DEVHOST_EV_READY,
    DEVHOST_EV_CONNECTED, /* guest's driver and backend are both connected (each time) */
    DEVHOST_EV_CLOSED,    /* the guest closed the device, or devhost_device_close() completed */
    /* The guest broke the protocol or the device failed; device closed; detail says why. */
    DEVHOST_EV_ERROR,
    /* The process ended unasked (detail: signal or status), and is not started again. */
    DEVHOST_EV_DIED,
    DEVHOST_EV_RESTARTED, /* ... and was started again */
};

const char *devhost_event_name(enum devhost_event ev);

/* `detail` is one line, "" when there is nothing to say; valid only during the call. */
typedef void devhost_event_fn(struct devhost_device *dev, enum devhost_event ev, const char *detail,
                              void *arg);
/* One line without newline, already naming the device. NULL in the config: stderr. */
typedef void devhost_log_fn(const char *line, void *arg);
/* A watch fired that is none of the host's. */
typedef void devhost_store_fn(void *arg);

struct devhost_config {
    struct event_base *base;    /* required; libevent 2.1, the caller runs it */
    devhost_event_fn *on_event; /* may be NULL */
    devhost_log_fn *on_log;     /* may be NULL */
    devhost_store_fn *on_store; /* may be NULL */
    void *arg;                  /* for all */
    struct xsc *xs; /* the caller's connection to the store, which becomes the host's: the caller
                       may go on to use it, and to set watches. NULL: the host opens one */
    const char *backend_dir; /* where blkback, netback, conback are; NULL: $TENUE_BACKEND_DIR, else
                                ../lib/tenue as seen from the program, else /usr/lib/tenue */
    uid_t uid_base; /* a backend for guest N runs as user and group uid_base + N, so that the
                       backends of two guests cannot signal each other. 0: 200000 */
};

/*
 * Look at a device without side effects: image exists, is a file or block device, can be opened in
 * its mode and is not locked by another backend; bridge exists; MAC is unicast and not zero; log
 * can be created. -ENOENT, -EACCES, -EBUSY (image in use read-write, or to be written while in
 * use), -EINVAL, ... Not for console's domid-dependent fields. Two specs of one guest on one image
 * are for the caller to compare.
 */
int devhost_check(const struct devhost_spec *spec, char *err, size_t err_len);

/* Where this program's companions are: lib/tenue beside its own directory, or /usr/lib/tenue. The
 * result is dir, or a constant. */
const char *devhost_installed_beside(char *dir, size_t len);

/* NULL with err filled on failure; cfg->xs is the caller's then, as before. */
struct devhost *devhost_open(const struct devhost_config *cfg, char *err, size_t err_len);

/* Frees every device still there (as devhost_device_free) and the connection. NULL is fine. */
void devhost_close(struct devhost *h);

/*
 * Write the standard nodes of the device in one transaction, states 1 (Initialising), with xl's
 * permissions: the frontend directory belongs to the guest and is readable by domain 0, the backend
 * directory belongs to domain 0 and is readable by the guest. The guest's /local/domain/N must
 * exist.
 *   vbd      /local/domain/N/device/vbd/ID   /local/domain/0/backend/vbd/N/ID
 *   vif      /local/domain/N/device/vif/ID   /local/domain/0/backend/vif/N/ID
 *   console  /local/domain/N/console         none: its two sides do not speak through the store
 *            (ring-ref, port, type, limit, output, tty; owned by domain 0)
 * Overwrites a device of the same number.
 */
int devhost_write_nodes(struct devhost *h, const struct devhost_spec *spec, char *err,
                        size_t err_len);

/* Remove both directories (and backend/<type>/N when empty). Missing nodes are no error. */
int devhost_remove_nodes(struct devhost *h, const struct devhost_spec *spec);

/*
 * Open what the device needs, lock the image, spawn the backend, watch the guest's side. Returns
 * with the process started; DEVHOST_EV_READY follows from the event loop within milliseconds (or
 * DEVHOST_EV_DIED). A failure leaves nothing behind.
 */
int devhost_device_start(struct devhost *h, const struct devhost_spec *spec,
                         struct devhost_device **out, char *err, size_t err_len);

/*
 * Ask for an orderly unplug: backend goes Closing, guest closes, DEVHOST_EV_CLOSED, process ends.
 * If the guest does not answer within timeout_ms the device is closed without it (0: 5000). Then
 * free it.
 */
int devhost_device_close(struct devhost_device *dev, unsigned timeout_ms);

/* The image of a block device may have another size: look, and tell the guest. */
int devhost_device_resize(struct devhost_device *dev);
/* A qcow2 image is to have so many bytes, and the backend is told. It has them when this returns,
 * seconds later at worst, in which nothing else of the host is done. 0, or -errno with the reason.
 */
int devhost_device_grow(struct devhost_device *dev, uint64_t bytes, char *err, size_t err_len);

/* Kill, wait for the process, close all descriptors (releases image lock, tap, pty). Any state;
 * NULL is fine. */
void devhost_device_free(struct devhost_device *dev);

/*
 * A device that the control domain's kernel serves. There is no process: the kernel's driver acts
 * upon the nodes, and goes on when the caller dies. What holds it ends with the nodes, in this
 * order: driver, interface or loop device, lock of the image.
 */
struct devhost_kernel;

/* Opens and locks the image, gives it a loop device if it is a file, writes the nodes. */
int devhost_kernel_start(struct devhost *h, const struct devhost_spec *spec,
                         struct devhost_kernel **out, char *err, size_t err_len);
/* 1: the driver has taken the device, and an interface is there (down, on no bridge). 0: not yet.
 * Else -errno: it refuses. */
int devhost_kernel_look(struct devhost_kernel *k, char *err, size_t err_len);
/* After that, once: puts an interface on its bridge; from here on the guest may connect. */
int devhost_kernel_go(struct devhost_kernel *k, char *err, size_t err_len);
/* The image has grown. */
int devhost_kernel_resize(struct devhost_kernel *k);
/* The interface's name, "" if it is a disk. */
const char *devhost_kernel_ifname(const struct devhost_kernel *k);
/* Removes the nodes and waits until the driver has let go. NULL is fine. -EBUSY: it has not. */
int devhost_kernel_stop(struct devhost_kernel *k);
/* True if the kernel holds any device of this guest, whoever had it made. */
bool devhost_kernel_holds(unsigned domid);

/* What `tenue list`, `block-list`, `network-list` and `console` may show. */
struct devhost_info {
    enum devhost_class cls;
    unsigned domid, devid;
    pid_t pid;            /* 0: no process */
    unsigned front_state; /* XenbusState values, 0 = unknown or absent */
    unsigned back_state;
    unsigned restarts;
    const char *tty;        /* console: the pty's path (also in console/tty), else "" */
    const char *ifname;     /* net: the tap's name, else "" */
    const char *last_error; /* "" if none */
};
void devhost_device_info(const struct devhost_device *dev, struct devhost_info *out);

/* Paths of a device's two directories, as written above. buf of 128 bytes suffices. */
void devhost_front_path(const struct devhost_spec *spec, char *buf, size_t len);
void devhost_back_path(const struct devhost_spec *spec, char *buf, size_t len);

#endif
