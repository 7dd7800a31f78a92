/* SPDX-License-Identifier: MIT */
/* Switching accounts and traces on and off: see watch.h. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_FILE "/run/tenue/watch.lock"

enum { BUSY_TRIES = 100, SLACK_TRIES = 20, SLACK_MAX = 500 * 1000 /* ns */ };

static volatile sig_atomic_t interrupted;

static int complain(struct session *s, int rc)
{
    if (rc == -ENOSYS)
        return diag_set(&s->d, "this hypervisor keeps no accounts: is it Tenue?");
    return diag_set(&s->d, "the hypervisor keeps no accounts: %s", strerror(-rc));
}

/* Trace buffers of the time before may just be on their way back. */
static int set_flags(struct session *s, struct tenue_op_watch *op)
{
    struct tenue_op_watch try;
    int rc = -EBUSY;

    for (unsigned tries = 0; rc == -EBUSY && tries < BUSY_TRIES; tries++) {
        if (tries)
            nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
        try = *op;
        rc = hv_watch(s->hv, &try);
    }
    *op = try;
    return rc;
}

static int lock(struct session *s)
{
    int fd;

    mkdir("/run/tenue", 0755);
    fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return diag_errno(&s->d, LOCK_FILE);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        diag_set(&s->d, "another tenue cost or tenue trace is looking; wait for its end");
        close(fd);
        return -1;
    }
    return fd;
}

int watch_begin(struct watch *w, struct session *s, uint32_t flags, uint32_t records,
                uint32_t domid)
{
    struct tenue_op_watch op = {0};
    int rc = hv_watch(s->hv, &op);

    if (rc != 0)
        return complain(s, rc);
    w->lock = lock(s);
    if (w->lock < 0)
        return -1;
    /* Only who was killed leaves anything but this behind. */
    w->base = op.flags & TENUE_WATCH_KEEP ? TENUE_WATCH_ACCOUNT | TENUE_WATCH_KEEP : 0;
    w->cpus = op.cpus;
    if (op.flags & TENUE_WATCH_TRACE) {
        op = (struct tenue_op_watch){.set = 1, .flags = w->base};
        rc = set_flags(s, &op);
    }
    if (rc == 0) {
        op = (struct tenue_op_watch){
            .set = 1, .flags = w->base | flags, .trace_records = records, .trace_domid = domid};
        rc = set_flags(s, &op);
    }
    if (rc != 0) {
        close(w->lock);
        return complain(s, rc);
    }
    return 0;
}

void watch_end(struct watch *w, struct session *s)
{
    struct tenue_op_watch op = {.set = 1, .flags = w->base};
    int rc = set_flags(s, &op);

    if (rc != 0)
        complain(s, rc);
    close(w->lock);
}

int watch_keep(struct session *s, bool keep)
{
    struct tenue_op_watch op = {.set = 1,
                                .flags = keep ? TENUE_WATCH_ACCOUNT | TENUE_WATCH_KEEP : 0};
    int fd = lock(s);

    if (fd < 0)
        return -1;
    int rc = set_flags(s, &op);

    close(fd);
    return rc == 0 ? 0 : complain(s, rc);
}

bool watch_is_on(struct session *s)
{
    struct tenue_op_watch op = {0};

    return hv_watch(s->hv, &op) == 0 && op.flags & TENUE_WATCH_ACCOUNT;
}

int watch_names(struct session *s, struct part_names *names)
{
    memset(names, 0, sizeof(*names));
    for (uint32_t i = 0; i < TENUE_PARTS; i++) {
        struct tenue_op_part_name op = {.part = i};
        int rc = hv_part_name(s->hv, &op);

        if (rc != 0 && rc != -ENOENT)
            return complain(s, rc);
        if (rc == 0)
            memcpy(names->name[i], op.name, sizeof(op.name));
        names->name[i][PART_NAME_BYTES - 1] = 0;
    }
    return 0;
}

/* *slack: between our looks at the clock, before and after. */
static int snapshot_once(struct session *s, uint32_t domid, unsigned vcpu, struct part_snapshot *to,
                         uint64_t *slack)
{
    struct tenue_op_account op = {.domid = (uint16_t)domid, .vcpu = (uint16_t)vcpu};
    uint64_t before = watch_clock();
    int rc = hv_account(s->hv, &op, to->parts);

    *slack = watch_clock() - before;
    to->clock = before + *slack / 2;
    to->now = op.now;
    to->opened = op.opened;
    if (rc != 0 && rc != -ENOENT)
        complain(s, rc);
    return rc;
}

/* We may lose the CPU in between, and would take that for the hypervisor's error. */
int watch_snapshot(struct session *s, uint32_t domid, unsigned vcpu, struct part_snapshot *to)
{
    uint64_t slack;
    unsigned tries = 0;
    int rc;

    do
        rc = snapshot_once(s, domid, vcpu, to, &slack);
    while (rc == 0 && slack > SLACK_MAX && ++tries < SLACK_TRIES);
    return rc;
}

uint64_t watch_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void on_signal(int nr)
{
    (void)nr;
    interrupted = 1;
}

void watch_catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART: sleep ends */

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

bool watch_sleep(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};

    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    if (!interrupted)
        nanosleep(&t, NULL);
    return !interrupted;
}

bool watch_parse_seconds(const char *text, double *seconds)
{
    char *end;

    *seconds = strtod(text, &end);
    return end != text && !*end && isfinite(*seconds) && *seconds > 0 && *seconds <= 86400;
}
