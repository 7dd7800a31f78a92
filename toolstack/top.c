/* SPDX-License-Identifier: MIT */
/*
 * tenue top: domains with what they use, in xentop's columns, again and again; or once for scripts.
 *
 * Bytes of network devices are those of the backend's interface, seen from the guest; requests of
 * disks are our backends' (devmeter.h) or the kernel's (its files under /sys), else "-".
 */
#include "watch.h"

#include "devmeter.h"
#include "domain.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { DOMAINS_MAX = 1024, FIRST_STEP_MS = 200 };
#define DELAY_DEFAULT 3.0
#define UNKNOWN (-1LL)

struct usage_row {
    struct xen_domctl_getdomaininfo info;
    char *name;
    double percent;
    unsigned nets, vbds;
    long long tx, rx, rd, wr, rsect, wsect; /* bytes, requests, sectors; UNKNOWN */
};

struct usage_table {
    uint64_t clock;
    unsigned count;
    struct usage_row rows[DOMAINS_MAX];
    struct xen_sysctl_physinfo machine;
};

struct top_options {
    double delay;
    long iterations; /* 0: for ever */
    bool batch, json, prometheus;
};

/* --- collecting --- */

static long long number_in(const char *fmt, uint32_t domid, const char *device, const char *what)
{
    char path[160];
    long long n = UNKNOWN;

    snprintf(path, sizeof(path), fmt, domid, device, what);
    FILE *f = fopen(path, "r");

    if (!f)
        return UNKNOWN;
    if (fscanf(f, "%lld", &n) != 1 || n < 0)
        n = UNKNOWN;
    fclose(f);
    return n;
}

static void add_number(long long *sum, long long n)
{
    if (n != UNKNOWN)
        *sum = (*sum == UNKNOWN ? 0 : *sum) + n;
}

/* What the interface receives, the guest has sent. */
static void look_at_net(struct usage_row *row, const char *device)
{
    const char *stats = "/sys/class/net/vif%u.%s/statistics/%s";

    add_number(&row->tx, number_in(stats, row->info.domain, device, "rx_bytes"));
    add_number(&row->rx, number_in(stats, row->info.domain, device, "tx_bytes"));
}

static void look_at_disk(struct usage_row *row, const char *device)
{
    const char *stats = "/sys/bus/xen-backend/devices/vbd-%u-%s/statistics/%s";
    struct disk_sums sums;

    if (devmeter_disk_sums(row->info.domain, (unsigned)strtoul(device, NULL, 10), &sums)) {
        add_number(&row->rd, (long long)sums.reads);
        add_number(&row->wr, (long long)sums.writes);
        add_number(&row->rsect, (long long)(sums.read_bytes / 512));
        add_number(&row->wsect, (long long)(sums.written_bytes / 512));
        return;
    }
    add_number(&row->rd, number_in(stats, row->info.domain, device, "rd_req"));
    add_number(&row->wr, number_in(stats, row->info.domain, device, "wr_req"));
    add_number(&row->rsect, number_in(stats, row->info.domain, device, "rd_sect"));
    add_number(&row->wsect, number_in(stats, row->info.domain, device, "wr_sect"));
}

static unsigned each_device(struct session *s, struct usage_row *row, const char *cls,
                            void (*look)(struct usage_row *row, const char *device))
{
    unsigned n = 0;
    char **devices = store_list(&s->st, &n, "/local/domain/0/backend/%s/%u", cls, row->info.domain);

    for (unsigned i = 0; i < n; i++)
        look(row, devices[i]);
    free(devices);
    return n;
}

static void fill_row(struct session *s, struct usage_row *row)
{
    row->name = domain_name(&s->st, row->info.domain);
    row->tx = row->rx = row->rd = row->wr = row->rsect = row->wsect = UNKNOWN;
    row->nets = each_device(s, row, "vif", look_at_net);
    row->vbds = each_device(s, row, "vbd", look_at_disk);
}

static void forget(struct usage_table *t)
{
    for (unsigned i = 0; i < t->count; i++)
        free(t->rows[i].name);
    t->count = 0;
}

static int collect(struct session *s, struct usage_table *t)
{
    uint32_t first = 0;
    int rc;

    forget(t);
    t->clock = watch_clock();
    while (t->count < DOMAINS_MAX) {
        rc = hv_list(s->hv, first, &t->rows[t->count].info, 1);
        if (rc < 0)
            return diag_set(&s->d, "the hypervisor does not list domains: %s", strerror(-rc));
        if (rc == 0)
            break;
        fill_row(s, &t->rows[t->count]);
        first = t->rows[t->count++].info.domain + 1u;
    }
    rc = hv_physinfo(s->hv, &t->machine);
    return rc ? diag_set(&s->d, "the hypervisor does not describe the machine: %s", strerror(-rc))
              : 0;
}

/* The share of one CPU since the last look. */
static void compare(struct usage_table *now, const struct usage_table *before)
{
    for (unsigned i = 0; i < now->count; i++)
        for (unsigned k = 0; k < before->count; k++) {
            struct usage_row *n = &now->rows[i];
            const struct usage_row *b = &before->rows[k];

            if (n->info.domain == b->info.domain && now->clock > before->clock &&
                n->info.cpu_time > b->info.cpu_time)
                n->percent = 100.0 * (double)(n->info.cpu_time - b->info.cpu_time) /
                             (double)(now->clock - before->clock);
        }
}

/* --- showing --- */

static void print_unit(long long n, long long unit, int width)
{
    if (n == UNKNOWN)
        printf(" %*s", width, "-");
    else
        printf(" %*lld", width, n / unit);
}

static void print_row(const struct usage_table *t, const struct usage_row *row)
{
    const struct xen_domctl_getdomaininfo *info = &row->info;
    const double total = (double)t->machine.total_pages;
    char state[STATE_LETTERS + 1];

    state_letters(info->flags, state);
    printf("%10.20s %-6s %10.0f %6.1f %10llu %6.1f", row->name ? row->name : "(null)", state,
           (double)info->cpu_time / 1e9, row->percent, (unsigned long long)info->tot_pages * 4,
           100.0 * (double)info->tot_pages / total);
    if (info->max_pages > t->machine.total_pages)
        printf(" %10s %9s", "no limit", "n/a");
    else
        printf(" %10llu %9.1f", (unsigned long long)info->max_pages * 4,
               100.0 * (double)info->max_pages / total);
    printf(" %5u %4u", info->nr_online_vcpus, row->nets);
    print_unit(row->tx, 1024, 8);
    print_unit(row->rx, 1024, 8);
    printf(" %4u %8s", row->vbds, "-");
    print_unit(row->rd, 1, 8);
    print_unit(row->wr, 1, 8);
    print_unit(row->rsect, 1, 10);
    print_unit(row->wsect, 1, 10);
    printf(" %4u\n", info->ssidref);
}

static void print_table(const struct usage_table *t, bool batch)
{
    if (!batch) {
        printf("\033[H\033[2J%u domains, %u CPUs, memory: %llu MiB, %llu free; q quits\n", t->count,
               t->machine.nr_cpus, (unsigned long long)t->machine.total_pages >> 8,
               (unsigned long long)t->machine.free_pages >> 8);
        fputs("\033[7m", stdout);
    }
    printf("%10s %-6s %10s %6s %10s %6s %10s %9s %5s %4s %8s %8s %4s %8s %8s %8s %10s %10s %4s",
           "NAME", "STATE", "CPU(sec)", "CPU(%)", "MEM(k)", "MEM(%)", "MAXMEM(k)", "MAXMEM(%)",
           "VCPUS", "NETS", "NETTX(k)", "NETRX(k)", "VBDS", "VBD_OO", "VBD_RD", "VBD_WR",
           "VBD_RSECT", "VBD_WSECT", "SSID");
    puts(batch ? "" : "\033[0m");
    for (unsigned i = 0; i < t->count; i++)
        print_row(t, &t->rows[i]);
    fflush(stdout);
}

static void json_number(struct json *row, const char *key, long long n)
{
    if (n == UNKNOWN)
        json_add_null(row, key);
    else
        json_add_number(row, key, (double)n);
}

static void show_json(struct session *s, const struct usage_table *t)
{
    struct json *array = json_array();

    for (unsigned i = 0; i < t->count; i++) {
        const struct usage_row *r = &t->rows[i];
        char state[STATE_LETTERS + 1];
        struct json *row = json_object();

        state_letters(r->info.flags, state);
        json_add_string(row, "name", r->name ? r->name : "(null)");
        json_add_number(row, "domid", r->info.domain);
        json_add_string(row, "state", state);
        json_add_number(row, "cpu_seconds", (double)r->info.cpu_time / 1e9);
        json_add_number(row, "cpu_percent", r->percent);
        json_add_number(row, "memory_kib", (double)r->info.tot_pages * 4);
        json_add_number(row, "maxmem_kib", (double)r->info.max_pages * 4);
        json_add_number(row, "vcpus", r->info.nr_online_vcpus);
        json_add_number(row, "nets", r->nets);
        json_number(row, "net_tx_bytes", r->tx);
        json_number(row, "net_rx_bytes", r->rx);
        json_add_number(row, "vbds", r->vbds);
        json_number(row, "vbd_reads", r->rd);
        json_number(row, "vbd_writes", r->wr);
        json_number(row, "vbd_read_sectors", r->rsect);
        json_number(row, "vbd_written_sectors", r->wsect);
        json_add(row, "disks", devmeter_json(&devmeter_disks, &s->st, r->info.domain));
        json_add(row, "nics", devmeter_json(&devmeter_nics, &s->st, r->info.domain));
        json_append(array, row);
    }
    print_json(array);
}

/* --- Prometheus --- */

static double cpu_of(const struct usage_row *r)
{
    return (double)r->info.cpu_time / 1e9;
}
static double memory_of(const struct usage_row *r)
{
    return (double)r->info.tot_pages * 4096.0;
}
static double vcpus_of(const struct usage_row *r)
{
    return r->info.nr_online_vcpus;
}
static double tx_of(const struct usage_row *r)
{
    return (double)r->tx;
}
static double rx_of(const struct usage_row *r)
{
    return (double)r->rx;
}

static const struct metric {
    const char *name, *type, *help;
    double (*of)(const struct usage_row *r);
} metrics[] = {
    {"tenue_domain_cpu_seconds_total", "counter", "Time that vCPUs ran.", cpu_of},
    {"tenue_domain_memory_bytes", "gauge", "Memory in use.", memory_of},
    {"tenue_domain_vcpus", "gauge", "vCPUs online.", vcpus_of},
    {"tenue_domain_network_transmit_bytes_total", "counter", "Sent by the guest.", tx_of},
    {"tenue_domain_network_receive_bytes_total", "counter", "Received by the guest.", rx_of},
};

static void show_metric(const struct usage_table *t, const struct metric *m)
{
    prometheus_head(m->name, m->type, m->help);
    for (unsigned i = 0; i < t->count; i++) {
        const struct usage_row *r = &t->rows[i];

        if (m->of(r) < 0) /* unknown */
            continue;
        printf("%s{domain=\"", m->name);
        prometheus_label(r->name ? r->name : "(null)", stdout);
        printf("\",domid=\"%u\"} %.9g\n", r->info.domain, m->of(r));
    }
}

static void show_part_metric(struct session *s, const struct usage_table *t,
                             const struct part_names *names, enum part_metric metric)
{
    struct part_snapshot snapshot;

    parts_prometheus_head(metric, stdout);
    for (unsigned i = 0; i < t->count; i++) {
        const struct usage_row *r = &t->rows[i];

        for (unsigned v = 0; v <= r->info.max_vcpu_id; v++)
            if (watch_snapshot(s, r->info.domain, v, &snapshot) == 0)
                parts_prometheus(metric, r->name ? r->name : "(null)", r->info.domain, v, &snapshot,
                                 names, stdout);
    }
}

/* Only while accounts are kept (tenue cost --enable). */
static int show_parts(struct session *s, const struct usage_table *t)
{
    struct part_names names;

    if (!watch_is_on(s))
        return 0;
    if (watch_names(s, &names) != 0)
        return -1;
    for (enum part_metric metric = 0; metric < PART_METRICS; metric++)
        show_part_metric(s, t, &names, metric);
    return 0;
}

static int show_devices(const struct device_class *c, struct session *s,
                        const struct usage_table *t)
{
    struct device_table devices = {.cls = c};
    int rc = 0;

    for (unsigned i = 0; i < t->count && rc == 0; i++)
        rc = devmeter_add(&devices, &s->st, t->rows[i].name ? t->rows[i].name : "(null)",
                          t->rows[i].info.domain);
    if (rc == 0)
        devmeter_prometheus(&devices, stdout);
    else
        diag_set(&s->d, "out of memory");
    devmeter_free(&devices);
    return rc;
}

static int show_prometheus(struct session *s, const struct usage_table *t)
{
    if (machine_prometheus(s, &t->machine) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
        show_metric(t, &metrics[i]);
    if (show_devices(&devmeter_disks, s, t) != 0 || show_devices(&devmeter_nics, s, t) != 0)
        return -1;
    return show_parts(s, t);
}

/* --- the loop --- */

static struct termios terminal_before;

static void terminal_restore(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
}

static void terminal_keys(void)
{
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &terminal_before) != 0)
        return;
    t = terminal_before;
    t.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &t);
    atexit(terminal_restore);
}

/* False: it is over (q, ^C). */
static bool wait_for_next(const struct top_options *o)
{
    struct pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
    char c;

    if (o->batch || !isatty(STDIN_FILENO))
        return watch_sleep(o->delay);
    int n = poll(&key, 1, (int)(o->delay * 1000));

    if (n < 0 || (n > 0 && (read(STDIN_FILENO, &c, 1) != 1 || c == 'q' || c == 'Q')))
        return false;
    return watch_sleep(0.0);
}

static int run(struct session *s, const struct top_options *o, struct usage_table *t)
{
    struct usage_table *now = &t[0], *before = &t[1];
    int rc = collect(s, before);

    /* Counters say it all at once; a share needs two looks. */
    if (rc == 0 && o->prometheus)
        return show_prometheus(s, before);
    watch_sleep(FIRST_STEP_MS / 1000.0);
    for (long i = 0; rc == 0 && (o->iterations == 0 || i < o->iterations); i++) {
        struct usage_table *swap = before;

        if (i && !wait_for_next(o))
            break;
        rc = collect(s, now);
        compare(now, before);
        if (rc == 0 && o->json)
            show_json(s, now);
        else if (rc == 0)
            print_table(now, o->batch);
        before = now;
        now = swap;
    }
    return rc;
}

static int parse(int argc, char **argv, struct top_options *o)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'},
                                          {"prometheus", no_argument, NULL, 'p'},
                                          {"batch", no_argument, NULL, 'b'},
                                          {"iterations", required_argument, NULL, 'n'},
                                          {"delay", required_argument, NULL, 'd'},
                                          {"iterations", required_argument, NULL, 'i'},
                                          {0}};
    char none[] = "", *end = none;
    int opt;

    *o = (struct top_options){.delay = DELAY_DEFAULT};
    while ((opt = getopt_long(argc, argv, "bn:i:d:", longs, NULL)) != -1) {
        if (opt == 'b')
            o->batch = true;
        else if (opt == 'n' || opt == 'i')
            o->iterations = strtol(optarg, &end, 10);
        else if (opt == 'j')
            o->json = true;
        else if (opt == 'p')
            o->prometheus = true;
        else if (opt != 'd' || !watch_parse_seconds(optarg, &o->delay))
            return -1;
        if (*end || o->iterations < 0)
            return -1;
    }
    if (o->json && o->iterations == 0)
        o->iterations = 1;
    return optind == argc && !(o->json && o->prometheus) ? 0 : -1;
}

int verb_top(int argc, char **argv)
{
    struct top_options o;
    struct session s;

    if (parse(argc, argv, &o) != 0)
        return usage();
    int rc = session_open(&s, NEED_HV | MAY_STORE);
    if (rc)
        return rc;
    struct usage_table *t = calloc(2, sizeof(*t));

    if (!t)
        return session_close(&s, diag_set(&s.d, "out of memory"));
    watch_catch_signals();
    if (!o.batch && !o.json && !o.prometheus && isatty(STDIN_FILENO))
        terminal_keys();
    rc = run(&s, &o, t);
    forget(&t[0]);
    forget(&t[1]);
    free(t);
    return session_close(&s, rc);
}
