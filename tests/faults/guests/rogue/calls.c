/* SPDX-License-Identifier: MIT */
/*
 * One hypercall at random, of each kind: mostly well formed, about the pages, ports and grants that
 * there are. Everything that a call points to is in the slot that it was given.
 */
#define __XEN_TOOLS__ 1 /* for the versions of domctl and sysctl */
#include "random.h"

#include <xen/domctl.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define FIRST_REF 8u /* the references below are the console's and the store's */
#define REFS 512u

static u8 areas[512]; /* where the hypervisor writes times when it likes */

/* ---- numbers ---- */

u64 any(u64 below)
{
    u64 *state = &hand()->random;

    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 8) % below;
}

static u64 some_mfn(void)
{
    return front_va_to_mfn(page[any(PAGES)]);
}

static u64 data_mfn(void)
{
    return any(8) ? front_va_to_mfn(page[TABLES + any(PAGES - TABLES)]) : some_mfn();
}

/* A number that means something somewhere. */
static u64 value(void)
{
    switch (any(10)) {
    case 0:
        return any(4);
    case 1:
        return any(64);
    case 2:
        return any(1UL << 20);
    case 3:
        return some_mfn();
    case 4:
        return (some_mfn() << FRONT_PAGE_SHIFT) + any(4096);
    case 5:
        return (any(1UL << 20) << FRONT_PAGE_SHIFT) | any(512);
    case 6:
        return (u64)page[any(PAGES)] + any(4096);
    case 7:
        return 0x7ff0 + any(5); /* domains that are none */
    case 8:
        return ~any(1UL << 16);
    default:
        return any(1UL << 32) << 32 | any(1UL << 32);
    }
}

static u64 mostly(u64 good)
{
    return any(12) ? good : value();
}

static domid_t domain(void)
{
    switch (any(8)) {
    case 0:
        return 0;
    case 1:
    case 2:
        return (domid_t)any(16);
    case 3:
        return (domid_t)(0x7ff0 + any(5));
    case 4:
        return own_id;
    default:
        return DOMID_SELF;
    }
}

static evtchn_port_t port(void)
{
    return (evtchn_port_t)(any(12) ? any(64) : value());
}

/* A reference of our own table, or of somebody's. */
static grant_ref_t ref(void)
{
    return (grant_ref_t)mostly(any(4) ? FIRST_REF + any(32) : any(REFS));
}

/* What a table is used as, so that one fits into another: five of level 1, one of each above. */
static u32 level_of(u32 table)
{
    return table < 5 ? 1 : table - 3;
}

/* An entry for a page table. Writable and read-only, junk in the rest now and then. */
static u64 entry(void)
{
    static const u64 flags[] = {0,         PTE_KERN,      PTE_KERN & ~PTE_RW,
                                PTE_TABLE, PTE_P | PTE_U, PTE_P | PTE_RW | PTE_NX};
    u64 pte = front_pte(mostly(data_mfn()), flags[any(FRONT_ARRAY_SIZE(flags))]);

    return any(8) ? pte : pte | value() % 4096;
}

/* ---- one kind each: fills in a call ---- */

void call_set(struct call *c, u64 nr, u64 a, u64 b, u64 d)
{
    c->nr = nr;
    c->arg[0] = a;
    c->arg[1] = b;
    c->arg[2] = d;
}

void fill_junk(struct call *c)
{
    u64 *words = (u64 *)c->slot;

    for (u32 i = 0; i < 32; i++)
        words[i] = value();
    call_set(c, any(64), any(3) ? any(48) : value(), any(4) ? (u64)words : value(),
             any(2) ? any(8) : value());
    c->arg[3] = any(2) ? DOMID_SELF : value();
    c->arg[4] = value();
}

/* A frame that could be given away, unless something else refers to it. */
static u64 unmapped_mfn(void)
{
    void *p = page[any(PAGES)];

    if (any(2))
        front_unmap((u64)p);
    return front_va_to_mfn(p);
}

void fill_memory_moves(struct call *c)
{
    static const u8 commands[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                  XENMEM_populate_physmap};
    struct xen_memory_reservation *op = (void *)c->slot;
    xen_pfn_t *list = (void *)(c->slot + LIST_AT);

    call_set(c, __HYPERVISOR_memory_op, commands[any(3)], (u64)op, 0);
    c->chosen = true;
    op->nr_extents = mostly(any(4));
    op->extent_order = (unsigned)(any(8) ? 0 : value());
    op->mem_flags = (unsigned)(any(8) ? 0 : value());
    op->domid = domain();
    set_xen_guest_handle(op->extent_start, list);
    for (u32 i = 0; i < 4; i++)
        list[i] =
            mostly(c->arg[0] == XENMEM_populate_physmap ? any(front_nr_pages) : unmapped_mfn());
}

void fill_memory_exchange(struct call *c)
{
    struct xen_memory_exchange *op = (void *)c->slot;
    xen_pfn_t *list = (void *)(c->slot + LIST_AT);

    call_set(c, __HYPERVISOR_memory_op, XENMEM_exchange, (u64)op, 0);
    op->in.nr_extents = mostly(1);
    op->in.domid = domain();
    set_xen_guest_handle(op->in.extent_start, list);
    op->out.nr_extents = mostly(op->in.nr_extents);
    op->out.extent_order = (unsigned)(any(8) ? 0 : value());
    op->out.domid = (domid_t)mostly(op->in.domid);
    set_xen_guest_handle(op->out.extent_start, list + 4);
    list[0] = mostly(unmapped_mfn());
    list[4] = mostly(any(front_nr_pages));
}

void fill_memory_asks(struct call *c)
{
    u64 *words = (u64 *)c->slot;

    call_set(c, __HYPERVISOR_memory_op, any(30), (u64)words, 0);
    if (c->arg[0] == XENMEM_exchange || c->arg[0] <= XENMEM_decrease_reservation ||
        c->arg[0] == XENMEM_populate_physmap)
        c->arg[0] = XENMEM_maximum_ram_page;
    words[0] = any(2) ? domain() : value();
    words[1] = any(2) ? (u64)c->slot + LIST_AT : value();
    for (u32 i = 2; i < 8; i++)
        words[i] = value();
}

void fill_mmu_update(struct call *c)
{
    mmu_update_t *req = (void *)c->slot;

    call_set(c, __HYPERVISOR_mmu_update, (u64)req, any(2) ? 1 : 1 + any(4),
             any(2) ? 0 : (u64)c->slot + LIST_AT);
    c->arg[3] = any(16) ? DOMID_SELF : mostly(domain());
    for (u32 i = 0; i < 5; i++) {
        u32 table = (u32)any(TABLES);
        u64 lower = table < 5 ? 0 : front_va_to_mfn(page[table == 5 ? any(5) : table - 1]);

        req[i].ptr = (mostly(front_va_to_mfn(page[table])) << FRONT_PAGE_SHIFT) + any(512) * 8;
        req[i].ptr |= any(8) ? 0 : any(4);
        req[i].val = lower && any(8) ? front_pte(lower, any(2) * PTE_TABLE) : entry();
        if ((req[i].ptr & 3) == MMU_MACHPHYS_UPDATE)
            req[i].val = any(front_nr_pages);
    }
}

/* Any operation but the one that changes the root under us. */
void fill_mmuext(struct call *c)
{
    struct mmuext_op *op = (void *)c->slot;
    bool pins = any(2);

    call_set(c, __HYPERVISOR_mmuext_op, (u64)op, any(2) ? 1 : 1 + any(3),
             any(2) ? 0 : (u64)c->slot + LIST_AT);
    c->chosen = true;
    c->arg[3] = any(16) ? DOMID_SELF : mostly(domain());
    for (u32 i = 0; i < 4; i++) {
        u32 table = (u32)any(TABLES);

        op[i].cmd = (unsigned)((MMUEXT_NEW_BASEPTR + 1 + any(20)) % 21);
        if (pins)
            op[i].cmd = any(2) ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L1_TABLE + level_of(table) - 1;
        op[i].arg1.mfn = mostly(any(8) ? front_va_to_mfn(page[table]) : data_mfn());
        op[i].arg2.src_mfn = mostly(data_mfn());
        if (op[i].cmd == MMUEXT_CLEAR_PAGE || op[i].cmd == MMUEXT_COPY_PAGE)
            op[i].arg1.mfn = mostly(data_mfn());
        if (op[i].cmd >= MMUEXT_TLB_FLUSH_LOCAL && op[i].cmd <= MMUEXT_INVLPG_ALL)
            op[i].arg1.linear_addr = mostly((u64)page[any(PAGES)]);
        if (op[i].cmd == MMUEXT_TLB_FLUSH_MULTI || op[i].cmd == MMUEXT_INVLPG_MULTI)
            op[i].arg2.vcpumask.p = c->slot + LIST_AT + 64;
        if (op[i].cmd == MMUEXT_SET_LDT) {
            op[i].arg1.linear_addr = mostly((u64)page[any(PAGES)]);
            op[i].arg2.nr_ents = (unsigned)any(513);
        }
    }
}

/* Pages become read-only, and so fit to be tables, and writable again. */
void fill_va_mapping(struct call *c)
{
    static const u64 flags[] = {
        PTE_KERN & ~PTE_RW, PTE_KERN & ~PTE_RW, PTE_KERN & ~PTE_RW, 0,
        PTE_KERN,           PTE_KERN,           PTE_KERN,           PTE_KERN & ~PTE_RW};
    u32 i = (u32)any(PAGES);
    u64 f = flags[any(6) + (i < TABLES ? 0 : 2)];
    u64 pte = any(4) ? front_pte(front_va_to_mfn(page[i]), f) : entry();

    call_set(c, __HYPERVISOR_update_va_mapping, mostly((u64)page[i]), pte,
             any(4) ? UVMF_INVLPG | UVMF_ALL : value());
    if (any(16) == 0) {
        c->nr = __HYPERVISOR_update_va_mapping_otherdomain;
        c->arg[3] = domain();
    }
}

void fill_descriptors(struct call *c)
{
    u64 *list = (u64 *)c->slot;
    u64 desc = value() & ~(0xffUL << 40);

    switch (any(4)) {
    case 0:
        for (u32 i = 0; i < 16; i++)
            list[i] = mostly(some_mfn());
        call_set(c, __HYPERVISOR_set_gdt, (u64)list, any(8) ? any(2) * any(513) : value(), 0);
        break;
    case 1:
        call_set(c, __HYPERVISOR_set_segment_base, any(5), mostly((u64)page[any(PAGES)]), 0);
        break;
    case 2:
        call_set(c, __HYPERVISOR_stack_switch, mostly(FLAT_KERNEL_SS),
                 mostly((u64)page[any(PAGES)]), 0);
        break;
    default:
        desc |= (any(2) ? 0xf2UL + any(2) * 8 : any(256)) << 40;
        call_set(c, __HYPERVISOR_update_descriptor,
                 (mostly(some_mfn()) << FRONT_PAGE_SHIFT) + any(512) * 8, desc, 0);
    }
}

void fill_events(struct call *c)
{
    u32 *w = (u32 *)c->slot;
    u64 *words = (u64 *)c->slot;

    memset(c->slot, 0, 64);
    call_set(c, __HYPERVISOR_event_channel_op, any(14), (u64)w, 0);
    switch (c->arg[0]) {
    case EVTCHNOP_alloc_unbound:
        ((evtchn_alloc_unbound_t *)w)->dom = any(8) ? DOMID_SELF : domain();
        ((evtchn_alloc_unbound_t *)w)->remote_dom = domain();
        break;
    case EVTCHNOP_bind_interdomain:
        ((evtchn_bind_interdomain_t *)w)->remote_dom = domain();
        ((evtchn_bind_interdomain_t *)w)->remote_port = port();
        break;
    case EVTCHNOP_status:
        ((evtchn_status_t *)w)->dom = domain();
        ((evtchn_status_t *)w)->port = port();
        break;
    case EVTCHNOP_close:
        w[0] = first_port + port() % 1024;
        break;
    case EVTCHNOP_init_control:
        words[0] = mostly(some_mfn());
        break;
    case EVTCHNOP_expand_array:
        words[0] = mostly(some_mfn());
        break;
    default:
        w[0] = port();
        w[1] = (u32)mostly(any(2));
    }
}

/* Page and data of a copy's end: a frame of ours, or a reference to anybody's. */
static void copy_end(struct gnttab_copy *op, bool source)
{
    bool by_ref = any(2);
    grant_ref_t r = ref();
    xen_pfn_t frame = mostly(some_mfn());

    op->flags |= by_ref ? (source ? GNTCOPY_source_gref : GNTCOPY_dest_gref) : 0;
    if (source) {
        op->source.domid = domain();
        op->source.offset = (u16)mostly(any(4096));
        if (by_ref)
            op->source.u.ref = r;
        else
            op->source.u.gmfn = frame;
    } else {
        op->dest.domid = domain();
        op->dest.offset = (u16)mostly(any(4096));
        if (by_ref)
            op->dest.u.ref = r;
        else
            op->dest.u.gmfn = frame;
    }
}

/* What we offer: any page, to anybody, in every way. */
static void offer(void)
{
    grant_entry_v1_t *e = front_grant_entry((int)(FIRST_REF + any(32)));

    e->flags = 0;
    e->domid = domain();
    if (e->domid == DOMID_SELF)
        e->domid = any(4) ? own_id : (domid_t)any(16);
    e->frame = (u32)mostly(some_mfn());
    front_wmb();
    WRITE_ONCE(e->flags,
               (u16)(any(4) ? GTF_permit_access | (any(2) ? GTF_readonly : 0) : any(1 << 16)));
}

void fill_grants(struct call *c)
{
    union {
        struct gnttab_map_grant_ref map;
        struct gnttab_unmap_grant_ref unmap;
        struct gnttab_copy copy;
        u64 words[8];
    } *op = (void *)c->slot;

    if (any(4) == 0)
        offer();
    for (u32 i = 0; i < 8; i++)
        op->words[i] = any(2) ? any(64) : value();
    call_set(c, __HYPERVISOR_grant_table_op, any(3) ? any(6) : any(14), (u64)op, 1);
    switch (c->arg[0]) {
    case GNTTABOP_map_grant_ref:
        op->map.dom = domain();
        op->map.ref = ref();
        op->map.flags = (u32)mostly(GNTMAP_host_map | any(2) * GNTMAP_readonly);
        op->map.host_addr = mostly((u64)page[any(PAGES)]);
        c->status = &op->map.status;
        break;
    case GNTTABOP_unmap_grant_ref:
        op->unmap.host_addr = mostly((u64)page[any(PAGES)]);
        op->unmap.dev_bus_addr = any(4) ? 0 : value();
        op->unmap.handle = (grant_handle_t)mostly(any(32));
        c->status = &op->unmap.status;
        break;
    case GNTTABOP_copy:
        op->copy.flags = 0;
        copy_end(&op->copy, true);
        copy_end(&op->copy, false);
        op->copy.len = (u16)any(4096);
        c->status = &op->copy.status;
        break;
    case GNTTABOP_setup_table:
    case GNTTABOP_query_size:
    case GNTTABOP_get_version:
        ((domid_t *)op)[0] = domain();
        ((u32 *)op)[1] = (u32)mostly(1);
        op->words[1] = op->words[2] = (u64)c->slot + LIST_AT; /* setup_table: where the frames go */
        break;
    default:
        break;
    }
}

void fill_vcpus(struct call *c)
{
    static const u8 commands[] = {VCPUOP_is_up,
                                  VCPUOP_get_runstate_info,
                                  VCPUOP_register_runstate_memory_area,
                                  VCPUOP_register_vcpu_time_memory_area,
                                  VCPUOP_set_periodic_timer,
                                  VCPUOP_stop_periodic_timer,
                                  VCPUOP_set_singleshot_timer,
                                  VCPUOP_stop_singleshot_timer,
                                  VCPUOP_get_physid,
                                  VCPUOP_initialise,
                                  VCPUOP_up};
    u64 *words = (u64 *)c->slot;

    call_set(c, __HYPERVISOR_vcpu_op, any(64) ? commands[any(9)] : commands[any(11)],
             mostly(any(8) ? 0 : 1), (u64)words);
    words[0] = any(2) ? front_time_ns() + any(1UL << 20) : value();
    if (c->arg[0] == VCPUOP_register_runstate_memory_area ||
        c->arg[0] == VCPUOP_register_vcpu_time_memory_area)
        words[0] = mostly((u64)areas + any(2) * 128);
    words[1] = any(2) ? 0 : value();
}

void fill_small_ones(struct call *c)
{
    sched_poll_t *poll = (void *)c->slot;
    evtchn_port_t *list = (void *)(c->slot + LIST_AT);

    c->chosen = true;
    switch (any(9)) {
    case 0:
        call_set(c, __HYPERVISOR_xen_version, any(14), any(8) ? (u64)c->slot : value(), 0);
        break;
    case 1:
        call_set(c, __HYPERVISOR_vm_assist, any(3), any(7), 0);
        break;
    case 2:
        call_set(c, __HYPERVISOR_set_timer_op, any(2) ? front_time_ns() + any(1UL << 20) : value(),
                 0, 0);
        break;
    case 3:
        call_set(c, __HYPERVISOR_fpu_taskswitch, any(2), 0, 0);
        break;
    case 4:
        call_set(c, __HYPERVISOR_get_debugreg, any(9), 0, 0);
        break;
    case 5:
        call_set(c, __HYPERVISOR_console_io, CONSOLEIO_read, any(256), (u64)c->slot);
        break;
    case 6: /* a short sleep */
        call_set(c, __HYPERVISOR_sched_op, SCHEDOP_poll, (u64)poll, 0);
        list[0] = port();
        set_xen_guest_handle(poll->ports, list);
        poll->nr_ports = (unsigned)any(3);
        poll->timeout = front_time_ns() + 1 + any(100000);
        break;
    case 7:
        call_set(c, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, (u64)c->slot, 0);
        ((sched_remote_shutdown_t *)c->slot)->domain_id = (domid_t)any(16);
        ((sched_remote_shutdown_t *)c->slot)->reason = (unsigned)any(5);
        break;
    default:
        call_set(c, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
}

/* The control domain's own, spelled right, and about any domain. */
void fill_control(struct call *c)
{
    u64 *words = (u64 *)c->slot;
    u32 *head = (u32 *)c->slot;

    for (u32 i = 0; i < 16; i++)
        words[i] = any(2) ? any(64) : value();
    switch (any(4)) {
    case 0:
        call_set(c, __HYPERVISOR_domctl, (u64)words, 0, 0);
        head[1] = XEN_DOMCTL_INTERFACE_VERSION;
        head[0] = (u32)any(90);
        head[2] = (u32)domain();
        break;
    case 1:
        call_set(c, __HYPERVISOR_sysctl, (u64)words, 0, 0);
        head[1] = XEN_SYSCTL_INTERFACE_VERSION;
        head[0] = (u32)any(32);
        break;
    case 2:
        call_set(c, __HYPERVISOR_platform_op, (u64)words, 0, 0);
        head[0] = (u32)any(70);
        head[1] = XENPF_INTERFACE_VERSION;
        break;
    default:
        call_set(c, __HYPERVISOR_physdev_op, any(34), (u64)words, 0);
    }
}
