/* SPDX-License-Identifier: MIT */
/* All that lwIP uses of it. */
#ifndef TENUE_LWIP_STDLIB_H
#define TENUE_LWIP_STDLIB_H

static inline int atoi(const char *s)
{
    int n = 0;

    while (*s >= '0' && *s <= '9' && n < 100000000)
        n = n * 10 + (*s++ - '0');
    return n;
}

#endif
