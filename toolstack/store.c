/* SPDX-License-Identifier: MIT */
/* Store access: see store.h. A struct store belongs to one thread and one process. */
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 512, VALUE_ROOM = 1024 };

int store_open(struct store *st, struct diag *d)
{
    st->xs = xsc_open();
    if (!st->xs)
        return diag_set(d, "no store: nothing answers at /run/xenstored/socket; start xenstore-lite"
                           " (or xenstored)");
    return 0;
}

void store_close(struct store *st)
{
    if (st->xs)
        xsc_close(st->xs);
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
    return st->xs ? xsc_read(st->xs, XSC_NO_TRANSACTION, path, &len) : NULL;
}

char **store_list(struct store *st, unsigned *n, const char *fmt, ...)
{
    char path[PATH_ROOM];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    *n = 0;
    char **list = st->xs ? xsc_directory(st->xs, XSC_NO_TRANSACTION, path, n) : NULL;
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
        xsc_rm(st->xs, XSC_NO_TRANSACTION, path);
}

bool store_write(struct store *st, const char *path, const char *value)
{
    return st->xs && xsc_write(st->xs, XSC_NO_TRANSACTION, path, value);
}

bool store_batch_begin(struct store_batch *b, struct store *st)
{
    *b = (struct store_batch){.st = st};
    if (st->xs)
        b->t = xsc_transaction_start(st->xs);
    if (b->t == XSC_NO_TRANSACTION)
        return false;
    xsc_batch(st->xs);
    return true;
}

void store_put(struct store_batch *b, const char *path, const char *fmt, ...)
{
    char value[VALUE_ROOM];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(value) || !xsc_write(b->st->xs, b->t, path, value))
        b->failed = true;
}

void store_grant(struct store_batch *b, const char *path, uint32_t domid, enum store_access access)
{
    if (!xsc_set_access(b->st->xs, b->t, path, access == STORE_GUEST_OWNS ? domid : 0, domid))
        b->failed = true;
}

int store_batch_end(struct store_batch *b)
{
    int rc = xsc_batch_end(b->st->xs);

    if (b->failed || rc) {
        xsc_transaction_end(b->st->xs, b->t, true);
        errno = rc ? rc : errno;
        return -1;
    }
    if (xsc_transaction_end(b->st->xs, b->t, false))
        return 0;
    return errno == EAGAIN ? 1 : -1;
}
