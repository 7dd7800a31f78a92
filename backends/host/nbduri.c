/* SPDX-License-Identifier: MIT */
/* nbduri.c - see nbduri.h. Owns nothing; every copy is bounded and complains instead of cutting. */
#include "nbduri.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT "10809"

struct parser {
    const char *whole;
    char *err;
    size_t err_len;
};

static int bad(const struct parser *p, const char *what, const char *remedy)
{
    snprintf(p->err, p->err_len, "image %.120s: %s; %s", p->whole, what, remedy);
    return -EINVAL;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10 : -1;
}

/* Copies [from, end), with %XX undone if asked to; printable characters only. */
static int copy(const struct parser *p, char *to, size_t size, const char *from, const char *end,
                const char *what)
{
    size_t n = 0;

    while (from < end) {
        int c = (unsigned char)*from++;

        if (c == '%') {
            if (end - from < 2 || hex(from[0]) < 0 || hex(from[1]) < 0) {
                return bad(p, what, "write % as %25, and %XX for what cannot be written");
            }
            c = hex(from[0]) * 16 + hex(from[1]);
            from += 2;
        }
        if (c < 0x20 || c > 0x7e || n + 1 >= size) {
            return bad(p, what, "it is too long, or has characters that are not printable ASCII");
        }
        to[n++] = (char)c;
    }
    to[n] = 0;
    return 0;
}

static int set_port(const struct parser *p, struct nbd_uri *out, const char *from, const char *end)
{
    char *rest;
    unsigned long n;

    if (end - from > 5 || from == end || !isdigit((unsigned char)*from)) {
        return bad(p, "no port after the colon", "write 1 to 65535, or leave the colon out");
    }
    n = strtoul(from, &rest, 10);
    if (rest != end || n < 1 || n > 65535) {
        return bad(p, "no port after the colon", "write 1 to 65535, or leave the colon out");
    }
    snprintf(out->port, sizeof(out->port), "%lu", n);
    return 0;
}

static int set_authority(const struct parser *p, struct nbd_uri *out, const char *from,
                         const char *end)
{
    const char *host_end = end, *colon;
    int rc;

    if (memchr(from, '@', (size_t)(end - from))) {
        return bad(p, "a user name", "NBD without TLS knows none; leave it out");
    }
    if (*from == '[') {
        from++;
        host_end = memchr(from, ']', (size_t)(end - from));
        if (!host_end) {
            return bad(p, "an IPv6 address without its closing bracket",
                       "write nbd://[::1]/export");
        }
        colon = host_end + 1;
    } else {
        colon = memchr(from, ':', (size_t)(end - from));
        host_end = colon = colon ? colon : end;
    }
    if (colon != end && *colon != ':') {
        return bad(p, "more after the address", "write nbd://HOST:PORT/EXPORT");
    }
    if (host_end == from) {
        return bad(p, "no host", "write nbd://HOST:PORT/EXPORT");
    }
    rc = copy(p, out->host, sizeof(out->host), from, host_end, "the host");
    strcpy(out->port, DEFAULT_PORT);
    return rc || colon == end ? rc : set_port(p, out, colon + 1, end);
}

static int set_socket(const struct parser *p, struct nbd_uri *out, const char *query)
{
    if (!query || strncmp(query, "?socket=/", 9) || strpbrk(query + 9, "&?#")) {
        return bad(p, "no socket", "write nbd+unix:///EXPORT?socket=/PATH");
    }
    return copy(p, out->socket, sizeof(out->socket), query + 8, query + strlen(query),
                "the socket's path");
}

int nbd_uri_parse(const char *text, struct nbd_uri *out, char *err, size_t err_len)
{
    struct parser p = {.whole = text, .err = err, .err_len = err_len};
    const char *rest, *slash, *query, *end;
    int rc;

    memset(out, 0, sizeof(*out));
    if (!strncmp(text, "nbds", 4)) {
        return bad(&p, "NBD over TLS is not offered", "write nbd:// through a tunnel of yours");
    }
    if (!strncmp(text, "nbd+unix://", 11)) {
        rest = text + 11;
    } else if (!strncmp(text, "nbd://", 6)) {
        rest = text + 6;
    } else {
        return bad(&p, "no address of an NBD server", "write nbd://HOST:PORT/EXPORT");
    }
    query = strchr(rest, '?');
    end = query ? query : rest + strlen(rest);
    slash = memchr(rest, '/', (size_t)(end - rest));
    slash = slash ? slash : end;
    if (text[3] == '+') {
        rc = slash != rest ? bad(&p, "a host", "write nbd+unix:///EXPORT?socket=/PATH")
                           : set_socket(&p, out, query);
    } else {
        rc = query ? bad(&p, "a query", "nbd:// takes none") : set_authority(&p, out, rest, slash);
    }
    if (!rc && slash != end) {
        rc = copy(&p, out->export, sizeof(out->export), slash + 1, end, "the export's name");
    }
    return rc;
}
