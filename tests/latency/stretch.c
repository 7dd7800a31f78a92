/* SPDX-License-Identifier: MIT */
/*
 * stretch: an emulator plugin that measures, from outside, for how long the hypervisor runs with
 * interrupts off and for how long it cannot be preempted, in executed instructions (a word moved by
 * a REP instruction counts as one: memory takes about as long).
 *
 * The hypervisor is entered with interrupts off, and takes some only where it says STI. So
 *
 *	off	a stretch from an entry, or a CLI, to the next STI or the return to the guest
 *	busy	the same, but only the STI of hal_preempt_point() and hal_idle() end it: there an
 *		operation is told that somebody waits, and stops; elsewhere interrupts are only
 *		taken
 *	wait	from softirq_raise() (somebody wants the CPU) to the work: what "busy" promises, as
 *		it came about, so also where what hal_preempt_point() says is not heeded
 *
 * Nothing counts before the first guest runs. The longest of each kind and operation is kept; an
 * operation is the last function entered that names one (named[], hc_*), else the first after the
 * entry. Where processors wait for each other their waiting is counted too: measure with one.
 *
 * Output at the end, one line each: KIND INSTRUCTIONS OPERATION ENDED-IN MOST-OF-IT SHARE%.
 *
 * Arguments: out=FILE, symbols=FILE (nm of the hypervisor's ELF). Only blocks of the hypervisor are
 * instrumented, guests run at full speed.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/tcgplugin.h"

int qemu_plugin_version = TCGPLUGIN_VERSION;

#define CPUS_MAX 8
#define FUNCTIONS_MAX 4096

/* --- symbols --- */

enum role { ORDINARY, OPERATION, RAISE, SERVE, HEEDED };

static struct function {
    uint64_t address;
    char name[60];
    enum role role;
} functions[FUNCTIONS_MAX];
static unsigned function_count = 1; /* 0: not in the image, the entry stubs */
static uint64_t exit_iretq;

static enum role role_of(const char *name)
{
    static const struct {
        const char *name;
        enum role role;
    } named[] = {
        {"pv_audit", OPERATION},  {"debug_key", OPERATION}, {"domain_reap", OPERATION},
        {"softirq_raise", RAISE}, {"timer_softirq", SERVE}, {"console_work", SERVE},
        {"sched_softirq", SERVE}, {"hal_idle", HEEDED},     {"hal_preempt_point", HEEDED},
    };

    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        if (!strcmp(name, named[i].name))
            return named[i].role;
    return strncmp(name, "hc_", 3) ? ORDINARY : OPERATION;
}

static int by_address(const void *a, const void *b)
{
    const struct function *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

static bool symbols_read(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[256], kind, name[60];
    uint64_t address;

    if (!f) {
        perror(path);
        return false;
    }
    strcpy(functions[0].name, "entry");
    while (fgets(line, sizeof(line), f) && function_count < FUNCTIONS_MAX) {
        if (sscanf(line, "%" SCNx64 " %c %59s", &address, &kind, name) != 3 ||
            (kind != 't' && kind != 'T'))
            continue;
        if (!strcmp(name, "exit_iretq"))
            exit_iretq = address;
        functions[function_count].address = address;
        strcpy(functions[function_count].name, name);
        functions[function_count++].role = role_of(name);
    }
    fclose(f);
    qsort(functions + 1, function_count - 1, sizeof(functions[0]), by_address);
    return exit_iretq != 0;
}

static unsigned function_of(uint64_t address)
{
    unsigned low = 0, high = function_count;

    while (high - low > 1) {
        const unsigned middle = (low + high) / 2;

        if (functions[middle].address <= address)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* --- counting --- */

enum kind { OFF, BUSY, WAIT, KINDS };
static const char *const kind_names[KINDS] = {"off", "busy", "wait"};

struct record {
    uint64_t count;
    unsigned ended_in, most;
    unsigned share;
};
static struct record records[KINDS][FUNCTIONS_MAX]; /* [lock] by operation */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool started; /* a guest has run */

/* A stretch under way. */
struct stretch {
    uint64_t count;
    unsigned operation;
    uint32_t turn; /* in[f] counts only where seen[f] is the turn */
    uint32_t seen[FUNCTIONS_MAX];
    uint64_t in[FUNCTIONS_MAX];
};
static struct cpu {
    struct stretch stretches[KINDS];
    bool waiting; /* for the work that was raised */
} cpus[CPUS_MAX];

static void begin(struct stretch *s)
{
    s->count = 0;
    s->operation = 0;
    s->turn++;
}

static void add(struct stretch *s, unsigned f, uint64_t n)
{
    if (s->seen[f] != s->turn) {
        s->seen[f] = s->turn;
        s->in[f] = 0;
    }
    s->in[f] += n;
    s->count += n;
}

static void keep(enum kind kind, const struct stretch *s, unsigned ended_in)
{
    struct record *r = &records[kind][s->operation];
    unsigned most = 0;
    uint64_t in = 0;

    if (!started || s->count <= r->count)
        return;
    for (unsigned f = 0; f < function_count; f++) {
        if (s->seen[f] == s->turn && s->in[f] > in) {
            most = f;
            in = s->in[f];
        }
    }
    pthread_mutex_lock(&lock);
    *r = (struct record){s->count, ended_in, most, (unsigned)(100 * in / s->count)};
    pthread_mutex_unlock(&lock);
}

static void end(struct cpu *c, enum kind kind, unsigned ended_in)
{
    keep(kind, &c->stretches[kind], ended_in);
    begin(&c->stretches[kind]);
}

/* --- what is called when emulated code runs --- */

struct block {
    uint64_t length;
    unsigned function;
    bool entered; /* it begins its function */
};
struct point {
    unsigned function;
    uint64_t rest; /* instructions of the block after this one, counted already */
    enum { STI, CLI, LEAVE } what;
};

static void name_operation(struct stretch *s, const struct block *b)
{
    if (b->entered && (functions[b->function].role == OPERATION || !s->operation))
        s->operation = b->function;
}

static void block_runs(unsigned cpu, void *p)
{
    const struct block *b = p;
    struct cpu *c = &cpus[cpu % CPUS_MAX];

    if (b->entered && functions[b->function].role == SERVE && c->waiting) {
        end(c, WAIT, b->function);
        c->waiting = false;
    }
    for (unsigned k = 0; k < KINDS; k++) {
        if (k == WAIT && !c->waiting)
            continue;
        name_operation(&c->stretches[k], b);
        add(&c->stretches[k], b->function, b->length);
    }
    if (b->entered && functions[b->function].role == RAISE && !c->waiting) {
        c->waiting = true;
        begin(&c->stretches[WAIT]);
        c->stretches[WAIT].operation = c->stretches[BUSY].operation;
    }
}

static void point_runs(unsigned cpu, void *p)
{
    const struct point *at = p;
    struct cpu *c = &cpus[cpu % CPUS_MAX];
    const bool all = at->what == LEAVE || functions[at->function].role == HEEDED;
    /* Within an operation, a new stretch is the same operation's. */
    const unsigned operation = c->stretches[BUSY].operation;

    for (enum kind k = OFF; k <= (all ? BUSY : OFF); k++) {
        c->stretches[k].count -= at->rest;
        end(c, k, at->function);
        if (at->what != LEAVE)
            c->stretches[k].operation = operation;
        add(&c->stretches[k], at->function, at->rest);
    }
    if (at->what == LEAVE)
        __atomic_store_n(&started, true, __ATOMIC_RELAXED);
}

static int point_at(const uint8_t *b, size_t length, uint64_t address)
{
    if (length == 1 && *b == 0xfb)
        return STI;
    if (length == 1 && *b == 0xfa)
        return CLI;
    if ((length == 3 && b[0] == 0x48 && b[1] == 0x0f && b[2] == 0x07) || address == exit_iretq)
        return LEAVE;
    return -1;
}

static void translate(plugin_id id, struct tb *tb)
{
    const uint64_t address = qemu_plugin_tb_vaddr(tb);
    const size_t length = qemu_plugin_tb_n_insns(tb);
    struct block *b;

    (void)id;
    if (address < HYPERVISOR_START || address >= HYPERVISOR_END)
        return;
    b = calloc(1, sizeof(*b));
    b->function = function_of(address);
    b->entered = b->function && functions[b->function].address == address;
    for (size_t i = 0; i < length; i++) {
        struct insn *in = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *bytes = qemu_plugin_insn_data(in);
        const size_t size = qemu_plugin_insn_size(in);
        const int what = point_at(bytes, size, qemu_plugin_insn_vaddr(in));
        struct point *at;

        if (what < 0)
            continue;
        at = calloc(1, sizeof(*at));
        *at = (struct point){b->function, length - i - 1, what};
        qemu_plugin_register_vcpu_insn_exec_cb(in, point_runs, 0, at);
    }
    b->length = length;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs, 0, b);
}

static FILE *out;

static void finish(plugin_id id, void *p)
{
    (void)id;
    (void)p;
    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned f = 0; f < function_count; f++) {
            const struct record *r = &records[k][f];

            if (r->count)
                fprintf(out, "%s %" PRIu64 " %s %s %s %u%%\n", kind_names[k], r->count,
                        functions[f].name, functions[r->ended_in].name, functions[r->most].name,
                        r->share);
        }
    }
    fclose(out);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    const char *path = "/dev/stderr";
    bool named = false;

    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            path = argv[i] + 4;
        if (!strncmp(argv[i], "symbols=", 8))
            named = symbols_read(argv[i] + 8);
    }
    out = fopen(path, "w");
    if (!out || !named) {
        fprintf(stderr, "stretch: %s\n", named ? path : "symbols=FILE: no exit_iretq in it");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}
