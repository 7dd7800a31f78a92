/* SPDX-License-Identifier: MIT */
/*
 * The wire format: error names, strings, numbers, paths.
 *
 * Owns: no state at all; every function is pure.
 * Invariants: no function reads beyond the length it was given; a canonical path has at most
 *   XENSTORE_ABS_PATH_MAX bytes.
 * Leaves to others: what a message means (ops.c), how bytes arrive (conn.c, sock.c, ring.c).
 */
#include "wire.h"

#include <stdio.h>
#include <string.h>

const char *wire_error_name(int err)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (xsd_errors[i].errnum == err)
            return xsd_errors[i].errstring;
    return "EINVAL";
}

int wire_strings(const char *data, size_t len, const char *strings[], int max)
{
    int count = 0;

    while (len) {
        const char *end = memchr(data, '\0', len);

        if (!end || count == max)
            return -EINVAL;
        strings[count++] = data;
        len -= (size_t)(end - data) + 1;
        data = end + 1;
    }
    return count;
}

int wire_parse_number(const char *text, uint64_t limit, uint64_t *value)
{
    uint64_t v = 0;

    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        unsigned int digit = (unsigned int)(unsigned char)*text - '0';

        if (digit > 9 || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit, &v) || v > limit)
            return -EINVAL;
    }
    *value = v;
    return 0;
}

static bool path_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '@' || c == '/';
}

/* Letters, single slashes, none at the end. */
static bool path_well_formed(const char *path, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!path_letter((unsigned char)path[i]))
            return false;
        if (path[i] == '/' && (i + 1 == len || path[i + 1] == '/'))
            return len == 1;
    }
    return len > 0;
}

int path_canonical(const char *path, uint16_t domid, bool special, char out[PATH_BYTES])
{
    size_t len = strnlen(path, PATH_BYTES);
    int n;

    if (len > XENSTORE_ABS_PATH_MAX || !path_well_formed(path, len))
        return -EINVAL;
    if (path[0] == '@') {
        if (!special || (strcmp(path, "@introduceDomain") && strcmp(path, "@releaseDomain")))
            return -EINVAL;
    } else if (path[0] != '/') {
        if (len > XENSTORE_REL_PATH_MAX)
            return -EINVAL;
        n = snprintf(out, PATH_BYTES, "/local/domain/%u/%s", domid, path);
        return n > 0 && n < PATH_BYTES ? 0 : -EINVAL;
    }
    memcpy(out, path, len + 1);
    return 0;
}

unsigned int path_depth(const char *path)
{
    unsigned int depth = 0;

    if (path[1] == '\0')
        return 0;
    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

size_t path_parent_len(const char *path, size_t len)
{
    while (len > 1 && path[len - 1] != '/')
        len--;
    return len > 1 ? len - 1 : 1;
}
