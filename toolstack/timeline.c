/* SPDX-License-Identifier: MIT */
/*
 * Chrome's trace format: see timeline.h. Begin ("B") and end ("E") events of a track nest and
 * always match: what is open at the end, or where records were lost, is closed there.
 *
 * Processes of the file: 1 is the machine, its threads the CPUs; 1000 + N is domain N, its threads
 * the vCPUs. Times are microseconds of the hypervisor's clock, to the nanosecond.
 */
#include "timeline.h"

#include "abinames.h"

#include <stdlib.h>
#include <string.h>

#define NOTHING UINT32_MAX

enum { PID_CPUS = 1, PID_DOMAINS = 1000 };

int timeline_add(struct timeline *t, uint32_t cpu, const struct tenue_trace_record *r,
                 uint64_t lost)
{
    size_t need = t->count + 1 + (lost != 0);

    if (need > t->room) {
        size_t room = t->room ? 2 * t->room : 4096;
        struct timeline_record *more = realloc(t->records, room * sizeof(*more));

        if (!more)
            return -1;
        t->records = more;
        t->room = room;
    }
    t->lost += lost;
    if (lost) {
        struct tenue_trace_record mark = {.ns = r->ns, .domid = 0xffff, .event = TIMELINE_LOST};

        mark.arg = lost > UINT32_MAX ? UINT32_MAX : (uint32_t)lost;
        t->records[t->count] = (struct timeline_record){mark, cpu, (uint32_t)t->count};
        t->count++;
    }
    t->records[t->count] = (struct timeline_record){*r, cpu, (uint32_t)t->count};
    t->count++;
    return 0;
}

void timeline_free(struct timeline *t)
{
    free(t->records);
    memset(t, 0, sizeof(*t));
}

static int by_time(const void *a, const void *b)
{
    const struct timeline_record *x = a, *y = b;

    if (x->r.ns != y->r.ns)
        return x->r.ns < y->r.ns ? -1 : 1;
    return x->nr < y->nr ? -1 : x->nr > y->nr;
}

/* --- output --- */

struct out {
    FILE *to;
    const struct part_names *names;
    bool comma;
};

static void json_text(FILE *to, const char *s)
{
    fputc('"', to);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < 0x20)
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

static void event_begin(struct out *o, char kind, unsigned pid, unsigned tid, uint64_t ns)
{
    fprintf(o->to, "%s{\"ph\":\"%c\",\"pid\":%u,\"tid\":%u,\"ts\":%llu.%03u", o->comma ? ",\n" : "",
            kind, pid, tid, (unsigned long long)(ns / 1000), (unsigned)(ns % 1000));
    o->comma = true;
}

static void put_begin(struct out *o, unsigned pid, unsigned tid, uint64_t ns, const char *name)
{
    event_begin(o, 'B', pid, tid, ns);
    fputs(",\"name\":", o->to);
    json_text(o->to, name);
    fputs("}", o->to);
}

static void put_end(struct out *o, unsigned pid, unsigned tid, uint64_t ns)
{
    event_begin(o, 'E', pid, tid, ns);
    fputs("}", o->to);
}

static void put_instant(struct out *o, unsigned pid, unsigned tid, uint64_t ns, const char *what,
                        uint32_t n)
{
    event_begin(o, 'i', pid, tid, ns);
    fprintf(o->to, ",\"s\":\"t\",\"name\":\"%s %u\"}", what, n);
}

static void put_name(struct out *o, const char *what, unsigned pid, unsigned tid, const char *name)
{
    fprintf(o->to, "%s{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"%s\",\"args\":{\"name\":",
            o->comma ? ",\n" : "", pid, tid, what);
    json_text(o->to, name);
    fputs("}}", o->to);
    o->comma = true;
}

/* --- a vCPU's track --- */

struct track {
    struct out *out;
    unsigned pid, tid;
    unsigned outer, inner; /* open parts; inner only within a multicall */
    uint64_t last;
};

static void track_close(struct track *k, uint64_t ns)
{
    if (k->inner != NOTHING)
        put_end(k->out, k->pid, k->tid, ns);
    if (k->outer != NOTHING)
        put_end(k->out, k->pid, k->tid, ns);
    k->inner = k->outer = NOTHING;
}

static const char *part_name(const struct out *o, unsigned part)
{
    return part < TENUE_PARTS && o->names->name[part][0] ? o->names->name[part] : "?";
}

/* The operation that a hypercall's first argument names; NULL: it names none, or one we do not
 * know. */
static const char *operation_name(unsigned part, unsigned first)
{
    for (size_t i = 0; i < sizeof(abi_names) / sizeof(abi_names[0]); i++)
        if (abi_names[i].call + TENUE_PART_HYPERCALL == part && abi_names[i].operation == first)
            return abi_names[i].name;
    return NULL;
}

/* name: the part's own, or what it turned out to be. */
static void track_part(struct track *k, const struct tenue_trace_record *r, unsigned name)
{
    const unsigned multicall = TENUE_PART_HYPERCALL + 13, part = TENUE_TRACE_ARG_PART(r->arg);
    const char *operation = name == part ? operation_name(part, TENUE_TRACE_ARG_FIRST(r->arg))
                                         : NULL;
    char text[80];

    if (k->outer == multicall && k->inner == NOTHING && part >= TENUE_PART_HYPERCALL) {
        k->inner = part;
    } else {
        track_close(k, r->ns);
        k->outer = part;
    }
    snprintf(text, sizeof(text), "%s%s%s", part_name(k->out, name), operation ? " " : "",
             operation ? operation : "");
    put_begin(k->out, k->pid, k->tid, r->ns, text);
}

static void track_record(struct track *k, const struct tenue_trace_record *r,
                         const struct tenue_trace_record *next)
{
    bool renamed = next && next->event == TENUE_TRACE_RENAME;

    switch (r->event) {
    case TENUE_TRACE_PART:
        track_part(k, r, renamed ? next->arg : TENUE_TRACE_ARG_PART(r->arg));
        break;
    case TENUE_TRACE_BACK:
        if (k->inner != NOTHING)
            put_end(k->out, k->pid, k->tid, r->ns);
        k->inner = NOTHING;
        break;
    case TENUE_TRACE_SEND:
        put_instant(k->out, k->pid, k->tid, r->ns, "send to port", r->arg);
        break;
    case TIMELINE_LOST:
        track_close(k, k->last);
        break;
    }
    k->last = r->ns;
}

static bool concerns(const struct timeline_record *x, uint32_t domid, unsigned vcpu)
{
    return x->r.event == TIMELINE_LOST || (x->r.domid == domid && x->r.vcpu == vcpu);
}

static const struct tenue_trace_record *next_of(const struct timeline *t, size_t i, uint32_t domid,
                                                unsigned vcpu)
{
    while (++i < t->count)
        if (concerns(&t->records[i], domid, vcpu))
            return &t->records[i].r;
    return NULL;
}

static void write_vcpu(struct out *o, const struct timeline *t, uint32_t domid, unsigned vcpu,
                       uint64_t end)
{
    struct track k = {o, PID_DOMAINS + domid, vcpu, NOTHING, NOTHING, 0};
    char name[24];

    snprintf(name, sizeof(name), "vCPU %u", vcpu);
    put_name(o, "thread_name", k.pid, k.tid, name);
    for (size_t i = 0; i < t->count; i++) {
        const struct timeline_record *x = &t->records[i];

        if (concerns(x, domid, vcpu))
            track_record(&k, &x->r, next_of(t, i, domid, vcpu));
    }
    track_close(&k, end);
}

/* --- a CPU's track: who runs --- */

static bool stops(unsigned part)
{
    return part == TENUE_PART_WAITING || part == TENUE_PART_BLOCKED || part == TENUE_PART_OFFLINE;
}

static void write_cpu(struct out *o, const struct timeline *t, const struct timeline_extra *extra,
                      uint32_t cpu, uint64_t end)
{
    uint32_t running = UINT32_MAX; /* domid << 8 | vcpu */
    uint64_t last = 0;
    char name[120];

    snprintf(name, sizeof(name), "CPU %u", cpu);
    put_name(o, "thread_name", PID_CPUS, cpu, name);
    for (size_t i = 0; i < t->count; i++) {
        const struct timeline_record *x = &t->records[i];
        const uint32_t who = (uint32_t)x->r.domid << 8 | x->r.vcpu;

        if (x->cpu != cpu)
            continue;
        if (x->r.event == TIMELINE_LOST) {
            if (running != UINT32_MAX)
                put_end(o, PID_CPUS, cpu, last);
            running = UINT32_MAX;
            put_instant(o, PID_CPUS, cpu, x->r.ns, "records lost:", x->r.arg);
        } else if (x->r.event == TENUE_TRACE_PART && stops(TENUE_TRACE_ARG_PART(x->r.arg))) {
            if (who == running) {
                put_end(o, PID_CPUS, cpu, x->r.ns);
                running = UINT32_MAX;
            }
        } else if (who != running) { /* whatever it does, it does it here */
            if (running != UINT32_MAX)
                put_end(o, PID_CPUS, cpu, x->r.ns);
            snprintf(name, sizeof(name), "%s v%u", extra->domain_name(extra->arg, x->r.domid),
                     x->r.vcpu);
            put_begin(o, PID_CPUS, cpu, x->r.ns, name);
            running = who;
        }
        last = x->r.ns;
    }
    if (running != UINT32_MAX)
        put_end(o, PID_CPUS, cpu, end);
}

/* --- all of it --- */

static void write_accounts(FILE *to, const struct timeline_extra *extra)
{
    fputs("\"accounts\":[", to);
    for (size_t i = 0; i < extra->nr_accounts; i++) {
        const struct timeline_account *a = &extra->accounts[i];

        fprintf(to,
                "%s{\"domid\":%u,\"vcpu\":%u,\"from_ns\":%llu,\"to_ns\":%llu,\"hypercalls\":%llu}",
                i ? "," : "", a->domid, a->vcpu, (unsigned long long)a->from,
                (unsigned long long)a->to, (unsigned long long)a->hypercalls);
    }
    fputs("]", to);
}

/* Each once: a vCPU, or (with who from the CPU) a CPU. */
static bool seen(uint8_t *bits, uint32_t who)
{
    bool was = bits[who / 8] & 1u << who % 8;

    bits[who / 8] |= (uint8_t)(1u << who % 8);
    return was;
}

static void write_tracks(struct out *o, const struct timeline *t,
                         const struct timeline_extra *extra, uint8_t *bits)
{
    const uint64_t end = t->count ? t->records[t->count - 1].r.ns : 0;
    const uint32_t domains = 1u << 24, cpus = domains + (1u << 16);

    put_name(o, "process_name", PID_CPUS, 0, "CPUs");
    for (size_t i = 0; i < t->count; i++) {
        const struct timeline_record *x = &t->records[i];

        if (!seen(bits, cpus + (x->cpu & 0xffff)))
            write_cpu(o, t, extra, x->cpu, end);
        if (x->r.event == TIMELINE_LOST)
            continue;
        if (!seen(bits, domains + x->r.domid))
            put_name(o, "process_name", PID_DOMAINS + x->r.domid, 0,
                     extra->domain_name(extra->arg, x->r.domid));
        if (!seen(bits, (uint32_t)x->r.domid << 8 | x->r.vcpu))
            write_vcpu(o, t, x->r.domid, x->r.vcpu, end);
    }
}

void timeline_write(struct timeline *t, const struct part_names *names,
                    const struct timeline_extra *extra, FILE *to)
{
    struct out o = {.to = to, .names = names};
    uint8_t *bits = calloc(1, ((1u << 24) + (2u << 16)) / 8);

    qsort(t->records, t->count, sizeof(*t->records), by_time);
    fprintf(to, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"records\":%zu,\"lost\":%llu,",
            t->count, (unsigned long long)t->lost);
    write_accounts(to, extra);
    fputs("},\n\"traceEvents\":[\n", to);
    if (bits)
        write_tracks(&o, t, extra, bits);
    fputs("\n]}\n", to);
    free(bits);
}
