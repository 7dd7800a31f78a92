/* SPDX-License-Identifier: MIT */
/*
 * devmeter.c - devices' meters as JSON and as Prometheus' text: see devmeter.h.
 *
 * A latency histogram has four steps for each doubling. JSON has the buckets that are not empty;
 * Prometheus, which wants the same bounds in every sample, one bound for each doubling.
 */
#include "devmeter.h"

#include "parts.h"
#include "watch.h"
#include "json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct device_class {
    const char *cls;  /* in the store and of meters' files */
    const char *noun; /* a label, and in metrics' names */
    const char *unit; /* what is counted */
    unsigned ops;
    const char *op_names[METER_OPS];
};
const struct device_class devmeter_disks = {
    "vbd", "disk", "requests", METER_OPS, {"read", "write", "flush", "discard"}};
const struct device_class devmeter_nics = {"vif", "nic", "packets", 2, {"receive", "transmit"}};

bool devmeter_disk_sums(uint32_t domid, unsigned devid, struct disk_sums *to)
{
    struct meter m;

    *to = (struct disk_sums){0};
    if (!meter_read("vbd", domid, devid, &m))
        return false;
    for (unsigned i = 0; i < METER_QUEUES; i++) {
        to->reads += m.queue[i].latency[METER_READ].count;
        to->writes += m.queue[i].latency[METER_WRITE].count;
        to->read_bytes += m.queue[i].bytes[METER_READ];
        to->written_bytes += m.queue[i].bytes[METER_WRITE];
    }
    return true;
}

int devmeter_each(const struct device_class *c, struct store *st, uint32_t domid, device_fn *act,
                  void *arg)
{
    unsigned n = 0;
    int rc = 0;
    char **ids = store_list(st, &n, "/local/domain/0/backend/%s/%u", c->cls, domid);

    for (unsigned i = 0; i < n && rc == 0; i++) {
        struct device_name dev = {c->cls, domid, (unsigned)strtoul(ids[i], NULL, 10), ""};
        char *vdev = store_read(st, "/local/domain/0/backend/%s/%u/%s/dev", c->cls, domid, ids[i]);
        struct meter m;

        if (vdev)
            snprintf(dev.name, sizeof(dev.name), "%.39s", vdev);
        else
            snprintf(dev.name, sizeof(dev.name), "%s%u", c->cls, dev.devid);
        if (meter_read(c->cls, domid, dev.devid, &m))
            rc = act(&dev, &m, arg);
        free(vdev);
    }
    free(ids);
    return rc;
}

/* ---- JSON ---- */

static struct json *latency_json(const char *unit, const struct meter_latency *l, uint64_t bytes)
{
    struct json *o = json_object(), *buckets = json_add_array(o, "latency_ns");

    json_add_number(o, unit, (double)l->count);
    json_add_number(o, "bytes", (double)bytes);
    json_add_number(o, "sum_ns", (double)l->sum_ns);
    for (unsigned i = 0; i < METER_BUCKETS; i++) {
        struct json *b;

        if (!l->bucket[i])
            continue;
        b = json_object();
        if (i == METER_BUCKETS - 1)
            json_add_null(b, "below");
        else
            json_add_number(b, "below", (double)meter_bucket_end(i));
        json_add_number(b, unit, (double)l->bucket[i]);
        json_append(buckets, b);
    }
    return o;
}

static struct json *queue_json(const struct device_class *c, const struct meter_queue *q)
{
    struct json *o = json_object();

    for (unsigned op = 0; op < c->ops; op++)
        json_add(o, c->op_names[op], latency_json(c->unit, &q->latency[op], q->bytes[op]));
    json_add_number(o, "errors", (double)q->errors);
    json_add_number(o, "events", (double)q->events);
    json_add_number(o, "notifications", (double)q->notifications);
    json_add_number(o, "rounds", (double)q->rounds);
    return o;
}

struct json_list {
    const struct device_class *cls;
    struct json *array;
};

static void limit_json(struct json *to, const char *key, const struct limit *l)
{
    struct limit_rates r;
    char text[LIMIT_TEXT_MAX];

    limit_get(l, &r);
    limit_print(&r, text, sizeof(text));
    json_add_string(to, key, text);
}

static int device_json(const struct device_name *dev, const struct meter *m, void *arg)
{
    const struct json_list *list = arg;
    struct json *o = json_object(), *queues = json_add_array(o, "queues");

    json_add_number(o, "clock_ns", (double)watch_clock());
    json_add_string(o, list->cls == &devmeter_disks ? "vdev" : "vif", dev->name);
    limit_json(o, "limit", &m->limit);
    if (m->group[0])
        json_add_string(o, "limit_group", m->group);
    json_add_number(o, "throttled_requests", (double)m->throttled);
    json_add_number(o, "throttled_seconds", (double)m->throttled_ns / 1e9);
    if (list->cls == &devmeter_nics) {
        limit_json(o, "limit_in", &m->limit_in);
        json_add_number(o, "throttled_in_requests", (double)m->throttled_in);
        json_add_number(o, "throttled_in_seconds", (double)m->throttled_in_ns / 1e9);
    }
    for (unsigned i = 0; i < m->queues; i++)
        json_append(queues, queue_json(list->cls, &m->queue[i]));
    json_append(list->array, o);
    return 0;
}

struct json *devmeter_json(const struct device_class *c, struct store *st, uint32_t domid)
{
    struct json_list list = {c, json_array()};

    (void)!devmeter_each(c, st, domid, device_json, &list); /* device_json() does not fail */
    return list.array;
}

/* ---- Prometheus ---- */

enum kind { OF_OP, OF_QUEUE, OF_DEVICE, OF_HISTOGRAM };

static uint64_t requests_of(const struct meter_queue *q, unsigned op)
{
    return q->latency[op].count;
}
static uint64_t bytes_of(const struct meter_queue *q, unsigned op)
{
    return q->bytes[op];
}
static uint64_t errors_of(const struct meter_queue *q, unsigned op)
{
    (void)op;
    return q->errors;
}
static uint64_t events_of(const struct meter_queue *q, unsigned op)
{
    (void)op;
    return q->events;
}
static uint64_t notifications_of(const struct meter_queue *q, unsigned op)
{
    (void)op;
    return q->notifications;
}
static uint64_t rounds_of(const struct meter_queue *q, unsigned op)
{
    (void)op;
    return q->rounds;
}
static double throttled_of(const struct meter *m)
{
    return (double)(m->throttled + m->throttled_in);
}
static double throttled_seconds_of(const struct meter *m)
{
    return (double)(m->throttled_ns + m->throttled_in_ns) / 1e9;
}

/* Its name is tenue_NOUN_ + before + the unit if it counts such + after. */
static const struct metric {
    const char *before;
    bool counts_units;
    const char *after, *type, *help;
    enum kind kind;
    uint64_t (*of)(const struct meter_queue *q, unsigned op);
    double (*of_device)(const struct meter *m);
} metrics[] = {
    {"", true, "_total", "counter", "How many were done.", OF_OP, requests_of, NULL},
    {"bytes", false, "_total", "counter", "Bytes moved.", OF_OP, bytes_of, NULL},
    {"errors", false, "_total", "counter", "How many failed.", OF_QUEUE, errors_of, NULL},
    {"events", false, "_total", "counter", "Times that the guest rang.", OF_QUEUE, events_of, NULL},
    {"notifications", false, "_total", "counter", "Times that the guest was rung.", OF_QUEUE,
     notifications_of, NULL},
    {"rounds", false, "_total", "counter", "Times that some were taken.", OF_QUEUE, rounds_of,
     NULL},
    {"throttled_", true, "_total", "counter", "How many a limit made wait.", OF_DEVICE, NULL,
     throttled_of},
    {"throttled_seconds", false, "_total", "counter", "Time that a limit made some wait.",
     OF_DEVICE, NULL, throttled_seconds_of},
    {"latency_seconds", false, "", "histogram", "From taking one to its answer.", OF_HISTOGRAM,
     NULL, NULL},
};

static void put_name(const struct device_class *c, const struct metric *m, FILE *to)
{
    fprintf(to, "tenue_%s_%s%s%s", c->noun, m->before, m->counts_units ? c->unit : "", m->after);
}

struct device_row {
    char *domain;
    uint32_t domid;
    char name[40];
    struct meter meter;
};

struct sample {
    const struct device_class *cls;
    const struct metric *metric;
    const struct device_row *row;
    FILE *to;
};

/* NAME_suffix{domain="...",domid="N",disk="xvda" -- open for more labels. */
static void labels(const struct sample *s, const char *suffix)
{
    put_name(s->cls, s->metric, s->to);
    fprintf(s->to, "%s{domain=\"", suffix);
    prometheus_label(s->row->domain, s->to);
    fprintf(s->to, "\",domid=\"%u\",%s=\"", s->row->domid, s->cls->noun);
    prometheus_label(s->row->name, s->to);
    fputs("\"", s->to);
}

static void queue_labels(const struct sample *s, const char *suffix, unsigned queue, unsigned op,
                         bool with_op)
{
    labels(s, suffix);
    fprintf(s->to, ",queue=\"%u\"", queue);
    if (with_op)
        fprintf(s->to, ",op=\"%s\"", s->cls->op_names[op]);
}

/* The bounds are those at which a doubling is whole. */
static void histogram(const struct sample *s, unsigned queue, unsigned op,
                      const struct meter_latency *l)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < METER_BUCKETS - 1; i++) {
        sum += l->bucket[i];
        if (i % 4)
            continue;
        queue_labels(s, "_bucket", queue, op, true);
        fprintf(s->to, ",le=\"%.9g\"} %" PRIu64 "\n", (double)meter_bucket_end(i) / 1e9, sum);
    }
    sum += l->bucket[METER_BUCKETS - 1];
    queue_labels(s, "_bucket", queue, op, true);
    fprintf(s->to, ",le=\"+Inf\"} %" PRIu64 "\n", sum);
    queue_labels(s, "_sum", queue, op, true);
    fprintf(s->to, "} %.9f\n", (double)l->sum_ns / 1e9);
    queue_labels(s, "_count", queue, op, true);
    fprintf(s->to, "} %" PRIu64 "\n", sum);
}

static void queue_samples(const struct sample *s, unsigned queue)
{
    const struct meter_queue *q = &s->row->meter.queue[queue];
    unsigned ops = s->metric->kind == OF_QUEUE ? 1 : s->cls->ops;

    for (unsigned op = 0; op < ops; op++) {
        if (s->metric->kind == OF_HISTOGRAM) {
            histogram(s, queue, op, &q->latency[op]);
            continue;
        }
        queue_labels(s, "", queue, op, s->metric->kind == OF_OP);
        fprintf(s->to, "} %" PRIu64 "\n", s->metric->of(q, op));
    }
}

static void device_samples(const struct sample *s)
{
    const struct meter *m = &s->row->meter;

    if (s->metric->kind == OF_DEVICE) {
        labels(s, "");
        fprintf(s->to, "} %.9g\n", s->metric->of_device(m));
        return;
    }
    for (unsigned i = 0; i < m->queues; i++)
        queue_samples(s, i);
}

struct adding {
    struct device_table *table;
    const char *domain;
    uint32_t domid;
};

static int add_row(const struct device_name *dev, const struct meter *m, void *arg)
{
    const struct adding *a = arg;
    struct device_row *rows = realloc(a->table->rows, (a->table->nr + 1) * sizeof(*rows));
    struct device_row *row;

    if (!rows)
        return -1;
    a->table->rows = rows;
    row = &rows[a->table->nr];
    row->domain = strdup(a->domain);
    if (!row->domain)
        return -1;
    row->domid = a->domid;
    memcpy(row->name, dev->name, sizeof(row->name));
    row->meter = *m;
    a->table->nr++;
    return 0;
}

int devmeter_add(struct device_table *t, struct store *st, const char *domain, uint32_t domid)
{
    struct adding a = {.table = t, .domain = domain, .domid = domid};

    return devmeter_each(t->cls, st, domid, add_row, &a);
}

void devmeter_prometheus(const struct device_table *t, FILE *to)
{
    for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++) {
        const struct metric *m = &metrics[i];

        fputs("# HELP ", to);
        put_name(t->cls, m, to);
        fprintf(to, " %s\n# TYPE ", m->help);
        put_name(t->cls, m, to);
        fprintf(to, " %s\n", m->type);
        for (size_t k = 0; k < t->nr; k++)
            device_samples(&(struct sample){t->cls, m, &t->rows[k], to});
    }
}

void devmeter_free(struct device_table *t)
{
    while (t->nr)
        free(t->rows[--t->nr].domain);
    free(t->rows);
    t->rows = NULL;
}
