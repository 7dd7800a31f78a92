/* SPDX-License-Identifier: MIT */
/*
 * Contract: what the description says is refused is refused with that error: each operation and
 * each hypercall of the public headers that is not offered (refused.inc, made from abi/).
 *
 * Invariants: HC-1.
 * Sabotage: in abi/sched_op.toml move `watchdog` from refused.ENOSYS to refused.EPERM: the check
 * with its name fails (and so does `make docs`).
 */
#define __XEN_TOOLS__ 1
#include "guest.h"

#include <xen/domctl.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

GUEST_RUN("ours");

enum where { BY_REGISTER, BY_ELEMENT, BY_STRUCTURE, ABSENT };

static const struct refused {
    enum where where;
    unsigned nr;
    u32 cmd;
    int error;
    const char *name;
} list[] = {
#define REFUSED(where, nr, cmd, error, name) {where, nr, cmd, error, name},
#include "refused.inc"
};

static u64 room[512];

static long in_structure(const struct refused *r)
{
    struct xen_domctl *head = (struct xen_domctl *)room; /* each begins so: cmd, version */

    memset(room, 0, sizeof(room));
    head->cmd = r->cmd;
    head->interface_version = r->nr == __HYPERVISOR_domctl   ? XEN_DOMCTL_INTERFACE_VERSION
                              : r->nr == __HYPERVISOR_sysctl ? XEN_SYSCTL_INTERFACE_VERSION
                                                             : XENPF_INTERFACE_VERSION;
    return front_hc1(r->nr, room);
}

static long ask(const struct refused *r)
{
    struct mmuext_op element = {.cmd = r->cmd};

    switch (r->where) {
    case BY_REGISTER: /* vcpu_op's second argument is vcpu 0, grants' third a count of 1 */
        memset(room, 0, sizeof(room));
        return r->nr == __HYPERVISOR_vcpu_op ? front_hc3(r->nr, r->cmd, 0, room)
                                             : front_hc3(r->nr, r->cmd, room, 1);
    case BY_ELEMENT:
        return front_hc4(r->nr, &element, 1, 0, DOMID_SELF);
    case BY_STRUCTURE:
        return in_structure(r);
    default:
        return front_hc3(r->nr, 0, room, 1);
    }
}

void guest_test(void)
{
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(list); i++) {
        long rc = ask(&list[i]);

        check(rc == -list[i].error, "%s: is %ld, wanted %d", list[i].name, rc, -list[i].error);
    }
}
