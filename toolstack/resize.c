/* SPDX-License-Identifier: MIT */
/*
 * tenue block-resize. The image is the supervisor's to grow: it knows which one it is, and tells
 * the backend, which tells the guest.
 */
#include "verbs.h"

#include "config.h"
#include "domain.h"
#include "supervise.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0 if it is no disk. */
static uint32_t disk_number(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (isdigit((unsigned char)*text))
        return *end || n > UINT32_MAX ? 0 : (uint32_t)n;
    return strlen(text) < sizeof(((struct disk_spec *)0)->vdev) ? vdev_number(text) : 0;
}

/* 0 if it is no size: whole sectors, and what a file can have. */
static uint64_t size_of(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;

    if (!isdigit((unsigned char)*text) || (*end && (!unit || end[1])) ||
        n > (uint64_t)INT64_MAX >> shift || (n << shift) % 512)
        return 0;
    return n << shift;
}

static int ask(struct session *s, uint32_t domid, uint32_t disk, uint64_t bytes)
{
    char *name = domid ? domain_name(&s->st, domid) : NULL;
    char request[64];
    int rc = 1;

    snprintf(request, sizeof(request), "resize %u %u %llu", domid, disk, (unsigned long long)bytes);
    if (name)
        rc = supervise_ask(name, request, &s->d);
    free(name);
    return rc == 1 ? diag_set(&s->d, "domain %u has no supervisor that could", domid) : rc;
}

int verb_block_resize(int argc, char **argv)
{
    struct session s;
    uint64_t bytes = 0;
    uint32_t domid, disk;

    if (argc < 3 || argc > 4 || argv[1][0] == '-')
        return usage();
    int rc = session_open_domain(&s, NEED_BOTH, argv[1], &domid);
    if (rc)
        return rc;
    disk = disk_number(argv[2]);
    if (!disk)
        return session_close(&s,
                             diag_set(&s.d, "%s is no disk; write xvda, or its number", argv[2]));
    if (argc == 4 && !(bytes = size_of(argv[3])))
        return session_close(&s, diag_set(&s.d,
                                          "%s is no size of a disk; write for instance 20G, "
                                          "a multiple of 512 bytes",
                                          argv[3]));
    return session_close(&s, ask(&s, domid, disk, bytes));
}
