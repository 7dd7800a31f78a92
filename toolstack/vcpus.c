/* SPDX-License-Identifier: MIT */
/*
 * Verbs about the CPU time of domains: sched (weights and caps), vcpu-list, vcpu-pin, vcpu-set.
 * Their words and columns are xl's.
 */
#include "verbs.h"

#include "cpulist.h"
#include "domain.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number from min to max. */
static int take_number(const char *text, const char *what, unsigned min, unsigned max, unsigned *to,
                       struct diag *d)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (end == text || *end || text[0] == '-' || v < min || v > max)
        return diag_set(d, "%s \"%s\" will not do; %u to %u are possible", what, text, min, max);
    *to = (unsigned)v;
    return 0;
}

static int refused(struct diag *d, const char *what, uint32_t domid, int rc)
{
    if (rc == -ESRCH)
        return diag_set(d, "domain %u is gone", domid);
    return diag_set(d, "the hypervisor refuses %s of domain %u: %s%s", what, domid,
                    hv_why_no_cpu(rc), rc == -EINVAL ? " (is it being destroyed?)" : "");
}

/* --- sched --- */

static int show_share(struct session *s, const struct xen_domctl_getdomaininfo *info,
                      const char *name, void *array)
{
    struct hv_share share;
    int rc = hv_get_share(s->hv, info->domain, &share);

    if (rc == -ESRCH || info->flags & XEN_DOMINF_dying)
        return 0;
    if (rc != 0)
        return refused(&s->d, "to tell the share", info->domain, rc);
    if (array) {
        struct json *row = json_object();

        json_add_string(row, "name", name);
        json_add_number(row, "domid", info->domain);
        json_add_number(row, "weight", share.weight);
        json_add_number(row, "cap", share.cap);
        json_append(array, row);
    } else {
        printf("%-33s %4u %6u %4u\n", name, info->domain, share.weight, share.cap);
    }
    return 0;
}

static int set_share(struct session *s, const char *domain, const char *weight, const char *cap)
{
    struct xen_domctl_getdomaininfo info;
    struct hv_share share;
    uint32_t domid;
    int rc;

    if (domain_find(s->hv, &s->st, domain, &domid, &s->d) != 0)
        return -1;
    rc = hv_get_share(s->hv, domid, &share);
    if (rc == 0)
        rc = hv_info(s->hv, domid, &info);
    if (rc != 0)
        return refused(&s->d, "to tell the share", domid, rc);
    if (weight && take_number(weight, "weight", 1, 65535, &share.weight, &s->d) != 0)
        return -1;
    if (cap && take_number(cap, "cap", 0, 100 * (info.max_vcpu_id + 1), &share.cap, &s->d) != 0)
        return -1;
    rc = hv_set_share(s->hv, domid, &share);
    return rc == 0 ? 0 : refused(&s->d, "the share", domid, rc);
}

static int show_all_shares(struct session *s, const char *domain, bool json)
{
    struct json *array = json ? json_array() : NULL;
    uint32_t id = hv_scheduler(s->hv);

    if (!hv_scheduler_shares(id)) {
        json_free(array);
        return diag_set(&s->d, "the hypervisor was started with a scheduler that has no weights and"
                               " caps; start it without sched=");
    }
    if (!json)
        printf("%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
    int rc = each_domain(s, domain, show_share, array);

    if (json && rc == 0)
        print_json(array);
    else
        json_free(array);
    return rc;
}

int verb_sched(int argc, char **argv)
{
    static const struct option longs[] = {{"domain", required_argument, NULL, 'd'},
                                          {"weight", required_argument, NULL, 'w'},
                                          {"cap", required_argument, NULL, 'c'},
                                          {"json", no_argument, NULL, 'j'},
                                          {0}};
    const char *domain = NULL, *weight = NULL, *cap = NULL;
    struct session s;
    bool json = false;
    int opt;

    while ((opt = getopt_long(argc, argv, "d:w:c:", longs, NULL)) != -1) {
        if (opt == 'd')
            domain = optarg;
        else if (opt == 'w')
            weight = optarg;
        else if (opt == 'c')
            cap = optarg;
        else if (opt == 'j')
            json = true;
        else
            return usage();
    }
    if (optind != argc || (!domain && (weight || cap)) || (json && (weight || cap)))
        return usage();
    int rc = session_open(&s, NEED_HV | MAY_STORE);

    if (rc)
        return rc;
    rc = weight || cap ? set_share(&s, domain, weight, cap) : show_all_shares(&s, domain, json);
    return session_close(&s, rc);
}

/* --- vcpu-list --- */

static void print_vcpu(const char *name, uint32_t domid, const struct xen_domctl_getvcpuinfo *v,
                       const char *hard, const char *soft)
{
    printf("%-32s %5u %5u ", name, domid, v->vcpu);
    if (v->online)
        printf("%5u %3c%c- ", v->cpu, v->running ? 'r' : '-', v->blocked ? 'b' : '-');
    else
        printf("%5c %3c%cp ", '-', '-', '-');
    printf("%9.1f  %s / %s\n", (double)v->cpu_time / 1e9, hard, soft);
}

static struct json *json_vcpu(const char *name, uint32_t domid,
                              const struct xen_domctl_getvcpuinfo *v, const char *hard,
                              const char *soft)
{
    struct json *row = json_object();

    json_add_string(row, "name", name);
    json_add_number(row, "domid", domid);
    json_add_number(row, "vcpu", v->vcpu);
    json_add_bool(row, "online", v->online);
    if (v->online)
        json_add_number(row, "cpu", v->cpu);
    json_add_string(row, "state",
                    !v->online   ? "paused"
                    : v->running ? "running"
                    : v->blocked ? "blocked"
                                 : "runnable");
    json_add_number(row, "cpu_seconds", (double)v->cpu_time / 1e9);
    json_add_string(row, "hard", hard);
    json_add_string(row, "soft", soft);
    return row;
}

static int show_vcpus(struct session *s, const struct xen_domctl_getdomaininfo *info,
                      const char *name, void *array)
{
    struct xen_sysctl_physinfo machine;
    int rc = hv_physinfo(s->hv, &machine);

    for (unsigned i = 0; rc == 0 && i <= info->max_vcpu_id; i++) {
        struct xen_domctl_getvcpuinfo v = {.vcpu = i};
        char hard[CPULIST_TEXT], soft[CPULIST_TEXT];
        uint64_t hard_mask = 0, soft_mask = 0;

        rc = hv_vcpu_info(s->hv, info->domain, &v);
        if (rc == 0 && !(info->flags & XEN_DOMINF_dying))
            rc = hv_get_affinity(s->hv, info->domain, i, &hard_mask, &soft_mask);
        if (rc == -ESRCH) /* gone meanwhile */
            return 0;
        if (rc != 0)
            break;
        cpulist_format(hard_mask, machine.nr_cpus, hard);
        cpulist_format(soft_mask, machine.nr_cpus, soft);
        if (array)
            json_append(array, json_vcpu(name, info->domain, &v, hard, soft));
        else
            print_vcpu(name, info->domain, &v, hard, soft);
    }
    return rc == 0 ? 0 : refused(&s->d, "to list the vCPUs", info->domain, rc);
}

int verb_vcpu_list(int argc, char **argv)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {0}};
    struct session s;
    bool json = false;
    int opt, rc = 0;

    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (opt != 'j')
            return usage();
        json = true;
    }
    rc = session_open(&s, NEED_HV | MAY_STORE);
    if (rc)
        return rc;
    struct json *array = json ? json_array() : NULL;

    if (!json)
        printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State", "Time(s)",
               "Affinity (Hard / Soft)");
    if (optind == argc)
        rc = each_domain(&s, NULL, show_vcpus, array);
    for (; optind < argc && rc == 0; optind++)
        rc = each_domain(&s, argv[optind], show_vcpus, array);
    if (json && rc == 0)
        print_json(array);
    else
        json_free(array);
    return session_close(&s, rc);
}

/* --- vcpu-pin --- */

/* "-" leaves that mask as it is. */
static int take_mask(struct session *s, const char *text, unsigned nr_cpus, uint64_t *mask)
{
    int missing;

    if (strcmp(text, "-") == 0)
        return 0;
    if (cpulist_parse(text, mask, &s->d) != 0)
        return -1;
    missing = cpulist_missing(*mask, nr_cpus);
    if (missing >= 0)
        return diag_set(&s->d, "there is no CPU %d; the machine has CPUs 0 to %u (tenue info)",
                        missing, nr_cpus - 1);
    return 0;
}

static int pin(struct session *s, uint32_t domid, char **argv, int argc)
{
    struct xen_domctl_getdomaininfo info;
    struct xen_sysctl_physinfo machine;
    uint64_t hard = 0, soft = 0;
    unsigned first = 0, last;
    int rc = hv_info(s->hv, domid, &info);

    if (rc == 0)
        rc = hv_physinfo(s->hv, &machine);
    if (rc != 0)
        return refused(&s->d, "to describe itself or the machine", domid, rc);
    last = info.max_vcpu_id;
    if (strcmp(argv[0], "all") != 0) {
        if (take_number(argv[0], "vCPU", 0, info.max_vcpu_id, &first, &s->d) != 0)
            return -1;
        last = first;
    }
    if (take_mask(s, argv[1], machine.nr_cpus, &hard) != 0 ||
        (argc > 2 && take_mask(s, argv[2], machine.nr_cpus, &soft) != 0))
        return -1;
    if (hard && soft && !(hard & soft))
        fprintf(stderr,
                "tenue: warning: none of the CPUs it would rather have is one it may run on:"
                " the second list has no effect\n");
    for (unsigned i = first; i <= last && rc == 0; i++)
        rc = hv_set_affinity(s->hv, domid, i, hard, soft);
    return rc == 0 ? 0 : refused(&s->d, "these CPUs for a vCPU", domid, rc);
}

int verb_vcpu_pin(int argc, char **argv)
{
    struct session s;
    uint32_t domid;

    if (getopt(argc, argv, "") != -1 || argc - optind < 3 || argc - optind > 4)
        return usage();
    int rc = session_open_domain(&s, NEED_HV | MAY_STORE, argv[optind], &domid);

    return rc ? rc : session_close(&s, pin(&s, domid, argv + optind + 1, argc - optind - 1));
}

/* --- vcpu-set --- */

/* The guest does it: its kernel watches these nodes and brings vCPUs up or down. */
static int set_vcpus(struct session *s, uint32_t domid, const char *text)
{
    struct xen_domctl_getdomaininfo info;
    unsigned n;
    int rc = hv_info(s->hv, domid, &info);

    if (rc != 0)
        return refused(&s->d, "to describe itself", domid, rc);
    if (info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
        return diag_set(&s->d, "domain %u is shutting down: its vCPUs stay as they are", domid);
    if (take_number(text, "number of vCPUs", 1, info.max_vcpu_id + 1, &n, &s->d) != 0)
        return diag_set(&s->d,
                        "domain %u can have 1 to %u vCPUs, not \"%s\"; maxvcpus= in its file"
                        " says how many",
                        domid, info.max_vcpu_id + 1, text);
    for (unsigned i = 0; i <= info.max_vcpu_id; i++) {
        char path[64];

        snprintf(path, sizeof(path), "/local/domain/%u/cpu/%u/availability", domid, i);
        if (!store_write(&s->st, path, i < n ? "online" : "offline"))
            return diag_errno(&s->d, "the store refuses the number of vCPUs");
    }
    return 0;
}

int verb_vcpu_set(int argc, char **argv)
{
    struct session s;
    uint32_t domid;

    if (getopt(argc, argv, "") != -1 || argc - optind != 2)
        return usage();
    int rc = session_open_domain(&s, NEED_BOTH, argv[optind], &domid);

    return rc ? rc : session_close(&s, set_vcpus(&s, domid, argv[optind + 1]));
}
