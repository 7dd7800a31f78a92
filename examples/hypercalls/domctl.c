/* SPDX-License-Identifier: MIT */
/* Contract: the operations of domctl, one example each (example.h). Invariants: LC-1. */
#include "example.h"

#include <xen/domctl.h>
#include <xen/physdev.h>

GUEST_RUN("append=guest_loglvl=none");

#define EXAMPLE_NUMBER(name) XEN_DOMCTL_##name

static domid_t guest;
static u64 root, frame; /* frames of the guest's */

static long domctl(struct xen_domctl *op, u32 cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = guest;
    return hc_domctl(op);
}

EXAMPLE(createdomain)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = ~0u;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = 1; /* version of grants */
    check_eq(domctl(&op, XEN_DOMCTL_createdomain), 0);
    guest = op.domain;
}

EXAMPLE(max_mem)
{
    struct xen_domctl op = {.u.max_mem.max_memkb = 64};

    check_eq(domctl(&op, XEN_DOMCTL_max_mem), 0);
}

EXAMPLE(max_vcpus)
{
    struct xen_domctl op = {.u.max_vcpus.max = 1};

    check_eq(domctl(&op, XEN_DOMCTL_max_vcpus), 0);
}

static void give_memory(void)
{
    xen_pfn_t list[2] = {0, 1};
    struct xen_memory_reservation op = {.nr_extents = 2, .domid = guest};

    set_xen_guest_handle(op.extent_start, list);
    check_eq(hc_memory_op(XENMEM_populate_physmap, &op), 2);
    root = list[0]; /* cleared, so a root that maps nothing */
    frame = list[1];
}

EXAMPLE(hypercall_init)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.hypercall_init.gmfn = frame;
    check_eq(domctl(&op, XEN_DOMCTL_hypercall_init), 0);
}

EXAMPLE(setvcpucontext)
{
    static vcpu_guest_context_t context;
    struct xen_domctl op = {.cmd = 0};

    context.flags = VGCF_in_kernel; /* with VGCF_online it would run */
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.kernel_ss = FLAT_KERNEL_SS;
    context.ctrlreg[3] = xen_pfn_to_cr3(root);
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
    check_eq(domctl(&op, XEN_DOMCTL_setvcpucontext), 0);
}

EXAMPLE(getvcpucontext)
{
    static vcpu_guest_context_t context;
    struct xen_domctl op = {.cmd = 0};

    set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
    check_eq(domctl(&op, XEN_DOMCTL_getvcpucontext), 0);
    check(context.flags & VGCF_in_kernel);
}

EXAMPLE(getvcpuinfo)
{
    struct xen_domctl op = {.cmd = 0};

    check_eq(domctl(&op, XEN_DOMCTL_getvcpuinfo), 0);
    check_eq(op.u.getvcpuinfo.online, 0);
}

EXAMPLE(getdomaininfo)
{
    struct xen_domctl op = {.cmd = 0};

    check_eq(domctl(&op, XEN_DOMCTL_getdomaininfo), 0);
    check_eq(op.domain, guest);
    check_eq(op.u.getdomaininfo.tot_pages, 2);
}

EXAMPLE(setvcpuaffinity)
{
    u8 cpus = 1; /* bitmap: CPU 0 */
    struct xen_domctl op = {.cmd = 0};

    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, &cpus);
    check_eq(domctl(&op, XEN_DOMCTL_setvcpuaffinity), 0);
}

EXAMPLE(getvcpuaffinity)
{
    u8 cpus = 0;
    struct xen_domctl op = {.cmd = 0};

    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, &cpus);
    check_eq(domctl(&op, XEN_DOMCTL_getvcpuaffinity), 0);
    check_eq(cpus, 1);
}

EXAMPLE(setnodeaffinity)
{
    u8 nodes = 1;
    struct xen_domctl op = {.cmd = 0};

    op.u.nodeaffinity.nodemap.nr_bits = 8;
    set_xen_guest_handle(op.u.nodeaffinity.nodemap.bitmap, &nodes);
    check_eq(domctl(&op, XEN_DOMCTL_setnodeaffinity), 0);
}

EXAMPLE(getnodeaffinity)
{
    u8 nodes = 0;
    struct xen_domctl op = {.cmd = 0};

    op.u.nodeaffinity.nodemap.nr_bits = 8;
    set_xen_guest_handle(op.u.nodeaffinity.nodemap.bitmap, &nodes);
    check_eq(domctl(&op, XEN_DOMCTL_getnodeaffinity), 0);
    check_eq(nodes, 1);
}

EXAMPLE(scheduler_op)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    op.u.scheduler_op.u.credit2.weight = 512; /* twice the usual share */
    check_eq(domctl(&op, XEN_DOMCTL_scheduler_op), 0);
}

EXAMPLE(setdomainhandle)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.setdomainhandle.handle[0] = 0x60;
    check_eq(domctl(&op, XEN_DOMCTL_setdomainhandle), 0);
}

EXAMPLE(settimeoffset)
{
    struct xen_domctl op = {.u.settimeoffset.time_offset_seconds = 3600};

    check_eq(domctl(&op, XEN_DOMCTL_settimeoffset), 0);
}

EXAMPLE(set_address_size)
{
    struct xen_domctl op = {.u.address_size.size = 64};

    check_eq(domctl(&op, XEN_DOMCTL_set_address_size), 0);
}

EXAMPLE(get_address_size)
{
    struct xen_domctl op = {.cmd = 0};

    check_eq(domctl(&op, XEN_DOMCTL_get_address_size), 0);
    check_eq(op.u.address_size.size, 64);
}

EXAMPLE(settscinfo)
{
    struct xen_domctl op = {.u.tsc_info.tsc_mode = 2};

    check_eq(domctl(&op, XEN_DOMCTL_settscinfo), 0);
}

EXAMPLE(gettscinfo)
{
    struct xen_domctl op = {.cmd = 0};

    check_eq(domctl(&op, XEN_DOMCTL_gettscinfo), 0);
    check_eq(op.u.tsc_info.tsc_mode, 2);
}

EXAMPLE(irq_permission)
{
    struct physdev_map_pirq line = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 12, .pirq = 12};
    struct xen_domctl op = {.u.irq_permission = {.pirq = 12, .allow_access = 0}};

    check_eq(hc_physdev_op(PHYSDEVOP_map_pirq, &line), 0); /* who takes a line away has it */
    check_eq(domctl(&op, XEN_DOMCTL_irq_permission), 0);
}

EXAMPLE(iomem_permission)
{
    struct xen_domctl op = {.u.iomem_permission = {.first_mfn = 0xfec00, .nr_mfns = 1}};

    check_eq(domctl(&op, XEN_DOMCTL_iomem_permission), 0);
}

EXAMPLE(ioport_permission)
{
    struct xen_domctl op = {.u.ioport_permission = {.first_port = 0x70, .nr_ports = 2}};

    check_eq(domctl(&op, XEN_DOMCTL_ioport_permission), 0);
}

static xen_cpuid_leaf_t leaves[256];
static xen_msr_entry_t msrs[16];
static u32 nr_leaves;

EXAMPLE(get_cpu_policy)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.cpu_policy.nr_leaves = FRONT_ARRAY_SIZE(leaves);
    op.u.cpu_policy.nr_msrs = FRONT_ARRAY_SIZE(msrs);
    set_xen_guest_handle(op.u.cpu_policy.leaves, leaves);
    set_xen_guest_handle(op.u.cpu_policy.msrs, msrs);
    check_eq(domctl(&op, XEN_DOMCTL_get_cpu_policy), 0);
    check(op.u.cpu_policy.nr_leaves);
    nr_leaves = op.u.cpu_policy.nr_leaves;
}

EXAMPLE(set_cpu_policy)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.cpu_policy.nr_leaves = nr_leaves;
    set_xen_guest_handle(op.u.cpu_policy.leaves, leaves);
    set_xen_guest_handle(op.u.cpu_policy.msrs, msrs);
    check_eq(domctl(&op, XEN_DOMCTL_set_cpu_policy), 0);
}

EXAMPLE(pausedomain)
{
    struct xen_domctl op = {.cmd = 0};

    check_eq(domctl(&op, XEN_DOMCTL_pausedomain), 0);
}

EXAMPLE(unpausedomain)
{
    struct xen_domctl op = {.cmd = 0};

    check_eq(domctl(&op, XEN_DOMCTL_unpausedomain), 0);
}

EXAMPLE(resumedomain)
{
    struct xen_domctl op = {.cmd = 0};

    check_eq(domctl(&op, XEN_DOMCTL_resumedomain), 0);
}

EXAMPLE(destroydomain)
{
    struct xen_domctl op = {.cmd = 0};

    check_eq(domctl(&op, XEN_DOMCTL_destroydomain), 0);
}

EXAMPLES(LISTED(createdomain), LISTED(set_address_size), LISTED(max_mem), LISTED(max_vcpus),
         {"", EXAMPLE_ANY, give_memory}, LISTED(hypercall_init), LISTED(get_cpu_policy),
         LISTED(set_cpu_policy), LISTED(setvcpucontext), LISTED(getvcpucontext),
         LISTED(getvcpuinfo), LISTED(getdomaininfo), LISTED(setvcpuaffinity),
         LISTED(getvcpuaffinity), LISTED(setnodeaffinity), LISTED(getnodeaffinity),
         LISTED(scheduler_op), LISTED(setdomainhandle), LISTED(settimeoffset),
         LISTED(get_address_size), LISTED(settscinfo), LISTED(gettscinfo), LISTED(irq_permission),
         LISTED(iomem_permission), LISTED(ioport_permission), LISTED(pausedomain),
         LISTED(unpausedomain), LISTED(resumedomain), LISTED(destroydomain));
