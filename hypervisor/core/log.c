/* SPDX-License-Identifier: MIT */
/*
 * Messages: level filter, prefix, the ring behind `dmesg`, and the rate limit on everything that a
 * guest can cause (HC-9, R-12: each message is charged to a domain).
 *
 * Locks: log_lock (RANK_CONSOLE) covers the ring and the domains' token buckets. The serial port
 * has its own lock in console.c and is written after log_lock is dropped; lines of two CPUs may
 * therefore appear in the ring and on the wire in different order, never interleaved.
 */
#include <tenue/log.h>

#include <tenue/options.h>
#include <tenue/vcpu.h>

#include "lib.h"

#define RING_SIZE 16384u /* power of two */
#define LINE_MAX_LEN 320u

/* A domain's allowance: a burst, then a trickle. */
#define CREDIT_MAX 200u
#define CREDIT_PERIOD (NS_PER_SEC / 20)

static struct spinlock log_lock = SPINLOCK_INIT(RANK_CONSOLE);
static char ring[RING_SIZE];
static uint32_t ring_produced = 1; /* [log_lock] 1 and characters ever written, modulo 2^32 */
static uint32_t ring_cleared = 1;  /* [log_lock] readers start here */
enum log_level log_threshold = LOG_INFO, log_guest_threshold = LOG_WARN;

/* Xen's spelling: a name, or two separated by / of which the second (rate limit) is ours to set. */
bool log_set_level(const char *value, const struct option *o)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = {
        {"none", LOG_ERR},  {"error", LOG_ERR},   {"warning", LOG_WARN},
        {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {"all", LOG_DEBUG},
    };
    const char *slash = strchr(value, '/');
    const size_t len = slash ? (size_t)(slash - value) : strlen(value);

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (option_is(value, len, names[i].name)) {
            *(enum log_level *)o->to = names[i].level;
            return true;
        }
    return false;
}

/* Into the ring and out of the port, as one line. */
static void emit(const char *prefix, const char *text)
{
    char line[LINE_MAX_LEN];
    int n = fmt_snprintf(line, sizeof(line) - 1, "%s%.300s", prefix, text);
    size_t len = MIN((size_t)n, sizeof(line) - 2);

    if (len == 0 || line[len - 1] != '\n')
        line[len++] = '\n';
    spin_lock(&log_lock);
    for (size_t i = 0; i < len; i++)
        ring[ring_produced++ % RING_SIZE] = line[i];
    spin_unlock(&log_lock);
    console_write(line, len);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
    char text[LINE_MAX_LEN];
    va_list ap;

    if (level > log_threshold)
        return;
    va_start(ap, fmt);
    fmt_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    emit("(tenue) ", text);
}

/* Take one message's worth of d's allowance. *dropped: how many were refused before this one. */
static bool charge(const struct domain *d, uint32_t *dropped)
{
    /* Accounting of the observer, not state of the domain: callers may hold d const. */
    struct domain *acct = (struct domain *)(uintptr_t)d;
    ns_t now = hal_now();
    uint64_t earned;
    bool allowed;

    spin_lock(&log_lock);
    earned = acct->con.credit_at ? (now - acct->con.credit_at) / CREDIT_PERIOD : CREDIT_MAX;
    if (earned) {
        acct->con.spent -= (uint32_t)MIN(acct->con.spent, earned);
        acct->con.credit_at = now;
    }
    allowed = acct->con.spent < CREDIT_MAX; /* a new domain has it all */
    acct->con.spent += allowed;
    *dropped = acct->con.dropped;
    acct->con.dropped = allowed ? 0 : *dropped + 1;
    spin_unlock(&log_lock);
    return allowed;
}

void guest_console_line(const struct domain *d, const char *text)
{
    char prefix[16], note[48];
    uint32_t dropped;

    if (!charge(d, &dropped))
        return;
    fmt_snprintf(prefix, sizeof(prefix), "(d%u) ", d->domid);
    if (dropped) {
        fmt_snprintf(note, sizeof(note), "%u messages suppressed", dropped);
        emit(prefix, note);
    }
    emit(prefix, text);
}

void guest_log(const struct domain *d, enum log_level level, const char *fmt, ...)
{
    char text[LINE_MAX_LEN];
    va_list ap;

    if (level > log_guest_threshold)
        return;
    va_start(ap, fmt);
    fmt_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    guest_console_line(d, text);
}

void log_ring_clear(void)
{
    spin_lock(&log_lock);
    ring_cleared = ring_produced;
    spin_unlock(&log_lock);
}

size_t log_ring_read(uint32_t *idx, char *buf, size_t len)
{
    size_t n = 0;
    uint32_t kept;

    spin_lock(&log_lock);
    kept = MIN(ring_produced - ring_cleared, RING_SIZE);
    if (*idx == 0 || ring_produced - *idx > kept)
        *idx = ring_produced - kept;
    while (n < len && *idx != ring_produced)
        buf[n++] = ring[(*idx)++ % RING_SIZE];
    spin_unlock(&log_lock);
    return n;
}
