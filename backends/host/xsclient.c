/* SPDX-License-Identifier: MIT */
/*
 * xsclient.c - see <tenue/xsclient.h>.
 *
 * Owns: the connection, what was received and not yet taken, events not yet asked for. Invariant:
 * the store answers in the order of the requests, so the first `owed` answers are those of the
 * batch. A connection that broke stays broken: every call fails with EPIPE.
 */
#include <tenue/xsclient.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

enum {
    MESSAGE_MAX = sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX,
    OUT_ROOM = 2 * MESSAGE_MAX,
    IN_ROOM = 2 * MESSAGE_MAX,
    OWED_MAX = 64, /* answers that may be outstanding: they fit the socket's buffer many times */
    LIST_MAX = 4 << 20,
    GENERATION_ROOM = 32,
    RESTARTS = 64, /* of a list that changes while it is read */
};

struct queued_event {
    struct queued_event *next;
    char **event;
};

struct xsc {
    int fd;
    bool broken, batch;
    int batch_errno;
    unsigned owed;
    uint64_t may_be_missing; /* bit i: the i-th owed answer may be ENOENT */
    size_t out_len, in_head, in_len;
    struct queued_event *events, **events_end;
    void (*queued)(void *);
    void *queued_arg;
    char out[OUT_ROOM], in[IN_ROOM];
};

struct piece {
    const char *data;
    size_t len;
};

_Static_assert(OWED_MAX <= 64, "a bit for each");

struct xsc *xsc_open(void)
{
    const char *path = getenv("XENSTORED_PATH");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct xsc *x = malloc(sizeof(*x));

    if (!x)
        return NULL;
    memset(x, 0, offsetof(struct xsc, out)); /* the buffers' pages are touched when used */
    x->events_end = &x->events;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s",
             path ? path : "/run/xenstored/socket");
    x->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (x->fd < 0 || connect(x->fd, (struct sockaddr *)&address, sizeof(address))) {
        xsc_close(x);
        return NULL;
    }
    return x;
}

void xsc_close(struct xsc *x)
{
    int saved = errno;

    if (!x)
        return;
    for (struct queued_event *e = x->events, *next; e; e = next) {
        next = e->next;
        free(e->event);
        free(e);
    }
    if (x->fd >= 0)
        close(x->fd);
    free(x);
    errno = saved;
}

int xsc_fd(const struct xsc *x)
{
    return x->fd;
}

void xsc_on_queued(struct xsc *x, void (*queued)(void *), void *arg)
{
    x->queued = queued;
    x->queued_arg = arg;
}

static int broken(struct xsc *x)
{
    x->broken = true;
    errno = EPIPE;
    return -1;
}

/* ---- bytes ---- */

static int flush(struct xsc *x)
{
    size_t done = 0;

    while (done < x->out_len && !x->broken) {
        ssize_t n = send(x->fd, x->out + done, x->out_len - done, MSG_NOSIGNAL);

        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return broken(x);
    }
    x->out_len = 0;
    return x->broken ? broken(x) : 0;
}

/* 1: there is more than before. 0: nothing now (MSG_DONTWAIT). -1: the store has gone. */
static int receive(struct xsc *x, int flags)
{
    if (x->in_head) {
        memmove(x->in, x->in + x->in_head, x->in_len);
        x->in_head = 0;
    }
    for (;;) {
        ssize_t n = recv(x->fd, x->in + x->in_len, sizeof(x->in) - x->in_len, flags);

        if (n > 0) {
            x->in_len += (size_t)n;
            return 1;
        }
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n == 0 || errno != EINTR)
            return broken(x);
    }
}

/* The next message, whose body lies in `in` until the next call. Returns as receive() does. */
static int next_message(struct xsc *x, int flags, struct xsd_sockmsg *head, const char **body)
{
    int rc;

    for (;;) {
        if (x->broken)
            return broken(x);
        if (x->in_len >= sizeof(*head)) {
            memcpy(head, x->in + x->in_head, sizeof(*head));
            if (head->len > XENSTORE_PAYLOAD_MAX)
                return broken(x);
            if (x->in_len - sizeof(*head) >= head->len)
                break;
        }
        rc = receive(x, flags);
        if (rc <= 0)
            return rc;
    }
    *body = x->in + x->in_head + sizeof(*head);
    x->in_head += sizeof(*head) + head->len;
    x->in_len -= sizeof(*head) + head->len;
    return 1;
}

/* ---- strings in a block: events, children ---- */

static unsigned count_strings(const char *data, size_t len)
{
    unsigned n = 0;

    for (size_t i = 0; i < len; i++)
        n += data[i] == 0;
    return n;
}

/* Pointers, then what they point to: every string of data that a NUL closes. */
static char **string_block(const char *data, size_t len, unsigned *n)
{
    *n = count_strings(data, len);
    char **block = malloc((*n + 1) * sizeof(*block) + len);

    if (!block)
        return NULL;
    char *at = (char *)&block[*n + 1];
    memcpy(at, data, len);
    for (unsigned i = 0; i < *n; i++) {
        block[i] = at;
        at += strlen(at) + 1;
    }
    block[*n] = NULL;
    return block;
}

static void queue_event(struct xsc *x, const char *body, size_t len)
{
    unsigned n;
    struct queued_event *e = malloc(sizeof(*e));
    char **event = string_block(body, len, &n);

    if (!e || !event || n <= XSC_EVENT_TOKEN) {
        broken(x); /* an event must not be lost: rather the connection */
        free(e);
        free(event);
        return;
    }
    *e = (struct queued_event){.event = event};
    *x->events_end = e;
    x->events_end = &e->next;
    if (x->queued)
        x->queued(x->queued_arg);
}

/* ---- requests ---- */

static int errno_of(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (strlen(xsd_errors[i].errstring) < len &&
            memcmp(xsd_errors[i].errstring, word, strlen(xsd_errors[i].errstring) + 1) == 0)
            return xsd_errors[i].errnum;
    return EINVAL;
}

/* The next answer; an event that comes first is kept. 0, or -1 and errno. */
static int answer(struct xsc *x, const char **body, size_t *len)
{
    struct xsd_sockmsg head;

    for (;;) {
        if (next_message(x, 0, &head, body) <= 0)
            return -1;
        *len = head.len;
        if (head.type != XS_WATCH_EVENT)
            break;
        queue_event(x, *body, head.len);
    }
    if (head.type != XS_ERROR)
        return 0;
    errno = errno_of(*body, head.len);
    return -1;
}

/* Takes the answers that the batch is owed. */
static int settle(struct xsc *x)
{
    const char *body;
    size_t len;

    if (flush(x))
        return -1;
    for (unsigned i = 0; i < x->owed; i++)
        if (answer(x, &body, &len) && !x->batch_errno &&
            !(errno == ENOENT && (x->may_be_missing >> i & 1)))
            x->batch_errno = errno;
    x->owed = 0;
    x->may_be_missing = 0;
    return x->broken ? broken(x) : 0;
}

static void append(struct xsc *x, const void *data, size_t len)
{
    memcpy(x->out + x->out_len, data, len);
    x->out_len += len;
}

static int post(struct xsc *x, uint32_t type, uint32_t t, const struct piece *pieces, unsigned n)
{
    struct xsd_sockmsg head = {.type = type, .tx_id = t};

    for (unsigned i = 0; i < n; i++)
        head.len += (uint32_t)pieces[i].len;
    if (head.len > XENSTORE_PAYLOAD_MAX) {
        errno = E2BIG;
        return -1;
    }
    if (x->out_len + MESSAGE_MAX > sizeof(x->out) && flush(x))
        return -1;
    append(x, &head, sizeof(head));
    for (unsigned i = 0; i < n; i++)
        append(x, pieces[i].data, pieces[i].len);
    return 0;
}

/* What came behind the last answer has left the socket, too, and may be an event. */
static void look_behind(const struct xsc *x)
{
    if (x->in_len && x->queued)
        x->queued(x->queued_arg);
}

/* With its answer, whatever batch is under way. */
static int ask(struct xsc *x, uint32_t type, uint32_t t, const struct piece *pieces, unsigned n,
               const char **body, size_t *len)
{
    if (post(x, type, t, pieces, n) || settle(x))
        return -1;
    int rc = answer(x, body, len);

    look_behind(x);
    return rc;
}

static bool tell(struct xsc *x, uint32_t type, uint32_t t, const struct piece *pieces, unsigned n)
{
    const char *body;
    size_t len;

    if (!x->batch)
        return ask(x, type, t, pieces, n, &body, &len) == 0;
    if ((x->owed == OWED_MAX && settle(x)) || post(x, type, t, pieces, n)) {
        if (!x->batch_errno)
            x->batch_errno = errno;
        return true;
    }
    if (type == XS_RM)
        x->may_be_missing |= 1ull << x->owed;
    x->owed++;
    return true;
}

void xsc_batch(struct xsc *x)
{
    x->batch = true;
    x->batch_errno = 0;
}

int xsc_batch_end(struct xsc *x)
{
    int rc = settle(x) ? errno : 0;

    look_behind(x);
    x->batch = false;
    return x->batch_errno ? x->batch_errno : rc;
}

/* ---- the requests there are ---- */

static struct piece string(const char *text)
{
    return (struct piece){text, strlen(text) + 1};
}

static struct piece bytes(const char *text)
{
    return (struct piece){text, strlen(text)};
}

char **xsc_event(struct xsc *x)
{
    struct queued_event *e = x->events;
    struct xsd_sockmsg head;
    const char *body;
    char **event;
    int rc;

    if (!e) {
        rc = next_message(x, MSG_DONTWAIT, &head, &body);
        if (rc == 0)
            errno = EAGAIN;
        if (rc <= 0)
            return NULL;
        if (head.type != XS_WATCH_EVENT) { /* an answer that nobody asked for */
            broken(x);
            return NULL;
        }
        unsigned n;

        event = string_block(body, head.len, &n);
        if (event && n > XSC_EVENT_TOKEN)
            return event;
        free(event);
        broken(x);
        return NULL;
    }
    x->events = e->next;
    if (!x->events)
        x->events_end = &x->events;
    event = e->event;
    free(e);
    return event;
}

char *xsc_read(struct xsc *x, uint32_t t, const char *path, unsigned *len)
{
    struct piece p = string(path);
    const char *body;
    size_t n;

    if (ask(x, XS_READ, t, &p, 1, &body, &n))
        return NULL;
    char *value = malloc(n + 1);
    if (!value)
        return NULL;
    memcpy(value, body, n);
    value[n] = 0;
    *len = (unsigned)n;
    return value;
}

/* A list that is too long for one message, as far as it was read. */
struct list {
    char *names;
    size_t len;
    char generation[GENERATION_ROOM];
};

/* A part is the directory's generation, then names; the last part has an empty name at its end. */
static int append_part(struct xsc *x, struct list *l, const char *body, size_t len, bool *last)
{
    size_t head = strnlen(body, len) + 1;

    if (head >= len || head > sizeof(l->generation))
        return broken(x); /* nothing new: the next part would be the same */
    if (l->len && strcmp(l->generation, body) != 0) {
        l->len = 0; /* it has changed: from the beginning */
        *last = false;
        return 1;
    }
    memcpy(l->generation, body, head);
    body += head;
    len -= head;
    char *names = l->len + len <= LIST_MAX ? realloc(l->names, l->len + len) : NULL;
    if (!names) {
        errno = ENOMEM;
        return -1;
    }
    l->names = names;
    memcpy(names + l->len, body, len);
    l->len += len;
    *last = !names[l->len - 1] && (l->len == 1 || !names[l->len - 2]);
    return 0;
}

static int read_parts(struct xsc *x, uint32_t t, const char *path, struct list *l)
{
    unsigned restarts = 0;
    char offset[24];
    const char *body;
    bool last = false;
    size_t len;

    while (!last) {
        snprintf(offset, sizeof(offset), "%zu", l->len);
        struct piece p[] = {string(path), string(offset)};

        if (ask(x, XS_DIRECTORY_PART, t, p, 2, &body, &len))
            return -1;
        int rc = append_part(x, l, body, len, &last);
        if (rc < 0)
            return -1;
        restarts += (unsigned)rc;
        if (restarts == RESTARTS) {
            errno = EAGAIN;
            return -1;
        }
    }
    return 0;
}

char **xsc_directory(struct xsc *x, uint32_t t, const char *path, unsigned *n)
{
    struct piece p = string(path);
    struct list list = {0};
    char **block = NULL;
    const char *body;
    size_t len;

    if (ask(x, XS_DIRECTORY, t, &p, 1, &body, &len) == 0)
        return string_block(body, len, n);
    if (errno != E2BIG)
        return NULL;
    if (read_parts(x, t, path, &list) == 0)
        block = string_block(list.names, list.len - 1, n);
    free(list.names);
    return block;
}

bool xsc_write(struct xsc *x, uint32_t t, const char *path, const char *value)
{
    struct piece p[] = {string(path), bytes(value)};

    return tell(x, XS_WRITE, t, p, 2);
}

bool xsc_mkdir(struct xsc *x, uint32_t t, const char *path)
{
    struct piece p = string(path);

    return tell(x, XS_MKDIR, t, &p, 1);
}

bool xsc_rm(struct xsc *x, uint32_t t, const char *path)
{
    struct piece p = string(path);

    return tell(x, XS_RM, t, &p, 1);
}

bool xsc_set_access(struct xsc *x, uint32_t t, const char *path, unsigned owner, unsigned reader)
{
    char owns[16], reads[16];

    snprintf(owns, sizeof(owns), "n%u", owner);
    snprintf(reads, sizeof(reads), "r%u", reader);
    struct piece p[] = {string(path), string(owns), string(reads)};

    return tell(x, XS_SET_PERMS, t, p, reader == owner ? 2 : 3);
}

bool xsc_watch(struct xsc *x, const char *path, const char *token)
{
    struct piece p[] = {string(path), string(token)};

    return tell(x, XS_WATCH, XSC_NO_TRANSACTION, p, 2);
}

bool xsc_unwatch(struct xsc *x, const char *path, const char *token)
{
    struct piece p[] = {string(path), string(token)};

    return tell(x, XS_UNWATCH, XSC_NO_TRANSACTION, p, 2);
}

uint32_t xsc_transaction_start(struct xsc *x)
{
    struct piece p = string("");
    const char *body;
    size_t len;

    if (ask(x, XS_TRANSACTION_START, XSC_NO_TRANSACTION, &p, 1, &body, &len))
        return XSC_NO_TRANSACTION;
    return len && !body[len - 1] ? (uint32_t)strtoul(body, NULL, 10) : XSC_NO_TRANSACTION;
}

bool xsc_transaction_end(struct xsc *x, uint32_t t, bool abort)
{
    struct piece p = string(abort ? "F" : "T");

    return tell(x, XS_TRANSACTION_END, t, &p, 1);
}

bool xsc_introduce(struct xsc *x, unsigned domid, uint64_t mfn, unsigned port)
{
    char texts[3][24];

    snprintf(texts[0], sizeof(texts[0]), "%u", domid);
    snprintf(texts[1], sizeof(texts[1]), "%llu", (unsigned long long)mfn);
    snprintf(texts[2], sizeof(texts[2]), "%u", port);
    struct piece p[] = {string(texts[0]), string(texts[1]), string(texts[2])};

    return tell(x, XS_INTRODUCE, XSC_NO_TRANSACTION, p, 3);
}

static bool tell_of_domain(struct xsc *x, enum xsd_sockmsg_type what, unsigned domid)
{
    char text[24];

    snprintf(text, sizeof(text), "%u", domid);
    struct piece p = string(text);

    return tell(x, what, XSC_NO_TRANSACTION, &p, 1);
}

bool xsc_release(struct xsc *x, unsigned domid)
{
    return tell_of_domain(x, XS_RELEASE, domid);
}

bool xsc_resume(struct xsc *x, unsigned domid)
{
    return tell_of_domain(x, XS_RESUME, domid);
}
