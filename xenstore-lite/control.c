/* SPDX-License-Identifier: MIT */
/*
 * Commands to the daemon itself.
 *
 * Owns: the table of commands.
 * Invariants: a command's answer fits in a message, cut at a line if need be.
 * Leaves to others: who may send it (ops.c: the control domain).
 */
#include "control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "audit.h"
#include "domains.h"
#include "log.h"
#include "quota.h"

#define ARGS_MAX 4

struct answer {
    size_t len;
    char text[XENSTORE_PAYLOAD_MAX];
};

/* Adds a whole line, or nothing when there is no room left. */
static void __attribute__((format(printf, 2, 3))) say(struct answer *a, const char *format, ...)
{
    size_t room = sizeof(a->text) - a->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(a->text + a->len, room, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < room)
        a->len += (size_t)n;
    a->text[a->len] = '\0';
}

static int control_check(struct answer *a, int count, const char *arg[])
{
    unsigned int wrong = audit_books();

    (void)arg;
    if (count)
        return -EINVAL;
    if (wrong)
        say(a, "%u differences, see the log\n", wrong);
    else
        say(a, "OK");
    return 0;
}

static int control_log(struct answer *a, int count, const char *arg[])
{
    if (count != 1 || (strcmp(arg[0], "on") && strcmp(arg[0], "off")))
        return -EINVAL;
    log_tracing = !strcmp(arg[0], "on");
    say(a, "OK");
    return 0;
}

static int control_print(struct answer *a, int count, const char *arg[])
{
    if (count != 1)
        return -EINVAL;
    for (const char *c = arg[0]; *c; c++)
        if (*c < ' ' || *c > '~')
            return -EINVAL;
    log_line("control: %s", arg[0]);
    say(a, "OK");
    return 0;
}

static void say_domain(struct answer *a, const struct domain *d)
{
    say(a, "domain %u: %ld nodes, %lu watches, %lu transactions, %lu bytes%s\n", d->domid, d->nodes,
        d->watches, d->transactions, domain_memory(d), d->introduced ? ", introduced" : "");
}

static int control_memreport(struct answer *a, int count, const char *arg[])
{
    struct rusage usage = {0};

    (void)arg;
    if (count > 1)
        return -EINVAL;
    getrusage(RUSAGE_SELF, &usage);
    say(a, "requests %lu\nnode bytes, snapshots included %zu\npeak resident KiB %ld\n",
        request_count(), node_bytes_total(), usage.ru_maxrss);
    for (const struct domain *d = domains_first(); d; d = d->next_known)
        say_domain(a, d);
    return 0;
}

static int quota_of_domain(struct answer *a, const char *text)
{
    uint64_t domid;

    if (wire_parse_number(text, DOMID_LIMIT - 1, &domid))
        return -EINVAL;
    if (!domain_of((uint16_t)domid)->known)
        return -ENOENT;
    say_domain(a, domain_of((uint16_t)domid));
    return 0;
}

static int control_quota(struct answer *a, int count, const char *arg[])
{
    if (count == 1)
        return quota_of_domain(a, arg[0]);
    if (count == 3 && !strcmp(arg[0], "set")) {
        say(a, "OK");
        return quota_set(arg[1], arg[2]);
    }
    if (count)
        return -EINVAL;
    for (int i = 0; i < QUOTA_COUNT; i++)
        say(a, "%-17s: %8lu %s\n", quota_table[i].name, quota_table[i].limit, quota_table[i].help);
    return 0;
}

static int control_help(struct answer *a, int count, const char *arg[]);

static const struct command {
    const char *name;
    int (*run)(struct answer *a, int count, const char *arg[]);
    const char *parameters, *help;
} commands[] = {
    {"check", control_check, "", "recount nodes, watches and transactions"},
    {"help", control_help, "", "this list"},
    {"log", control_log, "on|off", "log every request"},
    {"memreport", control_memreport, "", "requests, memory, usage of each domain"},
    {"print", control_print, "TEXT", "write a line to the log"},
    {"quota", control_quota, "[DOMID|set NAME N]", "show or set limits; usage of a domain"},
    {"stats", control_memreport, "", "the same as memreport"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int control_help(struct answer *a, int count, const char *arg[])
{
    (void)arg;
    if (count)
        return -EINVAL;
    for (size_t i = 0; i < COMMANDS; i++)
        say(a, "%s %s\n    %s\n", commands[i].name, commands[i].parameters, commands[i].help);
    return 0;
}

int control_handle(struct request *r)
{
    const char *arg[ARGS_MAX + 1];
    int count = wire_strings(r->data, r->header.len, arg, ARGS_MAX + 1);
    struct answer a = {.len = 0, .text = ""};
    int rc;

    if (count < 1)
        return -EINVAL;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, arg[0]))
            continue;
        rc = commands[i].run(&a, count - 1, arg + 1);
        return rc ? rc : request_reply(r, a.text, a.len + 1);
    }
    return -EINVAL;
}
