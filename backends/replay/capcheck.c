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
    uint8_t ring, flags;
    uint64_t taken, latency;
};
#define ALIKE(field)                                                                               \
    (offsetof(struct any_record, field) == offsetof(struct capture_record, field) &&               \
     offsetof(struct any_record, field) == offsetof(struct capture_packet, field))
_Static_assert(ALIKE(bytes) && ALIKE(queue) && ALIKE(flags) && ALIKE(taken) && ALIKE(latency),
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

static int check_head(const struct parse *p, size_t len, const struct capture_head *h,
                      uint32_t kind)
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

static int check_record(const struct cap_kind *k, const struct parse *p, const uint8_t *at,
                        size_t left, void *item)
{
    struct any_record r;
    uint16_t nr;

    if (left < k->record) {
        return cap_bad(p, at, "a record is cut off");
    }
    memcpy(item, at, k->record);
    memcpy(&r, at, sizeof(r));
    memcpy(&nr, at + k->nr_at, sizeof(nr));
    if (nr > k->most || r.bytes != k->bytes(nr)) {
        return cap_bad(p, at, "a record of %u bytes for %u %s", r.bytes, nr, k->parts);
    }
    if (r.bytes > left) {
        return cap_bad(p, at, "a record is cut off");
    }
    if (r.queue >= CAPTURE_MAX_QUEUES) {
        return cap_bad(p, at, "queue %u of at most %u", r.queue, CAPTURE_MAX_QUEUES);
    }
    if (r.taken > INT64_MAX || r.latency > INT64_MAX) {
        return cap_bad(p, at, "a time of more than centuries");
    }
    return k->check(p, at, item);
}

/* Of those taken in one go, of one ring, the ring's index decides. */
static int in_order(const void *a, const void *b, void *kind)
{
    const struct cap_kind *k = kind;
    const struct any_record *x = a, *y = b;
    unsigned ring_x = x->queue * k->rings + (k->rings > 1 ? x->ring : 0);
    unsigned ring_y = y->queue * k->rings + (k->rings > 1 ? y->ring : 0);
    uint32_t index_x, index_y;

    if (x->taken != y->taken) {
        return x->taken < y->taken ? -1 : 1;
    }
    if (ring_x != ring_y) {
        return ring_x < ring_y ? -1 : 1;
    }
    memcpy(&index_x, (const uint8_t *)a + k->index_at, sizeof(index_x));
    memcpy(&index_y, (const uint8_t *)b + k->index_at, sizeof(index_y));
    return index_x == index_y ? 0 : (int32_t)(index_x - index_y) < 0 ? -1 : 1;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Of what was answered by then nothing was under way any more. */
static int find_depths(struct capfile *c)
{
    uint64_t *ends = malloc((c->nr + 1) * sizeof(*ends));
    size_t over = 0;

    if (!ends) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < c->nr; i++) {
        ends[i] = cap_taken(c, i) + cap_latency(c, i);
    }
    qsort(ends, c->nr, sizeof(*ends), by_number);
    for (size_t i = 0; i < c->nr; i++) {
        unsigned depth;

        while (over < i && ends[over] <= cap_taken(c, i)) {
            over++;
        }
        depth = (unsigned)(i + 1 - over);
        memcpy((uint8_t *)c->items + i * c->kind->item + c->kind->depth_at, &depth, sizeof(depth));
    }
    free(ends);
    return 0;
}

int cap_parse(const struct cap_kind *k, const void *text, size_t len, struct capfile *out,
              char *err, size_t err_len)
{
    const struct parse p = {.text = text, .err = err, .err_len = err_len};
    const uint8_t *at = p.text + sizeof(out->head), *end;
    int rc;

    *out = (struct capfile){.kind = k};
    memcpy(&out->head, text, len < sizeof(out->head) ? len : sizeof(out->head));
    rc = check_head(&p, len, &out->head, k->kind);
    if (rc) {
        return rc;
    }
    end = at + out->head.used;
    out->items = malloc((out->head.used / k->record + 1) * k->item);
    if (!out->items) {
        snprintf(err, err_len, "out of memory");
        return -ENOMEM;
    }
    for (; !rc && at < end; out->nr++) {
        struct any_record *r = (void *)((uint8_t *)out->items + out->nr * k->item);

        rc = check_record(k, &p, at, (size_t)(end - at), r);
        at += rc ? 0 : r->bytes;
    }
    if (!rc) {
        qsort_r(out->items, out->nr, k->item, in_order, (void *)k);
        rc = find_depths(out);
    }
    if (rc) {
        cap_free(out);
    }
    return rc;
}

void cap_free(struct capfile *c)
{
    free(c->items);
    free(c->text);
    *c = (struct capfile){0};
}

const void *cap_item(const struct capfile *c, size_t i)
{
    return (const uint8_t *)c->items + i * c->kind->item;
}

uint64_t cap_taken(const struct capfile *c, size_t i)
{
    return ((const struct any_record *)cap_item(c, i))->taken;
}

uint64_t cap_latency(const struct capfile *c, size_t i)
{
    return ((const struct any_record *)cap_item(c, i))->latency;
}

unsigned cap_depth(const struct capfile *c, size_t i)
{
    unsigned depth;

    memcpy(&depth, (const uint8_t *)cap_item(c, i) + c->kind->depth_at, sizeof(depth));
    return depth;
}

unsigned cap_queues(const struct capfile *c)
{
    unsigned nr = 1;

    for (size_t i = 0; i < c->nr; i++) {
        unsigned queue = ((const struct any_record *)cap_item(c, i))->queue;

        nr = queue >= nr ? queue + 1 : nr;
    }
    return nr;
}

int cap_load(const struct cap_kind *k, const char *path, struct capfile *out, char *err,
             size_t err_len)
{
    size_t len;
    void *text = cap_read(path, &len, err, err_len);
    int rc = text ? cap_parse(k, text, len, out, err, err_len) : -EIO;

    if (rc) {
        free(text);
        return rc;
    }
    out->text = text;
    return 0;
}

void *cap_read(const char *path, size_t *len, char *err, size_t err_len)
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
