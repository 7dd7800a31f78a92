/* SPDX-License-Identifier: MIT */
/*
 * xen.h - a guest's memory and event channels inside the test process: another implementation of
 * backends/common/{gntdev,evtchn}.h, and of log.h so that tests can look at messages.
 *
 * Page number = grant reference. Mappings alias the page, as real ones do, and are counted.
 */
#ifndef TESTS_BACKENDS_FAKE_XEN_H
#define TESTS_BACKENDS_FAKE_XEN_H

#include <stdbool.h>
#include <stdint.h>

#define FAKE_PAGES 512u
#define FAKE_PORT 7 /* what every bind returns, plus the number of binds before */

void fake_reset(void);

/* The guest's own view of a page, and its grant: a page is granted read-write after fake_reset().
 */
uint8_t *fake_page(uint32_t ref);
void fake_grant(uint32_t ref, bool granted, bool writable);

/* Pages mapped by the backend now; its binds now; notifications it sent so far. */
unsigned fake_mapped(void);
unsigned fake_bound(void);
unsigned fake_notified(void);
/* What the guest does as soon as it is notified, until fake_reset(). */
void fake_on_notify(void (*act)(int port));

/* The guest notifies; take what the backend unmasked (0: nothing). */
void fake_kick(int port);
uint32_t fake_unmasked(void);

/*
 * A storm (BE-10): notifies again whenever the port was unmasked, for that long, while the backend
 * runs in another thread. True if it was answered, and more than 32 times at most once a
 * millisecond.
 */
bool fake_storm_is_slowed(int port, long ms);

/* Fail the map after `n` successful ones; -1: never. */
void fake_fail_map_after(int n);

const char *fake_last_log(void);

#endif
