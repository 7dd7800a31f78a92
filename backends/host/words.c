/* SPDX-License-Identifier: MIT */
/* words.c - what the host's files say things with: names, complaints, log lines, the time and
 * timers. */
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "host.h"

const char *devhost_event_name(enum devhost_event ev)
{
    switch (ev) {
    case DEVHOST_EV_READY:
        return "ready";
    case DEVHOST_EV_CONNECTED:
        return "connected";
    case DEVHOST_EV_CLOSED:
        return "closed";
    case DEVHOST_EV_ERROR:
        return "error";
    case DEVHOST_EV_DIED:
        return "died";
    case DEVHOST_EV_RESTARTED:
        return "restarted";
    }
    return "unknown";
}

const char *class_node(enum devhost_class cls)
{
    switch (cls) {
    case DEVHOST_BLOCK:
        return "vbd";
    case DEVHOST_NET:
        return "vif";
    case DEVHOST_CONSOLE:
        return "console";
    }
    return "unknown";
}

uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void arm_timer(struct event *timer, unsigned ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

    evtimer_add(timer, &tv);
}

int err_set(char *err, size_t err_len, int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err, err_len, fmt, ap);
    va_end(ap);
    return rc;
}

static void log_text(struct devhost *h, const char *line)
{
    if (h->cfg.on_log) {
        h->cfg.on_log(line, h->cfg.arg);
    } else {
        fprintf(stderr, "%s\n", line);
    }
}

void host_log(struct devhost *h, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    log_text(h, line);
}

void device_log(struct devhost_device *dev, const char *fmt, ...)
{
    char line[512];
    int n = snprintf(line, sizeof(line), "%s: ", dev->name);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    va_end(ap);
    log_text(dev->host, line);
}
