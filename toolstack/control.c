/* SPDX-License-Identifier: MIT */
/* Verbs that act on a running domain: destroy, shutdown, reboot, pause, unpause; and init. */
#include "verbs.h"

#include "domain.h"
#include "network.h"
#include "supervise.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    GRACE_SECONDS = 10, /* for a shut-down domain that nobody takes away (preserve) */
    LOOK_MS = 50,
};

static int destroy(struct session *s, uint32_t domid)
{
    char *name = domain_name(&s->st, domid);
    int rc = 1;

    if (domid && name)
        rc = supervise_ask_destroy(name, domid, &s->d);
    else if (domid) /* the store is away, or a new one that never heard of the guest */
        rc = supervise_ask_all_destroy(domid, &s->d);
    free(name);
    if (rc != 1)
        return rc;
    rc = domain_destroy_orphan(s->hv, &s->st, domid, &s->d);
    return network_sweep(&s->d) != 0 ? -1
                                     : rc; /* its supervisor is no more, so nobody left for it */
}

int verb_destroy(int argc, char **argv)
{
    struct session s;
    uint32_t domid;
    int opt;

    while ((opt = getopt(argc, argv, "f")) != -1)
        if (opt != 'f') /* xl's "even Domain-0", which nobody can mean */
            return usage();
    if (optind + 1 != argc)
        return usage();
    int rc = session_open_domain(&s, NEED_HV | MAY_STORE, argv[optind], &domid);
    return rc ? rc : session_close(&s, destroy(&s, domid));
}

void wait_for_store(struct store *st, int ms)
{
    struct pollfd readable = {.fd = xsc_fd(st->xs), .events = POLLIN};
    char **event = xsc_event(st->xs);

    if (!event)
        poll(&readable, 1, errno == EAGAIN ? ms : LOOK_MS); /* without a store: by the clock */
    free(event);
}

/* Waits until the domain is gone, or has been down for a while with nobody taking it away. */
static int wait_end(struct session *s, uint32_t domid)
{
    struct xen_domctl_getdomaininfo info;
    time_t down_since = 0;

    if (!xsc_watch(s->st.xs, "@releaseDomain", "end"))
        return diag_errno(&s->d, "the store refuses a watch");
    for (;;) {
        int rc = hv_info(s->hv, domid, &info);

        if (rc == -ESRCH)
            return 0;
        if (rc != 0)
            return diag_set(&s->d, "cannot ask for domain %u: %s", domid, strerror(-rc));
        if (!(info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))) {
            wait_for_store(&s->st, -1);
            continue;
        }
        struct timespec turn = {.tv_nsec = LOOK_MS * 1000 * 1000};
        time_t now = time(NULL);

        if (!down_since)
            down_since = now;
        if (now - down_since > GRACE_SECONDS)
            return 0;
        nanosleep(&turn, NULL);
    }
}

int ask_guest(struct session *s, uint32_t domid, const char *what)
{
    char path[64];

    if (domid == 0)
        return diag_set(&s->d, "the control domain is shut down by its own commands");
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    if (!store_write(&s->st, path, what))
        return diag_errno(&s->d, "the store refuses %s", path);
    return 0;
}

static int ask_and_wait(int argc, char **argv, const char *what)
{
    static const struct option longs[] = {{"wait", no_argument, NULL, 'w'}, {0}};
    struct session s;
    uint32_t domid;
    bool wait = false;
    int opt;

    while ((opt = getopt_long(argc, argv, "wF", longs, NULL)) != -1) {
        if (opt == 'w')
            wait = true;
        else if (opt != 'F') /* xl's fallback for guests without PV drivers: ours have them */
            return usage();
    }
    if (optind + 1 != argc)
        return usage();
    int rc = session_open_domain(&s, NEED_BOTH, argv[optind], &domid);
    if (rc)
        return rc;
    rc = ask_guest(&s, domid, what);
    if (rc == 0 && wait)
        rc = wait_end(&s, domid);
    return session_close(&s, rc);
}

int verb_shutdown(int argc, char **argv)
{
    return ask_and_wait(argc, argv, "poweroff");
}

int verb_reboot(int argc, char **argv)
{
    return ask_and_wait(argc, argv, "reboot");
}

static int on_domain(int argc, char **argv, int (*act)(struct hv *hv, uint32_t domid))
{
    struct session s;
    uint32_t domid;
    int rc = session_open_argument(&s, argc, argv, &domid);

    if (rc)
        return rc;
    rc = domid ? act(s.hv, domid) : -EPERM;
    if (rc != 0)
        diag_set(&s.d, "cannot %s domain %u: %s", argv[0], domid, hv_why_no_cpu(rc));
    return session_close(&s, rc);
}

int verb_pause(int argc, char **argv)
{
    return on_domain(argc, argv, hv_pause);
}

int verb_unpause(int argc, char **argv)
{
    return on_domain(argc, argv, hv_unpause);
}

int verb_init(int argc, char **argv)
{
    struct session s;
    int rc;

    (void)argv;
    if (argc != 1)
        return usage();
    rc = session_open(&s, NEED_BOTH);
    return rc ? rc : session_close(&s, domain_init_control(s.hv, &s.st, &s.d));
}
