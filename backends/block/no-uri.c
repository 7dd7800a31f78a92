/* SPDX-License-Identifier: MIT */
/*
 * no-uri.c - what libnbd wants of libxml2, refusing. libnbd takes URIs apart with it, and it brings
 * 40 MiB of libraries with it into a RAM disk; we give libnbd connected sockets and never a URI.
 */
#include <stddef.h>

void *xmlParseURI(const char *text);
void xmlFreeURI(void *uri);
void *xmlSaveUri(void *uri);
char *xmlURIUnescapeString(const char *text, int len, char *target);

void *xmlParseURI(const char *text)
{
    (void)text;
    return NULL;
}

void xmlFreeURI(void *uri)
{
    (void)uri;
}

void *xmlSaveUri(void *uri)
{
    (void)uri;
    return NULL;
}

char *xmlURIUnescapeString(const char *text, int len, char *target)
{
    (void)text;
    (void)len;
    (void)target;
    return NULL;
}
