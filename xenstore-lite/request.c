/* SPDX-License-Identifier: MIT */
/*
 * Replies.
 *
 * Owns: their count.
 * Locks: none, one thread.
 */
#include "request.h"

#include <errno.h>
#include <string.h>

static unsigned long answered;

unsigned long request_count(void)
{
    return answered;
}

static void reply(const struct request *r, uint32_t type, const void *data, size_t len)
{
    struct xsd_sockmsg header = r->header;

    header.type = type;
    header.len = (uint32_t)len;
    conn_send(r->conn, &header, data, len, NULL, 0);
    answered++;
}

int request_reply(const struct request *r, const void *data, size_t len)
{
    if (len > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    reply(r, r->header.type, data, len);
    return 0;
}

int request_ok(const struct request *r)
{
    return request_reply(r, "OK", 3);
}

void request_error(const struct request *r, int err)
{
    const char *name = wire_error_name(err);

    reply(r, XS_ERROR, name, strlen(name) + 1);
}
