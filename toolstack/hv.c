/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of the toolstack: see hv.h.
 *
 * Owns one libxencall handle, one foreign-memory handle and one hypercall-safe buffer through
 * which every argument structure passes. Not shared between threads or across fork.
 */
#include "hv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/event_channel.h>
#include <xen/version.h>
#include <xencall.h>

enum { BUFFER_PAGES = 16, BUFFER_BYTES = BUFFER_PAGES * 4096, ARG_BYTES = 4096 };

struct hv {
    xencall_handle *call;
    xenforeignmemory_handle *fm;
    uint8_t *buffer; /* [0, ARG_BYTES): the argument structure; the rest: what it points to */
};

struct hv *hv_open(struct diag *d)
{
    if (access("/dev/xen/privcmd", R_OK | W_OK) != 0) {
        if (errno == EACCES)
            diag_set(d, "no right to open /dev/xen/privcmd; run this as root");
        else
            diag_set(d, "no hypervisor here: /dev/xen/privcmd is missing (is this the control"
                        " domain? is the module xen-privcmd loaded?)");
        return NULL;
    }

    struct hv *hv = calloc(1, sizeof(*hv));
    if (!hv) {
        diag_set(d, "out of memory");
        return NULL;
    }
    hv->call = xencall_open(NULL, 0);
    hv->fm = xenforeignmemory_open(NULL, 0);
    if (hv->call)
        hv->buffer = xencall_alloc_buffer_pages(hv->call, BUFFER_PAGES);
    if (!hv->call || !hv->fm || !hv->buffer) {
        diag_errno(d, "cannot use /dev/xen/privcmd");
        hv_close(hv);
        return NULL;
    }
    return hv;
}

void hv_close(struct hv *hv)
{
    if (!hv)
        return;
    if (hv->buffer)
        xencall_free_buffer_pages(hv->call, hv->buffer, BUFFER_PAGES);
    if (hv->fm)
        xenforeignmemory_close(hv->fm);
    if (hv->call)
        xencall_close(hv->call);
    free(hv);
}

xenforeignmemory_handle *hv_memory(struct hv *hv)
{
    return hv->fm;
}

/* The part of the buffer that an argument structure may point to. */
static void *data_area(struct hv *hv)
{
    return hv->buffer + ARG_BYTES;
}

enum { DATA_BYTES = BUFFER_BYTES - ARG_BYTES };

/* libxencall answers -1 and errno, or the call's own non-negative result. */
static long result(long rc)
{
    return rc < 0 ? -errno : rc;
}

static int domctl(struct hv *hv, struct xen_domctl *op)
{
    long rc;

    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    memcpy(hv->buffer, op, sizeof(*op));
    rc = result(xencall1(hv->call, __HYPERVISOR_domctl, (uintptr_t)hv->buffer));
    memcpy(op, hv->buffer, sizeof(*op));
    return rc < 0 ? (int)rc : 0;
}

static int sysctl(struct hv *hv, struct xen_sysctl *op)
{
    long rc;

    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    memcpy(hv->buffer, op, sizeof(*op));
    rc = result(xencall1(hv->call, __HYPERVISOR_sysctl, (uintptr_t)hv->buffer));
    memcpy(op, hv->buffer, sizeof(*op));
    return rc < 0 ? (int)rc : 0;
}

static int simple_domctl(struct hv *hv, uint32_t cmd, uint32_t domid)
{
    struct xen_domctl op = {.cmd = cmd, .domain = (domid_t)domid};

    return domctl(hv, &op);
}

static long memory_op(struct hv *hv, unsigned cmd, const void *arg, size_t len)
{
    memcpy(hv->buffer, arg, len);
    return result(xencall2L(hv->call, __HYPERVISOR_memory_op, cmd, (uintptr_t)hv->buffer));
}

int hv_create(struct hv *hv, const struct hv_new_domain *want, uint32_t *domid)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_createdomain};
    struct xen_domctl_createdomain *c = &op.u.createdomain;

    memcpy(c->handle, want->uuid, sizeof(c->handle));
    c->max_vcpus = want->max_vcpus;
    c->max_evtchn_port = 1023;
    c->max_grant_frames = -1;
    c->max_maptrack_frames = (int32_t)want->maptrack_frames;
    c->grant_opts = XEN_DOMCTL_GRANT_version(1);
    int rc = domctl(hv, &op);
    if (rc != 0)
        return rc;
    *domid = op.domain;

    struct xen_domctl vcpus = {.cmd = XEN_DOMCTL_max_vcpus, .domain = op.domain};
    vcpus.u.max_vcpus.max = want->max_vcpus;
    rc = domctl(hv, &vcpus);
    if (rc != 0) {
        int ignored = hv_destroy(hv, *domid); /* the first error is the one to report */

        (void)ignored;
    }
    return rc;
}

int hv_max_mem(struct hv *hv, uint32_t domid, uint64_t kib)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_max_mem, .domain = (domid_t)domid};

    op.u.max_mem.max_memkb = kib;
    return domctl(hv, &op);
}

int hv_set_tsc_mode(struct hv *hv, uint32_t domid, uint32_t mode)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_settscinfo, .domain = (domid_t)domid};

    op.u.tsc_info.tsc_mode = mode;
    return domctl(hv, &op);
}

int hv_hypercall_page(struct hv *hv, uint32_t domid, uint64_t mfn)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_hypercall_init, .domain = (domid_t)domid};

    op.u.hypercall_init.gmfn = mfn;
    return domctl(hv, &op);
}

int hv_set_context(struct hv *hv, uint32_t domid, unsigned vcpu,
                   const struct vcpu_guest_context *ctxt)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_setvcpucontext, .domain = (domid_t)domid};

    _Static_assert(sizeof(*ctxt) <= DATA_BYTES, "the context must fit the call buffer");
    memcpy(data_area(hv), ctxt, sizeof(*ctxt));
    op.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, data_area(hv));
    return domctl(hv, &op);
}

int hv_get_context(struct hv *hv, uint32_t domid, unsigned vcpu, struct vcpu_guest_context *ctxt)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getvcpucontext, .domain = (domid_t)domid};
    int rc;

    op.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, data_area(hv));
    rc = domctl(hv, &op);
    if (rc == 0)
        memcpy(ctxt, data_area(hv), sizeof(*ctxt));
    return rc;
}

int hv_resume(struct hv *hv, uint32_t domid)
{
    return simple_domctl(hv, XEN_DOMCTL_resumedomain, domid);
}

int hv_pause(struct hv *hv, uint32_t domid)
{
    return simple_domctl(hv, XEN_DOMCTL_pausedomain, domid);
}

const char *hv_why_no_cpu(int rc)
{
    return rc == -EBUSY
               ? "another vCPU has that CPU for its own, or none is left, since the hypervisor "
                 "was started with sched=null (tenue vcpu-list tells whose each is): give the "
                 "control domain fewer by dom0_max_vcpus=, destroy a guest, use fewer vCPUs or "
                 "another CPU, or start the hypervisor without sched=null"
               : strerror(-rc);
}

int hv_unpause(struct hv *hv, uint32_t domid)
{
    return simple_domctl(hv, XEN_DOMCTL_unpausedomain, domid);
}

uint32_t hv_scheduler(struct hv *hv)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_sched_id};

    return sysctl(hv, &op) == 0 ? op.u.sched_id.sched_id : 0;
}

bool hv_scheduler_shares(uint32_t scheduler)
{
    return scheduler == XEN_SCHEDULER_CREDIT || scheduler == XEN_SCHEDULER_CREDIT2;
}

/* Both schedulers that have shares put weight and cap in the same places. */
static int share_op(struct hv *hv, uint32_t domid, uint32_t cmd, struct hv_share *share)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_scheduler_op, .domain = (domid_t)domid};
    struct xen_domctl_sched_credit *p = &op.u.scheduler_op.u.credit;

    op.u.scheduler_op.sched_id = hv_scheduler(hv);
    op.u.scheduler_op.cmd = cmd;
    if (!hv_scheduler_shares(op.u.scheduler_op.sched_id))
        return -EOPNOTSUPP;
    p->weight = (uint16_t)share->weight;
    p->cap = (uint16_t)share->cap;
    int rc = domctl(hv, &op);

    share->weight = p->weight;
    share->cap = p->cap;
    return rc;
}

int hv_get_share(struct hv *hv, uint32_t domid, struct hv_share *share)
{
    *share = (struct hv_share){0};
    return share_op(hv, domid, XEN_DOMCTL_SCHEDOP_getinfo, share);
}

int hv_set_share(struct hv *hv, uint32_t domid, const struct hv_share *share)
{
    struct hv_share copy = *share;

    return share_op(hv, domid, XEN_DOMCTL_SCHEDOP_putinfo, &copy);
}

int hv_vcpu_info(struct hv *hv, uint32_t domid, struct xen_domctl_getvcpuinfo *v)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getvcpuinfo, .domain = (domid_t)domid};

    op.u.getvcpuinfo.vcpu = v->vcpu;
    int rc = domctl(hv, &op);

    *v = op.u.getvcpuinfo;
    return rc;
}

static int affinity_op(struct hv *hv, uint32_t domid, uint32_t cmd, unsigned vcpu, uint32_t flags,
                       uint64_t *hard, uint64_t *soft)
{
    struct xen_domctl op = {.cmd = cmd, .domain = (domid_t)domid};
    struct xen_domctl_vcpuaffinity *a = &op.u.vcpuaffinity;
    uint64_t *maps = data_area(hv);

    maps[0] = *hard;
    maps[1] = *soft;
    a->vcpu = vcpu;
    a->flags = flags;
    a->cpumap_hard.nr_bits = a->cpumap_soft.nr_bits = 64;
    set_xen_guest_handle(a->cpumap_hard.bitmap, (uint8_t *)&maps[0]);
    set_xen_guest_handle(a->cpumap_soft.bitmap, (uint8_t *)&maps[1]);
    int rc = domctl(hv, &op);

    *hard = maps[0];
    *soft = maps[1];
    return rc;
}

int hv_get_affinity(struct hv *hv, uint32_t domid, unsigned vcpu, uint64_t *hard, uint64_t *soft)
{
    *hard = *soft = 0;
    return affinity_op(hv, domid, XEN_DOMCTL_getvcpuaffinity, vcpu,
                       XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT, hard, soft);
}

int hv_set_affinity(struct hv *hv, uint32_t domid, unsigned vcpu, uint64_t hard, uint64_t soft)
{
    uint32_t flags = (hard ? XEN_VCPUAFFINITY_HARD : 0u) | (soft ? XEN_VCPUAFFINITY_SOFT : 0u);

    if (!flags)
        return 0;
    return affinity_op(hv, domid, XEN_DOMCTL_setvcpuaffinity, vcpu, flags, &hard, &soft);
}

/* Long work: the hypervisor may come back for more time with -EAGAIN. */
int hv_destroy(struct hv *hv, uint32_t domid)
{
    int rc;

    do
        rc = simple_domctl(hv, XEN_DOMCTL_destroydomain, domid);
    while (rc == -EAGAIN);
    return rc;
}

int hv_list(struct hv *hv, uint32_t first, struct xen_domctl_getdomaininfo *infos, unsigned max)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_getdomaininfolist};
    unsigned room = DATA_BYTES / sizeof(*infos);

    if (max > room)
        max = room;
    op.u.getdomaininfolist.first_domain = (domid_t)first;
    op.u.getdomaininfolist.max_domains = max;
    set_xen_guest_handle(op.u.getdomaininfolist.buffer, data_area(hv));
    memset(data_area(hv), 0, max * sizeof(*infos));
    int rc = sysctl(hv, &op);
    if (rc != 0)
        return rc;
    if (op.u.getdomaininfolist.num_domains > max)
        return -EPROTO;
    memcpy(infos, data_area(hv), op.u.getdomaininfolist.num_domains * sizeof(*infos));
    return (int)op.u.getdomaininfolist.num_domains;
}

/* By the list, not by the domctl: that one answers for the next domain if this one is gone. */
int hv_info(struct hv *hv, uint32_t domid, struct xen_domctl_getdomaininfo *info)
{
    int n = hv_list(hv, domid, info, 1);

    if (n < 0)
        return n;
    return n == 1 && info->domain == domid ? 0 : -ESRCH;
}

unsigned hv_shutdown_reason(uint32_t flags)
{
    return flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

long hv_populate(struct hv *hv, uint32_t domid, uint64_t pfn, uint64_t nr_blocks, unsigned order,
                 uint64_t *mfns)
{
    enum { BATCH = DATA_BYTES / sizeof(xen_pfn_t) };
    xen_pfn_t *extents = data_area(hv);
    uint64_t done = 0;

    while (done < nr_blocks) {
        uint64_t n = nr_blocks - done < BATCH ? nr_blocks - done : BATCH;
        uint64_t base = pfn + (done << order);

        for (uint64_t i = 0; i < n; i++)
            extents[i] = base + (i << order);
        struct xen_memory_reservation r = {
            .nr_extents = n, .extent_order = order, .domid = (domid_t)domid};
        set_xen_guest_handle(r.extent_start, extents);
        long got = memory_op(hv, XENMEM_populate_physmap, &r, sizeof(r));

        if (got < 0)
            return got;
        if ((uint64_t)got > n)
            return -EPROTO;
        memcpy(mfns + done, extents, (uint64_t)got * sizeof(*mfns));
        done += (uint64_t)got;
        if ((uint64_t)got < n)
            break;
    }
    return (long)done;
}

bool hv_memory_is_zeroed(struct hv *hv)
{
    xen_extraversion_t extra = "";

    return hv_version(hv, XENVER_extraversion, &extra, sizeof(extra)) >= 0 &&
           strnlen(extra, sizeof(extra)) < sizeof(extra) && strstr(extra, "-tenue");
}

int hv_memory_map(struct hv *hv, uint32_t domid, uint64_t bytes)
{
    struct e820_entry {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) entry = {.size = bytes, .type = 1};
    struct xen_foreign_memory_map map = {.domid = (domid_t)domid, .map.nr_entries = 1};

    memcpy(data_area(hv), &entry, sizeof(entry));
    set_xen_guest_handle(map.map.buffer, data_area(hv));
    return (int)memory_op(hv, XENMEM_set_memory_map, &map, sizeof(map));
}

int hv_pin_l4(struct hv *hv, uint32_t domid, uint64_t mfn)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = mfn};

    memcpy(hv->buffer, &op, sizeof(op));
    return (int)result(
        xencall4(hv->call, __HYPERVISOR_mmuext_op, (uintptr_t)hv->buffer, 1, 0, domid));
}

int hv_alloc_unbound(struct hv *hv, uint32_t domid)
{
    struct evtchn_alloc_unbound op = {.dom = (domid_t)domid, .remote_dom = 0};

    memcpy(hv->buffer, &op, sizeof(op));
    long rc = result(xencall2(hv->call, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
                              (uintptr_t)hv->buffer));
    if (rc < 0)
        return (int)rc;
    memcpy(&op, hv->buffer, sizeof(op));
    return (int)op.port;
}

int hv_physinfo(struct hv *hv, struct xen_sysctl_physinfo *info)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo};
    int rc = sysctl(hv, &op);

    *info = op.u.physinfo;
    return rc;
}

int hv_console(struct hv *hv, char *buf, uint32_t len, bool clear, uint32_t *index)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_readconsole};

    if (len > DATA_BYTES)
        len = DATA_BYTES;
    op.u.readconsole.clear = clear;
    op.u.readconsole.incremental = 1;
    op.u.readconsole.index = *index;
    op.u.readconsole.count = len;
    set_xen_guest_handle(op.u.readconsole.buffer, data_area(hv));
    int rc = sysctl(hv, &op);
    if (rc != 0)
        return rc;
    if (op.u.readconsole.count > len)
        return -EPROTO;
    memcpy(buf, data_area(hv), op.u.readconsole.count);
    *index = op.u.readconsole.index;
    return (int)op.u.readconsole.count;
}

int hv_debug_key(struct hv *hv, char key)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_debug_keys};

    memcpy(data_area(hv), &key, 1);
    set_xen_guest_handle(op.u.debug_keys.keys, data_area(hv));
    op.u.debug_keys.nr_keys = 1;
    return sysctl(hv, &op);
}

int hv_version(struct hv *hv, unsigned cmd, void *arg, size_t len)
{
    if (len > DATA_BYTES)
        return -EINVAL;
    memset(data_area(hv), 0, len);
    long rc = result(
        xencall2(hv->call, __HYPERVISOR_xen_version, cmd, arg ? (uintptr_t)data_area(hv) : 0));
    if (rc >= 0 && arg)
        memcpy(arg, data_area(hv), len);
    return (int)rc;
}

static int tenue_op(struct hv *hv, unsigned cmd, void *op, size_t len)
{
    memcpy(hv->buffer, op, len);
    long rc = result(xencall2(hv->call, __HYPERVISOR_tenue_op, cmd, (uintptr_t)hv->buffer));
    memcpy(op, hv->buffer, len);
    return rc < 0 ? (int)rc : 0;
}

int hv_watch(struct hv *hv, struct tenue_op_watch *op)
{
    return tenue_op(hv, TENUE_OP_watch, op, sizeof(*op));
}

int hv_account(struct hv *hv, struct tenue_op_account *op, struct tenue_part_time *parts)
{
    const size_t len = TENUE_PARTS * sizeof(*parts);

    op->parts = (uintptr_t)data_area(hv);
    memset(data_area(hv), 0, len);
    int rc = tenue_op(hv, TENUE_OP_account, op, sizeof(*op));

    memcpy(parts, data_area(hv), len);
    return rc;
}

int hv_trace(struct hv *hv, uint32_t cpu, uint64_t *next, uint64_t *lost,
             struct tenue_trace_record *records, uint32_t max)
{
    struct tenue_op_trace op = {.cpu = cpu, .count = max, .next = *next};

    if (op.count > TENUE_TRACE_READ_MAX)
        op.count = TENUE_TRACE_READ_MAX;
    _Static_assert(TENUE_TRACE_READ_MAX * sizeof(*records) <= DATA_BYTES,
                   "a reading must fit the call buffer");
    memset(data_area(hv), 0, op.count * sizeof(*records));
    op.records = (uintptr_t)data_area(hv);
    int rc = tenue_op(hv, TENUE_OP_trace, &op, sizeof(op));

    if (rc != 0)
        return rc;
    if (op.count > max)
        return -EPROTO;
    memcpy(records, data_area(hv), op.count * sizeof(*records));
    *next = op.next;
    *lost += op.lost;
    return (int)op.count;
}

int hv_part_name(struct hv *hv, struct tenue_op_part_name *op)
{
    return tenue_op(hv, TENUE_OP_part_name, op, sizeof(*op));
}

int hv_cpu(struct hv *hv, struct tenue_op_cpu *op)
{
    return tenue_op(hv, TENUE_OP_cpu, op, sizeof(*op));
}
