/* SPDX-License-Identifier: MIT */
/*
 * The control domain's part: it builds guests, asks, pauses, pins, weighs, maps and destroys them,
 * all its vcpus at once. Building is done here as a toolstack's hypercalls would, in one go: frames
 * and tables by the hypervisor's own functions, on a CPU that runs the control domain.
 */
#include <stdio.h>
#include <stdlib.h>

#include "threads.h"

#include "../../hypervisor/pv/mmu.h"
#include "../../hypervisor/pv/root.h"
#include "../unit/fake/machine.h"

#include <tenue/hypercall.h>
#include <tenue/m2p.h>
#include <tenue/pv.h>
#include <public/tenue_op.h>

#define TABLE_BITS (PTE_P | PTE_RW | PTE_US | PTE_A)
#define FRAMES_MAX (GUEST_FRAMES + 16)

static uint32_t next_domid = 1;       /* [a] */
static unsigned built, destroyed;     /* [a] */
static struct actor *ends[MAX_VCPUS]; /* whose end a vcpu of ours has asked for */

static noreturn_fn void cannot(const char *what)
{
    fflush(stdout);
    fprintf(stderr, "control domain: %s\n", what);
    abort();
}

/* --- building --- */

static uint64_t *table(const struct guest *g, unsigned frame)
{
    return mfn_to_ptr(g->frames[frame]);
}

static bool shown_readonly(unsigned i)
{
    return (i >= 1 && i <= 5) || (i >= FIRST_FREE && i < FIRST_FREE + SPARE_TABLES);
}

static void fill_tables(struct guest *g)
{
    table(g, g->l4)[pte_index(GUEST_BASE, 4)] = guest_maddr(g, g->l3) | TABLE_BITS;
    table(g, g->l3)[pte_index(GUEST_BASE, 3)] = guest_maddr(g, g->l2) | TABLE_BITS;
    table(g, g->l2)[pte_index(GUEST_BASE, 2)] = guest_maddr(g, g->l1) | TABLE_BITS;
    for (unsigned i = 0; i < GUEST_FRAMES; i++)
        table(g, g->l1)[i] = guest_maddr(g, i) | PTE_P | PTE_US | (shown_readonly(i) ? 0 : PTE_RW);
}

static int again(int rc)
{
    if (rc == -XEN_ERESTART)
        (void)hal_preempt_point();
    return rc;
}

/* False: no memory, for now. */
static bool give_frames(struct guest *g, struct domain *d)
{
    *g = (struct guest){.d = d, .l4 = 1, .l3 = 2, .l2 = 3, .l1 = 4, .user_l4 = 5};
    for (unsigned i = 0; i < GUEST_FRAMES; i++) {
        if (domain_alloc_frames(d, 0, 64, &g->frames[i]) != 0)
            return false;
        m2p_set(g->frames[i], i);
    }
    return true;
}

static void give_context(struct guest *g)
{
    fill_tables(g);
    while (again(mmu_pin(g->d, g->frames[g->l4], PGT_L4)) != 0)
        ;
    for (unsigned i = 0; i < g->d->max_vcpus; i++) {
        struct vcpu *v = g->d->vcpus[i];
        int rc;

        while ((rc = again(pv_root_set(v, g->frames[g->l4].n, false))) != 0)
            if (rc != -XEN_ERESTART)
                cannot("a root was refused");
        v->regs.rip = GUEST_BASE;
        v->initialised = true;
        vcpu_pause_clear(v, VPF_DOWN);
    }
}

static struct domain *create(uint16_t domid, unsigned vcpus, uint32_t frames)
{
    const struct domain_config cfg = {.domid = domid,
                                      .is_control = domid == 0,
                                      .max_vcpus = vcpus,
                                      .max_grant_frames = 4,
                                      .max_maptrack_frames = 4,
                                      .max_pages = frames};
    struct domain *d;

    if (domain_create(&cfg, &d) != 0)
        return NULL;
    for (unsigned i = 0; i < vcpus; i++)
        if (vcpu_create(d, i) != 0)
            cannot("no vcpu");
    return d;
}

static bool change_state(struct actor *a, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&a->state, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* True: a domctl is on its way that lets it run. */
static bool build(struct actor *a)
{
    struct domain *d;

    if (!change_state(a, ACTOR_NONE, ACTOR_BUSY))
        return false;
    d = create((uint16_t)__atomic_fetch_add(&next_domid, 1, __ATOMIC_RELAXED), GUEST_VCPUS,
               FRAMES_MAX);
    if (!d || !give_frames(&a->g, d))
        cannot("no memory for a guest");
    give_context(&a->g);
    a->domid = d->domid; /* from here on others may name it */
    __atomic_add_fetch(&built, 1, __ATOMIC_RELAXED);
    change_state(a, ACTOR_BUSY, ACTOR_LIVE);
    return true;
}

/* --- what a toolstack asks for --- */

static struct xen_domctl *domctl(uint32_t cmd, uint16_t domid)
{
    struct xen_domctl *op = ARGS(struct xen_domctl);

    raw_clear(op, sizeof(*op));
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domid;
    call(__HYPERVISOR_domctl, args_va(), 0, 0, 0);
    return op;
}

static void set_bitmap(struct xenctl_bitmap *map, unsigned at)
{
    map->nr_bits = 8;
    map->bitmap.p = (void *)(args_va() + at);
    args()[at] = (uint8_t)(1 + below(15));
}

static void ask_of(uint16_t domid)
{
    struct xen_domctl *op;

    switch (below(12)) {
    case 0:
        domctl(XEN_DOMCTL_pausedomain, domid);
        break;
    case 1:
    case 2:
        domctl(XEN_DOMCTL_unpausedomain, domid);
        break;
    case 3:
        domctl(XEN_DOMCTL_resumedomain, domid);
        break;
    case 4:
        domctl(XEN_DOMCTL_getdomaininfo, domid);
        break;
    case 5:
    case 6:
        op = domctl(XEN_DOMCTL_setvcpuaffinity, domid);
        op->u.vcpuaffinity.vcpu = below(GUEST_VCPUS);
        op->u.vcpuaffinity.flags = 1 + below(3);
        set_bitmap(&op->u.vcpuaffinity.cpumap_hard, 2048);
        set_bitmap(&op->u.vcpuaffinity.cpumap_soft, 2056);
        break;
    case 7:
        op = domctl(XEN_DOMCTL_scheduler_op, domid);
        op->u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
        op->u.scheduler_op.cmd = one_in(3) ? XEN_DOMCTL_SCHEDOP_getinfo
                                           : XEN_DOMCTL_SCHEDOP_putinfo;
        op->u.scheduler_op.u.credit2.weight = (uint16_t)(1 + below(1000));
        op->u.scheduler_op.u.credit2.cap = one_in(2) ? 0 : (uint16_t)(20 + below(300));
        break;
    case 8:
        op = domctl(one_in(2) ? XEN_DOMCTL_getvcpuinfo : XEN_DOMCTL_getvcpuaffinity, domid);
        op->u.getvcpuinfo.vcpu = below(GUEST_VCPUS);
        if (op->cmd == XEN_DOMCTL_getvcpuaffinity) {
            op->u.vcpuaffinity.flags = 3;
            set_bitmap(&op->u.vcpuaffinity.cpumap_hard, 2048);
            set_bitmap(&op->u.vcpuaffinity.cpumap_soft, 2056);
        }
        break;
    case 9:
        op = domctl(XEN_DOMCTL_getvcpucontext, domid);
        op->u.vcpucontext.vcpu = below(GUEST_VCPUS);
        op->u.vcpucontext.ctxt.p = (void *)guest_va_at(FIRST_FREE + 8); /* two pages */
        break;
    case 10:
        op = domctl(XEN_DOMCTL_settimeoffset, domid);
        op->u.settimeoffset.time_offset_seconds = (int64_t)below(100);
        break;
    default:
        op = domctl(XEN_DOMCTL_max_mem, domid);
        op->u.max_mem.max_memkb = (FRAMES_MAX - below(4)) * 4;
    }
}

static void ask_system(void)
{
    struct xen_sysctl *op = ARGS(struct xen_sysctl);

    raw_clear(op, sizeof(*op));
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    switch (below(3)) {
    case 0:
        op->cmd = XEN_SYSCTL_getdomaininfolist;
        op->u.getdomaininfolist.max_domains = ACTORS;
        op->u.getdomaininfolist.buffer.p = (void *)(args_va() + 1024);
        break;
    case 1:
        op->cmd = XEN_SYSCTL_getcpuinfo;
        op->u.getcpuinfo.max_cpus = CPUS;
        op->u.getcpuinfo.info.p = (void *)(args_va() + 1024);
        break;
    default:
        op->cmd = XEN_SYSCTL_physinfo;
    }
    call(__HYPERVISOR_sysctl, args_va(), 0, 0, 0);
}

static void watch_or_ask(uint16_t domid)
{
    if (one_in(4)) {
        *ARGS(struct tenue_op_trace) =
            (struct tenue_op_trace){.cpu = below(CPUS), .count = 64, .records = args_va() + 512};
        call(__HYPERVISOR_tenue_op, TENUE_OP_trace, args_va(), 0, 0);
        return;
    }
    if (one_in(2)) {
        *ARGS(struct tenue_op_watch) = (struct tenue_op_watch){.set = !one_in(3),
                                                               .flags = below(4),
                                                               .trace_records = 256,
                                                               .trace_domid = TENUE_TRACE_ALL};
        call(__HYPERVISOR_tenue_op, TENUE_OP_watch, args_va(), 0, 0);
        return;
    }
    *ARGS(struct tenue_op_account) = (struct tenue_op_account){
        .domid = domid, .vcpu = (uint16_t)below(GUEST_VCPUS), .parts = args_va() + 512};
    call(__HYPERVISOR_tenue_op, TENUE_OP_account, args_va(), 0, 0);
}

/* Its own slots from FIRST_FREE on, as privcmd would. */
static void map_foreign(const struct actor *a)
{
    const uint64_t e = guest_maddr(&a->g, FIRST_FREE + below(GUEST_FRAMES - FIRST_FREE));

    *ARGS(struct mmu_update) =
        (struct mmu_update){.ptr = guest_maddr(&actors[0].g, actors[0].g.l1) +
                                   (FIRST_FREE + below(GUEST_FRAMES - FIRST_FREE)) * 8,
                            .val = one_in(2) ? e | PTE_P | PTE_RW : e | PTE_P};
    call(__HYPERVISOR_mmu_update, args_va(), 1, 0, a->domid);
}

static void set_the_clock(void)
{
    struct xen_platform_op *op = ARGS(struct xen_platform_op);

    raw_clear(op, sizeof(*op));
    op->cmd = XENPF_settime64;
    op->interface_version = XENPF_INTERFACE_VERSION;
    op->u.settime64.secs = 1700000000 + below(100);
    op->u.settime64.system_time = hal_now();
    call(__HYPERVISOR_platform_op, args_va(), 0, 0, 0);
}

/* --- the end of guests --- */

static void destroy(struct actor *a)
{
    if (!change_state(a, ACTOR_LIVE, ACTOR_BUSY))
        return;
    ends[current_vcpu()->id] = a;
    domctl(XEN_DOMCTL_destroydomain, a->domid);
}

void control_returned(long rc)
{
    struct actor *a = ends[current_vcpu()->id];

    if (!a)
        return;
    if (rc != 0)
        cannot("a guest could not be destroyed");
    ends[current_vcpu()->id] = NULL;
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
    change_state(a, ACTOR_BUSY, ACTOR_NONE);
}

void control_step(void)
{
    struct actor *a = &actors[1 + below(GUESTS)];

    switch (below(24)) {
    case 0:
        if (one_in(3))
            destroy(a);
        break;
    case 1:
        if (build(a))
            domctl(XEN_DOMCTL_unpausedomain, a->domid);
        break;
    case 2:
        ask_system();
        break;
    case 3:
        watch_or_ask(a->domid);
        break;
    case 4:
        if (one_in(4))
            set_the_clock();
        break;
    case 5:
    case 6:
    case 7:
        map_foreign(a);
        break;
    case 8:
        cpu_event_for(a->domid, below(GUEST_VCPUS));
        break;
    case 9:
        call(__HYPERVISOR_vcpu_op, VCPUOP_up, below(CPUS), 0, 0);
        break;
    default:
        ask_of(a->domid);
    }
}

void control_begin(void)
{
    struct domain *d = control_domain;

    if (!give_frames(&actors[0].g, d))
        cannot("no memory");
    actors[0].state = ACTOR_LIVE;
    for (unsigned i = 1; i < ACTORS; i++)
        actors[i].g = actors[0].g; /* frames to name before there are any */
    give_context(&actors[0].g);
    domain_unpause_by_controller(d);
}

/* All that is left, by its creator's hand; the last frame of one may be mapped by another. */
static void end_guests(void)
{
    struct domain *d;

    for (uint32_t id = 1; (d = domain_next(id)) != NULL; domain_put(d)) {
        id = d->domid + 1u;
        while (domain_kill(d) == -XEN_ERESTART)
            ;
    }
    fake_settle();
}

/* What the control domain has of others: entries in its tables, and handles of grants. */
static void let_go_of_others(void)
{
    struct guest *g = &actors[0].g;
    int rc;

    /* Tables that it pinned and has no name for any more; those that were cut off half-way, too. */
    while (pv_domain_unpin_all(g->d) == -XEN_ERESTART)
        ;
    for (unsigned i = FIRST_FREE; i < GUEST_FRAMES; i++)
        while ((rc = mmu_write_at(g->d, g->d, guest_maddr(g, g->l1) + i * 8, 0, MMU_SET)) != 0)
            if (rc != -XEN_ERESTART)
                cannot("a mapping cannot be taken back");
    while (grant_table_release_mappings(g->d) == -XEN_ERESTART)
        ;
}

bool control_end(void)
{
    printf("guests built %u, destroyed %u\n", built, destroyed);
    let_go_of_others();
    end_guests();
    return fake_domains_gone();
}
