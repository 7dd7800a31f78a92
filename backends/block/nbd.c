/* SPDX-License-Identifier: MIT */
/*
 * nbd.c - the client of an NBD server, on libnbd; see remote.h.
 *
 * Owns: the handle of the present connection, every operation from submit() to completed(), the
 * writes that a flush has not covered yet (replay.h). Waits on nothing: an epoll descriptor gathers
 * the socket, a timer and a nudge, and the loop's ring polls that.
 *
 * An operation is in one of three lists: `queue`, to be sent; `sent`; `done`. Without a connection
 * all that was sent goes back to the queue's head, so the server sees it once more. The states:
 *
 *   DOWN      no connection; the host was asked for one
 *   SHAKING   libnbd negotiates
 *   REPLAYING answered writes are written once more, one after the other, then a flush
 *   UP        the queue is sent
 *
 * Invariant: a write is answered only once its data is kept for replay, so an unflushed write that
 * a server has forgotten comes back before anything else reaches the next one. The first connection
 * of a process flushes too: a predecessor's unflushed writes are known to nobody else.
 */
#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../common/log.h"
#include "image.h"
#include "remote.h"
#include "replay.h"

#define KEEP_MAX (8u << 20) /* unflushed bytes kept; beyond them we flush by ourselves */
#define TICKS 4u            /* looks at the progress within one time-out */

enum state { DOWN, SHAKING, REPLAYING, UP };

struct op {
    struct op *next;
    struct remote *r;
    enum remote_op kind;
    void *tag; /* NULL: our own, of the replay or a flush for room */
    void *buf;
    uint64_t len, offset, mark;
    int res;
};

struct list {
    struct op *first, **last;
};

struct remote {
    struct image *img;
    struct remote_options opt;
    char export[256];
    struct nbd_handle *nbd;
    enum state state;
    bool known;       /* the geometry was told once */
    bool failed;      /* the time-out has passed: all fails until UP */
    bool asked;       /* for a link */
    bool wrong;       /* the server is not the one that it was, or cannot be used */
    bool lost_writes; /* a replayed write was refused: the next flush says so */
    bool room_asked;  /* our own flush is under way */
    int epoll, timer, nudge, socket;
    uint32_t interest;
    struct list queue, sent, done;
    struct replay replay;
    struct replay_entry *replaying;
    uint64_t progress, progress_seen;
    unsigned idle_ticks;
    bool ticking;
};

/* ---- lists ---- */

static void list_init(struct list *l)
{
    l->first = NULL;
    l->last = &l->first;
}

static void list_add(struct list *l, struct op *op)
{
    op->next = NULL;
    *l->last = op;
    l->last = &op->next;
}

static struct op *list_take(struct list *l)
{
    struct op *op = l->first;

    if (op) {
        l->first = op->next;
        if (!l->first) {
            l->last = &l->first;
        }
    }
    return op;
}

static void list_remove(struct list *l, const struct op *op)
{
    struct op **p = &l->first;

    while (*p != op) {
        p = &(*p)->next;
    }
    *p = op->next;
    if (!*p) {
        l->last = p;
    }
}

/* All of `from` before what is in `to`. */
static void list_prepend(struct list *to, struct list *from)
{
    if (!from->first) {
        return;
    }
    *from->last = to->first;
    if (!to->first) {
        to->last = from->last;
    }
    to->first = from->first;
    list_init(from);
}

/* ---- the loop's descriptors ---- */

static void nudge(struct remote *r)
{
    uint64_t one = 1;

    if (write(r->nudge, &one, sizeof(one)) < 0 && errno != EAGAIN) {
        log_line("nbd: cannot wake the loop: %s", strerror(errno));
    }
}

static void drain(int fd)
{
    uint64_t n;

    if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN) {
        log_line("nbd: timer: %s", strerror(errno));
    }
}

/* Ticks as long as something waits for the server. */
static void set_ticking(struct remote *r)
{
    bool waits = r->queue.first || r->sent.first || r->state != UP;
    bool want = waits && !(r->failed && r->state == DOWN);
    uint64_t ns = (uint64_t)r->opt.timeout * 1000000000u / TICKS;
    struct itimerspec its = {{0, 0}, {0, 0}};

    if (want == r->ticking) {
        return;
    }
    if (want) {
        its.it_interval.tv_sec = its.it_value.tv_sec = (time_t)(ns / 1000000000u);
        its.it_interval.tv_nsec = its.it_value.tv_nsec = (long)(ns % 1000000000u);
    }
    timerfd_settime(r->timer, 0, &its, NULL);
    r->ticking = want;
    r->idle_ticks = 0;
    r->progress_seen = r->progress;
}

static void set_interest(struct remote *r)
{
    unsigned dir = r->nbd ? nbd_aio_get_direction(r->nbd) : 0;
    struct epoll_event ev = {.data.fd = r->socket};

    ev.events = (dir & LIBNBD_AIO_DIRECTION_READ ? (uint32_t)EPOLLIN : 0) |
                (dir & LIBNBD_AIO_DIRECTION_WRITE ? (uint32_t)EPOLLOUT : 0);
    if (r->nbd && ev.events != r->interest) {
        epoll_ctl(r->epoll, EPOLL_CTL_MOD, r->socket, &ev);
        r->interest = ev.events;
    }
}

/* ---- completions ---- */

static void op_done(struct remote *r, struct op *op, int res)
{
    r->progress++;
    if (!op->tag) {
        free(op);
        return;
    }
    op->res = res;
    list_add(&r->done, op);
    nudge(r);
}

static void fail_all(struct remote *r, struct list *l, int res)
{
    struct op *op;

    while ((op = list_take(l)) != NULL) {
        op_done(r, op, res);
    }
}

/* libnbd calls this from within its own functions, which must not be called from here. */
static int on_answer(void *user_data, int *error)
{
    struct op *op = user_data;

    bool moves = op->kind == REMOTE_READ || op->kind == REMOTE_WRITE;

    op->res = *error ? -*error : moves ? (int)op->len : 0;
    return 1;
}

static void ask_link(struct remote *r)
{
    if (!r->asked) {
        r->asked = true;
        r->opt.ask_link(r->opt.arg);
    }
}

/* The connection is of no more use: all that was sent will be sent again. */
static void link_lost(struct remote *r, const char *why)
{
    if (r->nbd) {
        log_line("nbd: %s; connecting again", why);
        nbd_close(r->nbd);
        r->nbd = NULL;
    }
    for (struct op *op = r->sent.first; op; op = op->next) {
        if (op->kind == REMOTE_WRITE && op->tag) {
            replay_cancel(&r->replay, (uint32_t)op->len);
        }
    }
    list_prepend(&r->queue, &r->sent);
    for (struct op **p = &r->queue.first; *p;) { /* our own are made anew when they are needed */
        struct op *op = *p;

        if (op->tag) {
            p = &op->next;
            continue;
        }
        *p = op->next;
        if (!*p) {
            r->queue.last = p;
        }
        free(op);
    }
    r->room_asked = false;
    r->state = DOWN;
    ask_link(r);
}

/* ---- sending ---- */

static nbd_completion_callback answer_to(struct op *op)
{
    return (nbd_completion_callback){.callback = on_answer, .user_data = op};
}

static int64_t send_command(struct remote *r, struct op *op)
{
    switch (op->kind) {
    case REMOTE_READ:
        return nbd_aio_pread(r->nbd, op->buf, op->len, op->offset, answer_to(op), 0);
    case REMOTE_WRITE:
        return nbd_aio_pwrite(r->nbd, op->buf, op->len, op->offset, answer_to(op), 0);
    case REMOTE_FLUSH:
        op->mark = replay_mark(&r->replay);
        return nbd_aio_flush(r->nbd, answer_to(op), 0);
    case REMOTE_TRIM:
        return nbd_aio_trim(r->nbd, op->len, op->offset, answer_to(op), 0);
    }
    return -1;
}

static bool connection_ended(const struct remote *r)
{
    return nbd_aio_is_dead(r->nbd) > 0 || nbd_aio_is_closed(r->nbd) > 0;
}

/* False if the connection ended over it; the operation is then among what is sent again. */
static bool send_op(struct remote *r, struct op *op)
{
    op->res = -EINPROGRESS;
    list_add(&r->sent, op);
    if (send_command(r, op) >= 0) {
        return true;
    }
    if (connection_ended(r)) {
        return false;
    }
    op->res = -(nbd_get_errno() ? nbd_get_errno() : EIO); /* answered in turn() */
    nudge(r);
    return true;
}

static struct op *own_op(struct remote *r, enum remote_op kind)
{
    struct op *op = calloc(1, sizeof(*op));

    if (op) {
        op->r = r;
        op->kind = kind;
    }
    return op;
}

/* Makes room for the writes that wait. */
static void flush_for_room(struct remote *r)
{
    struct op *op = r->room_asked ? NULL : own_op(r, REMOTE_FLUSH);

    if (op) {
        r->room_asked = true;
        if (!send_op(r, op)) {
            link_lost(r, nbd_get_error());
        }
    }
}

static void send_queue(struct remote *r)
{
    while (r->state == UP && r->queue.first) {
        struct op *op = r->queue.first;

        if (op->kind == REMOTE_WRITE && !replay_reserve(&r->replay, (uint32_t)op->len)) {
            flush_for_room(r);
            return;
        }
        list_take(&r->queue);
        if (!send_op(r, op)) {
            link_lost(r, nbd_get_error());
            return;
        }
    }
    if (r->state == UP && r->replay.bytes > r->replay.max / 2) {
        flush_for_room(r);
    }
}

/* ---- the replay ---- */

static void replay_next(struct remote *r)
{
    struct replay_entry *e = r->replaying;
    struct op *op = own_op(r, e ? REMOTE_WRITE : REMOTE_FLUSH);

    if (!op) {
        link_lost(r, "no memory");
        return;
    }
    if (e) {
        op->buf = e->data;
        op->len = e->len;
        op->offset = e->offset;
    }
    if (!send_op(r, op)) {
        link_lost(r, nbd_get_error());
    }
}

static void replay_answered(struct remote *r, int res)
{
    if (res < 0) {
        log_line("nbd: a write that was answered before is refused now: %s", strerror(-res));
        r->lost_writes = true;
    }
    if (!r->replaying) { /* that was the flush */
        r->state = UP;
        return;
    }
    r->replaying = r->replaying->next;
    replay_next(r);
}

/* ---- answers ---- */

static void answered(struct remote *r, struct op *op)
{
    int res = op->res;

    if (op->kind == REMOTE_WRITE && op->tag) {
        if (res < 0) {
            replay_cancel(&r->replay, (uint32_t)op->len);
        } else if (!replay_keep(&r->replay, op->offset, op->buf, (uint32_t)op->len)) {
            res = -ENOMEM;
        }
    }
    if (op->kind == REMOTE_FLUSH) {
        if (res >= 0) {
            replay_flushed(&r->replay, op->mark);
        }
        r->room_asked = r->room_asked && op->tag;
        if (op->tag && r->lost_writes) {
            r->lost_writes = false;
            res = -EIO;
        } else if (!op->tag && res < 0 && r->state == UP) {
            r->lost_writes = true; /* the kernel's rule: told once, at the next flush */
            replay_flushed(&r->replay, op->mark);
        }
    }
    if (!op->tag && r->state == REPLAYING) {
        op_done(r, op, res);
        replay_answered(r, res);
        return;
    }
    op_done(r, op, res);
}

/* A server that is about to end says so with this; what it answers then is as good as no answer. */
static bool is_no_answer(int res)
{
    return res == -ESHUTDOWN || res == -ENOTCONN;
}

static void collect_answers(struct remote *r)
{
    for (struct op *op = r->sent.first, *next; op; op = next) {
        next = op->next;
        if (op->res == -EINPROGRESS || is_no_answer(op->res)) {
            continue;
        }
        list_remove(&r->sent, op);
        answered(r, op);
        if (!r->nbd) {
            return; /* it was lost over it, and the list is another */
        }
    }
}

static bool told_to_go(const struct remote *r)
{
    for (const struct op *op = r->sent.first; op; op = op->next) {
        if (is_no_answer(op->res)) {
            return true;
        }
    }
    return false;
}

/* ---- connections ---- */

static bool refuse(struct remote *r, const char *why)
{
    log_line("nbd: export \"%s\": %s", r->export, why);
    r->wrong = true;
    return false;
}

/* What the server offers must be usable, and what it was before. */
static bool take_geometry(struct remote *r)
{
    int64_t size = nbd_get_size(r->nbd);
    int64_t block = nbd_get_block_size(r->nbd, LIBNBD_SIZE_MINIMUM);
    struct image *img = r->img;

    if (size < 512) {
        return refuse(r, "its size is less than a sector");
    }
    if (block < 512) {
        block = 512;
    }
    if (block > 4096) {
        return refuse(r, "it wants blocks larger than 4096 bytes");
    }
    if (!r->opt.readonly && nbd_is_read_only(r->nbd) != 0) {
        return refuse(r, "the server gives it read-only; write access=r");
    }
    if (!r->opt.readonly && nbd_can_flush(r->nbd) != 1) {
        return refuse(r, "the server cannot flush, so nothing would be durable; write access=r");
    }
    if (r->known && (uint64_t)size / 512 < img->sectors) {
        return refuse(r, "it is smaller than it was");
    }
    img->sectors = (uint64_t)size / 512;
    img->sector_size = block <= 512 ? 512 : 4096;
    img->physical_sector_size = 4096;
    img->can_trim = nbd_can_trim(r->nbd) == 1;
    r->known = true;
    return true;
}

static void shaken(struct remote *r)
{
    bool again = r->known;

    if (!take_geometry(r)) {
        link_lost(r, "refused");
        return;
    }
    if (again) {
        log_line("nbd: connected again, %zu bytes are written once more", r->replay.bytes);
    }
    r->asked = false;
    r->wrong = false;
    r->state = REPLAYING;
    r->replaying = r->replay.first;
    if (r->opt.readonly) {
        r->state = UP;
    } else {
        replay_next(r);
    }
}

static void nbd_link(struct image *img, int socket)
{
    struct remote *r = img->remote;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.fd = socket};

    r->asked = true; /* this is the answer */
    if (r->nbd) {
        link_lost(r, "replaced");
    }
    r->asked = false;
    r->nbd = nbd_create();
    if (!r->nbd || nbd_set_export_name(r->nbd, r->export) ||
        epoll_ctl(r->epoll, EPOLL_CTL_ADD, socket, &ev)) {
        close(socket);
        link_lost(r, r->nbd ? "cannot be watched" : "no memory");
        return;
    }
    r->socket = socket;
    r->interest = ev.events;
    r->state = SHAKING;
    if (nbd_aio_connect_socket(r->nbd, socket)) {
        link_lost(r, nbd_get_error());
    }
    set_interest(r);
    set_ticking(r);
}

/* What was under way is done again by the next connection. */
static void nbd_refresh(struct image *img)
{
    if (img->remote->state == UP) {
        link_lost(img->remote, "its size is asked for");
    }
}

static void timed_out(struct remote *r)
{
    if (!r->failed) {
        log_line("nbd: no answer for %u s; every request fails until the server is back",
                 r->opt.timeout);
    }
    r->failed = true;
    if (r->nbd) {
        link_lost(r, "given up");
    }
    fail_all(r, &r->queue, -ETIMEDOUT);
}

static void tick(struct remote *r)
{
    drain(r->timer);
    if (r->progress != r->progress_seen) {
        r->progress_seen = r->progress;
        r->idle_ticks = 0;
    } else if (++r->idle_ticks >= TICKS) {
        r->idle_ticks = 0;
        timed_out(r);
    }
}

static void on_socket(struct remote *r, uint32_t events)
{
    unsigned dir = nbd_aio_get_direction(r->nbd);

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && dir & LIBNBD_AIO_DIRECTION_READ) {
        nbd_aio_notify_read(r->nbd);
    } else if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR) && dir & LIBNBD_AIO_DIRECTION_WRITE) {
        nbd_aio_notify_write(r->nbd);
    }
}

/* What the last calls of libnbd have led to. */
static void advance(struct remote *r)
{
    collect_answers(r);
    if (r->nbd && (connection_ended(r) || told_to_go(r))) {
        link_lost(r, connection_ended(r) ? "the server has gone" : "the server is ending");
    }
    if (r->state == SHAKING && nbd_aio_is_ready(r->nbd) > 0) {
        shaken(r);
    }
    if (r->state == UP && r->failed) {
        log_line("nbd: the server is back");
        r->failed = false;
    }
    send_queue(r);
    set_interest(r);
    set_ticking(r);
}

static void turn_within(struct remote *r, int timeout_ms)
{
    struct epoll_event ev[4];
    int n = epoll_wait(r->epoll, ev, 4, timeout_ms);

    for (int i = 0; i < n; i++) {
        if (ev[i].data.fd == r->timer) {
            tick(r);
        } else if (ev[i].data.fd == r->nudge) {
            drain(r->nudge);
        } else if (r->nbd && ev[i].data.fd == r->socket) {
            on_socket(r, ev[i].events);
        }
    }
    advance(r);
}

static void nbd_turn(struct image *img)
{
    turn_within(img->remote, 0);
}

/* ---- the image's side ---- */

static void nbd_submit(struct image *img, enum remote_op kind, void *tag, void *buf, uint64_t len,
                       uint64_t offset)
{
    struct remote *r = img->remote;
    struct op *op = own_op(r, kind);

    if (!op) {
        abort(); /* the limit on memory leaves room for every request that a ring can hold */
    }
    op->tag = tag;
    op->buf = buf;
    op->len = len;
    op->offset = offset;
    if (r->failed) {
        op_done(r, op, -ETIMEDOUT);
        return;
    }
    list_add(&r->queue, op);
    send_queue(r);
    set_interest(r);
    set_ticking(r);
}

static bool nbd_completed(struct image *img, void **tag, int *res)
{
    struct remote *r = img->remote;
    struct op *op = list_take(&r->done);

    if (!op) {
        return false;
    }
    *tag = op->tag;
    *res = op->res;
    free(op);
    return true;
}

static int watch(struct remote *r, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    return fd < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static void nbd_close_image(struct image *img)
{
    struct remote *r = img->remote;

    if (!r) {
        return;
    }
    if (r->nbd) {
        nbd_close(r->nbd);
    }
    fail_all(r, &r->queue, -ESHUTDOWN);
    fail_all(r, &r->sent, -ESHUTDOWN);
    for (struct op *op; (op = list_take(&r->done)) != NULL;) {
        free(op);
    }
    replay_free(&r->replay);
    close(r->epoll);
    close(r->timer);
    close(r->nudge);
    free(r);
    img->remote = NULL;
}

static int nbd_open(struct image *img, int socket, const struct remote_options *opt)
{
    struct remote *r = calloc(1, sizeof(*r));
    int rc;

    if (!r) {
        return -ENOMEM;
    }
    r->img = img;
    r->opt = *opt;
    strncpy(r->export, opt->export, sizeof(r->export) - 1);
    list_init(&r->queue);
    list_init(&r->sent);
    list_init(&r->done);
    replay_init(&r->replay, KEEP_MAX);
    r->socket = -1;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    r->nudge = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    img->remote = r;
    img->poll_fd = r->epoll;
    rc = r->epoll < 0 ? -errno : watch(r, r->timer);
    if (!rc) {
        rc = watch(r, r->nudge);
    }
    if (rc) {
        nbd_close_image(img);
        return rc;
    }
    nbd_link(img, socket);
    return 0;
}

static int nbd_wait(struct image *img)
{
    struct remote *r = img->remote;

    while (!r->known && !r->failed && !r->wrong && r->state != DOWN) {
        turn_within(r, -1);
    }
    if (!r->known) {
        log_line("nbd: no connection to export \"%s\"", r->export);
    }
    return r->known ? 0 : -ENOTCONN;
}

const struct image_remote nbd_remote = {
    .open = nbd_open,
    .close = nbd_close_image,
    .wait = nbd_wait,
    .submit = nbd_submit,
    .link = nbd_link,
    .refresh = nbd_refresh,
    .turn = nbd_turn,
    .completed = nbd_completed,
};
