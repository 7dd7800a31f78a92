/* SPDX-License-Identifier: MIT */
/*
 * Permission lists.
 *
 * Owns: struct perms, its text form and the one access rule.
 * Invariants: a list has at least one entry; it never changes after it was shared.
 * Locks: none, the daemon is one thread.
 * Leaves to others: the control domain's authority (ops.c), quotas on the number of entries
 *   (ops.c).
 */
#include "perms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

struct perms *perms_new(uint32_t count)
{
    struct perms *p = calloc(1, sizeof(*p) + count * sizeof(p->entry[0]));

    if (p) {
        p->ref = 1;
        p->count = count;
    }
    return p;
}

struct perms *perms_ref(struct perms *p)
{
    p->ref++;
    return p;
}

void perms_unref(struct perms *p)
{
    if (p && --p->ref == 0)
        free(p);
}

static unsigned int access_of_one(const struct perms *p, uint16_t domid)
{
    if (p->entry[0].domid == domid)
        return ACCESS_ALL;
    for (uint32_t i = 1; i < p->count; i++)
        if (p->entry[i].domid == domid)
            return p->entry[i].mode;
    return p->entry[0].mode;
}

unsigned int perms_access(const struct perms *p, uint16_t domid, int target)
{
    unsigned int access = access_of_one(p, domid);

    if (target >= 0)
        access |= access_of_one(p, (uint16_t)target);
    return access;
}

static const char mode_letters[] = "nrwb"; /* indexed by ACCESS_READ | ACCESS_WRITE */

static int perm_parse_one(const char *text, struct perm *perm)
{
    const char *mode = text[0] ? strchr(mode_letters, text[0]) : NULL;
    uint64_t domid;

    if (!mode || wire_parse_number(text + 1, DOMID_LIMIT - 1, &domid))
        return -EINVAL;
    perm->domid = (uint16_t)domid;
    perm->mode = (uint8_t)(mode - mode_letters);
    return 0;
}

int perms_parse(const char *text, size_t len, struct perms **out)
{
    uint32_t count = 0;
    struct perms *p;
    const char *s;

    if (len == 0 || text[len - 1] != '\0')
        return -EINVAL;
    for (size_t i = 0; i < len; i++)
        count += text[i] == '\0';
    p = perms_new(count);
    if (!p)
        return -ENOMEM;
    s = text;
    for (uint32_t i = 0; i < count; i++) {
        if (perm_parse_one(s, &p->entry[i])) {
            perms_unref(p);
            return -EINVAL;
        }
        s += strlen(s) + 1;
    }
    *out = p;
    return 0;
}

size_t perms_format(const struct perms *p, char *text, size_t cap)
{
    size_t len = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        char one[16];
        int n = snprintf(one, sizeof(one), "%c%u", mode_letters[p->entry[i].mode & 3],
                         p->entry[i].domid);

        if (n < 0 || (size_t)n + 1 > cap - len)
            return 0;
        memcpy(text + len, one, (size_t)n + 1);
        len += (size_t)n + 1;
    }
    return len;
}

bool perms_mentions(const struct perms *p, uint16_t domid)
{
    for (uint32_t i = 1; i < p->count; i++)
        if (p->entry[i].domid == domid)
            return true;
    return false;
}

struct perms *perms_with_owner(struct perms *p, uint16_t domid)
{
    struct perms *copy;

    if (p->entry[0].domid == domid)
        return perms_ref(p);
    copy = perms_new(p->count);
    if (copy) {
        memcpy(copy->entry, p->entry, p->count * sizeof(p->entry[0]));
        copy->entry[0].domid = domid;
    }
    return copy;
}

struct perms *perms_without(const struct perms *p, uint16_t domid)
{
    struct perms *copy = perms_new(p->count);
    uint32_t kept = 1;

    if (!copy)
        return NULL;
    copy->entry[0] = p->entry[0];
    for (uint32_t i = 1; i < p->count; i++)
        if (p->entry[i].domid != domid)
            copy->entry[kept++] = p->entry[i];
    copy->count = kept;
    return copy;
}
