/* SPDX-License-Identifier: MIT */
/*
 * Trace records become a file that Perfetto and chrome://tracing open: one track per CPU (which
 * vCPU it runs) and one per vCPU (the part it is in). Pure: records in, JSON out.
 */
#ifndef TENUE_TIMELINE_H
#define TENUE_TIMELINE_H

#include "parts.h"

#include <stddef.h>

/* Beyond the hypervisor's own events: records of this CPU were lost before the next one. */
enum { TIMELINE_LOST = 255 };

struct timeline {
    struct timeline_record {
        struct tenue_trace_record r;
        uint32_t cpu;
        uint32_t nr; /* order of arrival, so that sorting is stable */
    } * records;
    size_t count, room;
    uint64_t lost;
};

/* One more record, or `lost` of them missing before it; -1: out of memory. */
int timeline_add(struct timeline *t, uint32_t cpu, const struct tenue_trace_record *r,
                 uint64_t lost) MUST_CHECK;
void timeline_free(struct timeline *t);

/* For each vCPU traced, the account's own count over a stretch, so that a reader can compare. */
struct timeline_account {
    uint32_t domid;
    unsigned vcpu;
    uint64_t from, to, hypercalls;
};

struct timeline_extra {
    const char *(*domain_name)(void *arg, uint32_t domid);
    void *arg;
    const struct timeline_account *accounts;
    size_t nr_accounts;
};

/* Sorts t and writes it. */
void timeline_write(struct timeline *t, const struct part_names *names,
                    const struct timeline_extra *extra, FILE *to);

#endif
