/* SPDX-License-Identifier: MIT */
/*
 * device.h - the life of one device in its backend process: start-up, the xenbus state machine, the
 * end.
 *
 * A class (block, net, console) supplies struct device_ops and its event loop; this module supplies
 * main's body and device_handle_channel(), which the loop calls when the channel is readable.
 * States go as stock backends' do:
 *
 *   front 1, 2   -> back InitWait, features advertised (after dropping an old connection)
 *   front 3, 4   -> connect, back Connected.  A front found here at start belongs to an earlier
 *                   backend: with its journal this one goes on in its place; without, back goes
 *                   Closing and waits for the front to start again
 *   front 5      -> back Closing; still serving what is in the ring
 *   front 6, 0   -> disconnect, back Closed; the process ends if an unplug was asked for
 *
 * A guest that breaks the protocol: device_fail() disconnects, reports, back Closing; it may start
 * again.
 */
#ifndef BACKENDS_COMMON_DEVICE_H
#define BACKENDS_COMMON_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <tenue/meter.h>
#include <xen/io/xenbus.h>

#include "channel.h"
#include "evtchn.h"
#include "gntdev.h"
#include "journal.h"
#include "sandbox.h"

struct device;

struct device_ops {
    const char *class_name;  /* "vbd", "vif", "console" */
    bool takes_over;         /* a new process needs no journal to go on with a connected front */
    bool unmetered;          /* its host made no meter */
    uint32_t journal_format; /* of the body, bumped when it changes; 0: the class keeps none */
    const struct sandbox_profile *sandbox;

    /* Privileged: take the descriptors from CHANNEL_DEVICE_FD on, read options, allocate. 0 or
     * -errno. */
    int (*init)(struct device *d, const struct channel_msg *start);
    /* Add the features for InitWait. */
    void (*advertise)(struct device *d, struct channel_msg *back);
    /* Bind to what the front published; add keys that go with Connected. 0, or -errno after
     * device_fail() has been told why. With d->resuming the journal tells where a predecessor was
     * with just this front, which does not know that anything has happened. */
    int (*connect)(struct device *d, const struct channel_msg *front, struct channel_msg *back);
    /* Give everything of the connection back. Called only when connected; may be called from any of
     * the class's own functions by way of device_fail(). */
    void (*disconnect)(struct device *d);
    /* The image may have another size; NULL: nothing to do. */
    void (*resized)(struct device *d);
    /* The guest's keys while it is Reconfiguring; may fail the device. NULL: nothing can change. */
    void (*reconfigure)(struct device *d, const struct channel_msg *front);
    /* A connection that device_ask_link() asked for; NULL: the class has no use for one. */
    void (*link)(struct device *d, int socket);
    /* The event loop: returns when d->exit is set. */
    void (*run)(struct device *d);
};

struct device {
    const struct device_ops *ops;
    unsigned domid, devid;
    struct gntdev *gnt;
    struct evtchn *evt;
    enum xenbus_state front_state, state;
    bool connected;
    bool stale;   /* front was connected to somebody else when we came */
    bool closing; /* unplug asked for */
    bool resuming;
    struct journal *journal; /* NULL in tests that have none */
    struct meter *meter;     /* likewise, and of a class without one */
    struct limit *limits[2]; /* the device's own, its group's */
    unsigned nr_limits;
    bool exit;
    int channel; /* descriptor */
    int passed;  /* descriptor that came with the message at hand, -1: none */
    void *priv;  /* the class's */
};

/* main() of each backend. */
int device_main(const struct device_ops *ops, int argc, char **argv);

/* Read and act on every message waiting; sets d->exit at the host's end. */
void device_handle_channel(struct device *d);

/* One message, as read from the channel: the state machine itself, for the tests. */
void device_handle_message(struct device *d, const struct channel_msg *m);

/* Bind to the guest's port, also one that a predecessor's end has yet to give back. Local port or
 * -errno. */
int device_bind(struct device *d, uint32_t remote_port);

/* Keys for the backend directory beyond what the states bring. */
void device_announce(struct device *d, const struct channel_msg *m);
/* Ask the host for another connection to the image's server. */
void device_ask_link(struct device *d);

/* The guest broke the rules, or the device cannot go on: disconnect and say so. */
void device_fail(struct device *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
