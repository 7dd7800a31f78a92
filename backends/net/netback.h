/* SPDX-License-Identifier: MIT */
/*
 * netback.h - the network backend: what its files share.
 *
 *   netback.c  connect, disconnect, event loop
 *   tx.c       guest to tap        rx.c  tap to guest
 *   packet.c   rules of packets    tap.c the descriptor
 */
#ifndef BACKENDS_NET_NETBACK_H
#define BACKENDS_NET_NETBACK_H

#include "../common/backoff.h"
#include "../common/device.h"
#include "packet.h"

extern const struct device_ops netback_ops;

/* Undo init (tests; a real process just ends). */
void netback_fini(struct device *d);

/* A packet in a buffer: the tap's header, then the frame. */
#define NET_HEADROOM sizeof(struct virtio_net_hdr)
#define NET_BATCH 32u         /* packets per round, either way */
#define NET_SLOT_BYTES 65600u /* room for the largest packet with its header */

struct net_features {
    bool sg, gso4, gso6, csum4, csum6;
};

struct tx_state {
    netif_tx_back_ring_t ring;
    int port;
    uint8_t *buffers; /* NET_BATCH of NET_SLOT_BYTES; only what is used is ever touched */
};

struct rx_state {
    netif_rx_back_ring_t ring;
    int port;
    uint8_t *buffers;
    size_t
        held; /* length of the packet in buffer 0 that waits for slots, with its header; 0: none */
    unsigned held_slots;
};

struct netback {
    struct device *d;
    int tap;
    int epfd;
    bool tap_watched;
    struct net_features feat;
    struct tx_state tx;
    struct rx_state rx;
    int masked[2]; /* ports that fired, to be unmasked after a round; 0: none */
    struct backoff backoff;
    uint64_t tx_packets, rx_packets, tx_dropped, rx_dropped;
};

/*
 * One round; true if there is more to do at once. May have failed the device: check d->connected.
 */
bool tx_serve(struct netback *n);
bool rx_serve(struct netback *n);

/* tap.c */
int tap_set_offload(int tap, const struct net_features *feat);
/* Length read, 0 if there is nothing. */
size_t tap_read(int tap, void *buf, size_t len);
/* False: dropped (the tap is down, or its queue is full). */
bool tap_write(int tap, const void *buf, size_t len);
/* Throw away what was queued for a guest that was not there. */
void tap_discard(int tap);

#endif
