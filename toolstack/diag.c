/* SPDX-License-Identifier: MIT */
/* The complaint record: see diag.h. Owns nothing, takes no locks. */
#include "diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int diag_set(struct diag *d, const char *fmt, ...)
{
    if (d->text[0])
        return -1;

    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->text, sizeof(d->text), fmt, ap);
    va_end(ap);
    return -1;
}

int diag_errno(struct diag *d, const char *fmt, ...)
{
    int err = errno;

    if (d->text[0])
        return -1;

    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(d->text, sizeof(d->text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(d->text))
        snprintf(d->text + n, sizeof(d->text) - (size_t)n, ": %s", strerror(err));
    return -1;
}
