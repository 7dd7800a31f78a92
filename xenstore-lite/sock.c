/* SPDX-License-Identifier: MIT */
/*
 * UNIX socket clients.
 *
 * Owns: the listening socket, struct sock_client, what was received but is not yet a whole message.
 * Invariants: one recv and one send for each turn, however many messages they carry; no further
 *   request is read while output is pending, so what a client can make us hold is bounded.
 * Locks: none, one thread.
 * Leaves to others: meaning (ops.c), the end of a connection (conn.c).
 */
#include "sock.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conn.h"
#include "log.h"
#include "ops.h"

#define RECEIVE_MAX (64u << 10)
#define ACCEPT_REST_US 100000

struct sock_client {
    struct conn conn; /* first, so that one pointer serves for both */
    int fd;
    struct event *readable, *writable;
    char *rest; /* received, not yet processed */
    size_t rest_len;
};

void (*sock_turn_over)(void);

static struct event *listener, *accept_again;

/* All clients receive here, one after the other; what is left over moves to the client. */
static char receive[WIRE_MESSAGE_MAX + RECEIVE_MAX];

static struct sock_client *client_of(struct conn *conn)
{
    return (struct sock_client *)(void *)conn;
}

/* Reading stops while output is pending, and starts again behind it. */
static void wait_for_writable(struct sock_client *c, bool blocked)
{
    if (blocked) {
        event_del(c->readable);
        event_add(c->writable, NULL);
    } else {
        event_del(c->writable);
        event_add(c->readable, NULL);
    }
}

static bool is_blocked(const struct sock_client *c)
{
    return event_pending(c->writable, EV_WRITE, NULL);
}

/* Sends what it can; true if all is gone. */
static bool send_pending(struct sock_client *c)
{
    struct conn *conn = &c->conn;
    ssize_t n;

    while (conn_pending(conn)) {
        n = send(c->fd, conn->out.data + conn->out.head, conn_pending(conn),
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            conn_sent(conn, (size_t)n);
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            conn_kill(conn);
            return true;
        }
    }
    return true;
}

static void sock_flush(struct conn *conn)
{
    struct sock_client *c = client_of(conn);

    if (!is_blocked(c) && !send_pending(c))
        wait_for_writable(c, true);
}

static void sock_destroy(struct conn *conn)
{
    struct sock_client *c = client_of(conn);

    event_free(c->readable);
    event_free(c->writable);
    close(c->fd);
    free(c->rest);
    free(c);
}

static const struct transport sock_transport = {sock_flush, sock_destroy};

/* Serves the whole messages at the front of data; returns how many bytes they were. */
static size_t serve(struct sock_client *c, const char *data, size_t len)
{
    struct xsd_sockmsg header;
    size_t done = 0;

    while (len - done >= sizeof(header) && !c->conn.dead) {
        memcpy(&header, data + done, sizeof(header));
        if (header.len > XENSTORE_PAYLOAD_MAX) {
            log_client("a socket client sent a message of %u bytes and was disconnected",
                       header.len);
            conn_kill(&c->conn);
            break;
        }
        if (len - done - sizeof(header) < header.len)
            break;
        if (conn_pending(&c->conn) >= RECEIVE_MAX && !send_pending(c)) {
            wait_for_writable(c, true);
            break;
        }
        ops_dispatch(&c->conn, &header, data + done + sizeof(header));
        done += sizeof(header) + header.len;
    }
    return done;
}

static void keep_rest(struct sock_client *c, const char *data, size_t len)
{
    char *rest = NULL;

    if (len) {
        rest = malloc(len);
        if (!rest) {
            conn_kill(&c->conn);
            len = 0;
        } else {
            memcpy(rest, data, len);
        }
    }
    free(c->rest);
    c->rest = rest;
    c->rest_len = len;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct sock_client *c = arg;
    size_t len = c->rest_len, done;
    ssize_t n;

    (void)what;
    n = recv(fd, receive + len, sizeof(receive) - len, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            conn_kill(&c->conn);
        sock_turn_over();
        return;
    }
    if (len)
        memcpy(receive, c->rest, len);
    len += (size_t)n;
    done = serve(c, receive, len);
    if (done != len || c->rest)
        keep_rest(c, receive + done, len - done);
    sock_turn_over();
}

/* The client reads again: serve what it had asked meanwhile, then listen again. */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct sock_client *c = arg;
    size_t len = c->rest_len, done;

    (void)fd;
    (void)what;
    if (!send_pending(c))
        return;
    wait_for_writable(c, false);
    if (!c->conn.dead && len) {
        memcpy(receive, c->rest, len);
        done = serve(c, receive, len);
        keep_rest(c, receive + done, len - done);
    }
    sock_turn_over();
}

int sock_accept_fd(struct event_base *base, int fd)
{
    struct sock_client *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->fd = fd;
    c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    if (!c->readable || !c->writable || event_add(c->readable, NULL)) {
        if (c->readable)
            event_free(c->readable);
        if (c->writable)
            event_free(c->writable);
        free(c);
        return -ENOMEM;
    }
    conn_init(&c->conn, &sock_transport, domain_of(0), true);
    return 0;
}

/* Who waits would wake us again at once, and we could do nothing for him but burn time. */
static void rest_from_accepting(int error)
{
    const struct timeval a_while = {.tv_usec = ACCEPT_REST_US};

    log_client("cannot accept a connection: %s", strerror(error));
    if (event_add(accept_again, &a_while) == 0)
        event_del(listener);
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    event_add(listener, NULL);
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)what;
    if (client < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            rest_from_accepting(errno);
        return;
    }
    if (sock_accept_fd(arg, client))
        close(client);
}

/* A socket that answers belongs to another store; one that does not is left over from a crash. */
static int remove_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -errno : 0;

    if (!rc && !connect(fd, (const struct sockaddr *)address, sizeof(*address)))
        rc = -EADDRINUSE;
    if (fd >= 0)
        close(fd);
    if (!rc && unlink(address->sun_path) && errno != ENOENT)
        rc = -errno;
    return rc;
}

int sock_listen(struct event_base *base, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int fd, rc;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    rc = remove_stale(&address);
    if (rc)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    mask = umask(0177);
    rc = bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, 128) ? -errno
                                                                                         : 0;
    umask(mask);
    if (!rc) {
        listener = event_new(base, fd, EV_READ | EV_PERSIST, on_connection, base);
        accept_again = event_new(base, -1, 0, on_rested, NULL);
        if (!listener || !accept_again || event_add(listener, NULL))
            rc = -ENOMEM;
    }
    if (rc) {
        close(fd);
        return rc;
    }
    return 0;
}

void sock_close(void)
{
    if (!listener)
        return;
    close(event_get_fd(listener));
    event_free(listener);
    event_free(accept_again);
    listener = NULL;
}
