/* SPDX-License-Identifier: MIT */
/*
 * state.h - the network backend: what its files share.
 *
 *   netback.c  start, event loop             connect.c  connect and disconnect the rings
 *   serve.c    rounds, and when to wait       queue.c    what both ways of a queue share
 *   tx.c       guest to tap                  rx.c       tap to guest
 *   packet.c   rules of packets              mcast.c    multicast addresses a guest asked for
 *   tap.c      the descriptors               answers.c  responses that survive this process
 *   arena.c    pages that stay mapped
 *   guard.c    in whose name a guest sends    mirror.c   every frame once more, elsewhere
 *   throttle.c packets that wait for a limit  capture.c what passed, recorded
 *
 * One thread serves all queues of the interface. Queue i of the guest belongs to queue i of the
 * tap: which packets come by which queue is the tap's choice (it sends a flow back the way that the
 * flow's other direction takes), or the guest's for what it sends.
 */
#ifndef BACKENDS_NET_STATE_H
#define BACKENDS_NET_STATE_H

#include "../common/backoff.h"
#include "../common/device.h"
#include "answers.h"
#include "arena.h"
#include "capture.h"
#include "clock.h"
#include "guard.h"
#include "mcast.h"
#include "mirror.h"
#include "packet.h"

#define NET_JOURNAL_FORMAT 1 /* of struct net_journal: bump it when that changes */

/* Before each frame: the tap's header. */
#define NET_HEADROOM sizeof(struct virtio_net_hdr)
#define NET_QUEUES 8u
#define NET_BATCH 32u               /* packets per round, either way */
#define NET_TX_PAGES GNT_COPY_BATCH /* one for each piece */
/* Frames begin on a page, their header ends the page before; the longest takes 16. */
#define NET_RX_PAGES (GNT_COPY_BATCH + NET_BATCH)
#define NET_FRAME_ROOM (16u * PACKET_PAGE)
#define NET_HEADROOM_MAX 512u /* of the guest's; so that the longest fits PACKET_MAX_SLOTS */

struct net_features {
    bool sg, gso4, gso6, csum4, csum6;
};

/* In the journal: what the next process needs besides the guest's keys. */
struct net_journal {
    struct mcast_list mcast;
    struct {
        struct answers tx, rx;
    } q[NET_QUEUES];
};

struct tx_state {
    netif_tx_back_ring_t ring;
    struct answers *answers;
    struct answers_ring to;
    int port;
    bool look; /* the guest notified, or there was more than a round */
    unsigned packets_of_round;
    RING_IDX told; /* the guest was told of the answers up to here, if it wished */
    bool question; /* this round: what comes back is looked for before it is told of */
    /* Questions: since an answer was last looked for, and from one such to the next. */
    unsigned untried, between;
    uint8_t *buffers; /* a page for each piece of a round; only what is used is ever touched */
};

struct rx_state {
    netif_rx_back_ring_t ring;
    struct answers *answers;
    struct answers_ring to;
    int port;
    bool look; /* the tap has packets, or the guest buffers for the held one */
    uint8_t *buffers;
    size_t held; /* frame bytes of the packet at the buffers' start that waits for slots; 0: none */
    unsigned held_slots;
    RING_IDX told;   /* as in the other ring */
    unsigned expect; /* packets that a round may read before the loop asks the tap again */
    unsigned ones;   /* rounds of one */
};

struct net_queue {
    struct netback *n;
    unsigned index;
    int tap;
    bool tap_watched;
    struct tx_state tx;
    struct rx_state rx;
    struct arena arena;
    struct meter_queue *m;
    uint64_t tx_packets, rx_packets, tx_dropped, rx_dropped, tx_spoofed;
};

/* What waits for a limit one way: METER_READ, to the guest, or METER_WRITE. */
#define NET_WAYS 2u
struct throttle {
    struct limit *limits[2]; /* the interface's for this way, its group's */
    unsigned nr_limits;
    unsigned queues;       /* bits: those with a packet that waits */
    bool refused;          /* one, in this round */
    uint64_t since, until; /* ns; while one does */
    uint64_t *waits, *waited_ns;
};

struct netback {
    struct device *d;
    int epfd;
    unsigned nr_taps;   /* queues that the tap has */
    unsigned nr_queues; /* of the guest, while connected */
    struct net_queue q[NET_QUEUES];
    struct net_features feat;
    struct guard guard;
    struct mirror mirror;
    struct capture *capture; /* NULL: packets are not recorded */
    struct clock_rate clock;
    struct meter *own_meter; /* where there is no other (tests) */
    bool mcast_control;
    bool arena;                                /* offered */
    bool plain;                                /* buffers are ordinary memory, and it was said */
    uint32_t headroom;                         /* that the guest wants before each piece */
    struct net_journal *journal, *own_journal; /* own: where there is no other (tests) */
    int masked[2 * NET_QUEUES];                /* ports that fired, to be unmasked after a round */
    unsigned nr_masked;
    /* Knobs: how long a one-way stream may be left to gather, how long to look for more without
     * sleeping. 0: not at all. */
    unsigned coalesce_us, poll_us;
    bool urgent;
    unsigned lean;       /* to urgency, in rounds */
    unsigned idle_looks; /* while gathering, in a row */
    unsigned one_way;    /* rounds in a row from the guest, with none for it between */
    bool gathering;      /* no event is asked for: the loop looks again by itself */
    uint64_t last_work;  /* nanoseconds; kept with poll_us only */
    struct throttle throttle[NET_WAYS];
    struct backoff backoff;
};

/* Without a capture the clock is not asked. */
static inline uint64_t capture_now(const struct netback *n)
{
    return n->capture ? clock_kernel_ns() : 0;
}

/* queue.c */
/* A round is over that began at `tick` (__rdtsc()): `packets` with together so many bytes. */
void net_count(struct net_queue *q, enum meter_op op, unsigned packets, uint64_t bytes,
               uint64_t tick);
/* Of the answers in both rings since the last call, if the guest wants to hear of them. */
void net_tell(struct net_queue *q);
/* Whether it wants to or not. */
void net_tell_anyway(struct net_queue *q);
void net_watch_tap(struct net_queue *q, bool on);

/* tx.c, rx.c */
/*
 * One round; rx_serve() is true if there is more to do at once. May have failed the device: check
 * d->connected.
 */
void tx_serve(struct net_queue *q);
bool rx_serve(struct net_queue *q);
/* There are packets that may be taken now. */
bool tx_waits(struct net_queue *q);
/* Ask the guest to notify of its next packet. True if one came meanwhile. */
bool tx_want_event(struct net_queue *q);
/* The guest's question was (not) answered at once: what the next ones are worth. */
void tx_learn_reply(struct net_queue *q, bool came);

/* serve.c */
/* Once, before this process gives up its rights. */
void net_prepare_serving(void);
/* A round of both ways; while the guest asks and is answered, some more. False: the device was
 * failed. */
bool net_serve_queue(struct net_queue *q);
/* All queues. True if there is more to do without waiting. */
bool net_serve(struct netback *n);
/* The guest is gone; what was learnt of it says nothing of the next. */
void net_stop_serving(struct netback *n);

/* connect.c */
int net_connect(struct device *d, const struct channel_msg *front, struct channel_msg *back);
void net_disconnect(struct device *d);
void net_advertise(struct device *d, struct channel_msg *back);
/* The guest changed keys while it is connected. */
void net_reconfigure(struct device *d, const struct channel_msg *front);

/* throttle.c */
void throttle_init(struct netback *n);
/* May a packet of so many bytes go? Else its queue waits, until one passes or is forgotten. */
bool throttle_pass(struct net_queue *q, enum meter_op way, uint64_t bytes);
bool throttle_waits(const struct net_queue *q, enum meter_op way);
/* A round is over: one that waited before may be gone, if this round has refused none. */
void throttle_round(struct net_queue *q, enum meter_op way);
/* False: nothing waits. Else in how many nanoseconds the first may go; those that wait are looked
 * at then. */
bool throttle_time_left(struct netback *n, uint64_t *ns);

/* tap.c */
int tap_set_offload(int tap, const struct net_features *feat);
/* Of a tap with several queues: packets are spread over those that are attached. */
int tap_attach(int tap, bool on);
/* Length read, 0 if there is nothing. */
size_t tap_read(int tap, void *buf, size_t len);
/* False: dropped (the tap is down, or its queue is full). */
struct iovec;
bool tap_write(int tap, const struct iovec *parts, unsigned nr, size_t len);
/* Throw away what was queued for a guest that was not there. */
void tap_discard(int tap);

#endif
