/* SPDX-License-Identifier: MIT */
/* Verbs that look at domains and the machine: list, info, dmesg, domid, domname, uptime. */
#include "verbs.h"

#include "domain.h"
#include "parts.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <xen/sched.h>
#include <xen/version.h>

enum { LIST_STEP = 64 };

void state_letters(uint32_t flags, char out[STATE_LETTERS + 1])
{
    bool down = flags & XEN_DOMINF_shutdown;
    bool crashed = down && hv_shutdown_reason(flags) == SHUTDOWN_crash;

    snprintf(out, STATE_LETTERS + 1, "%c%c%c%c%c%c", flags & XEN_DOMINF_running ? 'r' : '-',
             flags & XEN_DOMINF_blocked ? 'b' : '-', flags & XEN_DOMINF_paused ? 'p' : '-',
             down ? 's' : '-', crashed ? 'c' : '-', flags & XEN_DOMINF_dying ? 'd' : '-');
}

static void print_row(const struct xen_domctl_getdomaininfo *info, const char *name)
{
    char state[STATE_LETTERS + 1];

    state_letters(info->flags, state);
    printf("%-40s %5u %5llu %5u     %s  %8.1f\n", name, info->domain,
           (unsigned long long)(info->tot_pages + info->outstanding_pages) >> 8,
           info->nr_online_vcpus, state, (double)info->cpu_time / 1e9);
}

static struct json *json_row(const struct xen_domctl_getdomaininfo *info, const char *name)
{
    char state[STATE_LETTERS + 1], uuid[DOMAIN_UUID_TEXT];
    struct json *row = json_object();

    state_letters(info->flags, state);
    domain_uuid_text(info->handle, uuid);
    json_add_string(row, "name", name);
    json_add_number(row, "domid", info->domain);
    json_add_string(row, "uuid", uuid);
    json_add_number(row, "memory_kib", (double)info->tot_pages * 4);
    json_add_number(row, "maxmem_kib", (double)info->max_pages * 4);
    json_add_number(row, "vcpus", info->nr_online_vcpus);
    json_add_number(row, "max_vcpus", info->max_vcpu_id + 1.0);
    json_add_string(row, "state", state);
    json_add_bool(row, "shutdown", info->flags & XEN_DOMINF_shutdown);
    json_add_number(row, "shutdown_reason",
                    info->flags & XEN_DOMINF_shutdown ? hv_shutdown_reason(info->flags) : -1.0);
    json_add_number(row, "cpu_seconds", (double)info->cpu_time / 1e9);
    return row;
}

int each_domain(struct session *s, const char *only, domain_fn *show, void *arg)
{
    struct xen_domctl_getdomaininfo infos[LIST_STEP];
    uint32_t first = 0, domid = 0;
    int n, rc = 0;

    if (only && domain_find(s->hv, &s->st, only, &domid, &s->d) != 0)
        return -1;
    if (only)
        first = domid;
    do {
        n = hv_list(s->hv, first, infos, only ? 1 : LIST_STEP);
        if (n < 0)
            return diag_set(&s->d, "the hypervisor does not list domains: %s", strerror(-n));
        for (int i = 0; i < n && rc == 0 && (!only || infos[i].domain == domid); i++) {
            char *name = domain_name(&s->st, infos[i].domain);

            rc = show(s, &infos[i], name ? name : "(null)", arg);
            free(name);
            first = infos[i].domain + 1u;
        }
    } while (!only && rc == 0 && n == LIST_STEP);
    return rc;
}

static int show_list(struct session *s, const struct xen_domctl_getdomaininfo *info,
                     const char *name, void *arg)
{
    (void)s;
    if (arg)
        json_append(arg, json_row(info, name));
    else
        print_row(info, name);
    return 0;
}

/* Takes [--json] and what the verb allows besides; -1 for wrong usage. */
static int json_option(int argc, char **argv, const char *letters, int max_words)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'}, {"long", no_argument, NULL, 'l'}, {0}};
    bool json = false;
    int opt;

    while ((opt = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (opt == 'j' || (opt == 'l' && strchr(letters, 'l')))
            json = true;
        else
            return -1;
    }
    return argc - optind > max_words ? -1 : json;
}

int verb_list(int argc, char **argv)
{
    struct session s;
    int json = json_option(argc, argv, "l", 1);

    if (json < 0)
        return usage();
    int rc = session_open(&s, NEED_HV | MAY_STORE);
    if (rc)
        return rc;
    struct json *array = json ? json_array() : NULL;

    if (!json)
        printf("Name                                        ID   Mem VCPUs\tState\tTime(s)\n");
    rc = each_domain(&s, optind < argc ? argv[optind] : NULL, show_list, array);
    if (json && rc == 0)
        print_json(array);
    else
        json_free(array);
    return session_close(&s, rc);
}

/* Seconds since the domain was made; negative if nobody wrote that down. */
static long long domain_age(struct session *s, uint32_t domid)
{
    long long age = -1;

    if (domid == 0) {
        struct timespec up;

        clock_gettime(CLOCK_BOOTTIME, &up);
        return up.tv_sec;
    }
    char *vm = store_read(&s->st, "/local/domain/%u/vm", domid);
    char *start = vm ? store_read(&s->st, "%s/start_time", vm) : NULL;

    if (start)
        age = (long long)time(NULL) - strtoll(start, NULL, 10);
    free(start);
    free(vm);
    return age < 0 ? -1 : age;
}

static int show_uptime(struct session *s, const struct xen_domctl_getdomaininfo *info,
                       const char *name, void *arg)
{
    long long age = domain_age(s, info->domain);

    if (arg) {
        struct json *row = json_object();

        json_add_string(row, "name", name);
        json_add_number(row, "domid", info->domain);
        json_add_number(row, "uptime_seconds", (double)age);
        json_append(arg, row);
    } else if (age < 0) {
        printf("%-33s %4u unknown\n", name, info->domain);
    } else if (age >= 86400) {
        printf("%-33s %4u %lld days, %2lld:%02lld:%02lld\n", name, info->domain, age / 86400,
               age / 3600 % 24, age / 60 % 60, age % 60);
    } else {
        printf("%-33s %4u %2lld:%02lld:%02lld\n", name, info->domain, age / 3600, age / 60 % 60,
               age % 60);
    }
    return 0;
}

int verb_uptime(int argc, char **argv)
{
    struct session s;
    int json = json_option(argc, argv, "", 1);

    if (json < 0)
        return usage();
    int rc = session_open(&s, NEED_BOTH);
    if (rc)
        return rc;
    struct json *array = json ? json_array() : NULL;

    if (!json)
        printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
    rc = each_domain(&s, optind < argc ? argv[optind] : NULL, show_uptime, array);
    if (json && rc == 0)
        print_json(array);
    else
        json_free(array);
    return session_close(&s, rc);
}

int verb_domid(int argc, char **argv)
{
    struct session s;
    uint32_t domid;
    int rc = session_open_argument(&s, argc, argv, &domid);

    if (rc)
        return rc;
    printf("%u\n", domid);
    return session_close(&s, 0);
}

int verb_domname(int argc, char **argv)
{
    struct session s;
    uint32_t domid;
    int rc = session_open_argument(&s, argc, argv, &domid);

    if (rc)
        return rc;
    char *name = domain_name(&s.st, domid);
    if (name)
        puts(name);
    else
        rc = diag_set(&s.d, "domain %u has no name", domid);
    free(name);
    return session_close(&s, rc);
}

int verb_dmesg(int argc, char **argv)
{
    struct session s;
    char buf[16384];
    uint32_t index = 0;
    bool clear = argc == 2 && strcmp(argv[1], "-c") == 0;
    int n;

    if (argc > 2 || (argc == 2 && !clear))
        return usage();
    int rc = session_open(&s, NEED_HV);
    if (rc)
        return rc;
    while ((n = hv_console(s.hv, buf, sizeof(buf), clear, &index)) > 0)
        fwrite(buf, 1, (size_t)n, stdout);
    if (n < 0)
        rc = diag_set(&s.d, "the hypervisor does not give its messages: %s", strerror(-n));
    return session_close(&s, rc);
}

/* One line of info: as xl prints it, or a JSON member. */
static void say(struct json *json, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct json *json, const char *key, const char *fmt, ...)
{
    char value[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    value[strcspn(value, "\n")] = 0;
    if (json)
        json_add_string(json, key, value);
    else
        printf("%-23s: %s\n", key, value);
}

static void say_number(struct json *json, const char *key, unsigned long long value)
{
    if (json)
        json_add_number(json, key, (double)value);
    else
        printf("%-23s: %llu\n", key, value);
}

static void say_machine(struct json *json, const struct xen_sysctl_physinfo *info)
{
    struct utsname host;
    char caps[80] = "";

    if (uname(&host) == 0) {
        say(json, "host", "%s", host.nodename);
        say(json, "release", "%s", host.release);
        say(json, "version", "%s", host.version);
        say(json, "machine", "%s", host.machine);
    }
    for (size_t i = 0; i < 8; i++)
        snprintf(caps + strlen(caps), sizeof(caps) - strlen(caps), "%s%08x", i ? ":" : "",
                 info->hw_cap[i]);
    say_number(json, "nr_cpus", info->nr_cpus);
    say_number(json, "max_cpu_id", info->max_cpu_id);
    say_number(json, "nr_nodes", info->nr_nodes);
    say_number(json, "cores_per_socket", info->cores_per_socket);
    say_number(json, "threads_per_core", info->threads_per_core);
    say(json, "cpu_mhz", "%u.%03u", info->cpu_khz / 1000, info->cpu_khz % 1000);
    say(json, "hw_caps", "%s", caps);
    say(json, "virt_caps", "%s", info->capabilities & XEN_SYSCTL_PHYSCAP_pv ? "pv" : "");
    say_number(json, "total_memory", info->total_pages >> 8);
    say_number(json, "free_memory", info->free_pages >> 8);
    say_number(json, "free_memory_bytes", info->free_pages << 12);
}

static void say_hypervisor(struct session *s, struct json *json)
{
    xen_extraversion_t extra = "";
    xen_capabilities_info_t caps = "";
    xen_changeset_info_t changeset = "";
    xen_commandline_t line = "";
    struct xen_compile_info compile = {0};
    int v = hv_version(s->hv, XENVER_version, NULL, 0);
    bool ok = v >= 0 && hv_version(s->hv, XENVER_extraversion, &extra, sizeof(extra)) >= 0;

    extra[sizeof(extra) - 1] = 0;
    say_number(json, "xen_major", (unsigned)v >> 16);
    say_number(json, "xen_minor", (unsigned)v & 0xffff);
    say(json, "xen_extra", "%s", extra);
    say(json, "xen_version", "%u.%u%s", (unsigned)v >> 16, (unsigned)v & 0xffff, extra);
    if (ok && hv_version(s->hv, XENVER_capabilities, &caps, sizeof(caps)) >= 0)
        say(json, "xen_caps", "%.*s", (int)sizeof(caps), caps);
    say_number(json, "xen_pagesize", 4096);
    if (ok && hv_version(s->hv, XENVER_changeset, &changeset, sizeof(changeset)) >= 0)
        say(json, "xen_changeset", "%.*s", (int)sizeof(changeset), changeset);
    if (ok && hv_version(s->hv, XENVER_commandline, &line, sizeof(line)) >= 0)
        say(json, "xen_commandline", "%.*s", (int)sizeof(line), line);
    if (ok && hv_version(s->hv, XENVER_compile_info, &compile, sizeof(compile)) >= 0) {
        say(json, "cc_compiler", "%.*s", (int)sizeof(compile.compiler), compile.compiler);
        say(json, "cc_compile_date", "%.*s", (int)sizeof(compile.compile_date),
            compile.compile_date);
    }
}

/* What does not change is a label of a metric whose value means nothing. */
static int info_prometheus(struct session *s, const struct xen_sysctl_physinfo *info)
{
    xen_extraversion_t extra = "";
    int v = hv_version(s->hv, XENVER_version, NULL, 0);

    if (v < 0 || hv_version(s->hv, XENVER_extraversion, &extra, sizeof(extra)) < 0)
        return diag_set(&s->d, "the hypervisor does not tell its version");
    extra[sizeof(extra) - 1] = 0;
    prometheus_head("tenue_info", "gauge", "The hypervisor's version; always 1.");
    printf("tenue_info{version=\"%u.%u", (unsigned)v >> 16, (unsigned)v & 0xffff);
    prometheus_label(extra, stdout);
    printf("\"} 1\n");
    prometheus_head("tenue_cpu_hertz", "gauge", "The clock rate of the CPUs' time stamp counters.");
    printf("tenue_cpu_hertz %llu\n", info->cpu_khz * 1000ull);
    return machine_prometheus(s, info);
}

static void show_info(struct session *s, const struct xen_sysctl_physinfo *info, bool json)
{
    struct json *object = json ? json_object() : NULL;

    say_machine(object, info);
    say_hypervisor(s, object);
    if (object)
        print_json(object);
}

int verb_info(int argc, char **argv)
{
    struct xen_sysctl_physinfo info;
    struct session s;
    bool prometheus = argc == 2 && strcmp(argv[1], "--prometheus") == 0;
    int json = prometheus ? 0 : json_option(argc, argv, "", 0);

    if (json < 0)
        return usage();
    int rc = session_open(&s, NEED_HV);
    if (rc)
        return rc;
    rc = hv_physinfo(s.hv, &info);
    if (rc != 0)
        diag_set(&s.d, "the hypervisor does not describe the machine: %s", strerror(-rc));
    else if (prometheus)
        rc = info_prometheus(&s, &info);
    else
        show_info(&s, &info, json);
    return session_close(&s, rc);
}
