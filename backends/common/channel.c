/* SPDX-License-Identifier: MIT */
/*
 * channel.c - encode, decode and check messages between a backend and its host; the key lists.
 *
 * Owns nothing; every function works on the caller's message. Invariant: a message held in a struct
 * channel_msg is well-formed, because channel_add() and channel_decode() are the only ways in.
 */
#include "channel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *const vbd_front_keys[] = {
    "ring-ref",
    "ring-page-order",
    "event-channel",
    "protocol",
    "feature-persistent",
    "ring-ref0",
    "ring-ref1",
    "ring-ref2",
    "ring-ref3",
    "ring-ref4",
    "ring-ref5",
    "ring-ref6",
    "ring-ref7",
    "ring-ref8",
    "ring-ref9",
    "ring-ref10",
    "ring-ref11",
    "ring-ref12",
    "ring-ref13",
    "ring-ref14",
    "ring-ref15",
    "multi-queue-num-queues",
    NULL,
};
static const char *const vbd_queue_keys[] = {
    "ring-ref",   "event-channel", "ring-ref0",  "ring-ref1",  "ring-ref2",
    "ring-ref3",  "ring-ref4",     "ring-ref5",  "ring-ref6",  "ring-ref7",
    "ring-ref8",  "ring-ref9",     "ring-ref10", "ring-ref11", "ring-ref12",
    "ring-ref13", "ring-ref14",    "ring-ref15", NULL,
};
static const char *const vbd_back_keys[] = {
    "state",
    "sectors",
    "sector-size",
    "physical-sector-size",
    "info",
    "feature-flush-cache",
    "feature-barrier",
    "feature-discard",
    "discard-granularity",
    "discard-alignment",
    "discard-secure",
    "feature-persistent",
    "feature-max-indirect-segments",
    "max-ring-page-order",
    "multi-queue-max-queues",
    NULL,
};
static const char *const vif_front_keys[] = {
    "tx-ring-ref",
    "rx-ring-ref",
    "event-channel",
    "event-channel-tx",
    "event-channel-rx",
    "request-rx-copy",
    "feature-rx-notify",
    "feature-sg",
    "feature-gso-tcpv4",
    "feature-gso-tcpv6",
    "feature-no-csum-offload",
    "feature-ipv6-csum-offload",
    "request-multicast-control",
    "multi-queue-num-queues",
    "xdp-headroom",
    "ctrl-ring-ref",
    "arena-ref",
    "arena-pages",
    NULL,
};
static const char *const vif_queue_keys[] = {
    "tx-ring-ref",      "rx-ring-ref", "event-channel", "event-channel-tx",
    "event-channel-rx", "arena-ref",   "arena-pages",   NULL,
};
static const char *const vif_back_keys[] = {
    "state",
    "feature-rx-copy",
    "feature-sg",
    "feature-gso-tcpv4",
    "feature-gso-tcpv6",
    "feature-ipv6-csum-offload",
    "feature-split-event-channels",
    "feature-multicast-control",
    "feature-xdp-headroom",
    "feature-tenue-arena",
    "multi-queue-max-queues",
    NULL,
};
static const char *const no_keys[] = {NULL};
static const char *const console_front_keys[] = {NULL};
static const char *const console_back_keys[] = {"state", NULL};

bool channel_key_allowed(const char *const *list, const char *key)
{
    for (; list && *list; list++) {
        if (!strcmp(*list, key)) {
            return true;
        }
    }
    return false;
}

const char *const *channel_front_keys(const char *class_name)
{
    return !strcmp(class_name, "vbd")   ? vbd_front_keys
           : !strcmp(class_name, "vif") ? vif_front_keys
                                        : console_front_keys;
}

const char *const *channel_back_keys(const char *class_name)
{
    return !strcmp(class_name, "vbd")   ? vbd_back_keys
           : !strcmp(class_name, "vif") ? vif_back_keys
                                        : console_back_keys;
}

const char *const *channel_queue_keys(const char *class_name)
{
    return !strcmp(class_name, "vbd")   ? vbd_queue_keys
           : !strcmp(class_name, "vif") ? vif_queue_keys
                                        : no_keys;
}

void channel_init(struct channel_msg *m, enum channel_type type)
{
    m->type = type;
    m->count = 0;
    m->used = 0;
}

static bool key_valid(const char *key, size_t len)
{
    if (len == 0 || len > CHANNEL_KEY_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = key[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '/')) {
            return false;
        }
    }
    return true;
}

static bool value_valid(const char *value, size_t len)
{
    if (len > CHANNEL_VALUE_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

int channel_add(struct channel_msg *m, const char *key, const char *value)
{
    size_t klen = strnlen(key, CHANNEL_KEY_MAX + 1);
    size_t vlen = strnlen(value, CHANNEL_VALUE_MAX + 1);
    size_t room = CHANNEL_MAX_BYTES - sizeof(struct channel_header) - m->used;
    struct channel_pair *p = &m->pairs[m->count];

    if (!key_valid(key, klen) || !value_valid(value, vlen)) {
        return -EINVAL;
    }
    if (channel_get(m, key)) {
        return -EEXIST;
    }
    if (m->count == CHANNEL_MAX_PAIRS || klen + vlen + 2 > room) {
        return -ENOSPC;
    }
    p->key = (uint16_t)m->used;
    p->value = (uint16_t)(m->used + klen + 1);
    memcpy(m->text + p->key, key, klen + 1);
    memcpy(m->text + p->value, value, vlen + 1);
    m->used += klen + vlen + 2;
    m->count++;
    return 0;
}

int channel_addf(struct channel_msg *m, const char *key, const char *fmt, ...)
{
    /* One more than allowed, so that what was truncated is refused below. */
    char value[CHANNEL_VALUE_MAX + 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    return channel_add(m, key, value);
}

const char *channel_key(const struct channel_msg *m, unsigned i)
{
    return m->text + m->pairs[i].key;
}

const char *channel_value(const struct channel_msg *m, unsigned i)
{
    return m->text + m->pairs[i].value;
}

const char *channel_get(const struct channel_msg *m, const char *key)
{
    for (unsigned i = 0; i < m->count; i++) {
        if (!strcmp(channel_key(m, i), key)) {
            return channel_value(m, i);
        }
    }
    return NULL;
}

bool channel_parse_u64(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (!*text || (text[0] == '0' && text[1])) {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v)) {
            return false;
        }
    }
    if (v > max) {
        return false;
    }
    *out = v;
    return true;
}

bool channel_get_u64(const struct channel_msg *m, const char *key, uint64_t max, uint64_t *out)
{
    const char *text = channel_get(m, key);

    return text && channel_parse_u64(text, max, out);
}

unsigned channel_get_or(const struct channel_msg *m, const char *key, unsigned max,
                        unsigned otherwise)
{
    uint64_t v;

    return channel_get_u64(m, key, max, &v) ? (unsigned)v : otherwise;
}

bool channel_get_flag(const struct channel_msg *m, const char *key)
{
    uint64_t v;

    return channel_get_u64(m, key, 1, &v) && v == 1;
}

size_t channel_encode(const struct channel_msg *m, void *buf)
{
    struct channel_header h = {
        .magic = CHANNEL_MAGIC,
        .version = CHANNEL_VERSION,
        .type = (uint16_t)m->type,
        .count = m->count,
    };

    memcpy(buf, &h, sizeof(h));
    memcpy((char *)buf + sizeof(h), m->text, m->used);
    return sizeof(h) + m->used;
}

int channel_decode(struct channel_msg *m, const void *buf, size_t len)
{
    struct channel_header h;
    const char *p = (const char *)buf + sizeof(h);
    const char *end = (const char *)buf + len;

    if (len < sizeof(h) || len > CHANNEL_MAX_BYTES) {
        return -EBADMSG;
    }
    memcpy(&h, buf, sizeof(h));
    if (h.magic != CHANNEL_MAGIC || h.version != CHANNEL_VERSION || h.count > CHANNEL_MAX_PAIRS ||
        h.type < CHANNEL_START || h.type > CHANNEL_LINK) {
        return -EBADMSG;
    }
    channel_init(m, (enum channel_type)h.type);
    for (uint32_t i = 0; i < h.count; i++) {
        const char *key_end = memchr(p, 0, (size_t)(end - p));
        const char *value = key_end ? key_end + 1 : end;
        const char *value_end = memchr(value, 0, (size_t)(end - value));

        if (!key_end || !value_end || channel_add(m, p, value)) {
            return -EBADMSG;
        }
        p = value_end + 1;
    }
    return p == end ? 0 : -EBADMSG;
}

int channel_send(int fd, const struct channel_msg *m)
{
    char buf[CHANNEL_MAX_BYTES];
    size_t len = channel_encode(m, buf);
    ssize_t n;

    do {
        n = send(fd, buf, len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int channel_recv(int fd, struct channel_msg *m)
{
    char buf[CHANNEL_MAX_BYTES + 1]; /* a longer datagram shows as too long instead of truncated */
    ssize_t n;
    int rc;

    do {
        n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n ? -errno : 0;
    }
    rc = channel_decode(m, buf, (size_t)n);
    return rc ? rc : 1;
}

/* A message that carries one descriptor. */
struct fd_message {
    struct iovec iov;
    struct msghdr msg;
    union {
        struct cmsghdr align; /* ends in an array without a length: nothing may follow */
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
};

static void fd_message_init(struct fd_message *f, void *buf, size_t len)
{
    memset(f, 0, sizeof(*f));
    f->iov = (struct iovec){.iov_base = buf, .iov_len = len};
    f->msg.msg_iov = &f->iov;
    f->msg.msg_iovlen = 1;
    f->msg.msg_control = f->control.bytes;
    f->msg.msg_controllen = sizeof(f->control.bytes);
}

int channel_send_fd(int fd, const struct channel_msg *m, int passed)
{
    char buf[CHANNEL_MAX_BYTES];
    struct fd_message f;
    struct cmsghdr *c;
    ssize_t n;

    fd_message_init(&f, buf, channel_encode(m, buf));
    c = CMSG_FIRSTHDR(&f.msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &passed, sizeof(passed));
    do {
        n = sendmsg(fd, &f.msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* There is room for one descriptor; the kernel closes what there is no room for. */
int channel_recv_fd(int fd, struct channel_msg *m, int *passed)
{
    char buf[CHANNEL_MAX_BYTES + 1];
    struct fd_message f;
    struct cmsghdr *c;
    ssize_t n;
    int rc;

    *passed = -1;
    fd_message_init(&f, buf, sizeof(buf));
    do {
        n = recvmsg(fd, &f.msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n ? -errno : 0;
    }
    c = CMSG_FIRSTHDR(&f.msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(passed, CMSG_DATA(c), sizeof(*passed));
    }
    rc = channel_decode(m, buf, (size_t)n);
    return rc ? rc : 1;
}
