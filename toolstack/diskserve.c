/* SPDX-License-Identifier: MIT */
/*
 * The words of a disk that say how it is served: queues=, batch=, grants=, cache= ... devspec.c
 * hands over what it does not know itself; config.h documents the results, and the words with
 * their ranges are libtenue-devhost's.
 */
#include "config.h"
#include "diskserve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad(struct place at, struct diag *d, const char *key, const char *value,
               const char *remedy)
{
    return diag_set(d, "%s:%u: disk %s \"%s\"; %s", at.file, at.line, key, value, remedy);
}

static int take_number(struct place at, enum devhost_knob knob, struct devhost_serving *s,
                       struct diag *d, const char *value)
{
    const struct devhost_knob_range *r = &devhost_knobs[knob];
    char remedy[64], *end;
    unsigned long v = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || v < r->min || v > r->max) {
        snprintf(remedy, sizeof(remedy), "write a number from %u to %u", r->min, r->max);
        return bad(at, d, r->key, value, remedy);
    }
    if (knob == DEVHOST_SECTOR_SIZE && v != 512 && v != 4096)
        return bad(at, d, r->key, value, "write 512 or 4096");
    if (s->set & 1u << knob)
        return bad(at, d, r->key, value, "it is there twice; keep one");
    s->set |= 1u << knob;
    s->value[knob] = (unsigned)v;
    return 0;
}

static int take_grants(struct place at, struct devhost_serving *s, struct diag *d,
                       const char *value)
{
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(value, devhost_grants_names[i]) == 0) {
            s->grants = (enum devhost_grants)i;
            return 0;
        }
    return bad(at, d, "grants", value, "write persistent, map or copy");
}

static int take_cache(struct place at, struct disk_spec *disk, struct diag *d, const char *value)
{
    disk->buffered = strcmp(value, "writeback") == 0;
    if (disk->buffered || strcmp(value, "direct") == 0)
        return 0;
    return bad(at, d, "cache", value, "write direct or writeback");
}

/* The value ends at a comma, so a path has none. */
int capture_word(struct place at, char to[DISK_CAPTURE], struct diag *d, const char *device,
                 const char *value)
{
    if (value[0] != '/' || strlen(value) >= DISK_CAPTURE)
        return diag_set(d, "%s:%u: %s capture \"%s\"; write a file's whole path", at.file, at.line,
                        device, value);
    strcpy(to, value);
    return 0;
}

int limit_word(struct place at, struct limit_rates *r, struct diag *d, const char *what,
               const char *value)
{
    char why[DEVHOST_ERR_MAX];

    if (limit_parse(value, r, why, sizeof(why)) == 0)
        return 0;
    return diag_set(d, "%s:%u: %s: %s", at.file, at.line, what, why);
}

int limit_group_word(struct place at, char group[METER_GROUP_NAME_MAX + 1], struct diag *d,
                     const char *what, const char *value)
{
    if (!meter_group_name_valid(value))
        return diag_set(d, "%s:%u: %s \"%s\"; write 1 to %d letters, digits and _ . -", at.file,
                        at.line, what, value, METER_GROUP_NAME_MAX);
    strcpy(group, value);
    return 0;
}

int disk_serving_word(struct place at, struct disk_spec *disk, struct diag *d, const char *key,
                      const char *value)
{
    for (unsigned i = 0; i < DEVHOST_NR_KNOBS; i++)
        if (strcmp(key, devhost_knobs[i].key) == 0)
            return take_number(at, (enum devhost_knob)i, &disk->serving, d, value);
    if (strcmp(key, "grants") == 0)
        return take_grants(at, &disk->serving, d, value);
    if (strcmp(key, "capture") == 0)
        return capture_word(at, disk->capture, d, "disk", value);
    if (strcmp(key, "cache") == 0)
        return take_cache(at, disk, d, value);
    if (strcmp(key, "limit") == 0)
        return limit_word(at, &disk->limit.rates, d, "disk limit", value);
    if (strcmp(key, "limit-group") == 0)
        return limit_group_word(at, disk->limit.group, d, "disk limit-group", value);
    return 1;
}
