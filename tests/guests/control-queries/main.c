/* SPDX-License-Identifier: MIT */
/*
 * Contract: the small questions and settings of a control domain are answered as the public headers
 * say, and wrong arguments refused by the error that Xen 4.17 gives: time, firmware and processors
 * (platform_op), the machine (sysctl), a domain's properties (domctl), lines and devices
 * (physdev_op), and single operations of memory_op, mmuext_op, vcpu_op, sched_op and
 * update_va_mapping_otherdomain. What is set is read back.
 *
 * Invariants: HC-1, HC-12, LC-2.
 * A failure means: a control domain's kernel or toolstack is told nonsense, or believes that
 * something was set which was not.
 * Sabotage: in domctl.c let setdomainhandle copy nothing, or in time_set_wallclock() leave out
 * nsecs: neither is read back. Answer -XEN_ESRCH for every vcpu there: the other error.
 */
#define __XEN_TOOLS__ 1
#include "guest.h"

#include <tenue_op.h>
#include <xen/domctl.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>

GUEST_RUN("vcpus=1 append=guest_loglvl=none");

#define NOWHERE ((void *)0x10) /* mapped by nobody */
#define NOBODY 1234            /* no such domain */
#define SECOND 1000000000ul

static long sysctl(struct xen_sysctl *op, u32 cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hc_sysctl(op);
}

static long domctl(struct xen_domctl *op, u32 cmd, domid_t domid)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domid;
    return hc_domctl(op);
}

static long platform(struct xen_platform_op *op, u32 cmd)
{
    op->cmd = cmd;
    op->interface_version = XENPF_INTERFACE_VERSION;
    return hc_platform_op(op);
}

/* --- platform_op --- */

/* When this machine's time began, as the shared page tells it: nanoseconds since 1970. */
static u64 beginning(void)
{
    u64 seconds = front_shared->wc_sec + ((u64)front_shared->wc_sec_hi << 32);

    return seconds * SECOND + front_shared->wc_nsec;
}

static void set_time(void)
{
    struct xen_platform_op op = {.cmd = 0};

    op.u.settime64.secs = 5000000000ul; /* more than 32 bits */
    op.u.settime64.nsecs = SECOND / 2;
    op.u.settime64.system_time = front_time_ns();
    check_eq(platform(&op, XENPF_settime64), 0);
    check_eq(beginning() + op.u.settime64.system_time, 5000000000ul * SECOND + SECOND / 2);
    op.u.settime64.mbz = 1;
    check_eq(platform(&op, XENPF_settime64), -XEN_EINVAL);

    op = (struct xen_platform_op){.cmd = 0};
    op.u.settime32.secs = 1700000000;
    op.u.settime32.nsecs = SECOND / 2;
    op.u.settime32.system_time = front_time_ns();
    check_eq(platform(&op, XENPF_settime32), 0);
    check_eq(beginning() + op.u.settime32.system_time, 1700000000ul * SECOND + SECOND / 2);
}

static void firmware(void)
{
    struct xen_platform_op op = {.cmd = 0};

    op.u.firmware_info.type = XEN_FW_KBD_SHIFT_FLAGS;
    op.u.firmware_info.u.kbd_shift_flags = 0xee;
    check_eq(platform(&op, XENPF_firmware_info), 0);
    check(op.u.firmware_info.u.kbd_shift_flags != 0xee);
    op.u.firmware_info.type = XEN_FW_DISK_INFO;
    op.u.firmware_info.index = 200;
    check_eq(platform(&op, XENPF_firmware_info), -XEN_ESRCH);
    op.u.firmware_info.type = XEN_FW_DISK_MBR_SIGNATURE;
    check_eq(platform(&op, XENPF_firmware_info), -XEN_ESRCH);
}

static void processors(void)
{
    struct xen_platform_op op = {.cmd = 0};

    check_eq(platform(&op, XENPF_get_cpuinfo), 0);
    check_eq(op.u.pcpu_info.max_present, 0);
    check_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_ONLINE);
    op.u.pcpu_info.xen_cpuid = 1;
    check_eq(platform(&op, XENPF_get_cpuinfo), 0);
    check_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_INVALID);

    op.interface_version = 0;
    check_eq(hc_platform_op(&op), -XEN_EACCES);
    check_eq(hc_platform_op(NOWHERE), -XEN_EFAULT);
}

/* --- sysctl --- */

static void machine(void)
{
    struct xen_sysctl op = {.cmd = 0};
    u64 free_pages;

    check_eq(sysctl(&op, XEN_SYSCTL_sched_id), 0);
    check_eq(op.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT2);

    op = (struct xen_sysctl){.cmd = 0};
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    check_eq(sysctl(&op, XEN_SYSCTL_scheduler_op), 0);
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_ARINC653;
    check_eq(sysctl(&op, XEN_SYSCTL_scheduler_op), -XEN_EINVAL);
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = 77;
    check_eq(sysctl(&op, XEN_SYSCTL_scheduler_op), -XEN_EINVAL);

    check_eq(sysctl(&op, XEN_SYSCTL_physinfo), 0);
    free_pages = op.u.physinfo.free_pages;
    op = (struct xen_sysctl){.cmd = 0};
    op.u.availheap.node = -1;
    check_eq(sysctl(&op, XEN_SYSCTL_availheap), 0);
    check_eq(op.u.availheap.avail_bytes, free_pages << 12);
    op.u.availheap.node = 0;
    check_eq(sysctl(&op, XEN_SYSCTL_availheap), 0);
    check_eq(op.u.availheap.avail_bytes, free_pages << 12);
    op.u.availheap.node = 1; /* there is none */
    check_eq(sysctl(&op, XEN_SYSCTL_availheap), 0);
    check_eq(op.u.availheap.avail_bytes, 0);

    op.interface_version = 0;
    check_eq(hc_sysctl(&op), -XEN_EACCES);
    check_eq(hc_sysctl(NOWHERE), -XEN_EFAULT);
}

static void topology(void)
{
    struct xen_sysctl op = {.cmd = 0};
    struct xen_sysctl_cpuinfo info[2] = {{.idletime = ~0ul}, {.idletime = ~0ul}};
    struct xen_sysctl_cputopo topo[2];
    struct xen_sysctl_meminfo memory[2];
    u32 distance[2] = {~0u, ~0u};

    op.u.getcpuinfo.max_cpus = 2;
    set_xen_guest_handle(op.u.getcpuinfo.info, info);
    check_eq(sysctl(&op, XEN_SYSCTL_getcpuinfo), 0);
    check_eq(op.u.getcpuinfo.nr_cpus, 1);
    check(info[0].idletime < front_time_ns() && info[1].idletime == ~0ul);
    op.u.getcpuinfo.max_cpus = 1;
    set_xen_guest_handle(op.u.getcpuinfo.info, NOWHERE);
    check_eq(sysctl(&op, XEN_SYSCTL_getcpuinfo), -XEN_EFAULT);

    op = (struct xen_sysctl){.cmd = 0};
    check_eq(sysctl(&op, XEN_SYSCTL_cputopoinfo), 0); /* how many are there? */
    check_eq(op.u.cputopoinfo.num_cpus, 1);
    memset(topo, 0xee, sizeof(topo));
    op.u.cputopoinfo.num_cpus = 1;
    set_xen_guest_handle(op.u.cputopoinfo.cputopo, topo);
    check_eq(sysctl(&op, XEN_SYSCTL_cputopoinfo), 0);
    check_eq(topo[0].node, 0);
    check_eq(topo[1].core, 0xeeeeeeee);
    set_xen_guest_handle(op.u.cputopoinfo.cputopo, NOWHERE);
    check_eq(sysctl(&op, XEN_SYSCTL_cputopoinfo), -XEN_EFAULT);

    op = (struct xen_sysctl){.cmd = 0};
    check_eq(sysctl(&op, XEN_SYSCTL_numainfo), 0);
    check_eq(op.u.numainfo.num_nodes, 1);
    set_xen_guest_handle(op.u.numainfo.meminfo, memory);
    set_xen_guest_handle(op.u.numainfo.distance, distance);
    check_eq(sysctl(&op, XEN_SYSCTL_numainfo), 0);
    check(memory[0].memfree && memory[0].memfree <= memory[0].memsize);
    check_eq(distance[0], 10);
    check_eq(distance[1], ~0u);
}

static void features(void)
{
    struct xen_sysctl op = {.cmd = 0};
    u32 words[4] = {0, 0, 0, 0xeeeeeeee};
    xen_cpuid_leaf_t leaves[1];
    u32 total;

    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_featureset), 0); /* how many words? */
    total = op.u.cpu_featureset.nr_features;
    check(total > 3);
    op.u.cpu_featureset.nr_features = 3;
    set_xen_guest_handle(op.u.cpu_featureset.features, words);
    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_featureset), guest_on_xen() ? -XEN_ENOBUFS : 0);
    check_eq(words[3], 0xeeeeeeee);
    check(words[0] & 1 << 5, "no MSRs in %x", words[0]);
    op.u.cpu_featureset.index = 77;
    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_featureset), -XEN_EINVAL);

    op = (struct xen_sysctl){.cmd = 0};
    op.u.cpu_policy.index = XEN_SYSCTL_cpu_policy_pv_default;
    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_policy), 0); /* how many leaves? */
    check(op.u.cpu_policy.nr_leaves > 1);
    op.u.cpu_policy.nr_leaves = 1;
    set_xen_guest_handle(op.u.cpu_policy.leaves, leaves);
    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_policy), -XEN_ENOBUFS);
    op.u.cpu_policy._rsvd = 1;
    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_policy), -XEN_EINVAL);
    op.u.cpu_policy._rsvd = 0;
    op.u.cpu_policy.index = 77;
    check_eq(sysctl(&op, XEN_SYSCTL_get_cpu_policy), -XEN_EINVAL);
}

/* --- domctl --- */

static domid_t create(void)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = ~0u;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = 1;
    check_eq(domctl(&op, XEN_DOMCTL_createdomain, 0), 0);
    op.u.max_mem.max_memkb = 64;
    check_eq(domctl(&op, XEN_DOMCTL_max_mem, op.domain), 0);
    op.u.max_vcpus.max = 1;
    check_eq(domctl(&op, XEN_DOMCTL_max_vcpus, op.domain), 0);
    return op.domain;
}

static u64 give_page(domid_t domid)
{
    xen_pfn_t list[1] = {0};
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = domid};

    set_xen_guest_handle(r.extent_start, list);
    check_eq(hc_memory_op(XENMEM_populate_physmap, &r), 1);
    return list[0];
}

static void identity(domid_t guest)
{
    struct xen_domctl op = {.cmd = 0};

    for (unsigned i = 0; i < sizeof(op.u.setdomainhandle.handle); i++)
        op.u.setdomainhandle.handle[i] = (u8)(0x60 + i);
    check_eq(domctl(&op, XEN_DOMCTL_setdomainhandle, guest), 0);
    check_eq(domctl(&op, XEN_DOMCTL_setdomainhandle, NOBODY), -XEN_ESRCH);
    check_eq(domctl(&op, XEN_DOMCTL_getdomaininfo, guest), 0);
    check_eq(op.u.getdomaininfo.handle[0], 0x60);
    check_eq(op.u.getdomaininfo.handle[15], 0x6f);

    op = (struct xen_domctl){.cmd = 0};
    check_eq(domctl(&op, XEN_DOMCTL_get_address_size, guest), 0);
    check_eq(op.u.address_size.size, 64);
    check_eq(domctl(&op, XEN_DOMCTL_get_address_size, NOBODY), -XEN_ESRCH);
}

static void clocks(domid_t guest)
{
    struct xen_domctl op = {.u.tsc_info.tsc_mode = 2}; /* never emulated */

    check_eq(domctl(&op, XEN_DOMCTL_settscinfo, guest), 0);
    op = (struct xen_domctl){.cmd = 0};
    check_eq(domctl(&op, XEN_DOMCTL_gettscinfo, guest), 0);
    check_eq(op.u.tsc_info.tsc_mode, 2);
    check_eq(domctl(&op, XEN_DOMCTL_gettscinfo, NOBODY), -XEN_ESRCH);
    check_eq(domctl(&op, XEN_DOMCTL_settscinfo, NOBODY), -XEN_ESRCH);

    op = (struct xen_domctl){.u.settimeoffset.time_offset_seconds = 3600};
    check_eq(domctl(&op, XEN_DOMCTL_settimeoffset, guest), 0);
    check_eq(domctl(&op, XEN_DOMCTL_settimeoffset, NOBODY), -XEN_ESRCH);
}

static void places(domid_t guest)
{
    struct xen_domctl op = {.cmd = 0};
    u8 cpus = 0xee, nodes = 0xee;

    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, &cpus);
    check_eq(domctl(&op, XEN_DOMCTL_getvcpuaffinity, guest), 0);
    check(cpus & 1);
    op.u.vcpuaffinity.vcpu = 1; /* beyond what the domain may have */
    check_eq(domctl(&op, XEN_DOMCTL_getvcpuaffinity, guest), -XEN_EINVAL);
    check_eq(domctl(&op, XEN_DOMCTL_setvcpuaffinity, guest), -XEN_EINVAL);
    check_eq(domctl(&op, XEN_DOMCTL_getvcpuinfo, guest), -XEN_EINVAL);
    check_eq(domctl(&op, XEN_DOMCTL_getvcpucontext, guest), -XEN_EINVAL);
    check_eq(domctl(&op, XEN_DOMCTL_setvcpucontext, guest), -XEN_EINVAL);

    op = (struct xen_domctl){.cmd = 0};
    op.u.nodeaffinity.nodemap.nr_bits = 8;
    set_xen_guest_handle(op.u.nodeaffinity.nodemap.bitmap, &nodes);
    check_eq(domctl(&op, XEN_DOMCTL_getnodeaffinity, guest), 0);
    check_eq(nodes, 1);
    check_eq(domctl(&op, XEN_DOMCTL_setnodeaffinity, guest), 0);
    check_eq(domctl(&op, XEN_DOMCTL_setnodeaffinity, NOBODY), -XEN_ESRCH);
    set_xen_guest_handle(op.u.nodeaffinity.nodemap.bitmap, NOWHERE);
    check_eq(domctl(&op, XEN_DOMCTL_getnodeaffinity, guest), -XEN_EFAULT);
}

static void policy(domid_t guest)
{
    static xen_cpuid_leaf_t leaves[256];
    static xen_msr_entry_t msrs[16];
    struct xen_domctl op = {.cmd = 0};
    u32 n;

    op.u.cpu_policy.nr_leaves = FRONT_ARRAY_SIZE(leaves);
    op.u.cpu_policy.nr_msrs = FRONT_ARRAY_SIZE(msrs);
    set_xen_guest_handle(op.u.cpu_policy.leaves, leaves);
    set_xen_guest_handle(op.u.cpu_policy.msrs, msrs);
    check_eq(domctl(&op, XEN_DOMCTL_get_cpu_policy, guest), 0);
    n = op.u.cpu_policy.nr_leaves;
    check(n > 1 && leaves[0].leaf == 0 && leaves[0].a >= 1, "%u leaves", n);
    check_eq(domctl(&op, XEN_DOMCTL_set_cpu_policy, guest), 0);
    op.u.cpu_policy.nr_leaves = 1;
    check_eq(domctl(&op, XEN_DOMCTL_get_cpu_policy, guest), -XEN_ENOBUFS);
    op.u.cpu_policy.nr_leaves = n;
    set_xen_guest_handle(op.u.cpu_policy.leaves, NOWHERE);
    check_eq(domctl(&op, XEN_DOMCTL_get_cpu_policy, guest), -XEN_EFAULT);
    op.u.cpu_policy.nr_leaves = 1u << 20;
    check_eq(domctl(&op, XEN_DOMCTL_set_cpu_policy, guest), -XEN_E2BIG);
}

/* A page full of ways into the hypervisor, 32 bytes each. */
static void hypercall_page(domid_t guest, u64 mfn)
{
    const u64 window = 0x0000100000000000ul;
    struct xen_domctl op = {.u.hypercall_init.gmfn = mfn};
    u64 entry = front_pte(mfn, PTE_KERN);

    check_eq(domctl(&op, XEN_DOMCTL_hypercall_init, guest), 0);
    op.u.hypercall_init.gmfn = 1ul << 39;
    check_eq(domctl(&op, XEN_DOMCTL_hypercall_init, guest), -XEN_EINVAL);
    check_eq(domctl(&op, XEN_DOMCTL_hypercall_init, NOBODY), -XEN_ESRCH);

    /* Another's frame, which only the call that names its owner may map. */
    if (!check_eq(front_map(window, front_va_to_mfn(front_page_alloc()), PTE_KERN), 0))
        return;
    check(hc_update_va_mapping((void *)window, entry, UVMF_INVLPG) < 0);
    check_eq(hc_update_va_mapping_otherdomain((void *)window, entry, UVMF_INVLPG, NOBODY),
             -XEN_ESRCH);
    if (check_eq(hc_update_va_mapping_otherdomain((void *)window, entry, UVMF_INVLPG, guest), 0)) {
        check_eq(*(volatile u8 *)(window + 32 * __HYPERVISOR_xen_version), 0x51);
        check_eq(*(volatile u8 *)window, 0x51); /* push %rcx, as syscall destroys it */
        check_eq(hc_update_va_mapping((void *)window, 0, UVMF_INVLPG), 0);
    }
}

static void domains(void)
{
    domid_t guest = create();
    struct xen_domctl op = {.cmd = 0};
    long rc;

    identity(guest);
    clocks(guest);
    places(guest);
    policy(guest);
    hypercall_page(guest, give_page(guest));
    do
        rc = domctl(&op, XEN_DOMCTL_destroydomain, guest);
    while (rc == -XEN_EAGAIN);
    check_eq(rc, 0);
}

/* --- physdev_op --- */

enum { LINE = 12, NO_LINE = 4000 };

static void lines(void)
{
    struct physdev_map_pirq map = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = LINE, .pirq = LINE};
    struct physdev_setup_gsi gsi = {.gsi = LINE};
    struct physdev_irq irq = {.irq = LINE};
    struct physdev_apic apic = {.apic_physbase = 0xfec00000, .reg = 1}; /* its version */

    check_eq(hc_physdev_op(PHYSDEVOP_map_pirq, &map), 0);
    check_eq(hc_physdev_op(PHYSDEVOP_setup_gsi, &gsi), 0);
    gsi.gsi = -1;
    check_eq(hc_physdev_op(PHYSDEVOP_setup_gsi, &gsi), -XEN_EINVAL);
    gsi.gsi = NO_LINE;
    check_eq(hc_physdev_op(PHYSDEVOP_setup_gsi, &gsi), -XEN_EINVAL);
    check_eq(hc_physdev_op(PHYSDEVOP_setup_gsi, NOWHERE), -XEN_EFAULT);

    check_eq(hc_physdev_op(PHYSDEVOP_alloc_irq_vector, &irq), 0);
    check_eq(irq.vector, LINE); /* vectors are the hypervisor's: the number again */
    irq.irq = NO_LINE;
    check_eq(hc_physdev_op(PHYSDEVOP_alloc_irq_vector, &irq), 0);
    check_eq(hc_physdev_op(PHYSDEVOP_alloc_irq_vector, NOWHERE), -XEN_EFAULT);

    check_eq(hc_physdev_op(PHYSDEVOP_apic_read, &apic), 0);
    check_eq(apic.value & 0xff, 0x20);
    check_eq(apic.value >> 16 & 0xff, 23); /* its last pin */
    apic.apic_physbase = 0xdead0000;
    check_eq(hc_physdev_op(PHYSDEVOP_apic_read, &apic), -XEN_EINVAL);
}

/*
 * The host bridge is there. Xen knows devices, and refuses to prepare MSI-X of one that it was not
 * told of; here they are accepted without effect. The machine's configuration space is not memory.
 */
static void devices(void)
{
    const long unknown = guest_on_xen() ? -XEN_ENODEV : 0;
    struct physdev_pci_device bridge = {.bus = 0, .devfn = 0}, elsewhere = {.seg = 1};
    struct physdev_pci_device_add add = {.bus = 0, .devfn = 0};
    struct physdev_manage_pci old = {.bus = 0, .devfn = 0};
    struct physdev_restore_msi msi = {.bus = 0, .devfn = 0};
    struct physdev_pci_mmcfg_reserved space = {
        .address = 0xb0000000, .end_bus = 255, .flags = XEN_PCI_MMCFG_RESERVED};

    check_eq(hc_physdev_op(PHYSDEVOP_pci_mmcfg_reserved, &space), unknown);
    check_eq(hc_physdev_op(PHYSDEVOP_pci_device_add, &add), 0);
    check_eq(hc_physdev_op(PHYSDEVOP_restore_msi, &msi), 0);
    check_eq(hc_physdev_op(PHYSDEVOP_restore_msi, NOWHERE), -XEN_EFAULT);
    check_eq(hc_physdev_op(PHYSDEVOP_restore_msi_ext, &bridge), 0);
    check_eq(hc_physdev_op(PHYSDEVOP_restore_msi_ext, &elsewhere), -XEN_ENODEV);
    check_eq(hc_physdev_op(PHYSDEVOP_prepare_msix, &elsewhere), unknown);
    check_eq(hc_physdev_op(PHYSDEVOP_release_msix, &elsewhere), unknown);
    check_eq(hc_physdev_op(PHYSDEVOP_pci_device_remove, &bridge), 0);
    check_eq(hc_physdev_op(PHYSDEVOP_manage_pci_add, &old), 0);
    check_eq(hc_physdev_op(PHYSDEVOP_manage_pci_remove, &old), 0);
}

/* --- others --- */

static void single(void)
{
    domid_t self = DOMID_SELF, nobody = NOBODY;
    struct vcpu_get_physid id = {.phys_id = ~0ul};
    struct sched_shutdown reason = {.reason = SHUTDOWN_reboot};
    struct mmuext_op flush[2] = {{.cmd = MMUEXT_FLUSH_CACHE_GLOBAL},
                                 {.cmd = MMUEXT_FLUSH_CACHE_GLOBAL}};
    unsigned done = 0;

    front_shared->arch.max_pfn = front_nr_pages;
    check_eq(hc_memory_op(XENMEM_maximum_gpfn, &self), front_nr_pages - 1);
    check_eq(hc_memory_op(XENMEM_maximum_gpfn, &nobody), -XEN_ESRCH);
    check_eq(hc_memory_op(XENMEM_maximum_gpfn, NOWHERE), -XEN_EFAULT);
    check_eq(hc_memory_op(XENMEM_get_sharing_freed_pages, 0), 0);
    check_eq(hc_memory_op(XENMEM_get_sharing_shared_pages, 0), 0);

    check_eq(hc_mmuext_op(flush, 2, &done, DOMID_SELF), 0);
    check_eq(done, 2);

    check_eq(hc_vcpu_op(VCPUOP_get_physid, 0, &id), 0);
    check_eq(id.phys_id, 0);
    check_eq(hc_vcpu_op(VCPUOP_get_physid, 1, &id), -XEN_ENOENT);
    check_eq(hc_vcpu_op(VCPUOP_get_physid, 0, NOWHERE), -XEN_EFAULT);

    check_eq(hc_sched_op(SCHEDOP_shutdown_code, &reason), 0); /* told at the end, not done now */
    reason.reason = 200;                                      /* which is not looked at */
    check_eq(hc_sched_op(SCHEDOP_shutdown_code, &reason), 0);
    check_eq(hc_sched_op(SCHEDOP_shutdown_code, NOWHERE), -XEN_EFAULT);
}

static void our_own(void)
{
    struct tenue_op_cpu op = {.cpu = 0};

    if (guest_on_xen())
        return;
    check_eq(front_hc2(__HYPERVISOR_tenue_op, TENUE_OP_cpu, &op), 0);
    check_eq(front_hc2(__HYPERVISOR_tenue_op, TENUE_OP_cpu, NOWHERE), -XEN_EFAULT);
    op.cpu = 1;
    check_eq(front_hc2(__HYPERVISOR_tenue_op, TENUE_OP_cpu, &op), -XEN_ENOENT);
}

void guest_test(void)
{
    set_time();
    firmware();
    processors();
    machine();
    topology();
    features();
    domains();
    lines();
    devices();
    single();
    our_own();
}
