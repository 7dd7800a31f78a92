/* SPDX-License-Identifier: MIT */
/*
 * tap.c - reading and writing the tap, and telling it what the guest can take.
 *
 * The descriptor came attached and non-blocking; every read and write carries a struct
 * virtio_net_hdr of 10 bytes.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "state.h"

#define DISCARD_MAX 4096u

int tap_set_offload(int tap, const struct net_features *feat)
{
    unsigned long flags = 0;

    /* The tap knows one switch for both address families; a guest with half of it gets none. */
    if (feat->csum4 && feat->csum6) {
        flags |= TUN_F_CSUM;
        if (feat->sg && feat->gso4) {
            flags |= TUN_F_TSO4;
        }
        if (feat->sg && feat->gso6) {
            flags |= TUN_F_TSO6;
        }
    }
    return ioctl(tap, TUNSETOFFLOAD, flags) ? -errno : 0;
}

int tap_attach(int tap, bool on)
{
    struct ifreq ifr;

    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
    return ioctl(tap, TUNSETQUEUE, &ifr) && errno != EINVAL ? -errno : 0; /* EINVAL: it is so */
}

size_t tap_read(int tap, void *buf, size_t len)
{
    ssize_t n;

    do {
        n = read(tap, buf, len);
    } while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}

bool tap_write(int tap, const struct iovec *parts, unsigned nr, size_t len)
{
    ssize_t n;

    do {
        n = nr == 1 ? write(tap, parts->iov_base, parts->iov_len) : writev(tap, parts, (int)nr);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)len;
}

void tap_discard(int tap)
{
    char byte[64]; /* a short read takes the whole packet off the queue */

    for (unsigned i = 0; i < DISCARD_MAX && tap_read(tap, byte, sizeof(byte)); i++) {
    }
}
