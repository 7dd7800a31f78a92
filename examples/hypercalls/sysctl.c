/* SPDX-License-Identifier: MIT */
/* Contract: the operations of sysctl, one example each (example.h). Invariants: HC-1. */
#include "example.h"

#include <xen/sysctl.h>

#define EXAMPLE_NUMBER(name) XEN_SYSCTL_##name

static long sysctl(struct xen_sysctl *op, u32 cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hc_sysctl(op);
}

EXAMPLE(readconsole)
{
    static char text[4096];
    struct xen_sysctl op = {.cmd = 0};

    op.u.readconsole.count = sizeof(text);
    set_xen_guest_handle(op.u.readconsole.buffer, text);
    check_eq(sysctl(&op, XEN_SYSCTL_readconsole), 0);
    check(op.u.readconsole.count);
}

EXAMPLE(physinfo)
{
    struct xen_sysctl op = {.cmd = 0};

    check_eq(sysctl(&op, XEN_SYSCTL_physinfo), 0);
    check_eq(op.u.physinfo.nr_cpus, 1);
}

EXAMPLE(sched_id)
{
    struct xen_sysctl op = {.cmd = 0};

    check_eq(sysctl(&op, XEN_SYSCTL_sched_id), 0);
    check(op.u.sched_id.sched_id);
}

EXAMPLE(getdomaininfolist)
{
    static struct xen_domctl_getdomaininfo list[8];
    struct xen_sysctl op = {.cmd = 0};

    op.u.getdomaininfolist.max_domains = FRONT_ARRAY_SIZE(list);
    set_xen_guest_handle(op.u.getdomaininfolist.buffer, list);
    check_eq(sysctl(&op, XEN_SYSCTL_getdomaininfolist), 0);
    check_eq(op.u.getdomaininfolist.num_domains, 1);
    check_eq(list[0].domain, 0);
}

EXAMPLE(debug_keys)
{
    static char key = 'h'; /* help, into the log */
    struct xen_sysctl op = {.cmd = 0};

    op.u.debug_keys.nr_keys = 1;
    set_xen_guest_handle(op.u.debug_keys.keys, &key);
    check_eq(sysctl(&op, XEN_SYSCTL_debug_keys), 0);
}

EXAMPLE(getcpuinfo)
{
    struct xen_sysctl_cpuinfo info;
    struct xen_sysctl op = {.cmd = 0};

    op.u.getcpuinfo.max_cpus = 1;
    set_xen_guest_handle(op.u.getcpuinfo.info, &info);
    check_eq(sysctl(&op, XEN_SYSCTL_getcpuinfo), 0);
    check_eq(op.u.getcpuinfo.nr_cpus, 1);
}

EXAMPLE(availheap)
{
    struct xen_sysctl op = {.cmd = 0};

    op.u.availheap.node = -1;
    check_eq(sysctl(&op, XEN_SYSCTL_availheap), 0);
    check(op.u.availheap.avail_bytes);
}

EXAMPLE(cputopoinfo)
{
    struct xen_sysctl_cputopo topo;
    struct xen_sysctl op = {.cmd = 0};

    op.u.cputopoinfo.num_cpus = 1;
    set_xen_guest_handle(op.u.cputopoinfo.cputopo, &topo);
    check_eq(sysctl(&op, XEN_SYSCTL_cputopoinfo), 0);
    check_eq(op.u.cputopoinfo.num_cpus, 1);
}

EXAMPLE(numainfo)
{
    struct xen_sysctl op = {.cmd = 0};

    check_eq(sysctl(&op, XEN_SYSCTL_numainfo), 0);
    check_eq(op.u.numainfo.num_nodes, 1);
}

EXAMPLE(cpupool_op)
{
    u8 cpus = 0;
    struct xen_sysctl op = {.cmd = 0};

    op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    op.u.cpupool_op.cpumap.nr_bits = 8;
    set_xen_guest_handle(op.u.cpupool_op.cpumap.bitmap, &cpus);
    check_eq(sysctl(&op, XEN_SYSCTL_cpupool_op), 0);
    check_eq(cpus, 1);
}

EXAMPLE(scheduler_op)
{
    struct xen_sysctl op = {.cmd = 0};

    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    check_eq(sysctl(&op, XEN_SYSCTL_scheduler_op), 0);
}

EXAMPLE(get_cpu_featureset)
{
    struct xen_sysctl op = {.cmd = 0};

    op.u.cpu_featureset.index = XEN_SYSCTL_cpu_featureset_host;
    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_featureset), 0);
    check(op.u.cpu_featureset.nr_features);
}

EXAMPLE(get_cpu_policy)
{
    struct xen_sysctl op = {.cmd = 0};

    op.u.cpu_policy.index = XEN_SYSCTL_cpu_policy_host;
    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_policy), 0);
    check(op.u.cpu_policy.nr_leaves);
}

EXAMPLES(LISTED(readconsole), LISTED(physinfo), LISTED(sched_id), LISTED(getdomaininfolist),
         LISTED(debug_keys), LISTED(getcpuinfo), LISTED(availheap), LISTED(cputopoinfo),
         LISTED(numainfo), LISTED(cpupool_op), LISTED(scheduler_op), LISTED(get_cpu_featureset),
         LISTED(get_cpu_policy));
