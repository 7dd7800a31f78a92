/* SPDX-License-Identifier: MIT */
/*
 * One supervisor process per guest: it builds the domain, keeps its devices, honours on_poweroff,
 * on_reboot and on_crash, and takes everything apart in the right order. ADR 0020 says why one per
 * guest.
 *
 * supervise_start() returns in the command that asked, while the supervisor lives on by itself.
 */
#ifndef TENUE_SUPERVISE_H
#define TENUE_SUPERVISE_H

#include "config.h"
#include "diag.h"

#include <stdbool.h>
#include <stdint.h>

#define SUPERVISE_RUN_DIR "/run/tenue"
#define SUPERVISE_LOG_DIR "/var/log/tenue"

struct hv;
struct sockaddr_un;
struct store;

/* Where the supervisor of a guest listens. */
void supervise_address(const char *name, struct sockaddr_un *addr);

struct supervised {
    int fd; /* to the supervisor; closing it before supervise_go() undoes the guest */
    uint32_t domid;
};

/* The supervisor's from supervise_start() on. */
struct supervise_order {
    struct guest_config *cfg; /* with `lend` it must stay until the caller's end */
    struct hv *hv;
    struct store *st;
    bool lend; /* see below */
};

/*
 * Starts the supervisor and waits until the guest is built, its devices are up and its vCPU has not
 * run yet.
 *
 * With `lend` the supervisor runs on the caller's memory, as a vfork's child does, but both run: to
 * copy the memory and to end the copy is a fifth of what a small guest's creation costs. From then
 * on, and whatever this returns, the caller may use its stack, supervise_go() and system calls, and
 * ends by _exit(): nothing of the C library that has a state. Without `lend` it keeps its copy.
 */
int supervise_start(const struct supervise_order *order, struct supervised *out,
                    struct diag *d) MUST_CHECK;

/* Lets the guest run (or leaves it paused), and lets the supervisor go its own way. */
int supervise_go(struct supervised *s, bool paused, struct diag *d) MUST_CHECK;

/*
 * Asks the supervisor of a guest for something and waits for its answer. 1: there is no supervisor
 * for this domain. 0: done. -1: it failed.
 */
int supervise_ask(const char *name, const char *request, struct diag *d) MUST_CHECK;

/*
 * Asks the supervisor of a guest to destroy it and waits for its answer. 1: there is no
 * supervisor (any more) for this domain. 0: done. -1: it failed.
 */
int supervise_ask_destroy(const char *name, uint32_t domid, struct diag *d) MUST_CHECK;

/* The same when the guest's name is not known: every supervisor is asked whether it is its own. */
int supervise_ask_all_destroy(uint32_t domid, struct diag *d) MUST_CHECK;

#endif
