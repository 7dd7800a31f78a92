/* SPDX-License-Identifier: MIT */
/*
 * packet.h - rules of packets on the network rings. Pure: works on private copies only, so that it
 * can be tested and fuzzed alone (BE-6).
 */
#ifndef BACKENDS_NET_PACKET_H
#define BACKENDS_NET_PACKET_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/grant_table.h>

#include "../common/ring.h"

#include <xen/io/netif.h>

#define PACKET_MAX_FRAGS 18u /* what stock backends take for one packet */
#define PACKET_MAX_EXTRAS 2u /* more than one of a kind is wrong already */
#define PACKET_MAX_SLOTS (PACKET_MAX_FRAGS + PACKET_MAX_EXTRAS)
#define PACKET_MAX_BYTES 65535u
#define PACKET_MIN_BYTES 14u /* an Ethernet header */
#define PACKET_PAGE 4096u

/* A slot of the transmit ring as copied: what it is depends on the slots before it. */
union packet_tx_slot {
    netif_tx_request_t req;
    netif_extra_info_t extra;
};

struct packet_frag {
    uint32_t gref;
    uint16_t offset, size;
};

struct packet_tx {
    unsigned nr_slots; /* of the ring */
    unsigned nr_frags;
    uint32_t size;
    bool drop; /* well-formed chain, but not a packet we send: answer with an error */
    bool csum_blank;
    uint16_t gso_size; /* 0: no GSO */
    uint8_t gso_type;  /* XEN_NETIF_GSO_TYPE_* */
    struct packet_frag frag[PACKET_MAX_FRAGS];
    uint8_t mcast; /* XEN_NETIF_EXTRA_TYPE_MCAST_*: no packet, but an address; 0: a packet */
    uint8_t mcast_addr[6];
    bool slot_is_extra[PACKET_MAX_SLOTS];
};

/*
 * Parse the chain that starts at slots[0]; `avail` of them are there. NULL when out is filled; else
 * what is wrong: the guest broke the protocol and the ring cannot be followed any further.
 */
const char *packet_tx_parse(const union packet_tx_slot *slots, unsigned avail,
                            struct packet_tx *out);

/* So much of a packet's beginning as the checks below may want to see in one place. */
#define PACKET_HEAD 256u

/*
 * Check the headers and make the offload header for the tap. `data` is the packet's beginning, have
 * bytes of len; its checksum field receives the pseudo header's sum where the checksum is left to
 * the receiver. False: drop it.
 */
bool packet_tx_offload(uint8_t *data, size_t have, size_t len, const struct packet_tx *tx,
                       struct virtio_net_hdr *hdr);

/* What goes with a packet to the guest. */
struct packet_rx {
    uint16_t flags; /* NETRXF_csum_blank, NETRXF_data_validated of the first slot */
    uint16_t gso_size;
    uint8_t gso_type;
    unsigned nr_slots; /* with the extra slot, if there is GSO */
};

/*
 * False for a packet that the guest cannot take. `sg`: it takes several slots. Each slot holds
 * `room` bytes: a page without the headroom that the guest wants.
 */
bool packet_rx_plan(const struct virtio_net_hdr *hdr, size_t len, bool sg, size_t room,
                    struct packet_rx *out);

#endif
