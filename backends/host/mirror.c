/* SPDX-License-Identifier: MIT */
/*
 * mirror.c - where a network interface is mirrored to: a pcap file with its head, or a packet
 * socket that is bound to another interface and can only send.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"

struct pcap_head {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, longest, link;
};

static int open_file(const char *path)
{
    static const struct pcap_head head = {
        .magic = 0xa1b23c4d, /* times in nanoseconds */
        .major = 2,
        .minor = 4,
        .longest = 65535,
        .link = 1, /* Ethernet */
    };
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd >= 0 && write(fd, &head, sizeof(head)) != sizeof(head)) {
        close(fd);
        errno = ENOSPC;
        return -1;
    }
    return fd;
}

static int open_interface(const char *name)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
    int fd = to.sll_ifindex ? socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    int on = 1;

    if (fd >= 0 && (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
                    bind(fd, (struct sockaddr *)&to, sizeof(to)))) {
        close(fd);
        return -1;
    }
    return fd;
}

int mirror_check(const struct devhost_spec *s, char *err, size_t err_len)
{
    const char *to = s->net.mirror;

    if (!to || to[0] == '/') {
        return 0;
    }
    if (!if_nametoindex(to)) {
        return err_set(err, err_len, -ENODEV,
                       "mirror %s: no interface of that name (a file's path begins with /)", to);
    }
    if (s->net.bridge && !strcmp(s->net.bridge, to)) {
        return err_set(err, err_len, -EINVAL,
                       "mirror %s: that is its own bridge; its frames would come back", to);
    }
    return 0;
}

int mirror_open(struct devhost_device *dev, char *err, size_t err_len)
{
    const char *to = dev->spec.net.mirror;
    int fd, rc = mirror_check(&dev->spec, err, err_len);

    if (!to || rc) {
        return rc;
    }
    fd = to[0] == '/' ? open_file(to) : open_interface(to);
    if (fd < 0) {
        return err_set(err, err_len, -errno, "%s: mirror %s: %s", dev->name, to, strerror(errno));
    }
    dev->res.fds[dev->res.nr_fds++] = fd;
    return 0;
}
