/* SPDX-License-Identifier: MIT */
/*
 * process.c - the life of a device's backend process: start, messages, death, and what follows one
 * (ADR 0050).
 *
 * A process that had done something (its journal's progress), or had lived a while, is replaced at
 * once. One that did nothing is replaced later and later, and after max_restarts of such in a row
 * the device is given up: it would be the same request, or the same fault, every time.
 *
 * Owns the device's timer and the events of its process. While phase is not PHASE_ENDED there is a
 * process, or a timer that will start one.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "host.h"

#define DELAY_MIN_MS 50u
#define DELAY_MAX_MS 10000u
#define LIVED_MS 30000u
#define SERVER_RETRY_MS 1000u

/* ---- its messages ---- */

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
    struct devhost_device *dev = arg;
    struct channel_msg m;
    char reason[CHANNEL_VALUE_MAX + 1];
    int rc = channel_recv(fd, &m);

    (void)what;
    if (rc == -EAGAIN) {
        return;
    }
    if (rc <= 0) {
        if (rc == -EBADMSG) {
            device_log(dev, "backend sent what is no message; killed");
            kill(dev->pid, SIGKILL);
        }
        event_del(dev->channel_event); /* the pidfd tells the rest */
        return;
    }
    switch (m.type) {
    case CHANNEL_BACK:
        if (!relay_allows(dev, &m)) {
            kill(dev->pid, SIGKILL);
            return;
        }
        relay_back(dev, &m);
        return;
    case CHANNEL_FAIL:
        snprintf(reason, sizeof(reason), "%s",
                 channel_get(&m, "reason") ? channel_get(&m, "reason") : "");
        relay_error(dev, reason);
        relay_event(dev, DEVHOST_EV_ERROR, reason);
        return;
    case CHANNEL_LINK:
        link_asked(dev);
        return;
    case CHANNEL_START:
    case CHANNEL_FRONT:
    case CHANNEL_CLOSE:
    case CHANNEL_RESIZE:
        device_log(dev, "backend sent a message of type %d; killed", m.type);
        kill(dev->pid, SIGKILL);
        return;
    }
}

static void on_log(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    spawn_relay_log(arg);
}

/* ---- start ---- */

static void free_event(struct event **ev)
{
    if (*ev) {
        event_free(*ev);
        *ev = NULL;
    }
}

static void drop_process_events(struct devhost_device *dev)
{
    free_event(&dev->channel_event);
    free_event(&dev->pid_event);
    free_event(&dev->log_event);
    free_event(&dev->life_event);
}

static void on_exit_of_process(evutil_socket_t fd, short what, void *arg);

int process_start(struct devhost_device *dev, char *err, size_t err_len)
{
    struct event_base *base = dev->host->cfg.base;
    int rc = spawn_backend(dev, err, err_len);

    if (rc) {
        return rc;
    }
    dev->channel_event = event_new(base, dev->channel, EV_READ | EV_PERSIST, on_channel, dev);
    dev->pid_event = event_new(base, dev->pidfd, EV_READ, on_exit_of_process, dev);
    dev->log_event = event_new(base, dev->log_fd, EV_READ | EV_PERSIST, on_log, dev);
    if (!dev->channel_event || !dev->pid_event || !dev->log_event ||
        event_add(dev->channel_event, NULL) || event_add(dev->pid_event, NULL) ||
        event_add(dev->log_event, NULL)) {
        drop_process_events(dev);
        spawn_kill(dev);
        return err_set(err, err_len, -ENOMEM, "%s: out of memory", dev->name);
    }
    dev->front_seen = false;
    dev->progress = spawn_progress(dev);
    dev->started_ms = now_ms();
    return 0;
}

/* ---- what follows a death: called with no process and none of its I/O left ---- */

static bool was_of_use(const struct devhost_device *dev)
{
    return spawn_progress(dev) != dev->progress || dev->died_ms - dev->started_ms >= LIVED_MS;
}

static unsigned delay_ms(unsigned deaths)
{
    unsigned ms = DELAY_MIN_MS;

    if (!deaths) {
        return 0;
    }
    while (--deaths && ms < DELAY_MAX_MS) {
        ms *= 2;
    }
    return ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS;
}

/* The guest must not wait for answers that nobody will give. */
static void give_up(struct devhost_device *dev, const char *why)
{
    dev->phase = PHASE_ENDED;
    device_log(dev, "%s", why);
    relay_error(dev, why);
    relay_back_state(dev, XenbusStateClosing);
    relay_back_state(dev, XenbusStateClosed);
    relay_event(dev, DEVHOST_EV_DIED, why);
}

/* The image's server may be away at the same time; for as long as requests may wait for it. */
static bool may_come_back(const struct devhost_device *dev)
{
    return link_wanted(&dev->spec) && now_ms() - dev->died_ms < link_timeout(&dev->spec) * 1000ull;
}

static void restart_now(struct devhost_device *dev)
{
    char err[DEVHOST_ERR_MAX];

    if (process_start(dev, err, sizeof(err))) {
        if (may_come_back(dev)) {
            arm_timer(dev->timer, SERVER_RETRY_MS);
        } else {
            give_up(dev, err);
        }
        return;
    }
    dev->restarts++;
    device_log(dev, "restarted (%u), %llu ms after its predecessor's end", dev->restarts,
               (unsigned long long)(now_ms() - dev->died_ms));
    relay_front(dev);
    relay_event(dev, DEVHOST_EV_RESTARTED, "");
}

static void restart_after(struct devhost_device *dev, const char *detail)
{
    char why[DEVHOST_ERR_MAX];

    dev->deaths = was_of_use(dev) ? 0 : dev->deaths + 1;
    if (dev->deaths <= dev->spec.max_restarts && dev->spec.max_restarts) {
        unsigned ms = delay_ms(dev->deaths);

        if (ms) {
            arm_timer(dev->timer, ms);
        } else {
            restart_now(dev);
        }
        return;
    }
    snprintf(why, sizeof(why), "%.150s%s", detail,
             dev->spec.max_restarts ? ", as its predecessors that did nothing; given up" : "");
    give_up(dev, why);
}

/* ---- death ---- */

static void describe_end(const struct devhost_device *dev, int status, char *buf, size_t len)
{
    if (WIFSIGNALED(status)) {
        snprintf(buf, len, "backend process %d was killed by signal %d (%s)", dev->pid,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        snprintf(buf, len, "backend process %d ended with status %d", dev->pid,
                 WEXITSTATUS(status));
    }
}

/* Last words may sit in the channel and the log when the process is already gone. */
static void drain_last_words(struct devhost_device *dev)
{
    struct channel_msg m;

    spawn_relay_log(dev);
    while (channel_recv(dev->channel, &m) > 0) {
        if (m.type == CHANNEL_BACK && relay_allows(dev, &m)) {
            nodes_write_back(dev, &m);
        } else if (m.type == CHANNEL_FAIL && channel_get(&m, "reason")) {
            relay_error(dev, channel_get(&m, "reason"));
        }
    }
}

/* Nothing of the dead process is under way any more. */
static void settled(struct devhost_device *dev)
{
    if (dev->phase == PHASE_RUNNING) {
        restart_after(dev, dev->last_error);
    }
}

/* Nothing of the process is left, nor of its I/O: its successor may touch the image. */
static void on_life_end(evutil_socket_t fd, short what, void *arg)
{
    struct devhost_device *dev = arg;
    char byte;

    (void)what;
    if (read(fd, &byte, 1) != 0) {
        return;
    }
    drop_process_events(dev);
    spawn_kill(dev);
    if (!link_settle(dev, settled)) {
        settled(dev);
    }
}

/*
 * What a dead process had handed to the kernel may be under way still, and would overwrite what its
 * successor writes: the pipe in its io_uring is closed when the kernel is done with all of it.
 */
static bool await_its_io(struct devhost_device *dev)
{
    int fd = dev->life_fd;

    free_event(&dev->channel_event);
    free_event(&dev->pid_event);
    free_event(&dev->log_event);
    dev->life_fd = -1;
    spawn_kill(dev);
    dev->life_fd = fd;
    dev->life_event = event_new(dev->host->cfg.base, fd, EV_READ | EV_PERSIST, on_life_end, dev);
    return dev->life_event && !event_add(dev->life_event, NULL);
}

static void on_exit_of_process(evutil_socket_t fd, short what, void *arg)
{
    struct devhost_device *dev = arg;
    char detail[DEVHOST_ERR_MAX];
    int status = 0;

    (void)fd;
    (void)what;
    if (waitpid(dev->pid, &status, WNOHANG) == 0) {
        event_add(dev->pid_event, NULL);
        return;
    }
    describe_end(dev, status, detail, sizeof(detail));
    dev->pid = 0;
    dev->died_ms = now_ms();
    drain_last_words(dev);
    if (dev->phase == PHASE_CLOSING) {
        drop_process_events(dev);
        spawn_kill(dev);
        dev->phase = PHASE_ENDED;
        evtimer_del(dev->timer);
        relay_back_state(dev, XenbusStateClosed);
        relay_event(dev, DEVHOST_EV_CLOSED, "");
        return;
    }
    device_log(dev, "%s", detail);
    snprintf(dev->last_error, sizeof(dev->last_error), "%s", detail);
    if (!await_its_io(dev)) {
        restart_after(dev, detail);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct devhost_device *dev = arg;

    (void)fd;
    (void)what;
    if (dev->phase == PHASE_CLOSING && dev->pid > 0) {
        device_log(dev, "guest did not close in time; closing without it");
        kill(dev->pid, SIGKILL);
    } else if (dev->phase == PHASE_CLOSING) {
        dev->phase = PHASE_ENDED; /* closed while waiting to be restarted */
        relay_back_state(dev, XenbusStateClosed);
        relay_event(dev, DEVHOST_EV_CLOSED, "");
    } else if (dev->phase == PHASE_RUNNING && dev->pid == 0) {
        restart_now(dev);
    }
}

int process_open(struct devhost_device *dev)
{
    dev->timer = evtimer_new(dev->host->cfg.base, on_timer, dev);
    return dev->timer ? 0 : -ENOMEM;
}

void process_close(struct devhost_device *dev)
{
    drop_process_events(dev);
    spawn_kill(dev);
    free_event(&dev->timer);
}
