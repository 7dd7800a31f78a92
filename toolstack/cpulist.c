/* SPDX-License-Identifier: MIT */
/* See cpulist.h. */
#include "cpulist.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take_cpu(const char **p, unsigned *cpu)
{
    char *end;
    unsigned long v;

    if (**p < '0' || **p > '9')
        return false;
    v = strtoul(*p, &end, 10);
    if (v >= CPULIST_MAX)
        return false;
    *cpu = (unsigned)v;
    *p = end;
    return true;
}

/* N, N-M or all; the rest of the text stays in *p. */
static bool take_range(const char **p, uint64_t *mask)
{
    unsigned first, last;

    if (strncmp(*p, "all", 3) == 0) {
        *p += 3;
        *mask = ~0ull;
        return true;
    }
    if (!take_cpu(p, &first))
        return false;
    last = first;
    if (**p == '-') {
        ++*p;
        if (!take_cpu(p, &last) || last < first)
            return false;
    }
    *mask = ~0ull >> (63 - (last - first)) << first;
    return true;
}

int cpulist_parse(const char *text, uint64_t *mask, struct diag *d)
{
    const char *p = text;

    *mask = 0;
    for (;; p++) {
        uint64_t range = 0;

        p += strspn(p, " \t");
        const bool without = *p == '^';

        p += without;
        if (!take_range(&p, &range))
            return diag_set(d,
                            "\"%s\" is no list of CPUs; write it as 0-3,^2 or all (CPUs 0 to %d)",
                            text, CPULIST_MAX - 1);
        if (without)
            *mask &= ~range;
        else
            *mask |= range;
        p += strspn(p, " \t");
        if (*p != ',')
            break;
    }
    if (*p)
        return diag_set(d, "\"%s\" is no list of CPUs; write it as 0-3,^2 or all (CPUs 0 to %d)",
                        text, CPULIST_MAX - 1);
    if (*mask == 0)
        return diag_set(d, "\"%s\" leaves no CPU", text);
    return 0;
}

void cpulist_format(uint64_t mask, unsigned nr_cpus, char out[CPULIST_TEXT])
{
    const uint64_t have = nr_cpus >= CPULIST_MAX ? ~0ull : (1ull << nr_cpus) - 1;
    size_t at = 0;

    mask &= have;
    if (mask == have) {
        strcpy(out, "all");
        return;
    }
    out[0] = 0;
    for (unsigned first = 0; first < CPULIST_MAX; first++) {
        unsigned last = first;

        if (!(mask >> first & 1))
            continue;
        while (last + 1 < CPULIST_MAX && mask >> (last + 1) & 1)
            last++;
        at += (size_t)snprintf(out + at, CPULIST_TEXT - at, last > first ? "%s%u-%u" : "%s%u",
                               at ? "," : "", first, last);
        first = last;
    }
}

int cpulist_missing(uint64_t mask, unsigned nr_cpus)
{
    if (mask == ~0ull || nr_cpus >= CPULIST_MAX || !(mask >> nr_cpus))
        return -1;
    return (int)nr_cpus + __builtin_ctzll(mask >> nr_cpus);
}
