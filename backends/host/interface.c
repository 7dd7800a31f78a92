/* SPDX-License-Identifier: MIT */
/*
 * interface.c - a vif's network interface in the control domain: the tap, its MTU, its place on a
 * bridge. The interfaces of the kernel's own backend are put there by the same means.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"

#define TAP_QUEUE 512 /* packets that wait for a slow guest; then the newest are dropped (BE-7) */
#define MIN_MTU 68u
#define MAX_MTU 65535u

static void set_ifname(struct ifreq *ifr, const char *name)
{
    memset(ifr, 0, sizeof(*ifr));
    snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
}

unsigned interface_mtu(const char *ifname)
{
    struct ifreq ifr;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc;

    if (s < 0) {
        return 0;
    }
    set_ifname(&ifr, ifname);
    rc = ioctl(s, SIOCGIFMTU, &ifr);
    close(s);
    return rc ? 0 : (unsigned)ifr.ifr_mtu;
}

static int open_tap_queue(struct devhost_device *dev, short flags, char *err, size_t err_len)
{
    struct ifreq ifr;
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return err_set(err, err_len, -errno, "%s: /dev/net/tun: %s (is module tun loaded?)",
                       dev->name, strerror(errno));
    }
    dev->res.fds[dev->res.nr_fds++] = fd;
    set_ifname(&ifr, dev->res.ifname);
    ifr.ifr_flags = flags;
    if (ioctl(fd, TUNSETIFF, &ifr)) {
        return err_set(err, err_len, -errno, "%s: cannot create tap %s: %s%s", dev->name,
                       dev->res.ifname, strerror(errno),
                       errno == EBUSY ? " (the name is taken)" : "");
    }
    return 0;
}

int interface_open_tap(struct devhost_device *dev, char *err, size_t err_len)
{
    const unsigned queues = dev->spec.net.queues ? dev->spec.net.queues : 1;
    const short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0);
    int rc = 0;

    if (queues > CHANNEL_MAX_QUEUES) {
        return err_set(err, err_len, -EINVAL, "%s: %u queues are not within 1..%u", dev->name,
                       queues, CHANNEL_MAX_QUEUES);
    }
    for (unsigned i = 0; i < queues && !rc; i++) {
        rc = open_tap_queue(dev, flags, err, err_len);
    }
    return rc;
}

/* The tap's own address must not become the bridge's, which takes the lowest of its ports. */
static int set_high_address(int s, const char *ifname)
{
    struct ifreq ifr;

    set_ifname(&ifr, ifname);
    ifr.ifr_hwaddr.sa_family = 1; /* ARPHRD_ETHER */
    memset(ifr.ifr_hwaddr.sa_data, 0xff, 6);
    ifr.ifr_hwaddr.sa_data[0] = (char)0xfe;
    return ioctl(s, SIOCSIFHWADDR, &ifr);
}

/* This end has no business with IPv6 of its own; without the file there is no IPv6 to turn off. */
static void disable_ipv6(const char *ifname)
{
    char path[80];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", ifname);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (write(fd, "1", 1) != 1) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    close(fd);
}

static int set_mtu(int s, const char *ifname, unsigned mtu)
{
    struct ifreq ifr;

    set_ifname(&ifr, ifname);
    ifr.ifr_mtu = (int)mtu;
    return ioctl(s, SIOCSIFMTU, &ifr);
}

static int set_queue(int s, const char *ifname)
{
    struct ifreq ifr;

    set_ifname(&ifr, ifname);
    ifr.ifr_qlen = TAP_QUEUE;
    return ioctl(s, SIOCSIFTXQLEN, &ifr);
}

static int add_to_bridge(int s, const char *bridge, const char *ifname)
{
    struct ifreq ifr;

    set_ifname(&ifr, bridge);
    ifr.ifr_ifindex = (int)if_nametoindex(ifname);
    return ioctl(s, SIOCBRADDIF, &ifr);
}

static int isolate(const char *ifname)
{
    char path[80];
    int fd, rc;

    snprintf(path, sizeof(path), "/sys/class/net/%s/brport/isolated", ifname);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    rc = write(fd, "1", 1) == 1 ? 0 : -1;
    close(fd);
    return rc;
}

static int bring_up(int s, const char *ifname)
{
    struct ifreq ifr;

    set_ifname(&ifr, ifname);
    if (ioctl(s, SIOCGIFFLAGS, &ifr)) {
        return -1;
    }
    ifr.ifr_flags |= IFF_UP;
    return ioctl(s, SIOCSIFFLAGS, &ifr);
}

int interface_plug(const struct devhost_spec *spec, const char *ifname, unsigned mtu, char *err,
                   size_t err_len)
{
    const char *bridge = spec->net.bridge;
    const char *step = "socket";
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = -1;

    if (s < 0) {
        goto out;
    }
    disable_ipv6(ifname);
    step = "set its address";
    if (set_high_address(s, ifname)) {
        goto out;
    }
    step = "set its MTU";
    if (set_mtu(s, ifname, mtu) || (!spec->kernel && set_queue(s, ifname))) {
        goto out;
    }
    step = "add it to the bridge";
    if (bridge && add_to_bridge(s, bridge, ifname)) {
        goto out;
    }
    step = "isolate it from other ports";
    if (spec->net.isolated && isolate(ifname)) {
        goto out;
    }
    step = "bring it up";
    rc = bring_up(s, ifname);

out:
    if (rc) {
        rc = err_set(err, err_len, -errno, "vif %u/%u: interface %s, bridge %s: cannot %s: %s",
                     spec->domid, spec->devid, ifname, bridge ? bridge : "(none)", step,
                     strerror(errno));
    }
    if (s >= 0) {
        close(s);
    }
    return rc;
}

int interface_choose_mtu(const struct devhost_spec *s, unsigned *mtu, char *err, size_t err_len)
{
    *mtu = s->net.mtu;
    if (!*mtu && s->net.bridge) {
        *mtu = interface_mtu(s->net.bridge);
    }
    if (!*mtu) {
        *mtu = 1500;
    }
    if (*mtu < MIN_MTU || *mtu > MAX_MTU) {
        return err_set(err, err_len, -EINVAL, "vif %u/%u: mtu %u is not within %u..%u", s->domid,
                       s->devid, *mtu, MIN_MTU, MAX_MTU);
    }
    return 0;
}
