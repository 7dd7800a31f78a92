/* SPDX-License-Identifier: MIT */
/*
 * nbduri.h - where an NBD server is and which of its exports is meant. Pure.
 *
 *   nbd://HOST[:PORT][/EXPORT]           HOST a name, an IPv4 address or an IPv6 one in brackets
 *   nbd+unix://[/EXPORT]?socket=/PATH
 */
#ifndef BACKENDS_HOST_NBDURI_H
#define BACKENDS_HOST_NBDURI_H

#include <stddef.h>

struct nbd_uri {
    char host[256]; /* empty: socket */
    char port[6];
    char socket[108];
    char export[256];
};

/* 0, or -EINVAL with a line that names the part at fault. */
int nbd_uri_parse(const char *text, struct nbd_uri *out, char *err, size_t err_len);

#endif
