/* SPDX-License-Identifier: MIT */
/*
 * tenue cost: where the time of a domain's vCPUs goes. Two looks at their accounts, and between
 * them a while of waiting. What the parts sum to is compared with our own clock, not with the
 * hypervisor's: the residue is an honest one.
 */
#include "watch.h"

#include "domain.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_DEFAULT 3.0

struct cost_options {
    double seconds;
    bool json, prometheus, enable, disable;
};

static int parse(int argc, char **argv, struct cost_options *o)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'},       {"prometheus", no_argument, NULL, 'p'},
        {"enable", no_argument, NULL, 'e'},     {"disable", no_argument, NULL, 'd'},
        {"time", required_argument, NULL, 't'}, {0}};
    int opt;

    *o = (struct cost_options){.seconds = SECONDS_DEFAULT};
    while ((opt = getopt_long(argc, argv, "t:", longs, NULL)) != -1) {
        switch (opt) {
        case 't':
            if (!watch_parse_seconds(optarg, &o->seconds))
                return -1;
            break;
        case 'j':
            o->json = true;
            break;
        case 'p':
            o->prometheus = true;
            break;
        case 'e':
            o->enable = true;
            break;
        case 'd':
            o->disable = true;
            break;
        default:
            return -1;
        }
    }
    if (o->enable || o->disable)
        return o->enable != o->disable && argc == 2 ? 0 : -1;
    return argc == optind + 1 && !(o->json && o->prometheus) ? 0 : -1;
}

/* Every vCPU of the domain: how many, or -1. */
static int look(struct session *s, uint32_t domid, struct part_snapshot *snapshots)
{
    int rc = 0;
    unsigned n = 0;

    while (n < PARTS_VCPUS_MAX && (rc = watch_snapshot(s, domid, n, &snapshots[n])) == 0)
        n++;
    if (rc != 0 && rc != -ENOENT)
        return -1;
    return n ? (int)n : diag_set(&s->d, "domain %u is gone", domid);
}

static int report(struct session *s, const struct cost_options *o, struct part_report *r,
                  const struct part_snapshot *before, const struct part_snapshot *after, unsigned n)
{
    struct part_names names;

    if (watch_names(s, &names) != 0)
        return -1;
    for (unsigned v = 0; v < n; v++)
        if (parts_add(r, &before[v], &after[v], &s->d) != 0)
            return -1;
    if (o->json) {
        print_json(parts_json(r, &names));
    } else if (o->prometheus) {
        for (enum part_metric metric = 0; metric < PART_METRICS; metric++) {
            parts_prometheus_head(metric, stdout);
            for (unsigned v = 0; v < n; v++)
                parts_prometheus(metric, r->name, r->domid, v, &after[v], &names, stdout);
        }
    } else {
        parts_print(r, &names, stdout);
    }
    return 0;
}

static int measure(struct session *s, const struct cost_options *o, struct part_report *r)
{
    struct part_snapshot *before = calloc(2 * PARTS_VCPUS_MAX, sizeof(*before));
    struct part_snapshot *after = before + PARTS_VCPUS_MAX;
    int n, rc = -1;

    if (!before)
        return diag_set(&s->d, "out of memory");
    n = look(s, r->domid, before);
    if (n > 0) {
        watch_sleep(o->seconds);
        int m = look(s, r->domid, after);

        if (m > 0)
            rc = report(s, o, r, before, after, (unsigned)(m < n ? m : n));
    }
    free(before);
    return rc;
}

static int cost(struct session *s, const struct cost_options *o, uint32_t domid)
{
    struct part_report *r = calloc(1, sizeof(*r));
    char *name = domain_name(&s->st, domid);
    struct watch w;
    int rc = r ? watch_begin(&w, s, TENUE_WATCH_ACCOUNT, 0, 0) : diag_set(&s->d, "out of memory");

    if (rc == 0) {
        r->domid = domid;
        r->name = name ? name : "(null)";
        rc = measure(s, o, r);
        watch_end(&w, s);
    }
    free(name);
    free(r);
    return rc;
}

int verb_cost(int argc, char **argv)
{
    struct cost_options o;
    struct session s;
    uint32_t domid;
    int rc;

    if (parse(argc, argv, &o) != 0)
        return usage();
    watch_catch_signals();
    if (o.enable || o.disable) {
        rc = session_open(&s, NEED_HV);
        return rc ? rc : session_close(&s, watch_keep(&s, o.enable));
    }
    rc = session_open_domain(&s, NEED_HV | MAY_STORE, argv[optind], &domid);
    return rc ? rc : session_close(&s, cost(&s, &o, domid));
}
