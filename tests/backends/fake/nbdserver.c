/* SPDX-License-Identifier: MIT */
/* nbdserver.c - fixed newstyle negotiation, simple replies: doc/proto.md of the NBD project. */
#include "nbdserver.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAGIC 0x25609513u
#define REPLY_MAGIC 0x67446698u
#define OPTION_REPLY_MAGIC 0x3e889045565a9ull
#define OPTION_MAGIC 0x49484156454f5054ull
#define OPTION_GO 7u
#define REPLY_ACK 1u
#define REPLY_INFO 3u
#define REPLY_UNSUPPORTED ((1u << 31) + 1)
#define ESHUTDOWN_OF_NBD 108u

struct __attribute__((packed)) option {
    uint64_t magic;
    uint32_t option, length;
};

struct __attribute__((packed)) option_reply {
    uint64_t magic;
    uint32_t option, type, length;
};

struct __attribute__((packed)) request {
    uint32_t magic;
    uint16_t flags, type;
    uint64_t handle, offset;
    uint32_t length;
};

struct __attribute__((packed)) reply {
    uint32_t magic, error;
    uint64_t handle;
};

static bool get(int fd, void *buf, size_t len)
{
    return !len || recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len; /* 0 bytes would block */
}

static bool put(int fd, const void *buf, size_t len)
{
    return send(fd, buf, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool answer_option(int fd, uint32_t option, uint32_t type, const void *data, uint32_t len)
{
    struct option_reply r = {htobe64(OPTION_REPLY_MAGIC), htobe32(option), htobe32(type),
                             htobe32(len)};

    return put(fd, &r, sizeof(r)) && (!len || put(fd, data, len));
}

static bool negotiate(struct nbdserver *s)
{
    struct __attribute__((packed)) {
        char magic[8];
        uint64_t option;
        uint16_t flags;
    } hello = {"NBDMAGI", htobe64(OPTION_MAGIC), htobe16(3)};
    struct __attribute__((packed)) {
        uint16_t type;
        uint64_t size;
        uint16_t flags;
    } info;
    uint16_t flags = 1;
    uint32_t client;
    struct option o;
    char skip[512];

    hello.magic[7] = 'C';
    flags |= s->readonly ? 2 : 0;
    flags |= s->no_flush ? 0 : 4;
    flags |= s->no_trim ? 0 : 32;
    info.type = 0;
    info.size = htobe64(s->size);
    info.flags = htobe16(flags);
    if (!put(s->fd, &hello, sizeof(hello)) || !get(s->fd, &client, sizeof(client))) {
        return false;
    }
    while (get(s->fd, &o, sizeof(o)) && be32toh(o.length) <= sizeof(skip) &&
           get(s->fd, skip, be32toh(o.length))) {
        if (be32toh(o.option) != OPTION_GO) {
            answer_option(s->fd, be32toh(o.option), REPLY_UNSUPPORTED, NULL, 0);
            continue;
        }
        return answer_option(s->fd, OPTION_GO, REPLY_INFO, &info, sizeof(info)) &&
               answer_option(s->fd, OPTION_GO, REPLY_ACK, NULL, 0);
    }
    return false;
}

/* The request's own work; false when the connection is over. */
static bool perform(struct nbdserver *s, const struct request *q, uint32_t *error, bool *data)
{
    uint64_t offset = be64toh(q->offset);
    uint32_t len = be32toh(q->length);

    switch (be16toh(q->type)) {
    case 0:
        s->reads++;
        *data = true;
        return offset + len <= s->size;
    case 1:
        s->writes++;
        *error = s->error;
        return offset + len <= s->size && get(s->fd, s->seen + offset, len);
    case 3:
        s->flushes++;
        memcpy(s->durable, s->seen, s->size);
        return true;
    case 4:
        s->trims++;
        return true;
    }
    return false; /* a disconnect */
}

static void *serve(void *arg)
{
    struct nbdserver *s = arg;
    struct request q;
    int answered = 0;

    if (!negotiate(s)) {
        goto out;
    }
    while (get(s->fd, &q, sizeof(q)) && be32toh(q.magic) == REQUEST_MAGIC) {
        struct reply r = {htobe32(REPLY_MAGIC), 0, q.handle};
        uint32_t error = 0;
        bool data = false;

        if (s->silent) {
            continue;
        }
        if (s->die_after >= 0 && answered >= s->die_after) {
            break;
        }
        if (!perform(s, &q, &error, &data)) {
            break;
        }
        if (s->ending) {
            error = ESHUTDOWN_OF_NBD;
        }
        r.error = htobe32(error);
        if (!put(s->fd, &r, sizeof(r)) ||
            (data && !error && !put(s->fd, s->seen + be64toh(q.offset), be32toh(q.length)))) {
            break;
        }
        answered++;
    }
out:
    shutdown(s->fd, SHUT_RDWR);
    return NULL;
}

void nbdserver_init(struct nbdserver *s, uint64_t size)
{
    memset(s, 0, sizeof(*s));
    s->size = size;
    s->die_after = -1;
    s->seen = calloc(1, NBDSERVER_MAX);
    s->durable = calloc(1, NBDSERVER_MAX);
}

int nbdserver_start(struct nbdserver *s)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) {
        abort();
    }
    s->fd = fds[1];
    s->running = !pthread_create(&s->thread, NULL, serve, s);
    return fds[0];
}

void nbdserver_stop(struct nbdserver *s, bool crash)
{
    if (!s->running) {
        return;
    }
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    s->running = false;
    if (crash) {
        memcpy(s->seen, s->durable, NBDSERVER_MAX);
    }
}

void nbdserver_free(struct nbdserver *s)
{
    nbdserver_stop(s, false);
    free(s->seen);
    free(s->durable);
}
