/* SPDX-License-Identifier: MIT */
/*
 * Guests that do anything: each step is one random hypercall, or a store to their memory. Most
 * arguments make sense, since what is refused at once meets nobody; contents are drawn from few
 * frames, ports, references and tables, so that vcpus and domains meet each other.
 *
 * A vcpu is between two operations, or its instruction pointer stands at a hypercall that has
 * not been done yet, or was restarted: so its state moves with its registers from CPU to CPU. This
 * file is built without the thread sanitizer, as guests are.
 */
#include <stdio.h>

#include "threads.h"

#include "../../hypervisor/pv/pte.h"

#include <tenue/hypercall.h>

#define AT_CALL (GUEST_BASE + 0x1000)
#define BEHIND_CALL (AT_CALL + 2)
#define PORTS 24u /* that are played with */
#define GREFS 8u

struct actor actors[ACTORS];

static struct {
    unsigned done, refused;
} counts[64]; /* by hypercall; a lost increment does no harm */

/* By its number, too: another one's, which is gone, may have been at the same address. */
struct actor *actor_of(const struct domain *d)
{
    for (unsigned i = 0; i < ACTORS; i++)
        if (actors[i].g.d == d && actors[i].domid == d->domid)
            return &actors[i];
    return NULL;
}

static struct actor *me(void)
{
    return actor_of(current_domain());
}

uint8_t *args(void)
{
    return mfn_to_ptr(me()->g.frames[8 + current_vcpu()->id]);
}

uint64_t args_va(void)
{
    return guest_va_at(8 + current_vcpu()->id);
}

void call(unsigned nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    struct cpu_user_regs *r = hal_guest_regs();

    r->rip = AT_CALL;
    r->rax = nr;
    r->rdi = a0;
    r->rsi = a1;
    r->rdx = a2;
    r->r10 = a3;
    r->rbx = nr; /* kept over restarts: what came back is counted under it */
}

static void call_args(unsigned nr, uint64_t cmd)
{
    call(nr, cmd, args_va(), 1, 0);
}

/* --- random things --- */

static uint16_t some_domid(void)
{
    return one_in(8) ? DOMID_SELF : actors[below(ACTORS)].domid;
}

static unsigned some_vcpu(void)
{
    return below(GUEST_VCPUS + (one_in(16) ? 1 : 0));
}

static unsigned some_frame(void)
{
    return FIRST_FREE + below(GUEST_FRAMES - FIRST_FREE);
}

static uint64_t some_deadline(void)
{
    return hal_now() + below(2000000) - 200000;
}

static uint64_t some_entry(const struct actor *a)
{
    static const uint64_t flags[] = {PTE_P, PTE_P | PTE_RW, PTE_P | PTE_RW | PTE_US, 0};
    const struct actor *of = one_in(8) ? &actors[below(ACTORS)] : a;

    return mfn_to_maddr(of->g.frames[some_frame()]).a | flags[below(ARRAY_LEN(flags))];
}

/* --- events --- */

static void do_events(void)
{
    const port_t port = below(PORTS);

    switch (below(10)) {
    case 0:
        *ARGS(struct evtchn_alloc_unbound) =
            (struct evtchn_alloc_unbound){.dom = DOMID_SELF, .remote_dom = some_domid()};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound);
        break;
    case 1:
        *ARGS(struct evtchn_bind_interdomain) =
            (struct evtchn_bind_interdomain){.remote_dom = some_domid(), .remote_port = port};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain);
        break;
    case 2:
        *ARGS(struct evtchn_bind_virq) = (struct evtchn_bind_virq){
            .virq = one_in(4) ? below(16) : VIRQ_TIMER, .vcpu = some_vcpu()};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq);
        break;
    case 3:
        *ARGS(struct evtchn_bind_ipi) = (struct evtchn_bind_ipi){.vcpu = some_vcpu()};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi);
        break;
    case 4:
        *ARGS(struct evtchn_bind_vcpu) =
            (struct evtchn_bind_vcpu){.port = port, .vcpu = some_vcpu()};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu);
        break;
    case 5:
        *ARGS(struct evtchn_status) = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_status);
        break;
    case 6:
        if (one_in(40)) {
            *ARGS(struct evtchn_reset) = (struct evtchn_reset){.dom = DOMID_SELF};
            call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_reset);
            break;
        }
        *ARGS(struct evtchn_close) = (struct evtchn_close){.port = port};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_close);
        break;
    case 7:
        *ARGS(struct evtchn_unmask) = (struct evtchn_unmask){.port = port};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_unmask);
        break;
    default:
        *ARGS(struct evtchn_send) = (struct evtchn_send){.port = port};
        call_args(__HYPERVISOR_event_channel_op, EVTCHNOP_send);
    }
}

/* What a handler of events does with the bits. */
static void take_events(void)
{
    struct vcpu_info *info = current_vcpu()->vcpu_info;
    uint64_t *pending = current_domain()->shared_info->evtchn_pending;

    __atomic_store_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&pending[0], 0, __ATOMIC_SEQ_CST);
}

/* --- sleeping and waking --- */

static void do_sched(void)
{
    switch (below(6)) {
    case 0:
        take_events();
        call(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0);
        break;
    case 1:
        call(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0);
        break;
    case 2: {
        uint32_t *ports = (uint32_t *)(void *)(args() + 64);
        struct sched_poll poll = {.nr_ports = below(3), .timeout = some_deadline()};

        ports[0] = 1 + below(PORTS);
        ports[1] = 1 + below(PORTS);
        poll.ports.p = (void *)(args_va() + 64);
        *ARGS(struct sched_poll) = poll;
        take_events();
        call_args(__HYPERVISOR_sched_op, SCHEDOP_poll);
        break;
    }
    case 3:
        if (one_in(200) && !current_domain()->is_control) {
            *ARGS(struct sched_shutdown) = (struct sched_shutdown){SHUTDOWN_suspend};
            call_args(__HYPERVISOR_sched_op, SCHEDOP_shutdown);
            break;
        }
        /* fall through */
    default:
        call(__HYPERVISOR_set_timer_op, some_deadline(), 0, 0, 0);
    }
}

static void do_vcpu(void)
{
    const unsigned id = some_vcpu();
    unsigned cmd;

    switch (below(9)) {
    case 0:
        /* The control domain's last vcpu would take the machine with it. */
        cmd = current_domain()->is_control && id == 0 ? VCPUOP_is_up : VCPUOP_down;
        call(__HYPERVISOR_vcpu_op, cmd, id, 0, 0);
        break;
    case 1:
    case 2:
        call(__HYPERVISOR_vcpu_op, VCPUOP_up, id, 0, 0);
        break;
    case 3:
    case 4:
        call(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, id, args_va(), 0);
        break;
    case 5:
        *ARGS(struct vcpu_set_periodic_timer) =
            (struct vcpu_set_periodic_timer){.period_ns = 1000000 + below(3000000)};
        cmd = one_in(3) ? VCPUOP_stop_periodic_timer : VCPUOP_set_periodic_timer;
        call(__HYPERVISOR_vcpu_op, cmd, id, args_va(), 0);
        break;
    case 6:
        *ARGS(struct vcpu_set_singleshot_timer) = (struct vcpu_set_singleshot_timer){
            .timeout_abs_ns = some_deadline(), .flags = one_in(4) ? VCPU_SSHOTTMR_future : 0};
        call(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, current_vcpu()->id, args_va(), 0);
        break;
    case 7: {
        struct vcpu_register_runstate_memory_area area;

        area.addr.p = args_va() + 1024;
        *ARGS(struct vcpu_register_runstate_memory_area) = area;
        cmd = one_in(2) ? VCPUOP_register_runstate_memory_area
                        : VCPUOP_register_vcpu_time_memory_area;
        call(__HYPERVISOR_vcpu_op, cmd, id, args_va(), 0);
        break;
    }
    default:
        *ARGS(struct vcpu_register_vcpu_info) =
            (struct vcpu_register_vcpu_info){.mfn = me()->g.frames[12].n, .offset = 64 * id};
        cmd = one_in(2) ? VCPUOP_send_nmi : VCPUOP_register_vcpu_info;
        call(__HYPERVISOR_vcpu_op, cmd, id, args_va(), 0);
    }
}

/* --- tables and frames --- */

static void do_mmu(void)
{
    struct actor *a = me();
    const unsigned spare = FIRST_FREE + below(SPARE_TABLES);
    uint64_t flags;

    switch (below(9)) {
    case 0:
    case 1: {
        struct mmu_update *u = ARGS(struct mmu_update);
        const unsigned n = 1 + below(8);

        for (unsigned i = 0; i < n; i++)
            u[i] = (struct mmu_update){.ptr = guest_maddr(&a->g, one_in(3) ? spare : a->g.l1) +
                                              some_frame() * 8,
                                       .val = some_entry(a)};
        call(__HYPERVISOR_mmu_update, args_va(), n, 0,
             one_in(16) ? actors[below(ACTORS)].domid : DOMID_SELF);
        break;
    }
    case 2:
    case 3:
        flags = one_in(2) ? UVMF_INVLPG : UVMF_TLB_FLUSH;
        if (one_in(2))
            flags |= UVMF_ALL;
        call(__HYPERVISOR_update_va_mapping, guest_va_at(some_frame()), some_entry(a), flags, 0);
        break;
    case 4:
    case 5:
        *ARGS(struct mmuext_op) = (struct mmuext_op){
            .cmd = one_in(2) ? MMUEXT_UNPIN_TABLE
                             : (one_in(4) ? MMUEXT_PIN_L2_TABLE : MMUEXT_PIN_L1_TABLE),
            .arg1.mfn = a->g.frames[spare].n};
        call(__HYPERVISOR_mmuext_op, args_va(), 1, 0, DOMID_SELF);
        break;
    case 6:
        *ARGS(struct mmuext_op) =
            (struct mmuext_op){.cmd = one_in(2) ? MMUEXT_TLB_FLUSH_ALL : MMUEXT_INVLPG_ALL,
                               .arg1.linear_addr = guest_va_at(some_frame())};
        call(__HYPERVISOR_mmuext_op, args_va(), 1, 0, DOMID_SELF);
        break;
    case 7:
        *ARGS(struct mmuext_op) =
            (struct mmuext_op){.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = a->g.frames[a->g.l4].n};
        call(__HYPERVISOR_mmuext_op, args_va(), 1, 0, DOMID_SELF);
        break;
    default:
        /* What may become, or is, a table; refused by the TLB when it is mapped read-only. */
        (void)fake_store(guest_va_at(one_in(2) ? spare : some_frame()) + below(64) * 8,
                         some_entry(a));
    }
}

static void do_memory(void)
{
    struct actor *a = me();
    xen_pfn_t *list = (xen_pfn_t *)(void *)(args() + 256);
    struct xen_memory_reservation res = {.nr_extents = 1 + below(4), .domid = DOMID_SELF};

    for (unsigned i = 0; i < res.nr_extents; i++)
        list[i] = one_in(2) ? a->g.frames[some_frame()].n : 100 + below(8);
    res.extent_start.p = (void *)(args_va() + 256);
    *ARGS(struct xen_memory_reservation) = res;
    call_args(__HYPERVISOR_memory_op,
              one_in(2) ? XENMEM_decrease_reservation : XENMEM_populate_physmap);
}

/* --- grants --- */

static void give_grant(struct actor *a)
{
    grant_entry_v1_t *e = a->g.d->grant.frame[0].shared;
    const unsigned ref = 8 + below(GREFS);

    e[ref].domid = actors[below(ACTORS)].domid;
    e[ref].frame = (uint32_t)a->g.frames[some_frame()].n;
    __atomic_store_n(&e[ref].flags, GTF_permit_access | (one_in(2) ? GTF_readonly : 0),
                     __ATOMIC_SEQ_CST);
}

static void do_grants(void)
{
    struct actor *a = me();

    switch (below(6)) {
    case 0:
        give_grant(a);
        break;
    case 1:
    case 2:
        *ARGS(struct gnttab_map_grant_ref) = (struct gnttab_map_grant_ref){
            .host_addr = guest_va_at(some_frame()),
            .flags = GNTMAP_host_map | (one_in(2) ? GNTMAP_readonly : 0) |
                     (one_in(8) ? GNTMAP_device_map : 0),
            .ref = 8 + below(GREFS),
            .dom = some_domid()};
        call_args(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref);
        break;
    case 3:
    case 4:
        *ARGS(struct gnttab_unmap_grant_ref) = (struct gnttab_unmap_grant_ref){
            .host_addr = guest_va_at(some_frame()), .handle = a->handles[below(REMEMBERED)]};
        if (one_in(2)) /* the entry went otherwise: the handle alone */
            ARGS(struct gnttab_unmap_grant_ref)->host_addr = 0;
        call_args(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref);
        break;
    default:
        *ARGS(struct gnttab_copy) = (struct gnttab_copy){
            .source = {.u.ref = 8 + below(GREFS), .domid = some_domid()},
            .dest = {.u.gmfn = a->g.frames[some_frame()].n, .domid = DOMID_SELF},
            .len = 64 + below(512),
            .flags = GNTCOPY_source_gref};
        call_args(__HYPERVISOR_grant_table_op, GNTTABOP_copy);
    }
}

static void do_misc(void)
{
    static const char line[] = "a line\n";

    if (one_in(2)) {
        call(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
        return;
    }
    raw_copy(args(), line, sizeof(line));
    call(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(line) - 1, args_va(), 0);
}

/* --- a step --- */

static void came_back(void)
{
    struct cpu_user_regs *r = hal_guest_regs();
    const unsigned nr = (unsigned)r->rbx & 63;
    const long rc = (long)r->rax;
    struct actor *a = me();

    if (rc < 0)
        counts[nr].refused++;
    else
        counts[nr].done++;
    if (nr == __HYPERVISOR_grant_table_op && r->rdi == GNTTABOP_map_grant_ref &&
        ARGS(struct gnttab_map_grant_ref)->status == GNTST_okay)
        a->handles[below(REMEMBERED)] = ARGS(struct gnttab_map_grant_ref)->handle;
    if (nr == __HYPERVISOR_memory_op && (r->rdi & 63) == XENMEM_populate_physmap && rc > 0)
        a->g.frames[some_frame()] = mfn_make(*(uint64_t *)(void *)(args() + 256));
    if (a == &actors[0])
        control_returned(rc);
    __atomic_fetch_add(&steps_done, 1, __ATOMIC_RELAXED);
}

static void begin_something(void)
{
    static void (*const kinds[])(void) = {do_events, do_events, do_sched,  do_sched,
                                          do_vcpu,   do_mmu,    do_mmu,    do_mmu,
                                          do_memory, do_grants, do_grants, do_misc};

    if (one_in(4))
        take_events();
    if (current_domain()->is_control && one_in(2))
        control_step();
    else
        kinds[below(ARRAY_LEN(kinds))]();
}

void guest_step(void)
{
    struct cpu_user_regs *r = hal_guest_regs();

    if (r->rip != AT_CALL) {
        begin_something();
        return;
    }
    r->rip = BEHIND_CALL;
    hypercall_entry(r);
    if (r->rip == BEHIND_CALL)
        came_back();
}

void guest_report(void)
{
    printf("operations done/refused, by hypercall:");
    for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
        if (counts[i].done + counts[i].refused)
            printf(" %u:%u/%u", i, counts[i].done, counts[i].refused);
    printf("\n");
}
