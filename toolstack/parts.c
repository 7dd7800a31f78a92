/* SPDX-License-Identifier: MIT */
/* Tables of where time went: see parts.h. */
#include "parts.h"
#include "json.h"

#include <string.h>

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static int difference(struct tenue_part_time *to, const struct tenue_part_time *earlier,
                      const struct tenue_part_time *later)
{
    if (later->ns < earlier->ns || later->count < earlier->count)
        return -1;
    to->ns = later->ns - earlier->ns;
    to->count = later->count - earlier->count;
    return 0;
}

int parts_add(struct part_report *r, const struct part_snapshot *earlier,
              const struct part_snapshot *later, struct diag *d)
{
    if (r->nr_vcpus == PARTS_VCPUS_MAX)
        return diag_set(d, "domain %u: more than %u vCPUs", r->domid, PARTS_VCPUS_MAX);
    unsigned v = r->nr_vcpus++;

    r->vcpu[v].sum = 0;
    r->vcpu[v].wall = later->clock - earlier->clock;
    r->all.wall += r->vcpu[v].wall;
    for (unsigned i = 0; i < TENUE_PARTS; i++) {
        struct tenue_part_time *part = &r->vcpu[v].parts[i];

        if (difference(part, &earlier->parts[i], &later->parts[i]) != 0)
            return diag_set(d, "domain %u vCPU %u: the counter of part %u fell", r->domid, v, i);
        r->vcpu[v].sum += part->ns;
        r->all.sum += part->ns;
        r->all.parts[i].ns += part->ns;
        r->all.parts[i].count += part->count;
    }
    return 0;
}

static double share(uint64_t ns, uint64_t of)
{
    return of ? 100.0 * (double)ns / (double)of : 0.0;
}

static void print_part(const struct part_report *r, const char *name,
                       const struct tenue_part_time *part, FILE *to)
{
    fprintf(to, "%-30s %12.6f %7.2f ", name, seconds(part->ns), share(part->ns, r->all.wall));
    if (part->count)
        fprintf(to, "%10llu %10llu\n", (unsigned long long)part->count,
                (unsigned long long)(part->ns / part->count));
    else
        fprintf(to, "%10s %10s\n", "-", "-");
}

/* The one with most time of those not yet printed; TENUE_PARTS when none is left. */
static unsigned largest(const struct part_report *r, const bool *done)
{
    unsigned best = TENUE_PARTS;

    for (unsigned i = 0; i < TENUE_PARTS; i++) {
        const struct tenue_part_time *p = &r->all.parts[i];

        if (!done[i] && (p->ns || p->count) &&
            (best == TENUE_PARTS || p->ns > r->all.parts[best].ns))
            best = i;
    }
    return best;
}

void parts_print(const struct part_report *r, const struct part_names *names, FILE *to)
{
    struct tenue_part_time in_hypervisor = {0};
    bool done[TENUE_PARTS] = {false};
    int64_t residue = (int64_t)(r->all.wall - r->all.sum);
    unsigned part;

    fprintf(to, "%s (%u): %u vCPU%s\n", r->name, r->domid, r->nr_vcpus,
            r->nr_vcpus == 1 ? "" : "s");
    fprintf(to, "%-30s %12s %7s %10s %10s\n", "part", "seconds", "%", "count", "ns each");
    for (part = 0; part < TENUE_PART_SWITCH; part++) {
        done[part] = true;
        if (r->all.parts[part].ns || r->all.parts[part].count)
            print_part(r, names->name[part], &r->all.parts[part], to);
    }
    while ((part = largest(r, done)) < TENUE_PARTS) {
        done[part] = true;
        in_hypervisor.ns += r->all.parts[part].ns;
        print_part(r, names->name[part][0] ? names->name[part] : "?", &r->all.parts[part], to);
    }
    print_part(r, "= in the hypervisor", &in_hypervisor, to);
    fprintf(to, "%-30s %12.6f %7.2f\n", "= sum", seconds(r->all.sum),
            share(r->all.sum, r->all.wall));
    fprintf(to, "%-30s %12.6f\n", "wall clock", seconds(r->all.wall));
    fprintf(to, "%-30s %12.6f %7.3f\n", "residue", (double)residue / 1e9,
            r->all.wall ? 100.0 * (double)residue / (double)r->all.wall : 0.0);
}

static struct json *json_parts(const struct tenue_part_time *parts, const struct part_names *names)
{
    struct json *object = json_object();

    for (unsigned i = 0; i < TENUE_PARTS; i++) {
        if (!parts[i].ns && !parts[i].count)
            continue;
        struct json *part = json_add_object(object, names->name[i][0] ? names->name[i] : "?");

        json_add_number(part, "ns", (double)parts[i].ns);
        json_add_number(part, "count", (double)parts[i].count);
    }
    return object;
}

struct json *parts_json(const struct part_report *r, const struct part_names *names)
{
    struct json *object = json_object(), *vcpus;

    json_add_string(object, "name", r->name);
    json_add_number(object, "domid", r->domid);
    json_add_number(object, "wall_ns", (double)r->all.wall);
    json_add_number(object, "sum_ns", (double)r->all.sum);
    json_add(object, "parts", json_parts(r->all.parts, names));
    vcpus = json_add_array(object, "vcpus");
    for (unsigned v = 0; v < r->nr_vcpus; v++) {
        struct json *row = json_object();

        json_add_number(row, "vcpu", v);
        json_add_number(row, "wall_ns", (double)r->vcpu[v].wall);
        json_add_number(row, "sum_ns", (double)r->vcpu[v].sum);
        json_add(row, "parts", json_parts(r->vcpu[v].parts, names));
        json_append(vcpus, row);
    }
    return object;
}

void prometheus_label(const char *value, FILE *to)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            fputc('\\', to);
        if (*value == '\n')
            fputs("\\n", to);
        else
            fputc(*value, to);
    }
}

static const struct {
    const char *name, *help;
} part_metrics[] = {
    [PART_SECONDS] = {"tenue_vcpu_part_seconds_total",
                      "Time of a vCPU by part; the parts sum to the wall clock."},
    [PART_COUNTS] = {"tenue_vcpu_part_count_total", "How often a vCPU left the part."},
};

void parts_prometheus_head(enum part_metric metric, FILE *to)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s counter\n", part_metrics[metric].name,
            part_metrics[metric].help, part_metrics[metric].name);
}

void parts_prometheus(enum part_metric metric, const char *domain, uint32_t domid, unsigned vcpu,
                      const struct part_snapshot *s, const struct part_names *names, FILE *to)
{
    for (unsigned i = 0; i < TENUE_PARTS; i++) {
        if (!s->parts[i].ns && !s->parts[i].count)
            continue;
        fprintf(to, "%s{domain=\"", part_metrics[metric].name);
        prometheus_label(domain, to);
        fprintf(to, "\",domid=\"%u\",vcpu=\"%u\",part=\"", domid, vcpu);
        prometheus_label(names->name[i], to);
        if (metric == PART_COUNTS)
            fprintf(to, "\"} %llu\n", (unsigned long long)s->parts[i].count);
        else
            fprintf(to, "\"} %.9f\n", seconds(s->parts[i].ns));
    }
}
