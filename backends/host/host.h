/* SPDX-License-Identifier: MIT */
/*
 * host.h - inside the device host: what its files share. The public face is <tenue/devhost.h>.
 *
 *   devhost.c    one struct devhost: xenstore handle, watch dispatch
 *   device.c     a device as its owner sees it: start, close, resize, free
 *   process.c    its backend process: start, messages, death, and what follows one
 *   relay.c      what front and backend tell each other through the store
 *   spawn.c      the backend process: descriptors, fork, exec, its log
 *   nodes.c      xenstore directories of a device
 *   resources.c  what only root can open for a device:
 *   imagefile.c  a disk's image
 *   interface.c  a vif's tap, on its bridge
 *   pty.c        a console's terminal and log
 *   mirror.c     where a network interface is mirrored to
 *   capture.c    where a device's requests are recorded
 *   check.c      looking at a device without touching it
 *   kernel.c     devices that the control domain's kernel serves
 *   link.c       connections to the server of a disk's image
 *   helper.c     the server of a qcow2 image; chain.c, qcow2.c: what such an image stands on
 *   words.c      names, complaints, log lines, the time and timers
 *
 * Each stands above all that it calls, but for link_settle(), which is told whom to call.
 */
#ifndef BACKENDS_HOST_HOST_H
#define BACKENDS_HOST_HOST_H

#include <sys/types.h>
#include <tenue/devhost.h>
#include <tenue/meter.h>
#include <tenue/xsclient.h>

#include "../common/channel.h"
#include "../common/journal.h"

#define PATH_BUF 128
#define MAX_DEVICE_FDS 9 /* the queues of a tap, a mirror; an image */
#define TTY_BUF 64
#define IFNAME_BUF 16
#define HELPER_EXPORT "disk"

struct event;
struct helper;
struct link;

struct devhost {
    struct devhost_config cfg;
    char backend_dir[256];
    struct xsc *xs;
    struct event *xs_event;
    struct devhost_device *devices; /* list through next */
};

/* What a device needs that only root can open. Kept by the host for its whole life, so that a
 * backend can be started again on the same image, tap or pty. */
struct resources {
    int fds[MAX_DEVICE_FDS]; /* in the order of the class, from CHANNEL_DEVICE_FD on */
    unsigned nr_fds;
    uint32_t discard_granularity; /* block; 0: not offered */
    char export[256];             /* block, of a server's */
    unsigned mtu;                 /* net */
    unsigned nr_taps;
    char ifname[IFNAME_BUF];
    char tty[TTY_BUF];
    bool tty_inherited;
    int meter;   /* counters and limit (tenue/meter.h); -1: a console's */
    int group;   /* -1: the device is in none */
    int capture; /* where requests are recorded; -1: nowhere */
    int journal; /* memory that each process of the device maps (common/journal.h) */
};

enum device_phase {
    PHASE_RUNNING,
    PHASE_CLOSING, /* devhost_device_close() was called */
    PHASE_ENDED,   /* no process any more */
};

struct devhost_device {
    struct devhost_device *next;
    struct devhost *host;
    struct devhost_spec spec; /* strings duplicated */
    struct resources res;
    struct link *link;     /* of an image that a server has */
    struct helper *helper; /* of a qcow2 image */
    enum device_phase phase;
    char name[40]; /* "vbd 3/51712" */
    char front[PATH_BUF], back[PATH_BUF];
    pid_t pid;
    int channel, pidfd, log_fd; /* -1 when closed */
    int life_fd;                /* end of file when nothing of the process is left */
    struct event *channel_event, *pid_event, *log_event, *life_event;
    struct event *timer;       /* close time-out, or restart delay */
    struct event *relay_timer; /* relaying the front's state waits for tokens */
    char log_line[256];
    unsigned log_len;
    unsigned front_state, back_state;
    bool ready;
    bool front_seen;    /* front_state was relayed to the present process */
    bool relay_pending; /* a watch event arrived in this turn */
    unsigned restarts;
    unsigned deaths;   /* in a row, of processes that did nothing */
    uint64_t progress; /* the journal's, when the present process was started */
    uint64_t started_ms, died_ms;
    unsigned relay_tokens;
    uint64_t relay_refilled_ms;
    char last_error[DEVHOST_ERR_MAX];
};

/* Something to do with a device later. */
typedef void host_device_fn(struct devhost_device *dev);

/* words.c */
void host_log(struct devhost *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void device_log(struct devhost_device *dev, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int err_set(char *err, size_t err_len, int rc, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
const char *class_node(enum devhost_class cls); /* "vbd" ... */
uint64_t now_ms(void);
void arm_timer(struct event *timer, unsigned ms);

/* relay.c: 0 or -ENOMEM. */
int relay_open(struct devhost_device *dev);
void relay_close(struct devhost_device *dev);
/* The front's state node, or one above it, changed: the backend is told. */
void relay_front(struct devhost_device *dev);
/* May it write all of that? A complaint was logged if not. */
bool relay_allows(struct devhost_device *dev, const struct channel_msg *m);
/* The backend's keys go to the store, and what they amount to is an event. */
void relay_back(struct devhost_device *dev, const struct channel_msg *m);
void relay_back_state(struct devhost_device *dev, unsigned state);
void relay_error(struct devhost_device *dev, const char *why);
/* Tells the owner, who may free the device. */
void relay_event(struct devhost_device *dev, enum devhost_event ev, const char *detail);

/* process.c: 0 or -ENOMEM. */
int process_open(struct devhost_device *dev);
/* Kills what runs. */
void process_close(struct devhost_device *dev);
int process_start(struct devhost_device *dev, char *err, size_t err_len);

/* spawn.c: start the process on dev->res; sets pid, channel, pidfd, log_fd. 0 or -errno. */
int spawn_backend(struct devhost_device *dev, char *err, size_t err_len);
/* What the device has done so far, by its journal. */
uint64_t spawn_progress(const struct devhost_device *dev);
/* SIGKILL and wait; closes the descriptors. Fine without a process. */
void spawn_kill(struct devhost_device *dev);
/* Read the process's standard error and pass whole lines on. */
void spawn_relay_log(struct devhost_device *dev);

/* nodes.c */
int nodes_write_back(struct devhost_device *dev, const struct channel_msg *m);
int nodes_write_one(struct devhost_device *dev, const char *key, const char *value);
/* One key of the backend's directory, of a device that need not be a devhost_device. */
int nodes_write_key(struct devhost *h, const struct devhost_spec *spec, const char *key,
                    const char *value);
void nodes_read_front(struct devhost_device *dev, struct channel_msg *m);

/* capture.c */
int capture_check(const struct devhost_spec *s, char *err, size_t err_len);
int capture_create(struct devhost_device *dev, char *err, size_t err_len);

/* mirror.c */
int mirror_check(const struct devhost_spec *s, char *err, size_t err_len);
int mirror_open(struct devhost_device *dev, char *err, size_t err_len);

/* resources.c */
int resources_open(struct devhost_device *dev, char *err, size_t err_len);
void resources_close(struct resources *res);

/* imagefile.c: open and lock an image as spec says; a descriptor or -errno. */
int imagefile_open(const struct devhost_spec *spec, char *err, size_t err_len);
/* Bytes; 0: it cannot discard. */
uint32_t imagefile_discard_granularity(int fd);

/* interface.c: MTU of an interface, 0 if there is none of that name. */
unsigned interface_mtu(const char *ifname);
/* MTU of a vif, from its spec or its bridge. */
int interface_choose_mtu(const struct devhost_spec *s, unsigned *mtu, char *err, size_t err_len);
/* A tap with the queues of the spec, as the device's next descriptors. */
int interface_open_tap(struct devhost_device *dev, char *err, size_t err_len);
/* Puts an interface on its bridge, and up. */
int interface_plug(const struct devhost_spec *spec, const char *ifname, unsigned mtu, char *err,
                   size_t err_len);

/* pty.c: terminal and log, as the device's next descriptors. */
int pty_open(struct devhost_device *dev, char *err, size_t err_len);

/* kernel.c */
int kernel_check(const struct devhost_spec *spec, char *err, size_t err_len);

/* link.c */
bool link_wanted(const struct devhost_spec *spec); /* is the image a server's? */
int link_open(struct devhost_device *dev, char *err, size_t err_len);
void link_close(struct devhost_device *dev);
/* A connection as the device's descriptor, for a process that is about to start; and its end here
 * once that process has it. */
int link_connect(struct devhost_device *dev, char *err, size_t err_len);
void link_handed(struct devhost_device *dev);
/* The process died: true if its server must end first; then() follows. */
bool link_settle(struct devhost_device *dev, host_device_fn *then);
unsigned link_timeout(const struct devhost_spec *spec); /* seconds */
/* The backend lost its connection: it gets another as soon as there is one. */
void link_asked(struct devhost_device *dev);
int link_check(const struct devhost_spec *spec, char *err, size_t err_len);

/* helper.c */
int helper_open(struct devhost_device *dev, char *err, size_t err_len);
void helper_close(struct devhost_device *dev);
int helper_check(char *err, size_t err_len);
bool helper_up(struct devhost_device *dev);                        /* it runs, or was started */
bool helper_end(struct devhost_device *dev, host_device_fn *then); /* in order, if it runs */
void helper_suspect(struct devhost_device *dev);
/* The image becomes as large as that; the helper is ended for it, and started when it is needed. */
int helper_grow(struct devhost_device *dev, uint64_t bytes, char *err, size_t err_len);
void helper_socket(const struct devhost_device *dev, char *buf, size_t len);

#endif
