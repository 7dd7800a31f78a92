/* SPDX-License-Identifier: MIT */
/* The machine in Prometheus' text format: what `info` and `top` have in common. */
#include "verbs.h"

#include "parts.h"

#include <errno.h>
#include <string.h>

void prometheus_head(const char *name, const char *type, const char *help)
{
    printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(const char *name, const char *help, double value)
{
    prometheus_head(name, "gauge", help);
    printf("%s %.0f\n", name, value);
}

static double idle_of(const struct tenue_op_cpu *c)
{
    return (double)c->idle / 1e9;
}
static double wakeups_of(const struct tenue_op_cpu *c)
{
    return (double)c->halts;
}
static double guest_timers_of(const struct tenue_op_cpu *c)
{
    return (double)c->guest_timers;
}

static const struct {
    const char *name, *help;
    double (*of)(const struct tenue_op_cpu *c);
} cpu_metrics[] = {
    {"tenue_cpu_idle_seconds_total", "Time that a CPU had nothing to run.", idle_of},
    {"tenue_cpu_wakeups_total", "How often a CPU was woken out of its sleep.", wakeups_of},
    {"tenue_cpu_guest_timers_total", "Guests' deadlines that passed on a CPU.", guest_timers_of},
};

/* Only Tenue counts these. */
static int show_cpus(struct session *s, unsigned nr_cpus)
{
    for (size_t i = 0; i < sizeof(cpu_metrics) / sizeof(*cpu_metrics); i++) {
        for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
            struct tenue_op_cpu op = {.cpu = cpu};
            int rc = hv_cpu(s->hv, &op);

            if (rc == -ENOSYS)
                return 0;
            if (rc != 0)
                return diag_set(&s->d, "the hypervisor does not describe CPU %u: %s", cpu,
                                strerror(-rc));
            if (cpu == 0)
                prometheus_head(cpu_metrics[i].name, "counter", cpu_metrics[i].help);
            printf("%s{cpu=\"%u\"} %.9f\n", cpu_metrics[i].name, cpu, cpu_metrics[i].of(&op));
        }
    }
    return 0;
}

int machine_prometheus(struct session *s, const struct xen_sysctl_physinfo *m)
{
    gauge("tenue_cpus", "Physical CPUs.", m->nr_cpus);
    gauge("tenue_memory_bytes", "Memory that the hypervisor manages.",
          (double)m->total_pages * 4096.0);
    gauge("tenue_memory_free_bytes", "Of it, free.", (double)m->free_pages * 4096.0);
    return show_cpus(s, m->nr_cpus);
}
