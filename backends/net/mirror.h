/* SPDX-License-Identifier: MIT */
/*
 * mirror.h - every frame of the interface once more, into a pcap file or out of another interface.
 *
 * The host opened what it goes to. Frames that cannot be mirrored are counted and said once, and
 * never keep the guest's from their way.
 */
#ifndef BACKENDS_NET_MIRROR_H
#define BACKENDS_NET_MIRROR_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* What a pcap file may grow to; also the process's limit for files (common/sandbox.c). */
#define MIRROR_MAX (256ull << 20)
#define MIRROR_PCAP_HEAD 24u /* written by the host */

enum mirror_kind { MIRROR_NONE, MIRROR_PCAP, MIRROR_NIC };

struct mirror {
    enum mirror_kind kind;
    int fd;
    uint64_t bytes; /* in the file */
    uint64_t missed;
};

/* False: `kind` is neither "pcap" nor "nic". */
bool mirror_begin(struct mirror *m, const char *kind, int fd);
/* A tap's header, then the frame, in at most 20 parts of together `len` bytes. */
void mirror_frame(struct mirror *m, const struct iovec *parts, unsigned nr, size_t len);

#endif
