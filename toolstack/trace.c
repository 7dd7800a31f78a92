/* SPDX-License-Identifier: MIT */
/*
 * tenue trace: collects the trace rings while it waits, often enough that they do not overflow, and
 * writes what a viewer opens. The accounts' own counts of hypercalls go into the file, too.
 */
#include "watch.h"

#include "domain.h"
#include "timeline.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECORDS_DEFAULT = 65536, /* a megabyte for each CPU */
    ACCOUNTS_MAX = 256,
};
#define SECONDS_DEFAULT 1.0
#define SECONDS_BETWEEN 0.02

struct trace_options {
    const char *file, *domain;
    double seconds;
    uint32_t records;
};

struct tracing {
    struct session *s;
    struct watch watch;
    struct timeline timeline;
    uint64_t next[256];
    struct timeline_account accounts[ACCOUNTS_MAX];
    size_t nr_accounts;
    char *names[ACCOUNTS_MAX]; /* by account */
};

static int parse(int argc, char **argv, struct trace_options *o)
{
    int opt;

    *o = (struct trace_options){.seconds = SECONDS_DEFAULT, .records = RECORDS_DEFAULT};
    while ((opt = getopt(argc, argv, "o:t:r:")) != -1) {
        if (opt == 'o')
            o->file = optarg;
        else if (opt == 'r')
            o->records = (uint32_t)strtoul(optarg, NULL, 10);
        else if (opt != 't' || !watch_parse_seconds(optarg, &o->seconds))
            return -1;
    }
    if (!o->file || argc > optind + 1 || !o->records || o->records > TENUE_TRACE_RECORDS_MAX)
        return -1;
    o->domain = optind < argc ? argv[optind] : NULL;
    return 0;
}

static int add(struct tracing *t, uint32_t cpu, const struct tenue_trace_record *records, int n,
               uint64_t lost)
{
    for (int i = 0; i < n; i++) {
        if (timeline_add(&t->timeline, cpu, &records[i], lost) != 0)
            return diag_set(&t->s->d, "out of memory after %zu records", t->timeline.count);
        lost = 0;
    }
    t->timeline.lost += lost; /* with none behind them */
    return 0;
}

/* What there is by now, of all CPUs. While we read our own CPU goes on, so only so often. */
static int drain(struct tracing *t)
{
    struct tenue_trace_record records[TENUE_TRACE_READ_MAX];

    for (uint32_t cpu = 0; cpu < t->watch.cpus && cpu < 256; cpu++) {
        int n, rounds = 64;

        do {
            uint64_t lost = 0;

            n = hv_trace(t->s->hv, cpu, &t->next[cpu], &lost, records, TENUE_TRACE_READ_MAX);
            if (n == -ENODATA) /* this CPU has not noticed yet */
                n = 0;
            if (n < 0)
                return diag_set(&t->s->d, "the trace of CPU %u: %s", cpu, strerror(-n));
            if (add(t, cpu, records, n, lost) != 0)
                return -1;
        } while (n == TENUE_TRACE_READ_MAX && --rounds);
    }
    return 0;
}

static uint64_t hypercalls(const struct part_snapshot *snapshot)
{
    uint64_t sum = 0;

    for (unsigned i = TENUE_PART_HYPERCALL; i < TENUE_PARTS; i++)
        sum += snapshot->parts[i].count;
    return sum;
}

/* The accounts of what is traced, at its beginning and its end. */
static int accounts_of(struct tracing *t, uint32_t domid, bool end)
{
    struct part_snapshot snapshot;
    int rc = 0;

    for (unsigned v = 0; !end && t->nr_accounts < ACCOUNTS_MAX; v++) {
        rc = watch_snapshot(t->s, domid, v, &snapshot);
        if (rc != 0)
            break;
        t->names[t->nr_accounts] = domain_name(&t->s->st, domid);
        t->accounts[t->nr_accounts++] = (struct timeline_account){
            .domid = domid, .vcpu = v, .from = snapshot.now, .hypercalls = hypercalls(&snapshot)};
    }
    for (size_t i = 0; end && i < t->nr_accounts; i++) {
        struct timeline_account *a = &t->accounts[i];

        rc = watch_snapshot(t->s, a->domid, a->vcpu, &snapshot);
        if (rc == -ENOENT) /* gone: nothing to compare with */
            continue;
        if (rc != 0)
            break;
        a->to = snapshot.now;
        a->hypercalls = hypercalls(&snapshot) - a->hypercalls;
    }
    return rc == 0 || rc == -ENOENT ? 0 : -1;
}

static int all_accounts(struct tracing *t, uint32_t domid)
{
    struct xen_domctl_getdomaininfo info;

    if (domid != TENUE_TRACE_ALL)
        return accounts_of(t, domid, false);
    for (uint32_t next = 0; hv_list(t->s->hv, next, &info, 1) == 1; next = info.domain + 1u)
        if (accounts_of(t, info.domain, false) != 0)
            return -1;
    return 0;
}

static const char *name_of(void *arg, uint32_t domid)
{
    static char number[24];
    const struct tracing *t = arg;

    for (size_t i = 0; i < t->nr_accounts; i++)
        if (t->accounts[i].domid == domid && t->names[i])
            return t->names[i];
    snprintf(number, sizeof(number), "domain %u", domid);
    return number;
}

static int collect(struct tracing *t, uint32_t domid, double seconds)
{
    const uint64_t end = watch_clock() + (uint64_t)(seconds * 1e9);

    if (drain(t) != 0 || all_accounts(t, domid) != 0)
        return -1;
    while (watch_clock() < end && watch_sleep(SECONDS_BETWEEN))
        if (drain(t) != 0)
            return -1;
    if (accounts_of(t, domid, true) != 0)
        return -1;
    return drain(t);
}

static int write_file(struct tracing *t, const char *file)
{
    const struct timeline_extra extra = {name_of, t, t->accounts, t->nr_accounts};
    FILE *to = strcmp(file, "-") == 0 ? stdout : fopen(file, "w");
    struct part_names names;

    if (!to)
        return diag_errno(&t->s->d, "%s", file);
    int rc = watch_names(t->s, &names);

    if (rc == 0)
        timeline_write(&t->timeline, &names, &extra, to);
    if ((to == stdout ? fflush(to) : fclose(to)) != 0 && rc == 0)
        rc = diag_errno(&t->s->d, "%s", file);
    return rc;
}

static int trace(struct tracing *t, const struct trace_options *o, uint32_t domid)
{
    int rc =
        watch_begin(&t->watch, t->s, TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE, o->records, domid);

    if (rc != 0)
        return rc;
    rc = collect(t, domid, o->seconds);
    watch_end(&t->watch, t->s);
    if (rc == 0)
        rc = write_file(t, o->file);
    if (rc == 0)
        fprintf(stderr, "%zu records, %llu lost\n", t->timeline.count,
                (unsigned long long)t->timeline.lost);
    return rc;
}

int verb_trace(int argc, char **argv)
{
    struct trace_options o;
    struct session s;
    uint32_t domid = TENUE_TRACE_ALL;
    int rc;

    if (parse(argc, argv, &o) != 0)
        return usage();
    watch_catch_signals();
    rc = o.domain ? session_open_domain(&s, NEED_HV | MAY_STORE, o.domain, &domid)
                  : session_open(&s, NEED_HV | MAY_STORE);
    if (rc)
        return rc;
    struct tracing *t = calloc(1, sizeof(*t));

    if (t) {
        t->s = &s;
        rc = trace(t, &o, domid);
        for (size_t i = 0; i < t->nr_accounts; i++)
            free(t->names[i]);
        timeline_free(&t->timeline);
    } else {
        rc = diag_set(&s.d, "out of memory");
    }
    free(t);
    return session_close(&s, rc);
}
