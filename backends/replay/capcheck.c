/* SPDX-License-Identifier: MIT */
/* capcheck.c - see capcheck.h. */
#include "capcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The fields that both records have in the same places. */
struct any_record {
    uint32_t bytes;
    uint16_t queue;
    uint8_t what[2];
    uint64_t taken, latency;
};
_Static_assert(offsetof(struct any_record, taken) == offsetof(struct capture_record, taken) &&
                   offsetof(struct any_record, taken) == offsetof(struct capture_packet, taken) &&
                   offsetof(struct any_record, latency) ==
                       offsetof(struct capture_record, latency) &&
                   offsetof(struct any_record, latency) == offsetof(struct capture_packet, latency),
               "alike");

int cap_bad(const struct parse *p, const void *at, const char *fmt, ...)
{
    int n = snprintf(p->err, p->err_len, "byte %td: ", (ptrdiff_t)((const uint8_t *)at - p->text));
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->err + n, p->err_len > (size_t)n ? p->err_len - (size_t)n : 0, fmt, ap);
    va_end(ap);
    return -EBADMSG;
}

int cap_check_head(const struct parse *p, size_t len, const struct capture_head *h, uint32_t kind)
{
    if (len < sizeof(*h) || memcmp(h->magic, CAPTURE_MAGIC, sizeof(h->magic))) {
        return cap_bad(p, p->text, "no capture: it does not begin with " CAPTURE_MAGIC);
    }
    if (h->version != CAPTURE_VERSION || h->kind != kind) {
        return cap_bad(p, p->text + 8, "version %u, kind %u; known are version %u, kind %u",
                       h->version, h->kind, CAPTURE_VERSION, kind);
    }
    if (h->used % 8 || h->used > CAPTURE_BYTES - sizeof(*h)) {
        return cap_bad(p, p->text + offsetof(struct capture_head, used),
                       "%llu bytes of records cannot be", (unsigned long long)h->used);
    }
    if (len - sizeof(*h) < h->used) {
        return cap_bad(p, p->text + len, "the file ends, %llu bytes before its last record does",
                       (unsigned long long)(h->used - (len - sizeof(*h))));
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Of what was answered by then nothing was under way any more. */
static int find_depths(uint8_t *items, size_t nr, size_t stride, size_t depth_at)
{
    uint64_t *ends = malloc((nr + 1) * sizeof(*ends));
    struct any_record r;
    size_t over = 0;

    if (!ends) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < nr; i++) {
        memcpy(&r, items + i * stride, sizeof(r));
        ends[i] = r.taken + r.latency;
    }
    qsort(ends, nr, sizeof(*ends), by_number);
    for (size_t i = 0; i < nr; i++) {
        unsigned depth;

        memcpy(&r, items + i * stride, sizeof(r));
        while (over < i && ends[over] <= r.taken) {
            over++;
        }
        depth = (unsigned)(i + 1 - over);
        memcpy(items + i * stride + depth_at, &depth, sizeof(depth));
    }
    free(ends);
    return 0;
}

int cap_order(void *items, size_t nr, size_t stride, size_t depth_at,
              int (*in_order)(const void *, const void *))
{
    qsort(items, nr, stride, in_order);
    return find_depths(items, nr, stride, depth_at);
}

void *capfile_read(const char *path, size_t *len, char *err, size_t err_len)
{
    char *text = malloc(CAPTURE_BYTES + 1);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = 1;
    struct stat st;

    *len = 0;
    if (fd >= 0 && !fstat(fd, &st) && !S_ISREG(st.st_mode)) {
        errno = EINVAL;
        n = -1;
    }
    while (text && fd >= 0 && n > 0 && *len <= CAPTURE_BYTES) {
        n = read(fd, text + *len, CAPTURE_BYTES + 1 - *len);
        *len += n > 0 ? (size_t)n : 0;
    }
    if (!text || fd < 0 || n < 0 || *len > CAPTURE_BYTES) {
        snprintf(err, err_len, "%s",
                 n > 0 && *len > CAPTURE_BYTES ? "no capture: it is too long" : strerror(errno));
        free(text);
        text = NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}
