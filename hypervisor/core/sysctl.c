/* SPDX-License-Identifier: MIT */
/*
 * sysctl: what the control domain asks of the machine as a whole (public header sysctl.h,
 * interface 0x15): console log, memory, CPUs, the list of domains, debug keys. One NUMA node, one
 * CPU pool. Not offered: -ENOSYS; what is about HVM: -EOPNOTSUPP.
 */
#include <tenue/vcpu.h>
#include <tenue/log.h>

#include "control.h"

#define DEBUG_KEYS_MAX 32u
#define INFO_BATCH 16u

static int op_readconsole(struct xen_sysctl_readconsole *op)
{
    uint32_t idx = op->incremental ? op->index : 0, done = 0;
    char chunk[256];

    while (done < op->count) {
        size_t n = log_ring_read(&idx, chunk, MIN(op->count - done, sizeof(chunk)));

        if (n == 0)
            break;
        if (guest_write(guest_va_add(guest_va_of(op->buffer), done), chunk, n))
            return -XEN_EFAULT;
        done += (uint32_t)n;
    }
    if (op->clear)
        log_ring_clear();
    op->index = idx;
    op->count = done;
    return 0;
}

static int op_physinfo(struct xen_sysctl_physinfo *op)
{
    uint32_t leaf[4];

    *op = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = cpu_count,
        .nr_cpus = cpu_count,
        .max_cpu_id = cpu_count - 1,
        .nr_nodes = 1,
        .max_node_id = 0,
        .cpu_khz = hal_tsc_khz,
        .capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1,
        .total_pages = READ_ONCE(heap_total_frames),
        .free_pages = READ_ONCE(heap_free_frames),
        .max_mfn = frame_count - 1,
    };
    hal_cpuid(1, 0, leaf);
    op->hw_cap[0] = leaf[3];
    op->hw_cap[1] = leaf[2];
    hal_cpuid(0x80000001, 0, leaf);
    op->hw_cap[2] = leaf[3];
    op->hw_cap[3] = leaf[2];
    return 0;
}

/* At most MAX_DOMAINS entries, whatever room the caller offers. */
static int op_getdomaininfolist(struct xen_sysctl_getdomaininfolist *op)
{
    struct xen_domctl_getdomaininfo info;
    uint32_t next = op->first_domain, n = 0;
    struct domain *d;

    while (n < op->max_domains && (d = domain_next(next)) != NULL) {
        int rc;

        next = d->domid + 1u;
        domain_get_info(d, &info);
        domain_put(d);
        rc = guest_write_elem(guest_va_of(op->buffer), n, &info, sizeof(info));
        if (rc)
            return rc;
        if (++n % INFO_BATCH == 0)
            hal_take_interrupts(); /* one answer: it cannot be given in parts */
    }
    op->num_domains = n;
    return 0;
}

static int op_debug_keys(const struct xen_sysctl_debug_keys *op)
{
    char keys[DEBUG_KEYS_MAX];
    uint32_t n = MIN(op->nr_keys, DEBUG_KEYS_MAX);

    if (guest_read(keys, guest_va_of(op->keys), n))
        return -XEN_EFAULT;
    for (uint32_t i = 0; i < n; i++)
        debug_key(keys[i]);
    return 0;
}

static int op_getcpuinfo(struct xen_sysctl_getcpuinfo *op)
{
    const uint32_t n = MIN(op->max_cpus, cpu_count);
    struct xen_sysctl_cpuinfo info[MAX_CPUS];

    for (uint32_t cpu = 0; cpu < n; cpu++)
        info[cpu] = (struct xen_sysctl_cpuinfo){.idletime = sched_idle_time(cpu)};
    op->nr_cpus = n;
    return guest_write(guest_va_of(op->info), info, n * sizeof(info[0]));
}

static int op_cputopoinfo(struct xen_sysctl_cputopoinfo *op)
{
    const bool asks = guest_va_is_null(guest_va_of(op->cputopo));
    const uint32_t n = asks ? 0 : MIN(op->num_cpus, cpu_count);
    struct xen_sysctl_cputopo topo[MAX_CPUS];

    for (uint32_t cpu = 0; cpu < n; cpu++)
        topo[cpu] = (struct xen_sysctl_cputopo){.core = cpu, .socket = 0, .node = 0};
    op->num_cpus = cpu_count;
    return guest_write(guest_va_of(op->cputopo), topo, n * sizeof(topo[0]));
}

static int op_numainfo(struct xen_sysctl_numainfo *op)
{
    struct xen_sysctl_meminfo mem = {
        .memsize = READ_ONCE(heap_total_frames) << PAGE_SHIFT,
        .memfree = READ_ONCE(heap_free_frames) << PAGE_SHIFT,
    };
    uint32_t distance = 10; /* to itself, as ACPI counts */
    int rc = 0;

    if (op->num_nodes && !guest_va_is_null(guest_va_of(op->meminfo)))
        rc = guest_write_obj(guest_va_of(op->meminfo), &mem);
    if (rc == 0 && op->num_nodes && !guest_va_is_null(guest_va_of(op->distance)))
        rc = guest_write_obj(guest_va_of(op->distance), &distance);
    op->num_nodes = 1;
    return rc;
}

/* Pool 0 holds every CPU and domain; an iteration by id finds it and then the end. */
static int op_cpupool(struct xen_sysctl_cpupool_op *op)
{
    switch (op->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        if (op->cpupool_id != 0)
            return -XEN_ENOENT;
        op->sched_id = sched_public_id();
        op->n_dom = READ_ONCE(domain_count);
        return cpumask_write(&op->cpumap, cpumask_online());
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return cpumask_write(&op->cpumap, 0);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return op->cpupool_id == 0 ? 0 : -XEN_ENOENT;
    default:
        return -XEN_ENOSYS;
    }
}

/* Words of a featureset, in the public header's order, straight from the hardware. */
static int op_cpu_featureset(struct xen_sysctl_cpu_featureset *op)
{
    static const struct {
        uint32_t leaf, subleaf;
        uint8_t reg;
    } words[] = {
        {1, 0, 3},          {1, 0, 2}, {0x80000001, 0, 3}, {0x80000001, 0, 2},
        {0xd, 1, 0},        {7, 0, 1}, {7, 0, 2},          {0x80000007, 0, 3},
        {0x80000008, 0, 1}, {7, 0, 3}, {7, 1, 0},          {0x80000021, 0, 0},
    };
    uint32_t features[ARRAY_LEN(words)], out[4], n;

    if (op->index == XEN_SYSCTL_cpu_featureset_hvm ||
        op->index == XEN_SYSCTL_cpu_featureset_hvm_max)
        return -XEN_EOPNOTSUPP;
    if (op->index > XEN_SYSCTL_cpu_featureset_hvm_max)
        return -XEN_EINVAL;
    n = guest_va_is_null(guest_va_of(op->features)) ? 0 : MIN(op->nr_features, ARRAY_LEN(words));
    for (uint32_t i = 0; i < n; i++) {
        hal_cpuid(words[i].leaf, words[i].subleaf, out);
        features[i] = out[words[i].reg];
    }
    op->nr_features = ARRAY_LEN(words);
    return guest_write(guest_va_of(op->features), features, n * sizeof(features[0]));
}

static int op_cpu_policy(struct xen_sysctl_cpu_policy *op)
{
    if (op->_rsvd || op->index > XEN_SYSCTL_cpu_policy_hvm_default)
        return -XEN_EINVAL;
    if (op->index == XEN_SYSCTL_cpu_policy_hvm_max ||
        op->index == XEN_SYSCTL_cpu_policy_hvm_default)
        return -XEN_EOPNOTSUPP;
    if (guest_va_is_null(guest_va_of(op->leaves))) {
        op->nr_leaves = CPU_POLICY_LEAVES_MAX;
        op->nr_msrs = CPU_POLICY_MSRS_MAX;
        return 0;
    }
    op->nr_msrs = 0;
    return cpu_policy_write(op->index >= XEN_SYSCTL_cpu_policy_pv_max ? current_vcpu() : NULL,
                            guest_va_of(op->leaves), &op->nr_leaves);
}

static int run(struct xen_sysctl *op)
{
    switch (op->cmd) {
    case XEN_SYSCTL_readconsole:
        return op_readconsole(&op->u.readconsole);
    case XEN_SYSCTL_physinfo:
        return op_physinfo(&op->u.physinfo);
    case XEN_SYSCTL_sched_id:
        op->u.sched_id.sched_id = sched_public_id();
        return 0;
    case XEN_SYSCTL_getdomaininfolist:
        return op_getdomaininfolist(&op->u.getdomaininfolist);
    case XEN_SYSCTL_debug_keys:
        return op_debug_keys(&op->u.debug_keys);
    case XEN_SYSCTL_getcpuinfo:
        return op_getcpuinfo(&op->u.getcpuinfo);
    case XEN_SYSCTL_availheap:
        op->u.availheap.avail_bytes =
            op->u.availheap.node > 0 ? 0 : READ_ONCE(heap_free_frames) << PAGE_SHIFT;
        return 0;
    case XEN_SYSCTL_cputopoinfo:
        return op_cputopoinfo(&op->u.cputopoinfo);
    case XEN_SYSCTL_numainfo:
        return op_numainfo(&op->u.numainfo);
    case XEN_SYSCTL_scheduler_op:
        return sched_sysctl(&op->u.scheduler_op);
    case XEN_SYSCTL_cpupool_op:
        return op_cpupool(&op->u.cpupool_op);
    case XEN_SYSCTL_get_cpu_featureset:
        return op_cpu_featureset(&op->u.cpu_featureset);
    case XEN_SYSCTL_get_cpu_policy:
        return op_cpu_policy(&op->u.cpu_policy);
    default:
        return -XEN_ENOSYS;
    }
}

long hc_sysctl(uint64_t uop_va)
{
    guest_va uop = guest_va_make(uop_va);
    struct xen_sysctl op;
    long rc;

    if (guest_read_obj(&op, uop))
        return -XEN_EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -XEN_EACCES;
    rc = run(&op);
    return rc ? rc : guest_write_obj(uop, &op);
}
