/* SPDX-License-Identifier: MIT */
/*
 * The words of a vif that say how it is served: queues=, mtu=, ip=, antispoof= ... devspec.c hands
 * over what it does not know itself; config.h documents the results.
 */
#include "vifserve.h"

#include "diskserve.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad(struct place at, struct diag *d, const char *key, const char *value,
               const char *remedy)
{
    return diag_set(d, "%s:%u: vif %s \"%s\"; %s", at.file, at.line, key, value, remedy);
}

struct number {
    const char *key;
    unsigned min, max;
    unsigned *to;
    bool *given;
};

static int take_number(struct place at, const struct number *n, struct diag *d, const char *value)
{
    char remedy[64], *end;
    unsigned long v = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || v < n->min || v > n->max) {
        snprintf(remedy, sizeof(remedy), "write a number from %u to %u", n->min, n->max);
        return bad(at, d, n->key, value, remedy);
    }
    if (*n->given)
        return bad(at, d, n->key, value, "it is there twice; keep one");
    *n->given = true;
    *n->to = (unsigned)v;
    return 0;
}

/* In the one way of writing it, so that two are the same if their texts are. */
static bool normal_ip(const char *text, char out[VIF_IP_TEXT])
{
    unsigned char raw[16];

    for (int i = 0; i < 2; i++) {
        int family = i ? AF_INET6 : AF_INET;

        if (inet_pton(family, text, raw) == 1)
            return inet_ntop(family, raw, out, VIF_IP_TEXT) != NULL;
    }
    return false;
}

void vif_add_ip(struct vif_spec *vif, const char *ip)
{
    for (size_t i = 0; i < vif->nr_ips; i++)
        if (strcmp(vif->ips[i], ip) == 0)
            return;
    if (vif->nr_ips < VIF_MAX_IPS)
        snprintf(vif->ips[vif->nr_ips++], VIF_IP_TEXT, "%s", ip);
}

static int take_ip(struct place at, struct vif_spec *vif, struct diag *d, const char *value)
{
    char ip[VIF_IP_TEXT], remedy[64];

    if (!normal_ip(value, ip))
        return bad(at, d, "ip", value, "write one address, such as 10.0.0.5 or fd00::5");
    if (vif->nr_ips >= VIF_OWN_IPS) {
        snprintf(remedy, sizeof(remedy), "at most %d can be given", VIF_OWN_IPS);
        return bad(at, d, "ip", value, remedy);
    }
    vif_add_ip(vif, ip);
    return 0;
}

static int take_switch(struct place at, struct diag *d, const char *key, const char *value,
                       bool *off)
{
    *off = strcmp(value, "off") == 0;
    return *off || strcmp(value, "on") == 0 ? 0 : bad(at, d, key, value, "write on or off");
}

/* A file's path, from /, or an interface's name. */
static int take_mirror(struct place at, struct vif_spec *vif, struct diag *d, const char *value)
{
    bool path = value[0] == '/';

    if (!*value || strlen(value) >= (path ? sizeof(vif->mirror) : 16) ||
        (!path && strpbrk(value, "/ \t:%")))
        return bad(at, d, "mirror", value, "write a file's whole path, or an interface's name");
    snprintf(vif->mirror, sizeof(vif->mirror), "%s", value);
    return 0;
}

int vif_serving_word(struct place at, struct vif_spec *vif, struct diag *d, const char *key,
                     const char *value)
{
    const struct number numbers[] = {
        {"queues", 1, 8, &vif->queues, &vif->given.queues},
        {"mtu", 68, 65521, &vif->mtu, &vif->given.mtu},
        {"coalesce-us", 0, 1000, &vif->coalesce_us, &vif->given.coalesce_us},
        {"poll-us", 0, 10000, &vif->poll_us, &vif->given.poll_us},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (strcmp(key, numbers[i].key) == 0)
            return take_number(at, &numbers[i], d, value);
    if (strcmp(key, "ip") == 0)
        return take_ip(at, vif, d, value);
    if (strcmp(key, "antispoof") == 0)
        return take_switch(at, d, key, value, &vif->spoofs);
    if (strcmp(key, "arena") == 0)
        return take_switch(at, d, key, value, &vif->no_arena);
    if (strcmp(key, "mirror") == 0)
        return take_mirror(at, vif, d, value);
    if (strcmp(key, "capture") == 0)
        return capture_word(at, vif->capture, d, "vif", value);
    return 1;
}
