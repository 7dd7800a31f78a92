/* SPDX-License-Identifier: MIT */
/*
 * restart.c - what follows the death of a backend (ADR 0050).
 *
 * A process that had done something (its journal's progress), or had lived a while, is replaced at
 * once. One that did nothing is replaced later and later, and after max_restarts of such in a row
 * the device is given up: it would be the same request, or the same fault, every time. Called with
 * no process and none of its I/O left.
 */
#include <event2/event.h>
#include <stdio.h>
#include <xen/io/xenbus.h>

#include "host.h"

#define DELAY_MIN_MS 50u
#define DELAY_MAX_MS 10000u
#define LIVED_MS 30000u
#define SERVER_RETRY_MS 1000u

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
    device_set_error(dev, why);
    device_set_back_state(dev, XenbusStateClosing);
    device_set_back_state(dev, XenbusStateClosed);
    device_emit(dev, DEVHOST_EV_DIED, why);
}

void restart_after(struct devhost_device *dev, const char *detail)
{
    char why[DEVHOST_ERR_MAX];

    dev->deaths = was_of_use(dev) ? 0 : dev->deaths + 1;
    if (dev->deaths <= dev->spec.max_restarts && dev->spec.max_restarts) {
        unsigned ms = delay_ms(dev->deaths);

        if (ms) {
            device_arm_timer(dev->timer, ms);
        } else {
            restart_now(dev);
        }
        return;
    }
    snprintf(why, sizeof(why), "%.150s%s", detail,
             dev->spec.max_restarts ? ", as its predecessors that did nothing; given up" : "");
    give_up(dev, why);
}

/* The image's server may be away at the same time; for as long as requests may wait for it. */
static bool may_come_back(const struct devhost_device *dev)
{
    return link_wanted(&dev->spec) && now_ms() - dev->died_ms < link_timeout(&dev->spec) * 1000ull;
}

void restart_now(struct devhost_device *dev)
{
    char err[DEVHOST_ERR_MAX];

    if (device_start_process(dev, err, sizeof(err))) {
        if (may_come_back(dev)) {
            device_arm_timer(dev->timer, SERVER_RETRY_MS);
        } else {
            give_up(dev, err);
        }
        return;
    }
    dev->restarts++;
    device_log(dev, "restarted (%u), %llu ms after its predecessor's end", dev->restarts,
               (unsigned long long)(now_ms() - dev->died_ms));
    device_front_changed(dev);
    device_emit(dev, DEVHOST_EV_RESTARTED, "");
}
