/* SPDX-License-Identifier: MIT */
/*
 * mirror.c - see mirror.h. An interface takes the tap's header as it is (PACKET_VNET_HDR), so
 * packets of 64 KiB and blank checksums are its own to cut and fill in. A pcap file has frames as
 * the guest gave or would get them: long ones whole, checksums blank where they were.
 */
#include "mirror.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../common/log.h"

#define MAX_PARTS 24u
#define TAP_HEADER sizeof(struct virtio_net_hdr)

struct pcap_record {
    uint32_t seconds, nanoseconds, captured, length;
};

bool mirror_begin(struct mirror *m, const char *kind, int fd)
{
    struct stat st;

    m->kind = !strcmp(kind, "pcap") ? MIRROR_PCAP : !strcmp(kind, "nic") ? MIRROR_NIC : MIRROR_NONE;
    m->fd = fd;
    m->bytes = m->kind == MIRROR_PCAP && !fstat(fd, &st) ? (uint64_t)st.st_size : 0;
    return m->kind != MIRROR_NONE;
}

static void missed(struct mirror *m, const char *why)
{
    if (!m->missed++) {
        log_line("mirror: a frame is missing: %s (said once)", why);
    }
}

/* The parts without the tap's header, behind a record's. Returns their number. */
static unsigned as_record(const struct iovec *parts, unsigned nr, struct pcap_record *record,
                          struct iovec *out)
{
    size_t skip = TAP_HEADER;
    unsigned n = 1;

    out[0] = (struct iovec){record, sizeof(*record)};
    for (unsigned i = 0; i < nr; i++) {
        size_t cut = skip < parts[i].iov_len ? skip : parts[i].iov_len;

        skip -= cut;
        if (cut < parts[i].iov_len) {
            out[n++] = (struct iovec){(uint8_t *)parts[i].iov_base + cut, parts[i].iov_len - cut};
        }
    }
    return n;
}

static void to_file(struct mirror *m, const struct iovec *parts, unsigned nr, size_t len)
{
    struct iovec out[MAX_PARTS + 1];
    struct pcap_record record;
    struct timespec t;
    size_t frame = len - TAP_HEADER, all = frame + sizeof(record);

    if (m->bytes + all > MIRROR_MAX) {
        missed(m, "the file is full");
        return;
    }
    clock_gettime(CLOCK_REALTIME, &t);
    record = (struct pcap_record){(uint32_t)t.tv_sec, (uint32_t)t.tv_nsec, (uint32_t)frame,
                                  (uint32_t)frame};
    /* Where this fails halfway, the next record overwrites what there is of it. */
    if (pwritev(m->fd, out, (int)as_record(parts, nr, &record, out), (off_t)m->bytes) !=
        (ssize_t)all) {
        missed(m, "the file cannot be written");
        return;
    }
    m->bytes += all;
}

void mirror_frame(struct mirror *m, const struct iovec *parts, unsigned nr, size_t len)
{
    if (m->kind == MIRROR_NONE || nr > MAX_PARTS || len <= TAP_HEADER) {
        return;
    }
    if (m->kind == MIRROR_PCAP) {
        to_file(m, parts, nr, len);
    } else if (writev(m->fd, parts, (int)nr) != (ssize_t)len) {
        missed(m, strerror(errno));
    }
}
