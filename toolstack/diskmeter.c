/* SPDX-License-Identifier: MIT */
/*
 * diskmeter.c - disks' meters as JSON and as Prometheus' text: see diskmeter.h.
 *
 * A latency histogram has four steps for each doubling. JSON has the buckets that are not empty;
 * Prometheus, which wants the same bounds in every sample, one bound for each doubling.
 */
#include "diskmeter.h"

#include "parts.h"
#include "watch.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool diskmeter_sums(uint32_t domid, unsigned devid, struct disk_sums *to)
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

/* Calls `act` with each disk of the domain that has a meter. */
static void each_disk(struct store *st, uint32_t domid,
                      void (*act)(const char *vdev, const struct meter *m, void *arg), void *arg)
{
    unsigned n = 0;
    char **ids = store_list(st, &n, "/local/domain/0/backend/vbd/%u", domid);

    for (unsigned i = 0; i < n; i++) {
        char *vdev = store_read(st, "/local/domain/0/backend/vbd/%u/%s/dev", domid, ids[i]);
        struct meter m;

        if (meter_read("vbd", domid, (unsigned)strtoul(ids[i], NULL, 10), &m))
            act(vdev ? vdev : ids[i], &m, arg);
        free(vdev);
    }
    free(ids);
}

/* ---- JSON ---- */

static cJSON *latency_json(const struct meter_latency *l, uint64_t bytes)
{
    cJSON *o = cJSON_CreateObject(), *buckets = cJSON_AddArrayToObject(o, "latency_ns");

    cJSON_AddNumberToObject(o, "requests", (double)l->count);
    cJSON_AddNumberToObject(o, "bytes", (double)bytes);
    cJSON_AddNumberToObject(o, "sum_ns", (double)l->sum_ns);
    for (unsigned i = 0; i < METER_BUCKETS; i++) {
        cJSON *b;

        if (!l->bucket[i])
            continue;
        b = cJSON_CreateObject();
        if (i == METER_BUCKETS - 1)
            cJSON_AddNullToObject(b, "below");
        else
            cJSON_AddNumberToObject(b, "below", (double)meter_bucket_end(i));
        cJSON_AddNumberToObject(b, "requests", (double)l->bucket[i]);
        cJSON_AddItemToArray(buckets, b);
    }
    return o;
}

static cJSON *queue_json(const struct meter_queue *q)
{
    cJSON *o = cJSON_CreateObject();

    for (unsigned op = 0; op < METER_OPS; op++)
        cJSON_AddItemToObject(o, meter_op_names[op], latency_json(&q->latency[op], q->bytes[op]));
    cJSON_AddNumberToObject(o, "errors", (double)q->errors);
    cJSON_AddNumberToObject(o, "events", (double)q->events);
    cJSON_AddNumberToObject(o, "notifications", (double)q->notifications);
    cJSON_AddNumberToObject(o, "rounds", (double)q->rounds);
    return o;
}

static void disk_json(const char *vdev, const struct meter *m, void *arg)
{
    cJSON *o = cJSON_CreateObject(), *queues = cJSON_AddArrayToObject(o, "queues");
    struct limit_rates r;
    char text[LIMIT_TEXT_MAX];

    limit_get(&m->limit, &r);
    limit_print(&r, text, sizeof(text));
    cJSON_AddNumberToObject(o, "clock_ns", (double)watch_clock());
    cJSON_AddStringToObject(o, "vdev", vdev);
    cJSON_AddStringToObject(o, "limit", text);
    if (m->group[0])
        cJSON_AddStringToObject(o, "limit_group", m->group);
    cJSON_AddNumberToObject(o, "throttled_requests", (double)m->throttled);
    cJSON_AddNumberToObject(o, "throttled_seconds", (double)m->throttled_ns / 1e9);
    for (unsigned i = 0; i < m->queues; i++)
        cJSON_AddItemToArray(queues, queue_json(&m->queue[i]));
    cJSON_AddItemToArray(arg, o);
}

struct cJSON *diskmeter_json(struct store *st, uint32_t domid)
{
    cJSON *array = cJSON_CreateArray();

    each_disk(st, domid, disk_json, array);
    return array;
}

/* ---- Prometheus ---- */

enum kind { OF_OP, OF_QUEUE, OF_DISK, OF_HISTOGRAM };

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
    return (double)m->throttled;
}
static double throttled_seconds_of(const struct meter *m)
{
    return (double)m->throttled_ns / 1e9;
}

static const struct metric {
    const char *name, *type, *help;
    enum kind kind;
    uint64_t (*of)(const struct meter_queue *q, unsigned op);
    double (*of_disk)(const struct meter *m);
} metrics[] = {
    {"tenue_disk_requests_total", "counter", "Requests answered.", OF_OP, requests_of, NULL},
    {"tenue_disk_bytes_total", "counter", "Bytes moved.", OF_OP, bytes_of, NULL},
    {"tenue_disk_errors_total", "counter", "Requests that failed.", OF_QUEUE, errors_of, NULL},
    {"tenue_disk_events_total", "counter", "Times that the guest rang.", OF_QUEUE, events_of, NULL},
    {"tenue_disk_notifications_total", "counter", "Times that the guest was rung.", OF_QUEUE,
     notifications_of, NULL},
    {"tenue_disk_rounds_total", "counter", "Times that requests were taken.", OF_QUEUE, rounds_of,
     NULL},
    {"tenue_disk_throttled_requests_total", "counter", "Requests that a limit made wait.", OF_DISK,
     NULL, throttled_of},
    {"tenue_disk_throttled_seconds_total", "counter", "Time that a limit made requests wait.",
     OF_DISK, NULL, throttled_seconds_of},
    {"tenue_disk_latency_seconds", "histogram", "From taking a request to its answer.",
     OF_HISTOGRAM, NULL, NULL},
};

struct disk_row {
    char *domain;
    uint32_t domid;
    char vdev[40];
    struct meter meter;
};

struct sample {
    const struct metric *metric;
    const struct disk_row *row;
    FILE *to;
};

/* NAME_suffix{domain="...",domid="N",disk="xvda" -- open for more labels. */
static void labels(const struct sample *s, const char *suffix)
{
    fprintf(s->to, "%s%s{domain=\"", s->metric->name, suffix);
    prometheus_label(s->row->domain, s->to);
    fprintf(s->to, "\",domid=\"%u\",disk=\"", s->row->domid);
    prometheus_label(s->row->vdev, s->to);
    fputs("\"", s->to);
}

static void queue_labels(const struct sample *s, const char *suffix, unsigned queue, unsigned op,
                         bool with_op)
{
    labels(s, suffix);
    fprintf(s->to, ",queue=\"%u\"", queue);
    if (with_op)
        fprintf(s->to, ",op=\"%s\"", meter_op_names[op]);
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
    unsigned ops = s->metric->kind == OF_QUEUE ? 1 : METER_OPS;

    for (unsigned op = 0; op < ops; op++) {
        if (s->metric->kind == OF_HISTOGRAM) {
            histogram(s, queue, op, &q->latency[op]);
            continue;
        }
        queue_labels(s, "", queue, op, s->metric->kind == OF_OP);
        fprintf(s->to, "} %" PRIu64 "\n", s->metric->of(q, op));
    }
}

static void disk_samples(const struct sample *s)
{
    const struct meter *m = &s->row->meter;

    if (s->metric->kind == OF_DISK) {
        labels(s, "");
        fprintf(s->to, "} %.9g\n", s->metric->of_disk(m));
        return;
    }
    for (unsigned i = 0; i < m->queues; i++)
        queue_samples(s, i);
}

struct adding {
    struct disk_table *table;
    const char *domain;
    uint32_t domid;
};

static void add_row(const char *vdev, const struct meter *m, void *arg)
{
    const struct adding *a = arg;
    struct disk_row *rows = realloc(a->table->rows, (a->table->nr + 1) * sizeof(*rows));
    struct disk_row *row;

    if (!rows)
        return;
    a->table->rows = rows;
    row = &rows[a->table->nr];
    row->domain = strdup(a->domain);
    if (!row->domain)
        return;
    row->domid = a->domid;
    snprintf(row->vdev, sizeof(row->vdev), "%s", vdev);
    row->meter = *m;
    a->table->nr++;
}

void diskmeter_add(struct disk_table *t, struct store *st, const char *domain, uint32_t domid)
{
    struct adding a = {.table = t, .domain = domain, .domid = domid};

    each_disk(st, domid, add_row, &a);
}

void diskmeter_prometheus(const struct disk_table *t, FILE *to)
{
    for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++) {
        const struct metric *m = &metrics[i];

        fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
        for (size_t k = 0; k < t->nr; k++)
            disk_samples(&(struct sample){.metric = m, .row = &t->rows[k], .to = to});
    }
}

void diskmeter_free(struct disk_table *t)
{
    while (t->nr)
        free(t->rows[--t->nr].domain);
    free(t->rows);
    t->rows = NULL;
}
