/* SPDX-License-Identifier: MIT */
/*
 * The wire format, pure: headers, strings in payloads, numbers, error names and path rules.
 * Nothing here allocates, logs or knows a client, so that it can be fuzzed alone.
 */
#ifndef XSL_WIRE_H
#define XSL_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

#define WIRE_HEADER sizeof(struct xsd_sockmsg)
#define WIRE_MESSAGE_MAX (WIRE_HEADER + XENSTORE_PAYLOAD_MAX)

/* A canonical path: absolute, no trailing slash (but "/"), with its terminating NUL. */
#define PATH_BYTES (XENSTORE_ABS_PATH_MAX + 1)

/* Deepest possible node: every level takes at least a slash and a letter. */
#define PATH_DEPTH_MAX (XENSTORE_ABS_PATH_MAX / 2)

/* "INVAL"-style text for a positive errno; errors without a name of their own become EINVAL. */
const char *wire_error_name(int err);

/*
 * Splits len payload bytes into NUL-terminated strings.  Returns how many were found, at most max;
 * -EINVAL if the last one is not terminated or there are more than max.
 */
int wire_strings(const char *data, size_t len, const char *strings[], int max);

/* A decimal number without sign or blanks, at most limit: 0 or -EINVAL. */
int wire_parse_number(const char *text, uint64_t limit, uint64_t *value);

/*
 * Makes a client's path canonical: relative ones live under the client's /local/domain/<domid>.
 * Returns 0, or -EINVAL for a bad letter, a bad slash or a length beyond the protocol's limits.
 * Special names (@introduceDomain, @releaseDomain) pass only if special is allowed.
 */
int path_canonical(const char *path, uint16_t domid, bool special, char out[PATH_BYTES]);

static inline bool path_is_special(const char *path)
{
    return path[0] == '@';
}

/* Number of components of a canonical path: 0 for "/". */
unsigned int path_depth(const char *path);

/* Length of the parent of a canonical path other than "/": "/a/b" gives 2, "/a" gives 1. */
size_t path_parent_len(const char *path, size_t len);

#endif
