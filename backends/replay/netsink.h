/* SPDX-License-Identifier: MIT */
/*
 * netsink.h - what the replayed backend takes for its tap: a real one; or nothing, which takes
 * every frame, counts it, and gives the frames that the front asks for. In the second case the
 * functions of net/tap.c are not called (the linker's --wrap), and a queue's descriptor only says
 * that there is a frame.
 */
#ifndef BACKENDS_REPLAY_NETSINK_H
#define BACKENDS_REPLAY_NETSINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETSINK_HEADERS 74u /* Ethernet, IPv6, TCP: the longest that a frame gets */

/* What a frame is like. Its headers say that, and the rest of it is whatever is there. */
struct netsink_frame {
    uint32_t size;
    uint16_t gso_size;
    uint8_t gso_type; /* XEN_NETIF_GSO_TYPE_* */
    bool csum_blank, validated;
};

/* `tap`: an interface to be made and used, NULL for nothing. 0, or -errno with the reason. */
int netsink_open(const char *tap, unsigned queues, char *err, size_t err_len);

/* The headers of such a frame, into `to`; how many bytes. */
size_t netsink_headers(const struct netsink_frame *f, uint8_t to[NETSINK_HEADERS]);

/* One for the guest; at most 256 may wait in a queue. */
void netsink_give(unsigned queue, const struct netsink_frame *f);
/* What the backend has sent so far. */
void netsink_taken(uint64_t *frames, uint64_t *bytes);

#endif
