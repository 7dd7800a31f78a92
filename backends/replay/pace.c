/* SPDX-License-Identifier: MIT */
/* pace.c - see pace.h. */
#include "pace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <xen/io/xenbus.h>

#include "backend.h"
#include "memory.h"

#define SECOND 1000000000ull

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

int pace_fail(struct pace *p, int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->err, sizeof(p->err), fmt, ap);
    va_end(ap);
    return rc;
}

void pace_answered(struct pace *p, bool differs)
{
    p->res.differ += differs;
    p->res.done++;
    p->under_way--;
}

static int connect_rings(struct pace *p, struct front *f)
{
    struct channel_msg back, m;
    int rc = backend_say_state(p->host, XenbusStateInitialising, p->err, sizeof(p->err));

    rc = rc ? rc : backend_await(p->host, XenbusStateInitWait, &back, p->err, sizeof(p->err));
    if (rc) {
        return rc;
    }
    channel_init(&m, CHANNEL_FRONT);
    rc = p->ops->connect(f, &back, &m);
    if (rc) {
        return rc;
    }
    if (p->nr_queues > 1) {
        channel_addf(&m, "multi-queue-num-queues", "%u", p->nr_queues);
    }
    for (unsigned i = 0; i < p->nr_queues; i++) {
        char key[CHANNEL_KEY_MAX], prefix[24] = "";

        if (p->nr_queues > 1) {
            snprintf(prefix, sizeof(prefix), "queue-%u/", i);
        }
        snprintf(key, sizeof(key), "%sevent-channel", prefix);
        channel_addf(&m, key, "%u", i + 1);
        p->ops->add_rings(f, i, prefix, &m);
    }
    rc = backend_say(p->host, &m, p->err, sizeof(p->err));
    return rc ? rc : backend_await(p->host, XenbusStateConnected, &back, p->err, sizeof(p->err));
}

static uint64_t since_first(const struct pace *p)
{
    return cap_taken(p->cap, p->next) - cap_taken(p->cap, 0);
}

static bool due(const struct pace *p, uint64_t at)
{
    if (p->fast) {
        return p->under_way < cap_depth(p->cap, p->next);
    }
    return at - p->begun >= since_first(p);
}

static void send_due(struct pace *p, struct front *f)
{
    uint64_t at = now();

    for (; p->next < p->cap->nr; p->next++) {
        if (p->ops->left_out(f, p->next)) {
            p->res.skipped++;
        } else if (due(p, at) && p->ops->send(f, p->next)) {
            p->under_way++;
        } else {
            break;
        }
    }
    p->ops->push(f);
}

/* The number of answers, or -errno. */
static int take_answers(struct pace *p, struct front *f)
{
    int n = 0;

    for (unsigned i = 0; n >= 0 && i < p->nr_queues; i++) {
        int got = p->ops->take_answers(f, i);

        n = got < 0 ? got : n + got;
    }
    return n;
}

/* How long nothing can happen but by an answer. */
static uint64_t idle_ns(const struct pace *p)
{
    uint64_t since = now() - p->begun, when;

    if (p->next == p->cap->nr || p->fast) {
        return SECOND;
    }
    when = since_first(p);
    /* What is overdue waits for room. */
    return when <= since || when - since > SECOND ? SECOND : when - since;
}

static int run(struct pace *p, struct front *f)
{
    p->begun = p->heard = now();
    while (p->next < p->cap->nr || p->under_way) {
        int n;

        send_due(p, f);
        n = take_answers(p, f);
        if (n < 0) {
            return n;
        }
        if (n || !p->under_way) {
            p->heard = now();
        } else if (now() - p->heard > p->ops->lost_s * SECOND) {
            return pace_fail(p, -ETIMEDOUT, "%u %s are without an answer for %u s", p->under_way,
                             p->ops->what, p->ops->lost_s);
        }
        if (!n && (p->next < p->cap->nr || p->under_way)) {
            memory_wait(idle_ns(p));
        }
    }
    p->res.ns = now() - p->begun;
    return 0;
}

int pace_run(struct pace *p, struct front *f)
{
    struct channel_msg m;
    int rc = connect_rings(p, f);

    rc = rc ? rc : run(p, f);
    rc = rc ? rc : backend_say_state(p->host, XenbusStateClosed, p->err, sizeof(p->err));
    return rc ? rc : backend_await(p->host, XenbusStateClosed, &m, p->err, sizeof(p->err));
}
