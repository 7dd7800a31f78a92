/* SPDX-License-Identifier: MIT */
/*
 * Where the time of a domain's vCPUs went between two looks at their accounts: arithmetic and
 * printing, without a hypervisor. The parts themselves are described in tenue_op.h.
 */
#ifndef TENUE_PARTS_H
#define TENUE_PARTS_H

#include "diag.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <tenue_op.h>

enum { PART_NAME_BYTES = 28, PARTS_VCPUS_MAX = 32 };

/* What the hypervisor calls its parts; an empty name has no meaning. */
struct part_names {
    char name[TENUE_PARTS][PART_NAME_BYTES];
};

/* A vCPU's account at one moment. */
struct part_snapshot {
    uint64_t now;   /* the hypervisor's clock, ns */
    uint64_t clock; /* ours, ns */
    uint64_t opened;
    struct tenue_part_time parts[TENUE_PARTS];
};

/* The same of a domain's vCPUs; those that are not there have now == 0. */
struct part_report {
    const char *name;
    uint32_t domid;
    unsigned nr_vcpus;
    struct {
        struct tenue_part_time parts[TENUE_PARTS];
        uint64_t sum, wall; /* ns: of the parts, by our clock */
    } vcpu[PARTS_VCPUS_MAX], all;
};

/* later - earlier; fails when a counter fell. */
int parts_add(struct part_report *r, const struct part_snapshot *earlier,
              const struct part_snapshot *later, struct diag *d) MUST_CHECK;

void parts_print(const struct part_report *r, const struct part_names *names, FILE *to);
struct json *parts_json(const struct part_report *r, const struct part_names *names);
/* Counters since the account was opened, in Prometheus' text format, which wants all samples of a
 * metric behind its head and together. */
enum part_metric { PART_SECONDS, PART_COUNTS, PART_METRICS };
void parts_prometheus_head(enum part_metric metric, FILE *to);
void parts_prometheus(enum part_metric metric, const char *domain, uint32_t domid, unsigned vcpu,
                      const struct part_snapshot *s, const struct part_names *names, FILE *to);
/* A label's value, with what the format wants escaped. */
void prometheus_label(const char *value, FILE *to);

#endif
