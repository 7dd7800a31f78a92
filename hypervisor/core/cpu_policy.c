/* SPDX-License-Identifier: MIT */
/*
 * See control.h. The ranges below are those that readers of the format know; a leaf beyond the
 * CPU's own maximum is left out.
 */
#include "control.h"

#include <tenue/pv.h>

#define BASIC_MAX 0xdu
#define EXTENDED 0x80000000u
#define EXTENDED_MAX 0x80000021u

struct writer {
    struct vcpu *v;
    guest_va leaves;
    uint32_t count, room;
};

static void query(const struct writer *w, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    if (w->v)
        pv_cpuid(w->v, leaf, subleaf, r);
    else
        hal_cpuid(leaf, subleaf, r);
}

static int put(struct writer *w, uint32_t leaf, uint32_t subleaf)
{
    uint32_t r[4];
    xen_cpuid_leaf_t entry;

    if (w->count == w->room)
        return -XEN_ENOBUFS;
    query(w, leaf, subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : subleaf, r);
    entry = (xen_cpuid_leaf_t){leaf, subleaf, r[0], r[1], r[2], r[3]};
    return guest_write_elem(w->leaves, w->count++, &entry, sizeof(entry));
}

/* Leaves with subleaves: how many the format has room for. */
static const uint8_t subleaves[BASIC_MAX + 1] = {
    [4] = 6,    /* caches */
    [7] = 3,    /* features */
    [0xb] = 2,  /* topology */
    [0xd] = 63, /* state components */
};

static int put_leaf(struct writer *w, uint32_t leaf)
{
    const uint32_t n = leaf <= BASIC_MAX ? subleaves[leaf] : 0;
    int rc = n ? 0 : put(w, leaf, XEN_CPUID_NO_SUBLEAF);

    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = put(w, leaf, i);
    return rc;
}

static int put_range(struct writer *w, uint32_t first, uint32_t most)
{
    uint32_t r[4], last;
    int rc = 0;

    query(w, first, 0, r);
    last = r[0] < first ? first : MIN(r[0], most);
    for (uint32_t leaf = first; leaf <= last && rc == 0; leaf++)
        rc = put_leaf(w, leaf);
    return rc;
}

int cpu_policy_write(struct vcpu *v, guest_va leaves, uint32_t *nr)
{
    struct writer w = {.v = v, .leaves = leaves, .room = *nr};
    int rc = put_range(&w, 0, BASIC_MAX);

    if (rc == 0)
        rc = put_range(&w, EXTENDED, EXTENDED_MAX);
    *nr = w.count;
    return rc;
}
