/* SPDX-License-Identifier: MIT */
/*
 * netsink.c - see netsink.h. A queue's frames go from the front's thread to the backend's through a
 * ring of their own; the eventfd counts them, and orders the two threads.
 */
#include "netsink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../net/state.h"
#include "backend.h"

#define WAITING 256u

static struct {
    struct netsink_frame frame[WAITING];
    unsigned given, taken; /* each one thread's */
} queues[NET_QUEUES];
static bool nothing;
static atomic_ullong frames, bytes;

/* ---- frames ---- */

static void put16(uint8_t *to, unsigned v)
{
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
}

static size_t put_ipv4(uint8_t *ip, uint32_t left, uint8_t proto)
{
    static const uint8_t addresses[8] = {192, 0, 2, 1, 192, 0, 2, 2};
    uint32_t sum = 0;

    ip[0] = 0x45;
    put16(ip + 2, left);
    ip[8] = 64;
    ip[9] = proto;
    memcpy(ip + 12, addresses, sizeof(addresses));
    for (unsigned i = 0; i < 20; i += 2) {
        sum += (unsigned)(ip[i] << 8 | ip[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
    return 20;
}

static size_t put_ipv6(uint8_t *ip, uint32_t left, uint8_t proto)
{
    static const uint8_t prefix[4] = {0x20, 0x01, 0x0d, 0xb8};

    ip[0] = 0x60;
    put16(ip + 4, left - 40);
    ip[6] = proto;
    ip[7] = 64;
    for (unsigned i = 0; i < 2; i++) {
        memcpy(ip + 8 + 16 * i, prefix, sizeof(prefix));
        ip[23 + 16 * i] = (uint8_t)(i + 1);
    }
    return 40;
}

static size_t put_tcp(uint8_t *tcp)
{
    put16(tcp, 5001);
    put16(tcp + 2, 5001);
    tcp[12] = 5 << 4;
    tcp[13] = 0x10; /* ACK */
    return 20;
}

static size_t put_udp(uint8_t *udp, uint32_t left)
{
    put16(udp, 9);
    put16(udp + 2, 9);
    put16(udp + 4, left);
    return 8;
}

/* TCP if it is to be cut into segments; else UDP, if it is long enough to be anything. */
size_t netsink_headers(const struct netsink_frame *f, uint8_t to[NETSINK_HEADERS])
{
    static const uint8_t stations[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
    bool v6 = f->gso_type == XEN_NETIF_GSO_TYPE_TCPV6, tcp = f->gso_size;
    size_t need = 14u + (v6 ? 40u : 20u) + (tcp ? 20u : 8u), at = 14;

    memset(to, 0, NETSINK_HEADERS);
    memcpy(to, stations, sizeof(stations));
    if (f->size < need) {
        put16(to + 12, 0x88b5); /* for experiments */
        return f->size < at ? f->size : at;
    }
    put16(to + 12, v6 ? 0x86dd : 0x0800);
    at += v6 ? put_ipv6(to + at, f->size - 14, IPPROTO_TCP)
             : put_ipv4(to + at, f->size - 14, tcp ? IPPROTO_TCP : IPPROTO_UDP);
    return at + (tcp ? put_tcp(to + at) : put_udp(to + at, (uint32_t)(f->size - at)));
}

void netsink_give(unsigned queue, const struct netsink_frame *f)
{
    const uint64_t one = 1;

    queues[queue].frame[queues[queue].given++ % WAITING] = *f;
    if (write(CHANNEL_DEVICE_FD + (int)queue, &one, sizeof(one)) != sizeof(one)) {
        perror("netreplay: a frame's event");
    }
}

void netsink_taken(uint64_t *f, uint64_t *b)
{
    *f = atomic_load(&frames);
    *b = atomic_load(&bytes);
}

/* ---- the tap's functions, in place of net/tap.c's ---- */

int __real_tap_set_offload(int tap, const struct net_features *feat);
int __wrap_tap_set_offload(int tap, const struct net_features *feat);
int __real_tap_attach(int tap, bool on);
int __wrap_tap_attach(int tap, bool on);
size_t __real_tap_read(int tap, void *buf, size_t len);
size_t __wrap_tap_read(int tap, void *buf, size_t len);
bool __real_tap_write(int tap, const struct iovec *parts, unsigned nr, size_t len);
bool __wrap_tap_write(int tap, const struct iovec *parts, unsigned nr, size_t len);
void __real_tap_discard(int tap);
void __wrap_tap_discard(int tap);

int __wrap_tap_set_offload(int tap, const struct net_features *feat)
{
    return nothing ? 0 : __real_tap_set_offload(tap, feat);
}

int __wrap_tap_attach(int tap, bool on)
{
    return nothing ? 0 : __real_tap_attach(tap, on);
}

void __wrap_tap_discard(int tap)
{
    if (!nothing) {
        __real_tap_discard(tap);
    }
}

/* A frame as a tap gives it: its header, then itself. */
static size_t put_frame(const struct netsink_frame *f, uint8_t *to, size_t room)
{
    struct virtio_net_hdr hdr = {0};
    uint8_t headers[NETSINK_HEADERS];
    size_t have = netsink_headers(f, headers);

    if (NET_HEADROOM + f->size > room) {
        return 0;
    }
    hdr.flags = f->csum_blank ? VIRTIO_NET_HDR_F_NEEDS_CSUM
                              : (f->validated ? VIRTIO_NET_HDR_F_DATA_VALID : 0);
    if (f->gso_size) {
        hdr.gso_type = f->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                                               : VIRTIO_NET_HDR_GSO_TCPV4;
        hdr.gso_size = f->gso_size;
    }
    memcpy(to, &hdr, sizeof(hdr));
    memcpy(to + NET_HEADROOM, headers, have);
    return NET_HEADROOM + f->size;
}

size_t __wrap_tap_read(int tap, void *buf, size_t len)
{
    unsigned q = (unsigned)(tap - CHANNEL_DEVICE_FD);
    uint64_t one;

    if (!nothing) { /* what the tap's own system says to it is nothing that was recorded */
        __real_tap_read(tap, buf, len);
        return 0;
    }
    if (read(tap, &one, sizeof(one)) != sizeof(one)) {
        return 0;
    }
    return put_frame(&queues[q].frame[queues[q].taken++ % WAITING], buf, len);
}

bool __wrap_tap_write(int tap, const struct iovec *parts, unsigned nr, size_t len)
{
    size_t sum = 0;

    for (unsigned i = 0; i < nr; i++) {
        sum += parts[i].iov_len;
    }
    if (sum != len || (!nothing && !__real_tap_write(tap, parts, nr, len))) {
        return false;
    }
    atomic_fetch_add(&frames, 1);
    atomic_fetch_add(&bytes, len - NET_HEADROOM);
    return true;
}

/* ---- start ---- */

static int open_tap(const char *name, unsigned nr)
{
    const short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (nr > 1 ? IFF_MULTI_QUEUE : 0);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq ifr;

    memset(&ifr, 0, sizeof(ifr));
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    ifr.ifr_flags = flags;
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Its sender is nobody's process, but somebody has to say that it is up. */
static int set_up(const char *name)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;
    struct ifreq ifr;

    memset(&ifr, 0, sizeof(ifr));
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    rc = s < 0 || ioctl(s, SIOCGIFFLAGS, &ifr);
    ifr.ifr_flags |= IFF_UP;
    rc = rc || ioctl(s, SIOCSIFFLAGS, &ifr) ? -errno : 0;
    if (s >= 0) {
        close(s);
    }
    return rc;
}

int netsink_open(const char *tap, unsigned nr, char *err, size_t err_len)
{
    int rc = 0;

    nothing = !tap;
    for (unsigned i = 0; i < nr && !rc; i++) {
        rc = backend_place(tap ? open_tap(tap, nr)
                               : eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC),
                           CHANNEL_DEVICE_FD + (int)i);
    }
    rc = rc || !tap ? rc : set_up(tap);
    if (rc) {
        snprintf(err, err_len, "tap %s: %s", tap ? tap : "", strerror(-rc));
    }
    return rc;
}
