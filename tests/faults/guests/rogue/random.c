/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls at random, from one seed. Most are well formed, about the pages, ports and grants that
 * this guest has, so that a good share of them is accepted and changes something; the others are
 * junk from the number on. Left out is only what would end this guest, or take away its voice, at
 * once: the subject is what the hypervisor bears, not how fast a guest can end itself. It often
 * breaks itself all the same, and is then made anew.
 *
 * It says every CALLS_SAID calls how many it made and how many were taken, never waiting for room
 * in the console's ring: nobody promises that the other end still reads.
 */
#define __XEN_TOOLS__ 1 /* for the versions of domctl and sysctl */
#include "rogue.h"

#include <tenue-front/port.h>

#include <xen/domctl.h>
#include <xen/io/console.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define CALLS_SAID 20000u
#define TIDY_CALLS 2000u
#define SUMS_SAID (10 * CALLS_SAID)
#define PAGES 24u
#define TABLES 8u /* the first ones are read-only most of the time, fit to be page tables */
#define SLOTS 8u
#define SLOT_SIZE 2048u /* what any operation writes into it fits */
#define LIST_AT 512u    /* in a slot: what the arguments point to */
#define FIRST_REF 8u    /* the references below are the console's and the store's */
#define REFS 512u

struct call {
    u64 nr, arg[5];
    u8 *slot;                   /* its arguments in memory */
    bool chosen;                /* the operation is one that was picked with care */
    const volatile s16 *status; /* of a grant operation */
};

static u64 random_state;
static u8 *page[PAGES];
static bool lost[PAGES]; /* given back to the hypervisor */
/* Offered to nobody. The spare ones take what a call with a long list writes behind its own; the
 * last page is read-only, so that a list without end ends there. */
static u8 slots[SLOTS + 8][SLOT_SIZE] FRONT_PAGE_ALIGNED;
static multicall_entry_t entries[SLOTS];
static u8 areas[512];            /* where the hypervisor writes times when it likes */
static evtchn_port_t first_port; /* those below were there before */

/* ---- numbers ---- */

static u64 any(u64 below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 8) % below;
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

static void set(struct call *c, u64 nr, u64 a, u64 b, u64 d)
{
    c->nr = nr;
    c->arg[0] = a;
    c->arg[1] = b;
    c->arg[2] = d;
}

static void junk(struct call *c)
{
    u64 *words = (u64 *)c->slot;

    for (u32 i = 0; i < 32; i++)
        words[i] = value();
    set(c, any(64), any(3) ? any(48) : value(), any(4) ? (u64)words : value(),
        any(2) ? any(8) : value());
    c->arg[3] = any(2) ? DOMID_SELF : value();
    c->arg[4] = value();
}

static void memory_moves(struct call *c)
{
    static const u8 commands[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                  XENMEM_populate_physmap};
    struct xen_memory_reservation *op = (void *)c->slot;
    xen_pfn_t *list = (void *)(c->slot + LIST_AT);

    set(c, __HYPERVISOR_memory_op, commands[any(3)], (u64)op, 0);
    c->chosen = true;
    op->nr_extents = mostly(any(4));
    op->extent_order = (unsigned)(any(8) ? 0 : value());
    op->mem_flags = (unsigned)(any(8) ? 0 : value());
    op->domid = domain();
    set_xen_guest_handle(op->extent_start, list);
    for (u32 i = 0; i < 4; i++)
        list[i] = mostly(c->arg[0] == XENMEM_populate_physmap ? any(front_nr_pages) : some_mfn());
}

static void memory_exchange(struct call *c)
{
    struct xen_memory_exchange *op = (void *)c->slot;
    xen_pfn_t *list = (void *)(c->slot + LIST_AT);

    set(c, __HYPERVISOR_memory_op, XENMEM_exchange, (u64)op, 0);
    op->in.nr_extents = mostly(1);
    op->in.domid = domain();
    set_xen_guest_handle(op->in.extent_start, list);
    op->out.nr_extents = mostly(op->in.nr_extents);
    op->out.extent_order = (unsigned)(any(8) ? 0 : value());
    op->out.domid = (domid_t)mostly(op->in.domid);
    set_xen_guest_handle(op->out.extent_start, list + 4);
    list[0] = mostly(some_mfn());
    list[4] = mostly(any(front_nr_pages));
}

static void memory_asks(struct call *c)
{
    u64 *words = (u64 *)c->slot;

    set(c, __HYPERVISOR_memory_op, any(30), (u64)words, 0);
    if (c->arg[0] == XENMEM_exchange || c->arg[0] <= XENMEM_decrease_reservation ||
        c->arg[0] == XENMEM_populate_physmap)
        c->arg[0] = XENMEM_maximum_ram_page;
    words[0] = any(2) ? domain() : value();
    words[1] = any(2) ? (u64)c->slot + LIST_AT : value();
    for (u32 i = 2; i < 8; i++)
        words[i] = value();
}

static void mmu_update(struct call *c)
{
    mmu_update_t *req = (void *)c->slot;

    set(c, __HYPERVISOR_mmu_update, (u64)req, any(2) ? 1 : 1 + any(4),
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
static void mmuext(struct call *c)
{
    struct mmuext_op *op = (void *)c->slot;
    bool pins = any(2);

    set(c, __HYPERVISOR_mmuext_op, (u64)op, any(2) ? 1 : 1 + any(3),
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
static void va_mapping(struct call *c)
{
    static const u64 flags[] = {
        PTE_KERN & ~PTE_RW, PTE_KERN & ~PTE_RW, PTE_KERN & ~PTE_RW, 0,
        PTE_KERN,           PTE_KERN,           PTE_KERN,           PTE_KERN & ~PTE_RW};
    u32 i = (u32)any(PAGES);
    u64 f = flags[any(6) + (i < TABLES ? 0 : 2)];
    u64 pte = any(4) ? front_pte(front_va_to_mfn(page[i]), f) : entry();

    set(c, __HYPERVISOR_update_va_mapping, mostly((u64)page[i]), pte,
        any(4) ? UVMF_INVLPG | UVMF_ALL : value());
    if (any(16) == 0) {
        c->nr = __HYPERVISOR_update_va_mapping_otherdomain;
        c->arg[3] = domain();
    }
}

static void descriptors(struct call *c)
{
    u64 *list = (u64 *)c->slot;
    u64 desc = value() & ~(0xffUL << 40);

    switch (any(4)) {
    case 0:
        for (u32 i = 0; i < 16; i++)
            list[i] = mostly(some_mfn());
        set(c, __HYPERVISOR_set_gdt, (u64)list, any(8) ? any(2) * any(513) : value(), 0);
        break;
    case 1:
        set(c, __HYPERVISOR_set_segment_base, any(5), mostly((u64)page[any(PAGES)]), 0);
        break;
    case 2:
        set(c, __HYPERVISOR_stack_switch, mostly(FLAT_KERNEL_SS), mostly((u64)page[any(PAGES)]), 0);
        break;
    default:
        desc |= (any(2) ? 0xf2UL + any(2) * 8 : any(256)) << 40;
        set(c, __HYPERVISOR_update_descriptor,
            (mostly(some_mfn()) << FRONT_PAGE_SHIFT) + any(512) * 8, desc, 0);
    }
}

static void events(struct call *c)
{
    u32 *w = (u32 *)c->slot;
    u64 *words = (u64 *)c->slot;

    memset(c->slot, 0, 64);
    set(c, __HYPERVISOR_event_channel_op, any(14), (u64)w, 0);
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
        e->domid = (domid_t)any(16);
    e->frame = (u32)mostly(some_mfn());
    front_wmb();
    WRITE_ONCE(e->flags,
               (u16)(any(4) ? GTF_permit_access | (any(2) ? GTF_readonly : 0) : any(1 << 16)));
}

static void grants(struct call *c)
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
    set(c, __HYPERVISOR_grant_table_op, any(3) ? any(6) : any(14), (u64)op, 1);
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

static void vcpus(struct call *c)
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

    set(c, __HYPERVISOR_vcpu_op, any(64) ? commands[any(9)] : commands[any(11)],
        mostly(any(8) ? 0 : 1), (u64)words);
    words[0] = any(2) ? front_time_ns() + any(1UL << 20) : value();
    if (c->arg[0] == VCPUOP_register_runstate_memory_area ||
        c->arg[0] == VCPUOP_register_vcpu_time_memory_area)
        words[0] = mostly((u64)areas + any(2) * 128);
    words[1] = any(2) ? 0 : value();
}

static void small_ones(struct call *c)
{
    sched_poll_t *poll = (void *)c->slot;
    evtchn_port_t *list = (void *)(c->slot + LIST_AT);

    c->chosen = true;
    switch (any(9)) {
    case 0:
        set(c, __HYPERVISOR_xen_version, any(14), any(8) ? (u64)c->slot : value(), 0);
        break;
    case 1:
        set(c, __HYPERVISOR_vm_assist, any(3), any(7), 0);
        break;
    case 2:
        set(c, __HYPERVISOR_set_timer_op, any(2) ? front_time_ns() + any(1UL << 20) : value(), 0,
            0);
        break;
    case 3:
        set(c, __HYPERVISOR_fpu_taskswitch, any(2), 0, 0);
        break;
    case 4:
        set(c, __HYPERVISOR_get_debugreg, any(9), 0, 0);
        break;
    case 5:
        set(c, __HYPERVISOR_console_io, CONSOLEIO_read, any(256), (u64)c->slot);
        break;
    case 6: /* a short sleep */
        set(c, __HYPERVISOR_sched_op, SCHEDOP_poll, (u64)poll, 0);
        list[0] = port();
        set_xen_guest_handle(poll->ports, list);
        poll->nr_ports = (unsigned)any(3);
        poll->timeout = front_time_ns() + 1 + any(100000);
        break;
    case 7:
        set(c, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, (u64)c->slot, 0);
        ((sched_remote_shutdown_t *)c->slot)->domain_id = (domid_t)any(16);
        ((sched_remote_shutdown_t *)c->slot)->reason = (unsigned)any(5);
        break;
    default:
        set(c, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
}

/* The control domain's own, spelled right, and about any domain. */
static void control(struct call *c)
{
    u64 *words = (u64 *)c->slot;
    u32 *head = (u32 *)c->slot;

    for (u32 i = 0; i < 16; i++)
        words[i] = any(2) ? any(64) : value();
    switch (any(4)) {
    case 0:
        set(c, __HYPERVISOR_domctl, (u64)words, 0, 0);
        head[1] = XEN_DOMCTL_INTERFACE_VERSION;
        head[0] = (u32)any(90);
        head[2] = (u32)domain();
        break;
    case 1:
        set(c, __HYPERVISOR_sysctl, (u64)words, 0, 0);
        head[1] = XEN_SYSCTL_INTERFACE_VERSION;
        head[0] = (u32)any(32);
        break;
    case 2:
        set(c, __HYPERVISOR_platform_op, (u64)words, 0, 0);
        head[0] = (u32)any(70);
        head[1] = XENPF_INTERFACE_VERSION;
        break;
    default:
        set(c, __HYPERVISOR_physdev_op, any(34), (u64)words, 0);
    }
}

static void several(struct call *c);

static const struct {
    const char *name;
    u32 weight;
    void (*fill)(struct call *c);
} kinds[] = {
    {"junk", 4, junk},
    {"memory", 2, memory_moves},
    {"exchange", 1, memory_exchange},
    {"memory-asks", 1, memory_asks},
    {"mmu", 4, mmu_update},
    {"mmuext", 4, mmuext},
    {"va", 4, va_mapping},
    {"desc", 2, descriptors},
    {"event", 3, events},
    {"grant", 4, grants},
    {"vcpu", 1, vcpus},
    {"small", 2, small_ones},
    {"control", 1, control},
    {"multi", 2, several},
};
static struct {
    u32 made, taken;
} count[FRONT_ARRAY_SIZE(kinds)], all;

static void counted(u32 kind, bool accepted)
{
    count[kind].made++;
    count[kind].taken += accepted;
    all.made++;
    all.taken += accepted;
}

static u32 kind_next(void)
{
    u64 sum = 0, at;
    u32 k = 0;

    for (u32 i = 0; i < FRONT_ARRAY_SIZE(kinds); i++)
        sum += kinds[i].weight;
    for (at = any(sum); at >= kinds[k].weight; k++)
        at -= kinds[k].weight;
    return k;
}

/* What would end this guest, or make it dumb or deaf, by doing what it is told. */
static bool suicide(const struct call *c)
{
    switch (c->nr) {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_sched_op_compat:
    case __HYPERVISOR_set_debugreg:
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_nmi_op:
        return true;
    case __HYPERVISOR_multicall: /* only with entries that were looked at */
    case __HYPERVISOR_mmuext_op:
    case __HYPERVISOR_sched_op:
        return !c->chosen;
    case __HYPERVISOR_vcpu_op:
        return c->arg[0] == VCPUOP_down || c->arg[0] == VCPUOP_register_vcpu_info ||
               c->arg[0] == VCPUOP_send_nmi;
    case __HYPERVISOR_event_channel_op:
        return c->arg[0] == EVTCHNOP_reset;
    case __HYPERVISOR_console_io:
        return c->arg[0] == CONSOLEIO_write;
    }
    return false;
}

/* ---- making them ---- */

static void fill(struct call *c, u32 kind, u32 slot)
{
    do {
        *c = (struct call){.arg[3] = DOMID_SELF, .slot = slots[slot]};
        kinds[kind].fill(c);
    } while (suicide(c));
}

static bool taken(const struct call *c, long rc)
{
    return rc >= 0 && (!c->status || *c->status == 0);
}

/* Frames that went and came, so that there go on being pages to play with. */
static void frames_moved(const struct call *c, long rc)
{
    const xen_pfn_t *list = (const void *)(c->slot + LIST_AT);
    bool gone = c->arg[0] == XENMEM_decrease_reservation;
    bool came = c->arg[0] == XENMEM_increase_reservation || c->arg[0] == XENMEM_populate_physmap;

    if (c->nr != __HYPERVISOR_memory_op || !c->chosen || !(gone || came))
        return;
    for (long n = 0; n < 4 && n < rc; n++) {
        for (u32 i = 0; i < PAGES; i++) {
            u64 *mfn = &front_p2m[front_va_to_pfn(page[i])];

            if (gone ? *mfn != list[n] : !lost[i])
                continue;
            lost[i] = gone;
            if (came)
                *mfn = list[n];
            break;
        }
    }
}

/* One frame for another, which is then the page's. */
static void frame_exchanged(const struct call *c)
{
    const xen_pfn_t *list = (const void *)(c->slot + LIST_AT);

    for (u32 i = 0; i < PAGES; i++)
        if (front_va_to_mfn(page[i]) == list[0])
            front_p2m[front_va_to_pfn(page[i])] = list[4];
}

/* Up to SLOTS calls in one; at times itself is among them. */
static void several(struct call *c)
{
    static struct call calls[SLOTS];
    static u32 kind[SLOTS];
    u32 n = 1 + (u32)any(SLOTS);

    for (u32 i = 0; i < n; i++) {
        kind[i] = kind_next();
        if (kinds[kind[i]].fill == several || kinds[kind[i]].fill == memory_moves ||
            kinds[kind[i]].fill == memory_exchange)
            kind[i] = 0;
        fill(&calls[i], kind[i], i);
        entries[i] = (multicall_entry_t){.op = calls[i].nr};
        memcpy(entries[i].args, calls[i].arg, sizeof(calls[i].arg));
    }
    if (any(16) == 0)
        entries[any(n)] =
            (multicall_entry_t){.op = __HYPERVISOR_multicall, .args = {(u64)entries, n}};
    if (front_hypercall(__HYPERVISOR_multicall, (u64)entries, n, 0, 0, 0) == 0) {
        for (u32 i = 0; i < n; i++)
            counted(kind[i], taken(&calls[i], (long)entries[i].result));
    }
    set(c, __HYPERVISOR_xen_version, XENVER_version, 0,
        0); /* the call that is counted for the kind itself */
}

/* ---- what is said ---- */

static void tell(const char *text)
{
    struct xencons_interface *ring = front_port_map(front_si->console.domU.mfn);
    size_t len = strlen(text);
    u32 used = ring->out_prod - READ_ONCE(ring->out_cons);

    if (used <= sizeof(ring->out) && sizeof(ring->out) - used >= len)
        front_console_write(text, len);
}

static void tell_sums(void)
{
    char line[512];
    int at = front_snprintf(line, sizeof(line), "rogue: taken:");

    for (u32 i = 0; i < FRONT_ARRAY_SIZE(kinds) && at < (int)sizeof(line) - 48; i++)
        at += front_snprintf(line + at, sizeof(line) - (size_t)at, " %s %u/%u", kinds[i].name,
                             count[i].taken, count[i].made);
    front_snprintf(line + at, sizeof(line) - (size_t)at, "\n");
    tell(line);
}

static void tell_progress(void)
{
    char line[96];

    front_snprintf(line, sizeof(line), "rogue: answers: %u calls, %u of them taken\n", all.made,
                   all.taken);
    tell(line);
}

/* What all those calls left of the pages decays: now and then they are made what they were, as far
 * as that can be done. */
static void tidy(void)
{
    hc_set_gdt(0, 0);
    front_mmuext_va(MMUEXT_SET_LDT, 0, 0);
    for (u32 i = 0; i < PAGES; i++)
        front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(page[i]));
    for (u32 i = 0; i < PAGES; i++)
        front_unmap((u64)page[i]);
    for (u32 i = 0; i < PAGES; i++) {
        if (front_page_rw(page[i]))
            continue;
        memset(page[i], 0, FRONT_PAGE_SIZE);
        if (i < TABLES)
            front_page_ro(page[i]);
    }
}

static struct call last;

/* It has broken something of its own. The console's ring may be what it was, so it says so to the
 * hypervisor's, and does not wait for anybody. */
static bool broken(struct front_regs *regs)
{
    char line[160];
    int len = front_snprintf(
        line, sizeof(line),
        "rogue: broken after %u calls: vector %lu rip %lx cr2 %lx; call %lu %lx %lx\n", all.made,
        regs->vector, regs->rip, front_vcpu_info(0)->arch.cr2, last.nr, last.arg[0], last.arg[1]);

    hc_console_io(CONSOLEIO_write, len, line);
    front_shutdown(SHUTDOWN_crash);
}

void random_calls(u64 seed)
{
    u32 said = 0, sums = 0;

    random_state = seed ? seed : front_rdtsc() | 1;
    front_printf("rogue: seed %lu\n", random_state);
    front_grant_init();
    for (u32 i = 0; i < PAGES; i++)
        page[i] = front_page_alloc();
    front_page_ro(front_page_alloc()); /* lists in the pages end here */
    front_page_ro(slots[SLOTS + 6]);
    first_port = (evtchn_port_t)front_evtchn_alloc(0);
    for (unsigned vector = 0; vector < 32; vector++)
        front_trap_set(vector, broken);
    front_console_drain();
    front_irq_disable();
    for (;;) {
        u32 kind = kind_next();
        long rc;

        fill(&last, kind, 0);
        rc = front_hypercall(last.nr, last.arg[0], last.arg[1], last.arg[2], last.arg[3],
                             last.arg[4]);
        counted(kind, taken(&last, rc));
        frames_moved(&last, rc);
        if (kinds[kind].fill == memory_exchange && rc == 0)
            frame_exchanged(&last);
        if (any(TIDY_CALLS) == 0)
            tidy();
        if (all.made - said < CALLS_SAID)
            continue;
        said = all.made;
        tell_progress();
        if (said - sums >= SUMS_SAID) {
            tell_sums();
            sums = said;
        }
    }
}
