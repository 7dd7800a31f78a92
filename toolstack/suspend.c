/* SPDX-License-Identifier: MIT */
/*
 * The verbs suspend and resume. A suspended guest has quiesced its devices by itself and stands in
 * SCHEDOP_shutdown with the reason suspend; its memory, its events and its backends stay. Resuming
 * lets this very call return 1, "cancelled", which is the whole of the ABI's protocol (sched.h,
 * elfnote.h: SUSPEND_CANCEL). Nothing is written to a file here.
 */
#include "verbs.h"

#include "domain.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/sched.h>

enum { SUSPEND_SECONDS = 60, CANCELLED = 1 };

static bool is_down(const struct xen_domctl_getdomaininfo *info, unsigned *reason)
{
    *reason = hv_shutdown_reason(info->flags);
    return info->flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying);
}

/* 0 once the guest is suspended. */
static int wait_suspended(struct session *s, uint32_t domid, long seconds)
{
    struct xen_domctl_getdomaininfo info;
    time_t end = time(NULL) + seconds;
    unsigned reason;

    if (!xsc_watch(s->st.xs, "@releaseDomain", "suspended"))
        return diag_errno(&s->d, "the store refuses a watch");
    do {
        int rc = hv_info(s->hv, domid, &info);

        if (rc != 0)
            return diag_set(&s->d, "domain %u has gone instead: %s", domid, strerror(-rc));
        if (is_down(&info, &reason))
            return reason == SHUTDOWN_suspend
                       ? 0
                       : diag_set(&s->d, "domain %u has ended instead, with reason %u", domid,
                                  reason);
        wait_for_store(&s->st, 1000);
    } while (time(NULL) < end);
    return diag_set(&s->d,
                    "domain %u has not suspended within %ld s; can its kernel? It would say so in "
                    "/local/domain/%u/control/feature-suspend",
                    domid, seconds, domid);
}

static int suspend(struct session *s, uint32_t domid, long seconds)
{
    struct xen_domctl_getdomaininfo info;
    unsigned reason;
    int rc;

    if (domid == 0)
        return diag_set(&s->d, "the control domain cannot be suspended");
    rc = hv_info(s->hv, domid, &info);
    if (rc != 0)
        return diag_set(&s->d, "cannot ask for domain %u: %s", domid, strerror(-rc));
    if (is_down(&info, &reason))
        return diag_set(&s->d, "domain %u is %s", domid,
                        reason == SHUTDOWN_suspend ? "suspended already" : "down");
    rc = ask_guest(s, domid, "suspend");
    return rc ? rc : wait_suspended(s, domid, seconds);
}

int verb_suspend(int argc, char **argv)
{
    struct session s;
    long seconds = SUSPEND_SECONDS;
    uint32_t domid;
    char *rest;
    int opt;

    while ((opt = getopt(argc, argv, "t:")) != -1) {
        if (opt != 't')
            return usage();
        seconds = strtol(optarg, &rest, 10);
        if (*rest || seconds < 1 || seconds > 86400)
            return usage();
    }
    if (optind + 1 != argc)
        return usage();
    int rc = session_open_domain(&s, NEED_BOTH, argv[optind], &domid);
    return rc ? rc : session_close(&s, suspend(&s, domid, seconds));
}

/* The call that suspended it, which is vCPU 0's, returns CANCELLED. */
static int answer_call(struct session *s, uint32_t domid)
{
    struct vcpu_guest_context *ctxt = malloc(sizeof(*ctxt));
    int rc = ctxt ? hv_get_context(s->hv, domid, 0, ctxt) : -ENOMEM;

    if (rc == 0) {
        ctxt->user_regs.rax = CANCELLED;
        rc = hv_set_context(s->hv, domid, 0, ctxt);
    }
    free(ctxt);
    return rc;
}

static int resume(struct session *s, uint32_t domid)
{
    struct xen_domctl_getdomaininfo info;
    unsigned reason;
    int rc = hv_info(s->hv, domid, &info);

    if (rc == 0 && (!is_down(&info, &reason) || reason != SHUTDOWN_suspend))
        return diag_set(&s->d, "domain %u is not suspended", domid);
    if (rc == 0)
        rc = answer_call(s, domid);
    /* The store first: a guest that suspends again at once is told of again. */
    if (rc == 0 && !xsc_resume(s->st.xs, domid))
        return diag_errno(&s->d, "the store cannot note that domain %u goes on", domid);
    if (rc == 0)
        rc = hv_resume(s->hv, domid);
    return rc ? diag_set(&s->d, "cannot resume domain %u: %s", domid, strerror(-rc)) : 0;
}

int verb_resume(int argc, char **argv)
{
    struct session s;
    uint32_t domid;
    int rc = session_open_argument(&s, argc, argv, &domid);

    return rc ? rc : session_close(&s, resume(&s, domid));
}
