/* SPDX-License-Identifier: MIT */
/* Store access: see store.h. A struct store belongs to one thread and one process. */
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_ROOM = 512, VALUE_ROOM = 1024 };

/*
 * libxenstore falls back to /dev/xen/xenbus, where in the control domain a read waits for ever
 * if no daemon runs. So see first whether one listens.
 */
static bool daemon_listens(void)
{
    const char *path = getenv("XENSTORED_PATH");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path ? path : "/run/xenstored/socket");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

int store_open(struct store *st, struct diag *d)
{
    st->xs = daemon_listens() ? xs_open(0) : NULL;
    if (!st->xs)
        return diag_set(d, "no store: nothing answers at /run/xenstored/socket; start xenstore-lite"
                           " (or xenstored)");
    return 0;
}

void store_close(struct store *st)
{
    if (st->xs)
        xs_close(st->xs);
    st->xs = NULL;
}

char *store_read(struct store *st, const char *fmt, ...)
{
    char path[PATH_ROOM];
    unsigned len;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    return st->xs ? xs_read(st->xs, XBT_NULL, path, &len) : NULL;
}

char **store_list(struct store *st, unsigned *n, const char *fmt, ...)
{
    char path[PATH_ROOM];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    *n = 0;
    char **list = st->xs ? xs_directory(st->xs, XBT_NULL, path, n) : NULL;
    if (!list)
        *n = 0;
    return list;
}

void store_remove(struct store *st, const char *fmt, ...)
{
    char path[PATH_ROOM];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    if (st->xs)
        xs_rm(st->xs, XBT_NULL, path);
}

bool store_write(struct store *st, const char *path, const char *value)
{
    return st->xs && xs_write(st->xs, XBT_NULL, path, value, (unsigned)strlen(value));
}

bool store_batch_begin(struct store_batch *b, struct store *st)
{
    *b = (struct store_batch){.st = st};
    if (st->xs)
        b->t = xs_transaction_start(st->xs);
    return b->t != XBT_NULL;
}

void store_put(struct store_batch *b, const char *path, const char *fmt, ...)
{
    char value[VALUE_ROOM];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(value) || !xs_write(b->st->xs, b->t, path, value, (unsigned)n))
        b->failed = true;
}

void store_grant(struct store_batch *b, const char *path, uint32_t domid, enum store_access access)
{
    struct xs_permissions perms[2] = {
        {.id = access == STORE_GUEST_OWNS ? domid : 0, .perms = XS_PERM_NONE},
        {.id = domid, .perms = XS_PERM_READ},
    };

    if (!xs_set_permissions(b->st->xs, b->t, path, perms, access == STORE_GUEST_OWNS ? 1 : 2))
        b->failed = true;
}

int store_batch_end(struct store_batch *b)
{
    if (b->failed) {
        xs_transaction_end(b->st->xs, b->t, true);
        return -1;
    }
    if (xs_transaction_end(b->st->xs, b->t, false))
        return 0;
    return errno == EAGAIN ? 1 : -1;
}
